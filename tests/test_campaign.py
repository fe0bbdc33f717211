"""Campaigns, catalog and screening: nothing lost, nothing done twice."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from campaigns import NAMES, campaign, numbers

from spinscreen.kernels import InputError
from spinscreen.materials import (
    LibrarySource,
    ModelSource,
    check_material,
    find_materials,
    library,
    write_wannier90,
)
from spinscreen.storage import build_catalog, failures, open_store, screen
from spinscreen.workflows import run_campaign
from spinscreen.workflows.configuration import template


@pytest.fixture(scope="module")
def library_sources():
    return [source for source in find_materials("library") if source.id in NAMES]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, library_sources) -> Path:
    store = tmp_path_factory.mktemp("finished") / "results.zarr"
    report = run_campaign(campaign(library_sources), store)
    assert report.count("computed") == 4
    return store


def test_a_second_run_computes_nothing(finished, library_sources):
    before = numbers(finished)
    report = run_campaign(campaign(library_sources), finished)
    assert report.count("present") == 4
    assert numbers(finished) == before


def test_what_has_not_changed_is_not_even_read(tmp_path, monkeypatch):
    write_wannier90(library.load("MoS2"), tmp_path / "tree" / "MoS2")
    (source,) = find_materials(tmp_path / "tree")
    store = tmp_path / "results.zarr"
    assert run_campaign(campaign([source]), store).count("computed") == 1

    def unreadable(self):
        raise AssertionError(self.id)

    with monkeypatch.context() as patched:
        patched.setattr(type(source), "load", unreadable)
        assert run_campaign(campaign([source]), store).count("present") == 1
        assert run_campaign(campaign([source], broadening=0.1), store).count("failed") == 1
        # A newer time of a file, or another way to load it, means that it is read again.
        os.utime(tmp_path / "tree" / "MoS2" / "MoS2_tb.dat", (1, 1))
        assert run_campaign(campaign([source]), store).count("failed") == 1
    report = run_campaign(campaign([source]), store)
    assert report.count("present") == 1
    # What failed under other settings has not gone well yet.
    assert list(failures(store)) == ["MoS2"]
    assert run_campaign(campaign([source], broadening=0.1), store).count("computed") == 1
    assert failures(store) == {}
    other = replace(source, overrides={"fermi_level": 0.3})
    assert run_campaign(campaign([other]), store).count("computed") == 1


def test_a_cluster_gives_the_same_bits(tmp_path, finished, library_sources, client):
    store = tmp_path / "results.zarr"
    run_campaign(campaign(library_sources), store, client)
    assert numbers(store) == numbers(finished)


def test_a_broken_material_is_recorded_and_stops_nothing(tmp_path, client):
    for name in ("MoS2", "WS2"):
        write_wannier90(library.load(name), tmp_path / "tree" / name)
    broken = tmp_path / "tree" / "WS2" / "WS2_tb.dat"
    whole = broken.read_text()
    broken.write_text(whole[: len(whole) // 2])
    store = tmp_path / "results.zarr"
    job = campaign(find_materials(tmp_path / "tree"))
    report = run_campaign(job, store, client)
    assert (report.count("computed"), report.count("failed")) == (1, 1)
    assert "WS2_tb.dat, line" in failures(store)["WS2"]
    assert "WS2_tb.dat, line" in (check_material(job.materials[1]).error or "")
    broken.write_text(whole)
    report = run_campaign(job, store)
    assert (report.count("computed"), report.count("present")) == (1, 1)
    assert failures(store) == {}
    with_warnings = open_store(store)
    assert len(with_warnings["materials"]) == 2


def test_the_catalog_opens_in_plain_xarray(finished):
    catalog = xr.open_zarr(finished, group="catalog", consolidated=False)
    assert catalog["conserved_hall_conductivity"].dims[0] == "material"
    assert catalog.sizes["relative_energy"] == 201
    assert set(catalog["name"].values) == set(NAMES)
    valence = catalog["conserved_hall_conductivity"].sel(
        observable="spin_z", current_axis="x", field_axis="y"
    )
    assert float(abs(valence).max()) > 0


def test_the_catalog_grows_by_what_is_new(tmp_path, library_sources):
    store = tmp_path / "results.zarr"
    run_campaign(campaign(library_sources[:2]), store)
    first = build_catalog(store)
    run_campaign(campaign(library_sources), store)
    second = build_catalog(store)
    assert (first.sizes["material"], second.sizes["material"]) == (2, 4)
    shared = second.sel(material=first["material"])
    np.testing.assert_array_equal(shared["conserved_xy_z_max"], first["conserved_xy_z_max"])


def test_catalogs_built_at_the_same_time_do_not_quarrel(tmp_path, library_sources):
    store = tmp_path / "results.zarr"
    run_campaign(campaign(library_sources[:2]), store)
    code = (
        "import sys\n"
        "from spinscreen.storage import Store, published\n"
        "from spinscreen.storage.catalog import _build\n"
        "store = Store.at(sys.argv[1])\n"
        "for _ in range(5): _build(store, map, None, published(store))\n"
    )
    drivers = [subprocess.Popen([sys.executable, "-c", code, str(store)]) for _ in range(3)]
    assert [driver.wait() for driver in drivers] == [0, 0, 0]
    assert build_catalog(store).sizes["material"] == 2
    assert not list(tmp_path.rglob(".partial"))


def test_screening_filters_sorts_and_cuts(finished):
    found = screen(finished, "abs(conserved_xy_z_max) > 0 and gap >= 0", "abs(conserved_xy_z_max)", 2)
    assert isinstance(found, pd.DataFrame)
    assert len(found) == 2
    peak = found["conserved_xy_z_max"].abs().to_numpy()
    assert peak[0] >= peak[1]
    assert screen(finished, "name == 'WS2'")["name"].tolist() == ["WS2"]
    assert screen(finished, "not (name == 'WS2')", columns=["name"]).shape == (3, 1)
    assert list(screen(finished, sort="-gap")["gap"]) == sorted(screen(finished)["gap"])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("gap <", "cannot be read"),
        ("gpa < 1", "did you mean 'gap'"),
        ("__import__('os').system('true')", "is not allowed"),
        ("().__class__", "is not allowed"),
        ("gap ** 1000 > 1", "a power of at most 10"),
        ("gap", "expected a condition"),
        ("[x for x in (1, 2)]", "is not allowed"),
    ],
)
def test_an_expression_that_is_none_is_refused(finished, where, message):
    with pytest.raises(InputError, match=message):
        screen(finished, where)


def test_a_copy_behind_an_address_is_screened(finished):
    here = screen(finished, sort="abs(conserved_xy_z_max)")
    there = screen(f"file://{finished}", sort="abs(conserved_xy_z_max)")
    pd.testing.assert_frame_equal(here, there)
    with pytest.raises(InputError, match="its catalog cannot be opened"):
        screen("file:///nowhere/at/all.zarr")


def test_the_documented_settings_are_the_template():
    page = Path(__file__).resolve().parents[1] / "docs" / "campaigns.md"
    assert template() in page.read_text()


def test_a_store_that_cannot_be_written_stops_the_campaign_with_one_message(tmp_path, library_sources):
    (tmp_path / "taken").write_text("data")
    with pytest.raises(InputError, match="is a file, expected a folder"):
        run_campaign(campaign(library_sources[:1]), tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "data"


@dataclass(frozen=True)
class Alias(LibrarySource):
    """A built-in model under an id of its own."""

    def load(self):
        return library.load("MoS2")


def test_sources_that_are_one_model_are_told_to_share_a_result(tmp_path):
    report = run_campaign(campaign([Alias("one"), Alias("two"), LibrarySource("WS2")]), tmp_path / "r.zarr")
    (ids,) = report.shared
    assert sorted(ids) == ["one", "two"]
    assert screen(tmp_path / "r.zarr", columns=["name"])["name"].tolist() == [ids[0], "WS2"]
    assert run_campaign(campaign([Alias("one")]), tmp_path / "r.zarr").shared == ()


def test_models_in_memory_are_a_campaign(tmp_path, client):
    """A scan of a parameter that no file has, on workers of a cluster."""
    masses = {f"haldane_{mass:g}": library.load("haldane", mass=mass) for mass in (0.0, 0.4)}
    job = campaign([*campaign(masses).materials, ModelSource("third", masses["haldane_0"], {"mass": 0.4})])
    assert run_campaign(job, tmp_path / "r.zarr", client).count("computed") == 3
    table = screen(tmp_path / "r.zarr", columns=["name", "mass"])
    assert table["name"].tolist() == ["haldane_0", "haldane_0.4", "third"]
    assert table["mass"].isna().tolist() == [True, True, False]


def test_models_of_a_list_are_called_as_they_are():
    assert [material.id for material in campaign([library.load("MoS2")]).materials] == ["MoS2"]


@pytest.mark.parametrize(
    ("materials", "sentence"),
    [
        ([library.load("MoS2")] * 2, "materials: 2 are called 'MoS2', expected each name once"),
        (library.load("MoS2"), "expected sources or models, as a list or a mapping of names, found Wannier"),
        ({"a": 3}, "materials: expected a WannierModel at each place, found 3"),
        (["MoS2"], "materials: expected a WannierModel or a source of one at each place, found 'MoS2'"),
    ],
)
def test_what_is_no_campaign_is_said(materials, sentence):
    with pytest.raises(InputError) as problem:
        campaign(materials)
    assert sentence in str(problem.value)
    assert "\n" not in str(problem.value)
