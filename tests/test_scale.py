"""What keeps a driver small: catalogs built in blocks, rows of two layouts, restarts read by workers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from campaigns import NAMES, campaign
from hypothesis import given
from hypothesis import strategies as st
from numcodecs.zstd import Zstd

from spinscreen.materials import find_materials, library, write_wannier90
from spinscreen.storage import Store
from spinscreen.storage.catalog import building, earlier, pieces, scalars
from spinscreen.storage.catalog.scalars import Scalars, plain_values
from spinscreen.storage.results.rows import ROW_VERSION, make_row, packed_row, unpacked_row
from spinscreen.workflows import compute, driver, run_campaign
from spinscreen.workflows.engine import LocalEngine

#: What the user may say of a material, or leave out.
GIVEN = (
    {"hull": 0.5, "batch": "a", "old": True},
    {"hull": 0.25, "batch": "b", "old": False, "late": 3},
    {"batch": "a", "old": True},
    {"hull": 1.5, "batch": "c", "old": False, "late": "unknown"},
    {"hull": 0.0, "old": True, "late": 2.5},
)


@pytest.fixture(scope="module")
def dataset():
    found = compute(library.load("kane_mele"), kmesh=3, scan_points=3)
    return found.assign_attrs(fermi_level=0.0, elapsed_seconds=0.1)


def store_of(dataset, folder):
    store = Store.at(folder / "results.zarr").opened()
    for number, columns in enumerate(GIVEN):
        store.publish(dataset.assign_attrs(columns=json.dumps(columns)), f"m{number}")
    return store


def test_a_catalog_in_blocks_is_the_one_that_fits_into_memory(dataset, tmp_path, monkeypatch):
    store = store_of(dataset, tmp_path)
    whole = store.build_catalog().load()
    assert whole["late"].values.tolist() == ["", "3", "", "unknown", "2.5"]
    assert whole["old"].dtype == bool
    assert np.isnan(whole["hull"].values).tolist() == [False, False, True, False, False]
    for module in (building, earlier, scalars):
        monkeypatch.setattr(module, "SCALAR_CHUNK", 2)
    for module in (building, pieces):
        monkeypatch.setattr(module, "CHUNK", 1)
    (store.path / "catalog").unlink()
    xr.testing.assert_identical(_told(store.build_catalog().load()), _told(whole))
    assert not list(store.path.glob(".partial/*"))
    # The blocks of an earlier catalog are taken over as they are.
    store.publish(dataset.assign_attrs(columns=json.dumps({"old": True})), "n0")
    grown = store.build_catalog().load()
    xr.testing.assert_equal(grown.isel(material=slice(5)), whole)


def _told(catalog):
    """Without what names the generation."""
    return catalog.drop_attrs(deep=False)


def test_a_damaged_block_of_an_earlier_catalog_is_made_anew(dataset, tmp_path, monkeypatch):
    for module in (building, pieces):
        monkeypatch.setattr(module, "CHUNK", 2)
    store = store_of(dataset, tmp_path)
    whole = store.build_catalog().load()
    chunk = (store.path / "catalog" / "gap" / "c" / "0").resolve()
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(content)
    store.publish(dataset.assign_attrs(columns=json.dumps({"old": True})), "n0")
    xr.testing.assert_equal(store.build_catalog().load().isel(material=slice(5)), whole)


@given(
    st.lists(
        st.lists(
            st.dictionaries(
                st.sampled_from("abc"),
                st.one_of(st.booleans(), st.integers(-3, 3), st.floats(-1, 1), st.text()),
            ),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_types_of_columns_do_not_depend_on_where_rows_are_kept(tables):
    rows = [row | {"id": "x"} for table in tables for row in table]
    found = Scalars(None)
    for table in tables:
        found.append(pieces.columns_of([row | {"id": "x"} for row in table]))
    expected = pd.DataFrame(rows, dtype=object)
    for name, kind in found.types.items():
        own = scalars._plain(scalars._joined(found._tables)[name], kind, len(rows))
        said = plain_values(expected[name].infer_objects())
        assert own.dtype.kind == said.dtype.kind
        np.testing.assert_array_equal(own, said)


def test_rows_that_earlier_versions_packed_are_read(dataset):
    row = make_row(dataset.assign_attrs(columns=json.dumps({"batch": "a", "n": 2})), "m")
    header = {
        "version": ROW_VERSION,
        "columns": dict(row.columns),
        "observables": row.observables.names,
        "observable_units": row.observables.units,
        "observable_facts": row.observables.facts,
        "headings": dict(row.headings),
        "tensors": {name: list(values.shape) for name, values in row.tensors.items()},
    }
    tensors = b"".join(np.ascontiguousarray(v, dtype="<f8").tobytes() for v in row.tensors.values())
    before = unpacked_row(json.dumps(header).encode() + b"\n" + bytes(Zstd(level=1).encode(tensors)), "m")
    now = unpacked_row(packed_row(row), "m")
    for found in (before, now):
        assert list(found.columns) == list(row.columns)
        # NaN is no equal of itself.
        np.testing.assert_equal(dict(found.columns), dict(row.columns))
        assert found.observables == row.observables
        assert found.headings == row.headings
        np.testing.assert_equal(dict(found.tensors), dict(row.tensors))


class Backwards(LocalEngine):
    """An engine whose last call ends first."""

    def map(self, function, items, **how):
        yield from reversed(list(super().map(function, items, **how)))


def test_pieces_come_in_their_order():
    assert list(driver._of_each(Backwards(), str, range(5))) == list("01234")


def test_workers_find_what_is_published_where_a_driver_would_take_long(tmp_path, client, monkeypatch):
    for name in NAMES[:2]:
        write_wannier90(library.load(name), tmp_path / "tree" / name)
    job = campaign(find_materials(tmp_path / "tree"))
    store = tmp_path / "results.zarr"
    assert run_campaign(job, store, client).count("computed") == 2
    monkeypatch.setattr(driver, "_FEW", 0)
    assert run_campaign(job, store, client).count("present") == 2
    # What is damaged is no result, whoever looks.
    file = next((store / "materials").glob("*.zip"))
    file.write_bytes(file.read_bytes()[:-100])
    again = run_campaign(job, store, client)
    assert (again.count("computed"), again.count("present")) == (1, 1)
