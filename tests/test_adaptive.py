"""Adaptive integration: weights of cells, boxes and their symmetry, honest bars, equal bits, going on."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import IN_QUANTA, degenerate_bands, random_unitary

from spinscreen.kernels import FermiScan, InputError, Weight, band_weight
from spinscreen.kernels.adaptive import (
    MOST_OF_ONE_POINT,
    RESOLUTION,
    Box,
    Cells,
    History,
    Weights,
    add_refined,
    box,
    cell_weights,
    refine,
)
from spinscreen.kernels.adaptive.samples import level_slopes
from spinscreen.kernels.symmetry import SymmetryGroup
from spinscreen.materials import MaterialSource, WannierModel, library
from spinscreen.materials.spin import PAULI
from spinscreen.storage import KeptSums, Store
from spinscreen.workflows import compute
from spinscreen.workflows.adaptive_plan import make_adaptive_plan
from spinscreen.workflows.alarms import CoarseMeshWarning, ToleranceWarning
from spinscreen.workflows.calculation import Calculation
from spinscreen.workflows.computing import compute_settings, sample_of
from spinscreen.workflows.dask_engine import engine_of
from spinscreen.workflows.integrated import is_within
from spinscreen.workflows.publication import Work

SURFACE = "accumulation_coefficient"
T4, T6, T14 = "conventional_hall_conductivity", "conserved_hall_conductivity", "proper_hall_conductivity"
NODES, SHARES = np.polynomial.legendre.leggauss(24)


def averaged(energy: float, widths: list[float], scan: FermiScan, weight: Weight) -> np.ndarray:
    """The mean weight of a linear level over its cell by quadrature."""
    levels, share = np.array([energy]), np.ones(1)
    for width in widths:
        levels = (levels[:, None] + width * NODES / 2).ravel()
        share = (share[:, None] * SHARES / 2).ravel()
    return share @ band_weight(levels[:, None] - scan.energies, scan.thermal_energy, weight)


def everywhere(weights: Weights, scan: FermiScan) -> np.ndarray:
    """(level, fermi_energy)."""
    found = np.zeros((len(weights.begin), len(scan.energies)))
    for level, begin in enumerate(weights.begin):
        own = weights.value[weights.first[level] : weights.first[level + 1]]
        if len(own):
            found[level, begin : begin + len(own)] = own
            found[level, begin + len(own) :] = own[-1]
    return found


@pytest.mark.parametrize("weight", Weight)
@pytest.mark.parametrize("widths", [[0.3], [0.1, 0.25], [0.2, 0.02, 0.15], [1e-3, 2e-4, 5e-4], [0.0, 0.0]])
def test_a_weight_at_a_temperature_is_the_mean_over_the_cell(weight, widths):
    scan = FermiScan(np.linspace(-0.5, 0.5, 11), 1500.0)
    found = everywhere(cell_weights(np.array([0.03]), np.array([widths]), scan, weight), scan)[0]
    expected = averaged(0.03, widths, scan, weight)
    # Levels that spread by less than k_B T have two points in their place, right to fourth order.
    assert found == pytest.approx(expected, abs=2e-4 * np.abs(expected).max())


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=3), st.floats(-1.0, 1.0))
def test_a_weight_at_zero_is_the_distribution_of_the_level(widths, energy):
    scan = FermiScan(np.linspace(-4.5, 4.5, 1501))
    level, spread = np.array([energy]), np.array([widths])
    sea, surface, grand = (
        everywhere(cell_weights(level, spread, scan, w), scan)[0]
        for w in (Weight.SEA, Weight.SURFACE, Weight.GRAND_POTENTIAL)
    )
    assert sea[0] == 0
    assert sea[-1] == pytest.approx(1)
    # Rounding of the differences of cubes.
    assert np.diff(sea).min() > -1e-9
    assert grand[-1] == pytest.approx(energy - 4.5)
    step = scan.energies[1] - scan.energies[0]
    # A density much narrower than the step of the scan has no integral on it.
    if max(widths) > 20 * step:
        assert -surface.sum() * step == pytest.approx(1, abs=0.05)
        assert np.cumsum(-surface) * step == pytest.approx(sea, abs=0.05)
    assert np.cumsum(sea) * step == pytest.approx(-grand, abs=2e-2)


def test_an_entropy_at_zero_is_refused():
    with pytest.raises(InputError, match="above 0 K"):
        cell_weights(np.zeros(1), np.ones((1, 2)), FermiScan(np.zeros(1)), Weight.ENTROPY)


def inversion(observables: int = 0) -> SymmetryGroup:
    """The identity and the inversion of space."""
    one = np.stack([np.eye(3), -np.eye(3)])
    return SymmetryGroup(
        one.astype(int), np.zeros((2, 3)), one, np.zeros(2, bool), np.stack([np.eye(observables)] * 2)
    )


def cubic(cell: np.ndarray) -> SymmetryGroup:
    """The 48 operations of a cube on a lattice that has them."""
    signs = np.array(np.meshgrid(*[[1, -1]] * 3)).reshape(3, -1).T
    orders = [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)]
    cartesian = np.array([np.diag(s) @ np.eye(3)[list(o)] for o in orders for s in signs])
    reduced = np.linalg.inv(cell.T) @ cartesian @ cell.T
    count = len(cartesian)
    rotations = np.rint(reduced).astype(int)
    assert np.allclose(reduced, rotations)
    return SymmetryGroup(
        rotations, np.zeros((count, 3)), cartesian, np.zeros(count, bool), np.zeros((count, 0, 0))
    )


CUBIC = {
    "simple": (np.eye(3), 48),
    "face-centred": ((np.ones((3, 3)) - np.eye(3)) / 2, 96),
    "body-centred": ((np.ones((3, 3)) - 2 * np.eye(3)) / 2, 192),
}


@pytest.mark.parametrize("lattice", CUBIC)
def test_the_box_of_a_cubic_lattice_uses_its_whole_group(lattice):
    cell, order = CUBIC[lattice]
    box = Box.of(4 * cell, (True, True, True), cubic(4 * cell))
    assert box.order == order
    cells = box.start()
    assert box.multiplicity(0, cells).sum() == np.prod(box.counts)
    born = box.canonical(1, box.children(cells).reshape(-1, 3))
    children = np.unique(born, axis=0)
    assert box.multiplicity(1, children).sum() == np.prod(box.sizes(1))


@given(st.integers(0, 10**6), st.integers(0, 3))
def test_canonical_cells_of_one_orbit_are_one(seed, level):
    rng = np.random.default_rng(seed)
    cell = 4 * CUBIC["face-centred"][0]
    group = cubic(cell)
    box = Box.of(cell, (True, True, True), group)
    cells = rng.integers(0, box.sizes(level), size=(5, 3))
    turned = group.on_kpoints[rng.integers(group.order)] @ box.points(level, cells).T
    places = (np.linalg.solve(box.axes.T, turned).T % 1) * box.sizes(level)
    images = np.floor(places).astype(int) % box.sizes(level)
    assert np.array_equal(box.canonical(level, images), box.canonical(level, cells))


def hall(dataset, name=T4, observable="spin_z"):
    """Value and bar of the xy component in quanta."""
    pick = {"observable": observable, "current_axis": "x", "field_axis": "y"}
    return (
        dataset[name].sel(pick).values * IN_QUANTA,
        dataset[f"{name}_error"].sel(pick).values * IN_QUANTA,
    )


@pytest.mark.parametrize(
    ("name", "exact"), [("silicene", -1), ("germanene", -1), ("stanene", -1), ("bhz_hgte", 1.0026)]
)
def test_narrow_gaps_are_found(name, exact):
    model = library.load(name)
    found = compute(
        model, tolerance=0.01, budget=20_000, fermi_energy=0.0, degeneracy_threshold=1e-6, quantities=[T4]
    )
    value, bar = hall(found)
    assert found.attrs["converged"]
    assert found[T4].attrs["converged"]
    assert found.attrs["tolerance"] == 0.01
    assert bar[0] <= 0.01 * abs(value[0]) * 1.0001
    # The reference is known to four digits.
    assert abs(value[0] - exact) <= bar[0] + 1e-3


def test_a_threshold_that_cuts_discs_out_is_seen():
    model = library.kane_mele(spin_orbit=0.06, rashba=0.05, staggered=0.0)
    found = compute(
        model, tolerance=0.02, budget=20_000, fermi_energy=0.0, degeneracy_threshold=1e-2, quantities=[T6]
    )
    value, bar = hall(found, T6)
    assert abs(value[0] + 0.0771) <= bar[0] + 3e-4


def test_fermi_surface_terms_have_values_at_zero():
    """Rashba bands, both filled: T15 is -1/(8 pi) (small k_F: 0.9 % of it at mu = 1)."""
    model = library.rashba_ferromagnet(exchange=0.0)
    names = ["accumulation_coefficient", "density_of_states", "carrier_density"]
    found = compute(model, tolerance=0.01, budget=50_000, fermi_energy=[0.99, 1.0, 1.01], quantities=names)
    pick = {"observable": "spin_z", "current_axis": "y", "field_axis": "x"}
    value = found["accumulation_coefficient"].sel(pick).values[1] * IN_QUANTA / (2 * np.pi)
    bar = found["accumulation_coefficient_error"].sel(pick).values[1] * IN_QUANTA / (2 * np.pi)
    assert abs(8 * np.pi * value + 1) <= 8 * np.pi * bar + 5e-3
    count, density = found["carrier_density"].values, found["density_of_states"].values
    # The derivative of the electrons is the density of states, to the bars of both.
    assert (count[2] - count[0]) / 0.02 == pytest.approx(density[1], rel=0.03)


def test_cells_of_several_levels_are_replaced_together_as_apart():
    model = library.load("kane_mele")
    settings = Calculation(quantities=[T4, SURFACE], degeneracy_threshold=0.05).resolve(model)
    operators, sample = model.operators, sample_of(model, settings.temperature)
    plan = make_adaptive_plan(operators, settings, sample, model.periodic, model.symmetry_group)
    begun = refine(operators, plan.task, plan.begin()[0]).leaves.at(np.arange(5, 60))
    first = refine(operators, plan.task, Cells(begun.level[:9], begun.coordinates[:9]))
    leaves = begun.at(np.arange(9, 30)).joined(first.leaves)
    mixed = Cells(leaves.level, leaves.coordinates)
    # One cell after the other where memory holds no more.
    scarce = replace(plan.task, rows_held=1, cells_held=3, block_size=2)
    together, one_by_one = (refine(operators, task, mixed) for task in (plan.task, scarce))
    apart = [
        refine(operators, plan.task, Cells(leaves.level[own], leaves.coordinates[own]))
        for own in (leaves.level == level for level in np.unique(leaves.level))
    ]
    assert len(apart) == 2
    for found in (one_by_one, reduce(add_refined, apart)):
        # Differences of sums are small beside what is added and taken away: both are of order one.
        np.testing.assert_allclose(found.sums, together.sums, rtol=1e-9, atol=1e-11)
        assert np.array_equal(found.leaves.level, together.leaves.level)
        assert np.array_equal(found.leaves.coordinates, together.leaves.coordinates)
        assert found.points == together.points


def test_a_change_counts_as_far_as_bars_have_not_shrunk_since():
    surface, shape = np.array([True, False]), (2, 1)
    values = np.array([1.0, 1.0, 0.5])[:, None, None] * np.ones(shape)
    history = History(values, np.full((1, *shape), 0.3), np.array([90, 80, 50]))
    for bar, expected in ((0.3, 0.5), (0.1, 0.25), (0.04, 0.1)):
        found = history.change(np.ones(shape), np.full(shape, bar), 100, surface, 2)
        # Half as much again as bars tell; of what states at the Fermi energy do not decide the last rounds.
        assert found[:, 0] == pytest.approx([expected, 0.0])
        # In 1D errors of few cells do not average: all counts.
        found = history.change(np.ones(shape), np.full(shape, bar), 100, surface, 1)
        assert found[:, 0].tolist() == [0.5, 0.0]
    # Without as many points the value itself is its bar.
    assert history.change(np.ones(shape), np.full(shape, 0.1), 99, surface, 2)[:, 0].tolist() == [1.0, 0.0]


def test_a_tolerance_and_a_mesh_are_two_things():
    with pytest.raises(InputError, match=r"kmesh: is given together with tolerance, expected one of them"):
        Calculation(kmesh=12, tolerance=0.01)
    with pytest.raises(InputError, match="tolerance"):
        Calculation(tolerance=1.5)
    with pytest.raises(InputError, match="budget"):
        Calculation(budget=0)
    assert Calculation(tolerance="1%").tolerance == pytest.approx(0.01)


def test_keys_of_meshes_know_nothing_of_a_tolerance():
    model = library.load("haldane")
    plain = Calculation(kmesh=12, fermi_energy=0.0).resolve(model)
    assert plain.tolerance is None
    assert plain.key(model) == replace(plain, tolerance=None, budget=None).key(model)
    fine, coarse = (
        Calculation(tolerance=t, fermi_energy=0.0).resolve(model).key(model) for t in (0.01, 0.02)
    )
    assert len({plain.key(model), fine, coarse}) == 3


SETTINGS = {"tolerance": 0.02, "budget": 5_000, "scan_points": 7, "half_width": 1.0}


def test_threads_and_workers_give_the_same_bits(client):
    model = library.load("kane_mele")
    here = compute(model, quantities=[T4, T14], **SETTINGS)
    there = compute(model, quantities=[T4, T14], client=client, **SETTINGS)
    for name in (T4, T14):
        assert np.array_equal(here[name].values, there[name].values)
        assert np.array_equal(here[f"{name}_error"].values, there[f"{name}_error"].values)


class Killed(BaseException):
    """What ends a run between two rounds."""


class Impatient:
    """Progress that ends a run after some points, and sees how the bar shrinks."""

    def __init__(self, most: int) -> None:
        self.most, self.seen, self.bars, self.reports = most, 0, [], []

    def __call__(self, kpoints: int) -> None:
        self.seen += kpoints
        self.reports.append(kpoints)
        if self.seen > self.most:
            raise Killed

    def aim(self, bar: float, tolerance: float) -> None:
        self.bars.append(bar / tolerance)


def test_a_run_that_was_killed_goes_on_to_the_same_bits(tmp_path):
    model = library.load("kane_mele")
    settings = Calculation(quantities=[T4], **SETTINGS).resolve(model)
    whole = compute_settings(model, settings)
    kept = KeptSums(tmp_path / "store.zarr", "one")
    with pytest.raises(Killed):
        compute_settings(
            model, settings, progress=Impatient(whole.attrs["evaluations"] * 2 // 3), checkpoints=kept
        )
    assert kept.load(0) is not None
    told = Impatient(10**9)
    resumed = compute_settings(model, settings, progress=told, checkpoints=kept)
    assert np.array_equal(whole[T4].values, resumed[T4].values)
    assert np.array_equal(whole[f"{T4}_error"].values, resumed[f"{T4}_error"].values)
    assert told.seen == whole.attrs["evaluations"]
    # A smaller tolerance starts where the larger one ended.
    finer = replace(settings, tolerance=0.012, budget=20_000)
    told = Impatient(10**9)
    found = compute_settings(model, finer, progress=told, checkpoints=kept)
    assert told.bars[0] * 0.012 <= 0.02 * 1.0001
    assert found.attrs["evaluations"] > whole.attrs["evaluations"]
    assert found.attrs["converged"]


def test_a_smaller_tolerance_goes_on_from_what_a_store_keeps(tmp_path):
    source, model = MaterialSource("kane_mele"), library.load("kane_mele")
    first, finer = (
        Work.of(source, model, Calculation(quantities=[T4], **SETTINGS | {"tolerance": tolerance}))
        for tolerance in (0.02, 0.01)
    )
    assert first.material_id != finer.material_id
    engine = engine_of(None)
    needed = first.result(engine).attrs["evaluations"]
    with pytest.raises(Killed):
        first.result(engine, tmp_path / "store.zarr", Impatient(needed * 2 // 3))
    kept = KeptSums(tmp_path / "store.zarr", finer.sums_id).load(0)
    told = Impatient(10**9)
    finer.result(engine, tmp_path / "store.zarr", told)
    # The first report is of the points that are there.
    assert told.reports[0] == int(kept[-2][2]) < needed <= told.seen
    assert finer.is_published(tmp_path / "store.zarr")


def test_published_results_are_refined_to_the_bits_of_a_run_from_the_beginning(tmp_path):
    """Numbers depend on what was asked for, never on what a store has kept."""
    source, model, engine = MaterialSource("haldane"), library.load("haldane"), engine_of(None)
    name = "anomalous_hall_conductivity"

    def work(tolerance: float, budget: int = 20_000) -> Work:
        settings = {"quantities": [name, "density_of_states"], "scan_points": 7, "half_width": 1.0}
        return Work.of(source, model, Calculation(tolerance=tolerance, budget=budget, **settings))

    store, told = tmp_path / "store.zarr", Impatient(10**9)
    first = work(0.1).result(engine, store)
    # Finer, looser than what is kept, ended by its budget within a round, and on from before that round.
    for tolerance, budget in ((0.02, 20_000), (0.05, 20_000), (0.002, 5_000), (0.002, 9_000)):
        told = Impatient(10**9)
        found = work(tolerance, budget).result(engine, store, told)
        alone = work(tolerance, budget).result(engine)
        for variable in (name, f"{name}_error", "density_of_states", "density_of_states_error"):
            assert np.array_equal(found[variable].values, alone[variable].values)
        assert found.attrs["evaluations"] == alone.attrs["evaluations"] == told.seen
        if tolerance != 0.05:
            # The first report is of the points that are there.
            assert told.reports[0] >= first.attrs["evaluations"]
    assert not (store / ".partial").exists()
    (state,) = (store / "states").iterdir()
    Store.at(store).remove_results([work(0.1).material_id])
    assert not state.exists()


def test_what_is_retained_has_bounded_room(tmp_path):
    store = Store.at(tmp_path / "store.zarr")
    for number in range(4):
        sums = store.kept_sums(f"material-{number}")
        sums.save(0, [np.full(1000, float(number))])
        os.utime(next(store.partial.rglob("*.npz")), (number, number))
        sums.retain(0, most_bytes=20_000)
    kept = [store.kept_sums(f"material-{number}").load(0) for number in range(4)]
    # Each takes a little more than 8000 bytes; the oldest go first.
    assert [found is None for found in kept] == [True, True, False, False]


def test_a_spent_budget_is_told_with_the_place():
    model = library.load("silicene")
    with pytest.warns(UserWarning, match=r"the error of conserved_hall.* at .* eV is .*k = \("):
        found = compute(model, tolerance=1e-4, budget=2_000, quantities=[T6], scan_points=11)
    assert not found.attrs["converged"]
    assert not found[T6].attrs["converged"]
    assert found.attrs["evaluations"] <= 2_000


def test_a_density_that_diverges_is_a_mean_over_a_kelvin():
    """Flat lines at -1 eV: cells along them are off together, and the bar knows it."""
    model, name = library.load("lattice_dirac"), "density_of_states"
    scan = {"quantities": [name], "fermi_energy": [-1.2, -1.0, 0.0]}
    fine, *coarse = (compute(model, tolerance=tolerance, **scan) for tolerance in (0.003, 0.01, 0.05))
    for found in coarse:
        assert found.attrs["converged"]
        bars = found[f"{name}_error"].values + fine[f"{name}_error"].values
        assert (np.abs(found[name].values - fine[name].values) <= bars).all()


@given(pattern=st.lists(st.integers(1, 3), min_size=2, max_size=4), seed=st.integers(0, 1000))
def test_levels_that_meet_have_slopes_whatever_their_states(pattern, seed):
    """Their states are any mixture: what was added of a cell must be found again when it is replaced."""
    rng = np.random.default_rng(seed)
    bands, label = degenerate_bands(rng, pattern)
    mixing = np.zeros((len(label), len(label)), dtype=complex)
    for number in range(len(pattern)):
        members = np.flatnonzero(label == number)
        mixing[np.ix_(members, members)] = random_unitary(rng, len(members))
    edges = rng.normal(size=(2, 3))
    expected, found = (
        level_slopes(b, edges, np.ones(len(bands.energy)))
        for b in (bands, replace(bands, states=bands.states @ mixing))
    )
    # Matrices of order one.
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("distance", [-1e-4, -1e-6, 0.0, 1e-6, 1e-4])
def test_densities_at_the_edge_of_a_band(distance):
    """A paraboloid: cells of all sizes agree about its edge, none of them being right."""
    edge = -4.0 + distance
    model = WannierModel.from_hoppings(
        "square", np.eye(3),
        {(0, 0, 0): np.zeros((1, 1), complex), (1, 0, 0): -np.eye(1) + 0j, (0, 1, 0): -np.eye(1) + 0j},
        np.zeros((1, 3)), periodic=(True, True, False), fermi_level=0.0,
    )  # fmt: skip
    name = "density_of_states"
    found = compute(model, tolerance=0.02, quantities=[name], fermi_energy=[edge, -3.0])
    # 1/(4 pi) per eV above the edge, over the part of the mean's width that lies there.
    exact = np.clip(0.5 + distance / RESOLUTION, 0.0, 1.0) / (4 * np.pi)
    # The density rises by 1/(64 pi) per eV.
    assert abs(found[name].values[0] - exact) <= found[f"{name}_error"].values[0] + 1e-6


def test_few_electrons_are_known_to_their_own_size():
    """A share of a number however small: what it is below must be below what is as good as zero."""
    above = 1e-3
    model = WannierModel.from_hoppings(
        "square", np.eye(3),
        {(0, 0, 0): np.zeros((1, 1), complex), (1, 0, 0): -np.eye(1) + 0j, (0, 1, 0): -np.eye(1) + 0j},
        np.zeros((1, 3)), periodic=(True, True, False), fermi_level=-4.0 + above,
    )  # fmt: skip
    found = compute(model, quantities=["carrier_density"], fermi_energy=[-4.0 + above])
    value, bar = found["carrier_density"].values[0], found["carrier_density_error"].values[0]
    assert found.attrs["converged"]
    assert bar <= 0.01 * value
    # 1/(4 pi) per eV, which rises by 1/(64 pi) per eV.
    assert abs(value - above / (4 * np.pi)) <= bar + above**2 / (128 * np.pi)
    assert not is_within(np.array([2e-3]), np.array([9e-4]), 1e-3)
    assert is_within(np.array([1e-4]), np.array([8e-4]), 1e-3)


def far_chain(distance: int) -> WannierModel:
    """One band, -2 cos(k R) eV, R so many cells away."""
    hoppings = {(0, 0, 0): np.zeros((1, 1), complex), (distance, 0, 0): -np.eye(1) + 0j}
    return WannierModel.from_hoppings(
        "far", np.eye(3), hoppings, np.zeros((1, 3)), periodic=(True, False, False), fermi_level=0.0
    )


def test_far_hoppings_are_seen():
    """On points at which exp(i k R) is always the same a band of 4 eV would have no density of states."""
    name = "density_of_states"
    found = compute(far_chain(128), tolerance=0.02, quantities=[name], fermi_energy=[-1.0, 0.0])
    assert found.attrs["converged"]
    exact = 1 / (np.pi * np.sqrt([3.0, 4.0]))
    assert (abs(found[name].values - exact) <= found[f"{name}_error"].values).all()
    with pytest.raises(InputError, match=r"reach 5,000 cells far.*kmesh"):
        compute(far_chain(5000), quantities=[name])
    with pytest.warns(CoarseMeshWarning, match=r"kmesh 128x1x1 .* reach 128 cells far.* at least 512x1x1"):
        plain = compute(far_chain(128), kmesh=(128, 1, 1), quantities=[name], temperature=300.0)
    # Neither the value nor its bar know of the band.
    assert not plain.attrs["converged"]
    assert not plain[name].attrs["converged"]


def test_cells_follow_how_far_matrix_elements_reach():
    """Along each edge by itself; what is tiny asks for nothing; alike parts of the zone are counted."""

    def start(*hoppings):
        matrices = {R: t * np.eye(1, dtype=complex) for R, t in hoppings}
        operators = WannierModel.from_hoppings(
            "layer", np.eye(3), {(0, 0, 0): np.zeros((1, 1), complex), **matrices}, np.zeros((1, 3)),
            periodic=(True, True, False),
        ).operators  # fmt: skip
        box = Box.of(operators.cell, (True, True, False), SymmetryGroup.identity(0), operators=operators)
        return box.counts, box.copies

    near = [((1, 0, 0), 1.0), ((0, 1, 0), 1.0)]
    assert start(*near) == ((16, 16), 1)
    assert start(*near, ((20, 0, 0), 1.0)) == ((80, 16), 3)
    assert start(*near, ((20, 0, 0), 1e-3)) == ((16, 16), 1)
    assert start(((1, 1, 0), 1.0), ((1, -1, 0), 1.0)) == ((16, 16), 2)
    assert start(((5, 0, 0), 1.0), ((0, 3, 0), 1.0), ((1, 0, 0), 1e-2)) == ((20, 16), 15)


def test_no_cell_carries_much():
    """A sharp peak: its cells are halved until each is a small part of it."""
    model = library.kane_mele(spin_orbit=1e-3, rashba=0.0, staggered=0.0)
    found = compute(model, tolerance=0.3, quantities=[T4], fermi_energy=0.0, degeneracy_threshold=1e-9)
    assert found.attrs["converged"]
    assert 0 < found.attrs["largest_share_of_one_kpoint"] < MOST_OF_ONE_POINT
    with pytest.warns(UserWarning, match=r"the cell of one k point, .*, carries .* larger budget"):
        compute(model, budget=400, quantities=[T4], fermi_energy=0.0, degeneracy_threshold=1e-9)


@pytest.mark.parametrize("charge", [False, True])
def test_the_warning_of_a_spent_budget_has_the_unit_of_the_table(charge):
    """e/2π of a layer, also where the charge, which has another, is in the same array."""
    model = library.load("kane_mele")
    with pytest.warns(ToleranceWarning) as told:
        found = compute(model, budget=200, fermi_energy=-1.0, charge=charge, quantities=[T6])
    pattern = r"spin_([xyz])_([xyz])_([xyz]) at -1.0000 eV is (\S+) e/2π, expected at most"
    (said,) = (
        re.search(pattern, str(warning.message)) for warning in told if warning.category is ToleranceWarning
    )
    observable, current, field, bar = said.groups()
    stored = found[f"{T6}_error"].sel(observable=f"spin_{observable}", current_axis=current, field_axis=field)
    # Three digits are printed.
    assert float(bar) == pytest.approx(stored.item() * IN_QUANTA, rel=5e-3)


def dirac(mass: float, place: tuple[float, float]) -> WannierModel:
    """A square lattice with one cone of gap 2 `mass` at a general k (1/angstrom): its Chern number is 0."""
    hoppings = {(0, 0, 0): (mass + 2) * PAULI[2]}
    for axis, pauli in ((0, PAULI[0]), (1, PAULI[1])):
        cell = tuple(int(i == axis) for i in range(3))
        hoppings[cell] = np.exp(-1j * place[axis]) * (pauli / 2j - PAULI[2] / 2)
    return WannierModel.from_hoppings(
        "dirac", np.diag([1.0, 1.0, 20.0]), hoppings, np.zeros((2, 3)),
        periodic=(True, True, False), fermi_level=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("tolerance", [0.3, 0.05])
def test_a_loose_tolerance_does_not_end_in_the_first_rounds(tolerance):
    name = "anomalous_hall_conductivity"
    model = dirac(0.1, (3.81160499, 4.58356207))
    found = compute(
        model, tolerance=tolerance, quantities=[name], fermi_energy=0.0, degeneracy_threshold=5e-3
    )
    assert found.attrs["converged"]
    value, bar = (found[n].values[0, 1, 0] * IN_QUANTA for n in (name, f"{name}_error"))
    assert abs(value) <= bar


def test_bars_hold_at_van_hove_energies():
    model, name = library.load("silicene"), "density_of_states"
    rough, fine = (compute(model, tolerance=t, quantities=[name]) for t in (0.2, 0.01))
    error = np.abs(rough[name] - fine[name]).values
    bars = (rough[f"{name}_error"] + fine[f"{name}_error"]).values
    # 7 % of energies lie outside (35 % where a bar does not know the rounds before).
    assert (error <= bars).mean() > 0.9
    assert (error <= 3 * bars).all()


@pytest.mark.parametrize("name", ["silicene", "MoS2"])
def test_one_energy_in_a_gap_converges(name):
    """Where no cell has an error, bars wait for rounds and points, and not in vain."""
    model = library.load(name)
    found = compute(model, fermi_energy=model.fermi_level)
    assert found.attrs["converged"]
    assert found["carrier_density_error"].item() < 1e-2


def test_a_nernst_conductivity_is_not_as_good_as_zero():
    name = "anomalous_nernst_conductivity"
    model = library.load("rashba_ferromagnet")
    found = compute(model, temperature=300.0, quantities=[name], fermi_energy=np.linspace(0, 2, 21))
    assert found.attrs["converged"]
    assert found[f"{name}_error"].max() <= 0.01 * np.abs(found[name]).max()


def test_where_cells_cannot_be_halved_no_budget_is_advised(monkeypatch):
    # Two levels below those of the start mesh.
    monkeypatch.setattr(box, "_MOST_BITS", 14)
    with pytest.warns() as told:
        found = compute(library.load("silicene"), tolerance=1e-3, quantities=[T4], fermi_energy=0.0)
    assert not found[T4].attrs["converged"]
    texts = [str(warning.message) for warning in told]
    assert not any("budget" in text for text in texts)
    assert any("the cells there are as small as they get: give a larger tolerance" in text for text in texts)
    assert any("cells do not get smaller" in text for text in texts)
