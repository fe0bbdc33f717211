"""The projections block of a .win, as Wannier90 reads it, and what is made of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.kernels import InputError
from spinscreen.materials import Atom, TrialOrbitals
from spinscreen.materials.matrices import BOHR
from spinscreen.materials.trial_orbitals import HARMONICS, expand_projections, parse_projections

LATTICE = np.array([[3.0, 0, 0], [0, 4.0, 0], [0.5, 0, 5.0]])
ATOMS = (Atom("Fe1", (0.0, 0, 0)), Atom("O", (1.0, 0, 0)), Atom("Fe1", (0, 2.0, 0)), Atom("Fe2", (0, 0, 3.0)))

#: mr of each l, hybrids below zero, as the Wannier90 user guide counts them.
COUNTS = {-5: 6, -4: 5, -3: 4, -2: 3, -1: 2, 0: 1, 1: 3, 2: 5, 3: 7}
WORDS = {0: "s", 1: "p", 2: "d", 3: "f", -1: "sp", -2: "sp2", -3: "sp3", -4: "sp3d", -5: "sp3d2"}


def names(*lines: str, spinors: bool = False, order: str = "interlaced") -> list[str]:
    orbitals = expand_projections(parse_projections(lines), ATOMS, LATTICE, spinors, order)
    return [orbital.label for orbital in orbitals]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Wannier90 counts by l, hybrids first, and by mr, whatever the order of the line.
        ("O:p;s", ["O s", "O pz", "O px", "O py"]),
        ("O:dxy;dxz,dz2;sp", ["O sp-1", "O sp-2", "O dz2", "O dxz", "O dxy"]),
        ("O: l=2, mr=5,1", ["O dz2", "O dxy"]),
        ("o:S", ["O s"]),
        ("O:s;s;l=0", ["O s"]),
        ("O:sp3-2;l=-3,mr=1", ["O sp3-1", "O sp3-2"]),
        # The sites of a label, in the order of the atoms; other labels are other sites.
        ("Fe1:px", ["Fe1 px", "Fe1 px"]),
        ("Fe2:fy(3x2-y2)", ["Fe2 fy(3x2-y2)"]),
        # Wannier90 3 asks for the other function under these two names.
        ("O:fxyz", ["O fz(x2-y2)"]),
        ("O:fz(x2-y2)", ["O fxyz"]),
        ("f=0.5,0.5,0:s", ["f=0.5,0.5,0 s"]),
        ("c=1,0,0:s", ["O s"]),
    ],
)
def test_functions_in_the_order_of_wannier90(line, expected):
    assert names(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("O:p", ["O pz up", "O pz down", "O px up", "O px down", "O py up", "O py down"]),
        ("O:s(u)", ["O s up"]),
        ("O:s (d)", ["O s down"]),
        ("O:s(d,u)", ["O s up", "O s down"]),
        ("O:s(u)[1,0,0]", ["O s up'"]),
        ("O:s[0,0,2]", ["O s up'", "O s down'"]),
        ("O:fz(x2-y2)(u)", ["O fxyz up"]),
    ],
)
def test_spins(line, expected):
    assert names(line, spinors=True) == expected


def test_spins_by_blocks():
    """As VASP with Wannier90 1.2 and 2, and old pw2wannier90, write the .amn."""
    found = names("O:s", "Fe2:pz", spinors=True, order="block")
    assert found == ["O s up", "Fe2 pz up", "O s down", "Fe2 pz down"]
    with pytest.raises(InputError, match="has one spin, which no order by blocks has"):
        names("O:s(u)", spinors=True, order="block")


@given(
    st.dictionaries(st.sampled_from(list(COUNTS)), st.sets(st.integers(1, 7), min_size=1), min_size=1),
    st.randoms(),
)
def test_spellings_of_one_choice(choice, random):
    """By l and mr, by names, in any order and case: the same functions, once each, orthonormal per l."""
    chosen = {shell: [m for m in places if m <= COUNTS[shell]] or [1] for shell, places in choice.items()}
    numbered = [f"l={shell},mr={','.join(map(str, places))}" for shell, places in chosen.items()]
    random.shuffle(numbered)
    spaced = f" O : {' ; '.join(numbered)} "
    (first,) = parse_projections((f"O:{';'.join(numbered)}",))
    (second,) = parse_projections((spaced.upper() if random.random() < 0.5 else spaced,))
    assert first.orbitals == second.orbitals
    assert len(first.orbitals) == len(set(first.orbitals)) == sum(map(len, map(set, chosen.values())))
    (whole,) = parse_projections((f"O:{';'.join(WORDS[shell] for shell in chosen)}",))
    assert len(whole.orbitals) == sum(COUNTS[shell] for shell in chosen)
    for word in (WORDS[shell] for shell in chosen):
        (line,) = parse_projections((f"O:{word}",))
        orbitals = expand_projections([line], ATOMS, LATTICE, spinors=False)
        shapes = np.array([orbital.cartesian_coefficients for orbital in orbitals])
        np.testing.assert_allclose(shapes @ shapes.T, np.eye(len(shapes)), atol=1e-12)


@given(st.text(alphabet="OFe12:;,=spdfxyz()[]ud-.0 lmrcn\t", max_size=40))
def test_any_line_is_read_or_refused_in_one_sentence(line):
    told = ""
    try:
        found = parse_projections((line,))
        expand_projections(found, ATOMS, LATTICE, spinors=True)
    except InputError as problem:
        told = str(problem)
    assert len(told.splitlines()) <= 1
    assert told or all(projection.orbitals for projection in found)


@given(st.lists(st.floats(-1, 1).filter(lambda x: abs(x) > 0.05), min_size=6, max_size=6))
def test_orbitals_come_back_from_their_own_lines(numbers):
    """Any axes and spins, written as projections and read again."""
    z, y = np.array(numbers[:3]), np.array(numbers[3:])
    x = np.cross(y, z)
    if np.linalg.norm(x) < 0.1:
        return
    vectors = [",".join(map(str, vector)) for vector in (z, x, y)]
    line = f"f=0.1,0.2,0.3:d;sp3:z={vectors[0]}:x={vectors[1]}:r=2:zona=1.5[{vectors[2]}]"
    trial = TrialOrbitals(expand_projections(parse_projections((line,)), ATOMS, LATTICE, spinors=True))
    again = TrialOrbitals(expand_projections(parse_projections(trial.projections), ATOMS, LATTICE, True))
    for mine, theirs in zip(trial.orbitals, again.orbitals, strict=True):
        # Lines have ten decimals.
        np.testing.assert_allclose(mine.cartesian_coefficients, theirs.cartesian_coefficients, atol=1e-8)
        np.testing.assert_allclose(mine.position, theirs.position, atol=1e-9)
        assert (mine.name, mine.radial, mine.zona, mine.spin) == (
            theirs.name,
            theirs.radial,
            theirs.zona,
            theirs.spin,
        )
    np.testing.assert_allclose(trial.pauli_matrices(), again.pauli_matrices(), atol=1e-8)


@pytest.mark.parametrize(("unit", "factor"), [("ang", 1), ("bohr", BOHR), ("Bohr", BOHR)])
def test_units_of_points(unit, factor):
    lines = (unit, "c=1,2,3:s", "f=0.5,0,0:s")
    first, second = expand_projections(parse_projections(lines), (), LATTICE, False)
    np.testing.assert_allclose(first.position, factor * np.array([1, 2, 3]))
    np.testing.assert_allclose(second.position, [1.5, 0, 0])


def test_radial_parts_are_other_functions():
    """L does not couple what r= tells apart, nor sites."""
    lines = ("O:p", "O:p:r=2", "Fe2:p")
    trial = TrialOrbitals(expand_projections(parse_projections(lines), ATOMS, LATTICE, False))
    momentum = trial.angular_momentum()
    for n in range(3):
        block = momentum[:, 3 * n : 3 * n + 3, 3 * n : 3 * n + 3]
        np.testing.assert_allclose(np.linalg.eigvalsh(block), [[-1, 0, 1]] * 3, atol=1e-12)
    momentum[:, :3, :3] = momentum[:, 3:6, 3:6] = momentum[:, 6:, 6:] = 0
    np.testing.assert_array_equal(momentum, 0)
    assert trial.sites.tolist() == [0] * 6 + [6] * 3


def test_a_skew_x_axis_is_turned_as_wannier90_turns_it():
    (orbital,) = expand_projections(parse_projections(("O:px:z=0,0,1:x=1,0,0.005",)), ATOMS, LATTICE, False)
    np.testing.assert_allclose(orbital.axes, np.eye(3), atol=1e-12)
    # What is round about z takes any.
    (orbital,) = expand_projections(parse_projections(("O:pz:z=1,0,0",)), ATOMS, LATTICE, False)
    expected = [float(name == "px") for name in HARMONICS]
    np.testing.assert_allclose(orbital.cartesian_coefficients, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("O", "expected a site and functions"),
        (":s", "expected a site and functions"),
        ("O:", "has no functions"),
        ("O:q", "'q' in projection 'O:q' is not a function of Wannier90"),
        ("O:l=4", "'l=4' in projection"),
        ("O:l=1,mr=4", "'l=1,mr=4' in projection"),
        ("O:l=1,mr=0", "'l=1,mr=0' in projection"),
        ("O:s:y=1,0,0", "expected z=, x=, zona= or r= with its value, found 'y=1,0,0'"),
        ("O:s:r=7", "found 'r=7'"),
        ("O:s:zona=-1", "found 'zona=-1'"),
        ("O:s:z=0,0,0", "the z axis '0,0,0' has no direction"),
        ("O:s[0,0,0]", "the spin axis '0,0,0' has no direction"),
        ("O:s:z=1,0", "expected three numbers, found '1,0'"),
        ("c=1,1e9,0:s", "expected three numbers"),
        ("O:px:z=1,1,1", "z and x axes are not orthogonal"),
        ("Xe:s", "projection onto 'Xe', but the crystal has the atoms Fe1 O Fe2"),
        ("Fe:s", "projection onto 'Fe', but the crystal has the atoms Fe1 O Fe2"),
    ],
)
def test_what_wannier90_refuses(line, message):
    with pytest.raises(InputError, match=re.escape(message)):
        names(line, spinors=True)
