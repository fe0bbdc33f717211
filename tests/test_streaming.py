"""Values per k and band of a large mesh: streamed by the workers, resumed, the same as `evaluate`."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from spinscreen.kernels import InputError, KMesh
from spinscreen.materials import library
from spinscreen.storage import StoreError, open_store
from spinscreen.workflows import evaluate, stream_bands, streaming

QUANTITIES = ("energy", "texture", "conserved_curvature")
MESH = (12, 10, 1)


@pytest.fixture(scope="module")
def model():
    return library.load("WSe2")


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of one mesh line, so that a small mesh has many."""
    # Private on purpose: the size of chunks is part of the layout, and no setting.
    monkeypatch.setattr(streaming, "_CHUNK_BYTES", 1)


def assert_like_evaluate(dataset: xr.Dataset, model) -> None:
    expected = evaluate(model, KMesh(MESH), QUANTITIES)
    assert set(dataset.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        assert dataset[name].dims == expected[name].dims
        assert dataset[name].attrs == expected[name].attrs
        # Sums over R in another order: rounding of numbers up to 100.
        np.testing.assert_allclose(dataset[name], expected[name], atol=1e-9)
    for name in ("k1", "k2", "k3"):
        assert name in dataset.coords
        np.testing.assert_array_equal(dataset[name], expected[name])


def test_streamed_bands_are_those_of_evaluate(tmp_path, model, small_chunks):
    store = tmp_path / "results.zarr"
    name = stream_bands(model, MESH, store, QUANTITIES)
    dataset = xr.open_zarr(store, group=f"bands/{name}", consolidated=False)
    assert dataset["energy"].chunksizes["k"] == (12,) * 10
    assert_like_evaluate(dataset, model)
    assert dataset.attrs["k_mesh"] == list(MESH)
    assert_like_evaluate(open_store(store)[f"bands/{name}"].to_dataset(), model)
    assert not (store / ".partial").exists()


def test_workers_write_the_same(tmp_path, model, client, small_chunks):
    name = stream_bands(model, MESH, tmp_path / "results.zarr", QUANTITIES, client)
    here = stream_bands(model, MESH, tmp_path / "other.zarr", QUANTITIES)
    a, b = (
        xr.open_zarr(tmp_path / store, group=f"bands/{name}", consolidated=False).load()
        for store in ("results.zarr", "other.zarr")
    )
    assert name == here
    for variable in a.data_vars:
        assert a[variable].values.tobytes() == b[variable].values.tobytes()


def test_what_a_killed_try_has_written_is_not_computed_again(tmp_path, model, small_chunks, monkeypatch):
    store = tmp_path / "results.zarr"
    monkeypatch.setattr("spinscreen.workflows.engine.core_count", lambda: 1)
    line, before, after = MESH[0], [], []

    def stopping(kpoints):
        before.append(kpoints)
        if len(before) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream_bands(model, MESH, store, QUANTITIES, progress=stopping)
    assert not (store / "bands").exists()
    name = stream_bands(model, MESH, store, QUANTITIES, progress=after.append)
    assert before == [line] * 4
    # All that was told, and what was ahead of it.
    assert after in ([line] * 6, [line] * 5)
    assert_like_evaluate(xr.open_zarr(store, group=f"bands/{name}", consolidated=False), model)
    told = list(after)
    stream_bands(model, MESH, store, QUANTITIES, progress=after.append)
    assert after == told


def test_bad_requests_are_refused(tmp_path, model):
    with pytest.raises(InputError, match="is an integral over the Brillouin zone"):
        stream_bands(model, 4, tmp_path / "r.zarr", ["conserved_hall_conductivity"])
    with pytest.raises(InputError, match="expected at least one name"):
        stream_bands(model, 4, tmp_path / "r.zarr", [])
    (tmp_path / "taken").write_text("in the way")
    with pytest.raises(StoreError, match="is a file, expected a folder"):
        stream_bands(model, 4, tmp_path / "taken")
