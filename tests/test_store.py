"""Publication: whole or not at all, never twice, readable by plain xarray."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

from spinscreen.kernels import InputError
from spinscreen.materials import library
from spinscreen.storage import (
    Store,
    StoreError,
    is_published,
    open_store,
    plot_bands,
    plot_hall,
    publish,
    published,
)
from spinscreen.storage import tree as tree_module
from spinscreen.storage.files.sealed import seal_of
from spinscreen.storage.place import Place
from spinscreen.workflows import compute, evaluate, make_settings


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return compute(library.load("kane_mele"), 40, np.linspace(-1, 1, 5))


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_plain_xarray_opens_what_was_published(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    assert publish(dataset, store, "kane_mele-1")
    found = xr.open_zarr(f"zip::{store}/materials/kane_mele-1.zip").load()
    xr.testing.assert_identical(found.drop_vars("observable_unit"), dataset.drop_vars("observable_unit"))
    assert list(found["observable_unit"].values) == ["hbar"] * 3
    assert not list((store / ".partial").glob("*"))


def test_nothing_warns_while_writing_and_reading(tmp_path, dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        publish(dataset, tmp_path / "s.zarr", "a")
        tree = open_store(tmp_path / "s.zarr")
        assert tree["materials/a"]["carrier_density"].shape == (5,)


def test_a_published_material_is_never_replaced(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    publish(dataset, store, "a")
    before = content(store)
    assert not publish(dataset * 0, store, "a")
    assert content(store) == before
    assert publish(dataset, store, "b")
    assert published(store) == ("a", "b")


def test_a_failure_while_writing_leaves_the_store_whole(tmp_path, dataset, monkeypatch):
    store = tmp_path / "results.zarr"
    publish(dataset, store, "a")
    before = content(store)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"results.zarr: cannot be written \(No space left on device\)"):
        publish(dataset, store, "b")
    assert content(store) == before


def test_half_a_material_is_never_seen(tmp_path, dataset, monkeypatch):
    """At the moment of publication everything is written, and nothing is published before it."""
    store = tmp_path / "results.zarr"
    publish(dataset, store, "first")
    link = os.link
    seen = []

    def watch(partial, target):
        seen.append((is_published(store, "a"), seal_of(partial) is not None))
        return link(partial, target)

    monkeypatch.setattr(os, "link", watch)
    publish(dataset, store, "a")
    assert seen == [(False, True)]
    assert is_published(store, "a")


def test_a_folder_that_others_remove_meanwhile_is_made_again(tmp_path):
    """Each writer removes the folder for partial files once it is empty, whoever is about to write there."""
    place = Place(tmp_path / "results.zarr").opened()

    def write(number: int) -> bool:
        done = place.write(place.materials / f"{number}.json", b"{}")
        place.tidy()
        return done

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(400)))


def test_many_writers_of_one_material_publish_it_once(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: publish(dataset, store, "a"), range(4)))
    assert sum(done) == 1
    xr.testing.assert_allclose(
        open_store(store)["materials/a"]["carrier_density"].load(), dataset["carrier_density"]
    )


@pytest.mark.parametrize("what", ["file", "foreign folder"])
def test_a_place_that_is_no_store_is_refused_and_left_alone(tmp_path, dataset, what):
    store = tmp_path / "precious"
    if what == "file":
        store.write_text("data")
    else:
        store.mkdir()
        (store / "thesis.tex").write_text("data")
    before = content(tmp_path)
    with pytest.raises(InputError, match="expected a"):
        publish(dataset, store, "a")
    assert content(tmp_path) == before


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(InputError, match="no Zarr store found there"):
        open_store(tmp_path / "none.zarr")
    assert published(tmp_path / "none.zarr") == ()


def test_changed_settings_make_a_new_name():
    model = library.load("MoS2")
    names = {make_settings(model, n, 0.0).material_id(model) for n in (4, 5)}
    assert len(names) == 2
    assert all(name.startswith("MoS2-") for name in names)


def test_hall_figure_has_units_and_labels(dataset, tmp_path):
    figure = plot_hall(dataset, ("spin_z", "x", "y"))
    (axes,) = figure.axes
    assert axes.get_xlabel() == "energy - Fermi level (eV)"
    assert axes.get_ylabel() == r"$\sigma^{z}_{xy}$ (e/2π)"
    drawn = {text.get_text() for text in axes.get_legend().get_texts()}
    assert drawn >= {"conventional", "conserved, packet picture", "full response"}
    conventional = axes.lines[0].get_ydata()
    # In units of e/(2 pi) the gap carries about one.
    assert abs(conventional[2]) == pytest.approx(1, abs=0.2)
    figure.savefig(tmp_path / "hall.png")


def test_a_figure_of_nothing_is_refused(dataset):
    with pytest.raises(InputError, match="expected conventional_hall_conductivity"):
        plot_hall(dataset[["carrier_density"]])


def test_band_figure_has_units_and_labels():
    from spinscreen.kernels import k_path

    model = library.load("MoS2")
    path = k_path([("Γ", (0, 0, 0)), ("K", (1 / 3, 2 / 3, 0))], model.lattice, 20)
    dataset = evaluate(model, path, ["energy", "conserved_curvature"])
    selection = {"observable": "spin_z", "axis": "z"}
    figure = plot_bands(dataset, "conserved_curvature", selection, model.fermi_level)
    axes, bar = figure.axes
    assert axes.get_ylabel() == "energy - Fermi level (eV)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Γ", "K"]
    assert bar.get_ylabel() == "conserved curvature spin_z z (ħ Å²)"


def test_a_large_store_is_opened_group_by_group(tmp_path, dataset, monkeypatch):
    store = tmp_path / "results.zarr"
    for i in range(60):
        publish(dataset, store, f"m{i:02d}")
    opened = []
    read = tree_module.read_material

    def noting(store, name):
        opened.append(name)
        return read(store, name)

    monkeypatch.setattr(tree_module, "read_material", noting)
    tree = open_store(store)
    assert list(tree["materials"].children) == [f"m{i:02d}" for i in range(60)]
    assert "m17" in tree["materials"].children
    assert not opened
    node = tree["materials/m17"]
    xr.testing.assert_equal(node["carrier_density"].load(), dataset["carrier_density"])
    assert node.path == "/materials/m17"
    assert node.parent is tree["materials"]
    assert opened == ["m17"]
    # What is looked at shows a few of them and opens no more than it shows.
    for view in (repr, lambda t: t._repr_html_()):
        assert "m00" in view(tree)
    assert len(opened) < 20
    sizes = [node.to_dataset().sizes["fermi_energy"] for node in tree["materials"].children.values()]
    assert sizes == [5] * 60


def test_a_store_made_by_hand_is_that_of_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store("results.zarr") == Store.at("results.zarr")
    assert Store("results.zarr").results == ()
    with pytest.raises(StoreError, match="3: no path for a store"):
        Store(3)
