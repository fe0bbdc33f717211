"""How quantities turn, and sums over irreducible points against those over the whole mesh."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from groups import LATTICES, generated, holohedry, obedient_model
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscreen.kernels import (
    BAND_QUANTITIES,
    INTEGRALS,
    WHOLE,
    FermiScan,
    IrreducibleMesh,
    KMesh,
    LineSpan,
    Resolution,
    Sample,
    Submeshes,
    SymmetryGroup,
    Task,
    Transformation,
    bloch_operators,
    dominance,
    finish,
    finish_error,
    solve_bands,
    submeshes,
    sum_span,
    symmetry_residual,
    tensor_shape,
    terms_of,
    whole_sums,
    whole_zone,
)
from spinscreen.materials import library
from spinscreen.workflows import compute

HOLOHEDRIES = {name: holohedry(lattice) for name, lattice in LATTICES.items()}

KERNELS = {q.kernel for q in BAND_QUANTITIES} | {term.kernel for q in INTEGRALS for term in q.terms}


@st.composite
def groups(draw) -> tuple[SymmetryGroup, np.ndarray]:
    """One of a lattice's groups, with or without operations that reverse time, and the lattice."""
    name = draw(st.sampled_from(sorted(LATTICES)))
    operations = HOLOHEDRIES[name]
    one = st.tuples(st.integers(0, len(operations) - 1), st.booleans())
    chosen = draw(st.lists(one, min_size=1, max_size=3))
    return generated(LATTICES[name], [(operations[n], flag) for n, flag in chosen]), LATTICES[name]


@pytest.mark.parametrize(
    ("name", "order"),
    [("fcc", 48), ("bcc", 48), ("hexagonal", 24), ("rhombohedral", 12), ("tetragonal", 16), ("triclinic", 2)],
)
def test_lattices_have_the_groups_that_are_known(name, order):
    assert len(HOLOHEDRIES[name]) == order


@settings(max_examples=25)
@given(found=groups(), seed=st.integers(0, 3), operation=st.integers(0, 95))
def test_every_kernel_turns_as_it_says(found, seed, operation):
    """F(gk) = g F(k) for all of the registry, band by band."""
    group, lattice = found
    model = obedient_model(group, lattice, seed)
    g = operation % group.order
    k = np.random.default_rng(seed).random((3, 3)) - 0.5
    here, there = (
        solve_bands(bloch_operators(model.operators, points, True), Resolution(1e-6, 0.05))
        for points in (k, k @ group.on_kpoints[g].T)
    )
    for kernel in KERNELS:
        transformation = kernel.transformation
        values = np.moveaxis(kernel(here), 0, -1)
        if transformation.magnitude:
            continue
        alone = transformation.mean(group.subgroup([g]))
        turned = (alone @ values.reshape(len(alone), -1)).reshape(values.shape)
        expected = np.moveaxis(turned, -1, 0)
        # Curvatures divide by squares of gaps of 1e-3 eV at the least: rounding times 1e6.
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(kernel(there), expected, atol=1e-9 * scale, err_msg=kernel.__name__)


def sums(model, mesh: IrreducibleMesh, split: Submeshes = WHOLE) -> dict[str, np.ndarray]:
    """Integrals, all of the registry, their bars and shares, at 1500 K."""
    scan, resolution = FermiScan(np.array([-0.4, 0.3]), 1500.0), Resolution(1e-6, 0.05)
    task = Task(mesh, scan, resolution, terms_of(INTEGRALS, 1.0), 7, split)
    total = sum_span(model.operators, task, LineSpan(0, mesh.full.line_count))
    total = whole_zone(total, mesh.group)
    sample = Sample(3, model.cell_measure, 1500.0)
    found = {q.name: finish(q, whole_sums(total), mesh.full.size, sample) for q in INTEGRALS}
    # Of quantities that are NaN somewhere there is no spread.
    certain = [q for q in INTEGRALS if not q.can_be_undefined]
    bars = {f"{q.name}_error": finish_error(q, total, task, sample) for q in certain}
    # Others may be noise about zero, whose shares are any.
    shown = [q for q in INTEGRALS if q.name in ("carrier_density", "conventional_hall_conductivity")]
    return found | bars | {f"{q.name}_share": np.array(dominance(q, total).share) for q in shown}


@settings(max_examples=20)
@given(
    found=groups(),
    shape=st.tuples(*[st.integers(1, 4)] * 3),
    equal=st.booleans(),
    shift=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 3),
)
def test_irreducible_points_give_the_sums_of_the_whole_mesh(found, shape, equal, shift, seed):
    group, lattice = found
    model = obedient_model(group, lattice, seed)
    mesh = KMesh(shape[:1] * 3 if equal else shape, (shift,) * 3)
    reduced = IrreducibleMesh.of(mesh, group)
    points = reduced.points(mesh.all_lines())
    assert points.weight.sum() == mesh.size
    assert reduced.size == len(points.weight)
    split = submeshes(reduced)
    expected, less = sums(model, IrreducibleMesh.whole(mesh), split), sums(model, reduced, split)
    # What no symmetry makes zero.
    free = obedient_model(generated(lattice, []), lattice, seed)
    natural = sums(free, IrreducibleMesh.whole(KMesh((2, 2, 2), (0.3, 0.2, 0.1))))
    for name, values in expected.items():
        np.testing.assert_array_equal(np.isnan(less[name]), np.isnan(values), err_msg=name)
        # 1e-10 of the largest component: curvatures at close levels lose digits by rounding.
        scale = max(
            np.nanmax(np.abs(given), initial=0.0) for given in (values, natural[name.removesuffix("_error")])
        )
        np.testing.assert_allclose(less[name], values, atol=1e-10 * scale, rtol=0, err_msg=name)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("name", LATTICES)
def test_points_are_as_many_as_another_code_finds(name, shift):
    group = generated(LATTICES[name], [(operation, False) for operation in HOLOHEDRIES[name]])
    mesh = IrreducibleMesh.of(KMesh((6, 6, 4), (shift / 2,) * 3), group)
    number, _ = spglib.get_stabilized_reciprocal_mesh(
        mesh.full.shape, mesh.group.rotations, is_shift=(shift,) * 3, is_time_reversal=False
    )
    assert mesh.size == len(np.unique(number))


def test_half_a_step_of_a_face_centred_cell_keeps_a_quarter_of_the_operations():
    group = generated(LATTICES["fcc"], [(operation, False) for operation in HOLOHEDRIES["fcc"]])
    # 29 and 60 are the known numbers of special points of 8^3 meshes.
    for shift, kept, points in ((0.0, 48, 29), (0.5, 12, 60)):
        mesh = IrreducibleMesh.of(KMesh((8, 8, 8), (shift,) * 3), group)
        assert (mesh.group.order, mesh.size) == (kept, points)


def point_group(name, generators=None, magnetic=False):
    operations = HOLOHEDRIES[name] if generators is None else generators
    found = [(operation, False) for operation in operations]
    return generated(LATTICES[name], found if magnetic else [*found, (np.eye(3, dtype=int), True)])


SPIN_HALL = Transformation(("observable", "polar", "polar"), -1)


def test_a_cube_allows_one_spin_hall_conductivity():
    """3 x 3 x 3 of them are +-sigma^z_xy or zero; the charge has none, as time reversal forbids it."""
    shape = tensor_shape(SPIN_HALL, point_group("fcc"))
    assert shape.independent == ((2, 0, 1),)
    levi_civita = np.zeros((3, 3, 3))
    for even in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[even] = 1
        levi_civita[even[0], even[2], even[1]] = -1
    np.testing.assert_allclose(shape.relations[:3, :, :, 0], levi_civita, atol=1e-12)
    assert not shape.allowed[3].any()


@pytest.mark.parametrize(
    ("name", "count"),
    # Numbers of independent intrinsic spin Hall components of the Laue groups m-3m, 4/mmm, 6/mmm and -1:
    # Seemann et al., PRB 92, 155138 (2015), table I, without magnetism.
    [("fcc", 1), ("tetragonal", 3), ("hexagonal", 3), ("triclinic", 27)],
)
def test_numbers_of_independent_components_are_those_of_the_tables(name, count):
    assert len(tensor_shape(SPIN_HALL, point_group(name)).independent) == count


def test_a_magnet_along_z_has_one_anomalous_hall_conductivity():
    """4/mm'm': fourfold axis along the moment, mirrors through it only with time reversed."""
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moves = [(quarter, False), (-np.eye(3, dtype=int), False), (np.diag([-1, 1, 1]), True)]
    group = generated(LATTICES["tetragonal"], moves)
    shape = tensor_shape(Transformation(("axial",), -1), group)
    assert shape.independent == ((2,),)
    assert shape.allowed.tolist() == [False, False, True]
    assert tensor_shape(Transformation(("axial",), -1), point_group("tetragonal")).independent == ()


def test_what_a_group_forbids_is_measured():
    group = point_group("fcc")
    values = np.zeros((4, 3, 3, 1))
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        values[a, b, c], values[a, c, b] = 10, -10
    assert symmetry_residual(values, SPIN_HALL, group, 1.0) < 1e-14
    values[0, 0, 0] = 0.5
    assert symmetry_residual(values, SPIN_HALL, group, 1.0) == pytest.approx(0.05)
    assert symmetry_residual(1e-20 * values, SPIN_HALL, group, 1.0) < 1e-20


def test_a_result_says_what_its_crystal_allows():
    found = compute(library.load("stanene"), 12, 0.0, kshift=0)
    for name in ("conventional_hall_conductivity", "conserved_hall_conductivity"):
        assert found[name].attrs["independent_components"].startswith("xy_z")
        # Rounding: this mesh and the model obey the group.
        assert found[name].attrs["symmetry_residual"] < 1e-9
    assert found["anomalous_hall_conductivity"].attrs["independent_components"] == ""
    # Trigonal: the field along a twofold axis is not that across it.
    assert found.attrs["spin_current_types"] == "I, II, III, IV"
    assert found.attrs["symmetry_operations"] == 24
    assert "mesh_note" not in found.attrs
    shifted = compute(library.load("stanene"), 12, 0.0)
    assert (
        "operations of the model: tensors have less symmetry than the crystal; kshift 0"
        in (shifted.attrs["mesh_note"])
    )
    assert shifted.attrs["symmetry_residual"] > 1e-6


@pytest.mark.parametrize("name", ["haldane", "kane_mele", "MoS2", "rashba_ferromagnet"])
def test_models_of_the_library_give_the_numbers_of_the_whole_mesh(name, monkeypatch):
    settings = {"kmesh": (10, 10, 1), "fermi_energy": [-0.3, 0.4], "temperature": 600.0, "kshift": 0}
    less = compute(library.load(name), **settings)
    whole = library.load(name)
    identity = SymmetryGroup.identity(len(whole.observables))
    monkeypatch.setitem(whole.__dict__, "symmetry_group", identity)
    every = compute(whole, **settings)
    assert less.attrs["evaluations"] < every.attrs["evaluations"] / 4 < 100
    sample = Sample(2, whole.cell_measure, 600.0)
    for q in INTEGRALS:
        if q.name in every:
            # 1e-10 of the largest component, or of what is as good as zero.
            scale = max(float(abs(every[q.name]).max()), q.absolute_tolerance(sample))
            # Contributions of order 1 that cancel leave some eps, however small the sum is.
            atol = max(1e-10 * scale, 1e-15)
            np.testing.assert_allclose(less[q.name], every[q.name], atol=atol, rtol=0)
