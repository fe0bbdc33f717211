"""Errors as data: bars of plain meshes, verdicts, and what is said of a result beside its numbers."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
from command_line import spinscreen
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import IN_QUANTA, random_model

from spinscreen.kernels import InputError, IrreducibleMesh, KMesh, submeshes
from spinscreen.kernels.interleaved import Submeshes, largest_of, nearby
from spinscreen.materials import bogoliubov, find_materials, library
from spinscreen.storage import build_catalog, open_store, published, screen
from spinscreen.storage.catalog import building, earlier
from spinscreen.storage.observables import Observables
from spinscreen.storage.results import rows, unit_of
from spinscreen.workflows import Campaign, compute, run_campaign
from spinscreen.workflows.alarms import DominantPointWarning
from spinscreen.workflows.cli.numbers import with_error

HALL = "conventional_hall_conductivity"


@given(shape=st.tuples(*[st.integers(1, 14)] * 3))
@hypothesis_settings(max_examples=60, deadline=None)
def test_submeshes_share_all_points_of_a_mesh_among_them(shape):
    mesh = KMesh(shape)
    split = submeshes(IrreducibleMesh.whole(mesh))
    numbers = split.of_points(mesh.indices(mesh.every_point()))
    assert split.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.bincount(numbers) / mesh.size, split.weights)
    # k -> -k, and mirrors that turn one axis, leave every sub-mesh what it is.
    for signs in ((-1, -1, -1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        mirrored = mesh.indices(mesh.every_point()) * signs
        np.testing.assert_array_equal(split.of_points(mirrored), numbers)


@pytest.mark.parametrize(
    ("shape", "count"), [((8, 8, 8), 8), ((12, 9, 1), 4), ((7, 8, 8), 1), ((1, 1, 1), 1), ((5, 5, 1), 9)]
)
def test_submeshes_are_the_densest_that_there_are(shape, count):
    assert submeshes(IrreducibleMesh.whole(KMesh(shape))).count == count


def test_the_bar_of_one_point_that_carries_all_is_twice_its_error():
    """F is 1 at k = 0 alone: what the mesh gives is all error."""
    split = submeshes(IrreducibleMesh.whole(KMesh((8, 8, 8))))
    values = np.zeros((8, 1))
    values[split.of_points(np.zeros((1, 3), dtype=int))] = 1.0
    assert split.error(np.repeat(values, 2, axis=1), np.array([0.0, 0.1])) == pytest.approx(2 / 8)


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_the_bar_of_an_energy_alone_is_that_of_few_samples(count):
    """Gosset's question, Biometrika 6, 1 (1908): how far a mean of few normal numbers is from the truth."""
    split = Submeshes((count, 1, 1), np.arange(count).reshape(count, 1, 1))
    values = np.random.default_rng(1908).normal(size=(count, 40_000, 1))
    outside = np.abs(values.mean(axis=0)) > split.error(values, np.zeros(1))
    # The deviation of the share is 0.0011.
    assert outside.mean() == pytest.approx(0.05, abs=0.005)
    # Neighbours that are far away say nothing.
    far = split.error(np.repeat(values, 2, axis=2), np.array([0.0, 0.3]))
    np.testing.assert_array_equal(far[:, :1], split.error(values, np.zeros(1)))


def test_bars_of_meshes_of_superconductors_at_300_kelvin():
    """A superconductor has one Fermi energy: no neighbour tells that sub-meshes agree by accident."""
    names = ["carrier_density", "density_of_states", "conventional_hall_conductivity", "drude_weight"]
    asked = {"temperature": 300, "quantities": names}
    ratios = []
    for name, level, gap in (
        ("kane_mele", -0.9, 0.05),
        ("kane_mele", 0.5, 0.01),
        ("rashba_ferromagnet", 0.5, 0.1),
        ("rashba_ferromagnet", 0.0, 0.01),
    ):
        model = bogoliubov(library.load(name), "s", chemical_potential=level, gap=gap)
        exact = compute(model, (120, 120, 1), kshift=0.377, **asked)
        for points, shift in product((16, 24, 32, 48), (0.0, 0.5)):
            found = compute(model, (points, points, 1), kshift=shift, **asked)
            for one in names:
                size, known = np.abs(exact[one].values), exact[f"{one}_error"].values
                error = np.abs(found[one].values - exact[one].values)
                # Rounding, and what is not known of the exact value, are no errors.
                seen = error > np.maximum(1e-6 * size.max(), 3 * known)
                ratios.append((error / found[f"{one}_error"].values)[seen])
    ratio = np.concatenate(ratios)
    assert len(ratio) > 200
    assert (ratio <= 1).mean() >= 0.95


@given(
    energies=st.lists(st.floats(-3, 3), min_size=1, max_size=40, unique=True).map(sorted).map(np.array),
    reach=st.floats(0, 4),
    seed=st.integers(0, 100),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_largest_nearby_is_that_of_every_window(energies, reach, seed):
    values = np.random.default_rng(seed).random((2, len(energies)))
    expected = [values[:, (energies >= e - reach) & (energies <= e + reach)].max(axis=1) for e in energies]
    np.testing.assert_array_equal(largest_of(values, *nearby(energies, reach)), np.transpose(expected))


def test_every_integral_has_a_bar_with_its_dims_and_unit():
    model = library.load("kane_mele")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        dataset = compute(model, 12, np.linspace(-1, 1, 11), temperature=300)
    names = [name for name in dataset.data_vars if not name.endswith("_error")]
    for name in names:
        bar = dataset[f"{name}_error"]
        assert bar.dims == dataset[name].dims
        assert bar.attrs["units"] == dataset[name].attrs["units"]
        assert bar.attrs["error_method"] == dataset.attrs["error_method"]
        assert not (bar < 0).any()
        assert np.isfinite(bar).all()
        assert dataset[name].attrs["converged"] in (0, 1)
    assert dataset.attrs["converged"] == all(dataset[name].attrs["converged"] for name in names)
    assert dataset.attrs["kpoints"] == 144
    # Those that symmetry relates are computed once.
    assert 144 / 24 < dataset.attrs["evaluations"] <= 144 / 2


def test_a_mesh_without_submeshes_has_unknown_errors():
    dataset = compute(random_model(0), (7, 7, 7), 0.0, quantities=["carrier_density"])
    assert np.isnan(dataset["carrier_density_error"]).all()
    assert "converged" not in dataset.attrs
    assert "converged" not in dataset["carrier_density"].attrs
    assert dataset.attrs["error_method"].startswith("unknown")


@pytest.mark.parametrize(
    ("name", "reference", "meshes"), [("haldane", 400, (12, 20, 27, 36)), ("MoS2", 240, (20, 27, 36, 48))]
)
def test_most_errors_of_plain_meshes_lie_within_their_bars(name, reference, meshes):
    """Against a mesh so dense that its own error is below 2e-3 of the largest value, which is allowed."""
    model = library.load(name)
    energies = (model.fermi_level or 0.0) + np.linspace(-2, 2, 81)
    names = ["carrier_density", HALL if model.observables else "anomalous_hall_conductivity"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        exact, *coarse = (
            compute(model, n, energies, quantities=names, degeneracy_threshold=1e-4)
            for n in (reference, *meshes)
        )
    for variable in names:
        allowed = 2e-3 * float(abs(exact[variable]).max())
        inside = [
            (abs(found[variable] - exact[variable]) <= found[f"{variable}_error"] + allowed).mean()
            for found in coarse
        ]
        # 2 of 3 at the least on any mesh, 9 of 10 on the whole: a bar is an estimate, not a bound.
        assert min(inside) > 0.67
        assert np.mean(inside) > 0.9


def test_the_point_that_carries_silicene_is_named():
    """On this mesh the 1.5 meV gap lies on one point of each valley: -397 instead of -1."""
    with pytest.warns(DominantPointWarning, match=r"one k point, 0\.[36].* carries 50%"):
        found = compute(library.load("silicene"), 48, 0.0, quantities=[HALL], kshift=0)
    value, bar = (float(found[name][2, 0, 1, 0]) * IN_QUANTA for name in (HALL, f"{HALL}_error"))
    assert value < -300
    assert abs(value + 1) < bar
    assert found.attrs["converged"] == 0
    assert found[HALL].attrs["largest_share_of_one_kpoint"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1536.2345, 2.31, "1536.2±2.3"),
        (1536.2345, 231, "1540±230"),
        (-3.84e-5, 1.2e-6, "(-3.84±0.12)e-05"),
        (-0.001, 0.96, "0.00±0.96"),
        (0.5, 0.0, "0.5"),
        (2.0, 2e-17, "2"),
        (1.23456789, None, "1.23457"),
        (1.23456789, float("nan"), "1.23±?"),
        (-52.3101, float("nan"), "-52.3±?"),
        (1536.2345, float("inf"), "1540±?"),
        (1.2345e-5, float("nan"), "1.23e-05±?"),
        (0.0, float("nan"), "0±?"),
        (float("nan"), 0.1, "nan"),
        (1e9, 2e3, "(1.0000000±0.0000020)e+09"),
    ],
)
def test_numbers_are_printed_one_digit_beyond_the_error(value, error, text):
    assert with_error(value, error) == text


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One material that is converged to 1 %, one that is not, one of which that is not known."""
    place = tmp_path_factory.mktemp("quality") / "results.zarr"
    sources = {source.id: source for source in find_materials("library")}
    names = ["carrier_density", HALL, "conserved_hall_conductivity"]
    # In its gap MoS2 is converged on few points; the default scan of MoSe2 has metals in it.
    for name, settings in (
        ("MoS2", {"kmesh": 48, "scan_points": 1}),
        ("MoSe2", {"kmesh": 8, "scan_points": 5}),
        ("WS2", {"kmesh": 7, "scan_points": 1}),
    ):
        run_campaign(Campaign([sources[name]], quantities=names, **settings), place)
    return place


def test_the_catalog_has_errors_and_qualities(store):
    table = screen(
        store, columns=["name", "conserved_xy_z", "conserved_xy_z_error", "quality", "evaluations"]
    )
    table = table.set_index("name")
    assert dict(table["quality"]) == {"MoS2": "converged", "MoSe2": "unconverged", "WS2": "unknown"}
    assert table["conserved_xy_z_error"].isna().to_dict() == {"MoS2": False, "MoSe2": False, "WS2": True}
    # Of each pair k and -k one is computed, of others that symmetry relates too.
    assert 0 < table.loc["MoS2", "evaluations"] <= 48**2 / 2 + 48
    for name in published(store):
        dataset = open_store(store)[f"materials/{name}"].to_dataset()
        here = dataset.spinscreen.at_fermi_level()
        bar = here.spinscreen.component("conserved_hall_conductivity_error", "xy_z")
        found = table.loc[dataset.attrs["model_name"], "conserved_xy_z_error"]
        np.testing.assert_equal(found, float(bar))


def test_the_catalog_has_the_sensitivity_to_the_threshold(tmp_path):
    place, t6, column = tmp_path / "s.zarr", "conserved_hall_conductivity", "conserved_xy_z_sensitivity"
    sources = {source.id: source for source in find_materials("library")}
    settings = {"kmesh": 12, "scan_points": 3, "degeneracy_threshold": 0.05}
    for name, names in (("kane_mele", [t6, f"{t6}_sensitivity"]), ("MoS2", [t6]), ("WS2", [HALL])):
        run_campaign(Campaign([sources[name]], quantities=names, **settings), place)
    # Of the last one T6 was not computed either.
    table = screen(place, columns=["name", column]).set_index("name")[column]
    assert table.isna().to_dict() == {"kane_mele": False, "MoS2": True, "WS2": True}
    coarse = compute(library.load("kane_mele"), **settings | {"degeneracy_threshold": 0.2}, quantities=[t6])
    opened = open_store(place)["materials"].children.values()
    (fine,) = (d.to_dataset() for d in opened if d.attrs["model_name"] == "kane_mele")
    change, high, low = (
        d.spinscreen.at_fermi_level().spinscreen.component(name, "xy_z")
        for d, name in ((fine, f"{t6}_sensitivity"), (coarse, t6), (fine, t6))
    )
    assert table["kane_mele"] == float(change)
    # A hundredth of a quantum, where rounding leaves 1e-15.
    assert abs(table["kane_mele"]) * IN_QUANTA > 0.01
    assert table["kane_mele"] == pytest.approx(float(high - low), rel=1e-9)
    assert list(screen(place, f"abs({column}) >= 0")["name"]) == ["kane_mele"]
    assert unit_of(column, 2, Observables(("spin_z",))) == change.attrs["units"]


def test_rows_are_kept_by_quality_and_counted_if_not(store):
    good = screen(store, quality=["converged"])
    assert list(good["name"]) == ["MoS2"]
    assert good.attrs["left_out"] == {"unconverged": 1, "unknown": 1}
    assert len(screen(store, "name != 'WS2'", quality=["unknown"])) == 0
    assert list(screen(store, sort="conserved_xy_z_error", top=1)["name"]) == ["MoSe2"]
    with pytest.raises(InputError, match=r"quality: expected some of converged, .*, found 'good'"):
        screen(store, quality=["good"])


def test_the_command_line_shows_values_with_errors_and_says_what_it_left_out(store):
    shown = spinscreen("screen", str(store), "--quality", "converged,unknown").stdout
    assert "1 left out for its quality: 1 unconverged" in shown
    assert "±" in shown
    assert "±?" in shown
    assert "conserved_xy_z_error" not in shown
    shown = spinscreen("screen", str(store), "--columns", "name,conserved_xy_z").stdout
    assert "±" in shown
    assert "left out" not in shown


def test_adaptive_results_have_rows_with_their_tolerance(tmp_path):
    (source,) = (source for source in find_materials("library") if source.id == "MoS2")
    settings = {"tolerance": 0.05, "scan_points": 1, "quantities": [HALL, "conserved_hall_conductivity"]}
    run_campaign(Campaign([source], **settings), tmp_path / "a.zarr")
    names = ["k_mesh", "tolerance", "quality", "conserved_xy_z", "conserved_xy_z_error"]
    row = screen(tmp_path / "a.zarr", columns=names).iloc[0]
    assert (row["k_mesh"], row["tolerance"], row["quality"]) == ("adaptive", 0.05, "converged")
    # The tolerance, or what is as good as zero where the value is small.
    assert row["conserved_xy_z_error"] <= max(0.05 * abs(row["conserved_xy_z"]), 1e-3 / IN_QUANTA)


def test_figures_do_not_show_what_symmetry_forbids():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        dataset = compute(library.load("kane_mele"), 20, np.linspace(-1, 1, 11), quantities=[HALL])
    dataset[HALL][0, 0, 0] = 10 * float(abs(dataset[HALL]).max())
    dataset[HALL].attrs["independent_components"] = "xy_z, xx_x"
    assert str(dataset.spinscreen.largest_component()) == "xx_x"
    dataset[HALL].attrs["independent_components"] = "xy_z"
    assert str(dataset.spinscreen.largest_component()) == "xy_z"


def test_rows_of_an_earlier_version_are_made_anew(store, monkeypatch):
    """A catalog that knows all materials, but not the columns of today."""
    columns = set(open_store(store)["catalog"].to_dataset().data_vars)
    for module in (building, earlier):
        monkeypatch.setattr(module, "ROW_VERSION", rows.ROW_VERSION + 1)
    monkeypatch.setattr(rows, "ROW_VERSION", rows.ROW_VERSION + 1)
    found = build_catalog(store)
    assert found.attrs["row_version"] == rows.ROW_VERSION
    assert set(found.data_vars) == columns


def test_figures_show_the_component_of_the_level_with_its_band():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        dataset = compute(library.load("kane_mele"), 20, np.linspace(-1, 1, 11), quantities=[HALL])
    largest = dataset.spinscreen.largest_component()
    assert str(largest) in ("xy_z", "yx_z")
    # Elsewhere in the scan another one is larger: that of the level is shown all the same.
    changed = dataset.copy(deep=True)
    changed[HALL][0, 0, 0, 0] = 10 * float(abs(dataset[HALL]).max())
    assert changed.spinscreen.largest_component() == largest
    assert len(dataset.spinscreen.plot().axes[0].collections) == 1
