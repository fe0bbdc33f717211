"""Data that are wrong, or say less than they seem to: what no reader may make a number of."""

from __future__ import annotations

import itertools
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from command_line import spinscreen
from damage import refused
from inputs import SEED, write_ab_initio, write_tb

from spinscreen.kernels import InputError, k_path
from spinscreen.materials import (
    Atom,
    EnergyUnitWarning,
    SameIdWarning,
    Structure,
    WannierModel,
    check_material,
    composition,
    find_materials,
    library,
    load_model,
    structure_of,
    write_wannier90,
)
from spinscreen.materials.elements import reduced_formula
from spinscreen.materials.spin import PAULI
from spinscreen.materials.wannier90.checkpoint import Checkpoint
from spinscreen.materials.wannier90.spin_axes import check_axes
from spinscreen.materials.wannier90.units import with_units_told
from spinscreen.storage import build_catalog, plot_bands, publish, screen
from spinscreen.workflows import Campaign, compute, evaluate, run_campaign
from spinscreen.workflows.cli.arguments import path_corners

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")

CELL = "begin unit_cell_cart\n{} 0 0\n0 3 0\n0 0 3\nend unit_cell_cart\n"


def without(path: Path, word: str) -> None:
    """Take the lines with a word out of a file."""
    path.write_text("".join(line for line in path.read_text().splitlines(True) if word not in line))


def test_spinors_that_the_win_does_not_announce_are_none(tmp_path):
    """Wannier90's default is false: two orbitals on two atoms are not taken for up and down."""
    write_tb(tmp_path)
    assert load_model(tmp_path).provenance.spin_source == "tested"
    without(tmp_path / f"{SEED}.win", "spinors")
    model = load_model(tmp_path)
    assert not model.observables
    assert "no spin: toy.win does not say spinors" in model.provenance.notes[-1]
    assert load_model(tmp_path, spin_ordering="interlaced").provenance.spin_source == "given"


def test_an_ab_initio_spin_counts_whatever_the_win_says(tmp_path):
    write_ab_initio(tmp_path, formatted=False)
    without(tmp_path / f"{SEED}.win", "spinors")
    model = load_model(tmp_path)
    assert model.provenance.spin_source == "ab_initio"
    assert "the spin that was found counts" in model.provenance.notes[-1]


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "toy.win",
            "mp_grid = 3 1 1",
            "mp_grid = 4 1 1",
            "mp_grid is 4 x 1 x 1, but toy.chk.fmt has",
        ),
        ("toy.win", "num_wann", "use_ws_distance = .false.\nnum_wann", "toy.win, line 1 says the contrary"),
        ("toy.win", "num_wann", f"{CELL.format(3.1)}num_wann", "its unit cell differs by 0.1 angstrom"),
        ("toy_hr.dat", "1 1 1\n", "1 2 1\n", "R vectors and degeneracies do not fit the mesh 3 x 1 x 1"),
        ("toy_wsvec.dat", "1\n0 0 0", "1\n3 0 0", "toy_wsvec.dat: the T vectors of R = "),
    ],
)
def test_files_that_contradict_each_other(tmp_path, name, old, new, told):
    write_ab_initio(tmp_path, formatted=True)
    edited(tmp_path / name, old, new)
    with refused(told):
        load_model(tmp_path)


def test_minimal_images_are_multiples_of_the_mesh(tmp_path):
    write_ab_initio(tmp_path, formatted=True)
    path = tmp_path / f"{SEED}_wsvec.dat"
    edited(path, "\n-1 0 0 1 2\n1\n0 0 0", "\n-1 0 0 1 2\n1\n1 0 0")
    edited(path, "\n1 0 0 2 1\n1\n0 0 0", "\n1 0 0 2 1\n1\n-1 0 0")
    with refused("toy_wsvec.dat: has T vectors that are no multiples of the mesh 3 x 1 x 1"):
        load_model(tmp_path)


def test_meshes_of_wannier90_are_found_without_a_win(tmp_path):
    """1/degeneracies add up to the number of k points, and no mesh has these R vectors."""
    write_ab_initio(tmp_path, formatted=True)
    for name in (f"{SEED}.win", f"{SEED}.chk.fmt", f"{SEED}.spn.fmt", f"{SEED}_wsvec.dat"):
        (tmp_path / name).unlink()
    path = tmp_path / f"{SEED}_hr.dat"
    load_model(tmp_path, lattice=3 * np.eye(3))
    edited(path, "1 1 1\n", "1 2 1\n")
    with refused("do not fit any mesh", "its first line should say so"):
        load_model(tmp_path, lattice=3 * np.eye(3))
    edited(path, "written on", "cut by hand on")
    load_model(tmp_path, lattice=3 * np.eye(3))


def test_a_cell_in_which_the_vectors_of_the_mesh_are_not_the_shortest(tmp_path):
    write_ab_initio(tmp_path, formatted=True)
    (tmp_path / f"{SEED}.chk.fmt").unlink()
    (tmp_path / f"{SEED}.spn.fmt").unlink()
    wide, path = "-1 0 0", tmp_path / f"{SEED}_hr.dat"
    for suffix in ("_hr.dat", "_wsvec.dat"):
        file = tmp_path / f"{SEED}{suffix}"
        file.write_text(file.read_text().replace(f"\n{wide} ", "\n-4 0 0 ").replace("\n1 0 0 ", "\n4 0 0 "))
    assert "-4 0 0" in path.read_text()
    with refused("toy_hr.dat: its R vectors are not the shortest of the mesh 3 x 1 x 1"):
        edited(tmp_path / f"{SEED}.win", "num_wann", f"{CELL.format(3)}num_wann")
        load_model(tmp_path)


def spin_of_toy(folder: Path, change) -> None:
    """Change the Pauli matrices of the formatted spin file, (k, numbers)."""
    path = folder / f"{SEED}.spn.fmt"
    head, lines = path.read_text().splitlines()[:2], path.read_text().splitlines()[2:]
    table = change(np.array([line.split() for line in lines], float).reshape(3, -1, 2)).reshape(-1, 2)
    path.write_text("\n".join([*head, *(f"{x:.15e} {y:.15e}" for x, y in table)]) + "\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda spin: spin[[1, 0, 2]], "k points are in another order"),
        (lambda spin: spin[[0, 0, 2]], "k points are in another order"),
        (lambda spin: spin / 2, "the spin on a site is at most 0.2"),
        (lambda spin: -spin, "do not commute as those of a spin"),
        (lambda spin: 0 * spin, "the spin on a site is at most 0 hbar"),
        (lambda spin: spin + 0.1, "a diagonal element is not real"),
    ],
)
def test_a_spin_that_is_none(tmp_path, change, told):
    write_ab_initio(tmp_path, formatted=True)
    spin_of_toy(tmp_path, change)
    with refused("toy.spn.fmt", told):
        load_model(tmp_path)
    assert load_model(tmp_path, spin_ordering="none").provenance.spin_source == "none"


def test_a_gauge_that_is_not_orthonormal(tmp_path):
    write_ab_initio(tmp_path, formatted=True)
    path = tmp_path / f"{SEED}.chk.fmt"
    lines = path.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("postwann")) + 2
    real, imaginary = lines[place].split()
    lines[place] = f"{float(real) + 0.01} {imaginary}"
    path.write_text("\n".join(lines))
    with refused("toy.chk.fmt: at k point 1 the gauge is not orthonormal"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("element", "value", "told"),
    [
        ("  3  3", "90.0", "Wannier function 3 is centred"),
        ("  2  1", "50.0", "an element of the position matrix is 50 angstrom"),
        ("  2  1", "0.9", "and its partner at -R differ by 0.9 angstrom, all others by at most 0;"),
    ],
)
def test_positions_beyond_sense(tmp_path, element, value, told):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    head, block = path.read_text().rsplit("\n\n    0    0    0\n", 1)
    lines = block.splitlines()
    place = next(n for n, line in enumerate(lines) if line.split()[:2] == element.split())
    lines[place] = f"{element} {value} 0 0 0 0 0"
    path.write_text(head + "\n\n    0    0    0\n" + "\n".join(lines) + "\n")
    with refused("toy_tb.dat", told):
        load_model(tmp_path)


def test_a_saved_model_of_which_one_number_was_changed(tmp_path):
    path = tmp_path / "model.hdf5"
    library.load("kane_mele").save(path)
    with h5py.File(path, "r+") as file:
        file["lattice"][0, 0] = 2.5
    with refused("model.hdf5: damaged", "it is not what was written"):
        load_model(path)


def test_real_files_with_a_spin_of_another_order(tmp_path, reference_data):
    for suffix in ("_tb.dat", "_wsvec.dat", ".chk", ".spn", ".win"):
        (tmp_path / f"Fe{suffix}").write_bytes((reference_data / "Fe" / f"Fe{suffix}").read_bytes())
    load_model(tmp_path)
    path = tmp_path / "Fe.spn"
    content = path.read_bytes()
    # 8 k points in one record each, behind a comment and two counts.
    size = (len(content) - 68 - 16) // 8
    first, second = content[84 : 84 + size], content[84 + size : 84 + 2 * size]
    path.write_bytes(content[:84] + second + first + content[84 + 2 * size :])
    with refused("Fe.spn: the spin matrix at k point", "S(R) does not decay"):
        load_model(tmp_path)


def test_a_link_to_nothing_is_no_missing_file(tmp_path):
    write_ab_initio(tmp_path, formatted=True)
    for name in (f"{SEED}_wsvec.dat", f"{SEED}.spn.fmt", "scf.out"):
        keep = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else None
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).symlink_to(tmp_path / "gone")
        without(tmp_path / f"{SEED}.win", "fermi_energy")
        with refused(f"{name}: is a link to a file that is gone"):
            load_model(tmp_path)
        (tmp_path / name).unlink()
        if keep is not None:
            (tmp_path / name).write_bytes(keep)


def chain(folder: Path, win: str) -> Path:
    """Three orbitals on a chain, their bands apart: _hr.dat and a .win that says what it is given."""
    levels = np.diag([-3.0, 0.0, 3.0])
    model = WannierModel.from_hoppings(
        SEED, 3 * np.eye(3), {(0, 0, 0): levels, (1, 0, 0): 0.2 * np.eye(3)}, np.zeros((3, 3))
    )
    write_wannier90(model, folder, SEED)
    (folder / f"{SEED}_tb.dat").unlink()
    path = folder / f"{SEED}.win"
    without(path, "spinors")
    path.write_text(path.read_text() + win)
    return folder


@pytest.mark.parametrize(
    ("win", "given", "degeneracy"),
    [
        ("", {}, 2),
        ("spinors = F\n", {}, 2),
        ("spin = up\n", {}, 1),
        ("spinors = T\n", {"spin_ordering": "none"}, 1),
        ("", {"spin_degeneracy": 1}, 1),
    ],
)
def test_electrons_that_go_in_come_out(tmp_path, win, given, degeneracy):
    electrons = 2.0 * degeneracy
    model = load_model(chain(tmp_path, win), electrons=electrons, **given)
    assert model.spin_degeneracy == degeneracy
    assert model.fermi_level == pytest.approx(1.5, abs=0.01)
    names = ["carrier_density", "density_of_states", "anomalous_hall_conductivity"]
    dataset = compute(model, (8, 1, 1), [model.fermi_level], temperature=300, quantities=names)
    assert float(dataset["carrier_density"][0]) == pytest.approx(electrons, abs=1e-9)
    assert dataset.attrs["spin_degeneracy"] == degeneracy
    assert [dataset[name].attrs.get("per_spin", False) for name in names] == [
        False,
        False,
        degeneracy == 2,
    ]


def test_a_degeneracy_is_kept_and_part_of_what_a_result_depends_on(tmp_path):
    model = load_model(chain(tmp_path, ""))
    model.save(tmp_path / "model.hdf5")
    again = load_model(tmp_path / "model.hdf5")
    assert (again.spin_degeneracy, again.fingerprint) == (2, model.fingerprint)
    assert replace(model, spin_degeneracy=1).fingerprint != model.fingerprint
    assert library.load("haldane").spin_degeneracy == 1
    with pytest.raises(InputError, match="spin_degeneracy is 3, expected 1 or 2"):
        replace(model, spin_degeneracy=3)


@pytest.mark.parametrize(
    ("name", "content", "level"),
    [
        # The lowest band of the chain ends at -2.6 eV, the next one begins at -0.4 eV.
        ("scf.out", "     highest occupied level (ev):    -2.6040\n", -1.5),
        ("OUTCAR", " E-fermi :  -2.6100     XC(G=0):  -10.1\n", -1.5),
        ("OUTCAR", " Fermi energy:        -2.5990\n", -1.5),
        ("scf.out", "     the Fermi energy is    -0.4100 ev\n", -1.5),
        # In a gap but not at its edge, and in a band.
        ("scf.out", "     highest occupied, lowest unoccupied level (ev):    -2.6000   -1.8000\n", -2.2),
        ("scf.out", "     the Fermi energy is    -3.0000 ev\n", -3.0),
        # Above all bands there are no further ones.
        ("scf.out", "     highest occupied level (ev):     3.3990\n", 3.5),
    ],
)
def test_a_level_at_the_edge_of_a_gap_becomes_its_middle(tmp_path, name, content, level):
    without(chain(tmp_path, "") / f"{SEED}.win", "fermi_energy")
    (tmp_path / name).write_text(content)
    model = load_model(tmp_path)
    # Edges are found to 1/256 of a step of the mesh.
    assert model.fermi_level == pytest.approx(level, abs=1e-3)
    noted = [note for note in model.provenance.notes if "lies at the edge of the gap from" in note]
    assert bool(noted) == (level in (-1.5, 3.5))
    assert load_model(tmp_path, fermi_level=-2.604).fermi_level == -2.604


def test_levels_that_contradict_each_other_are_named(tmp_path):
    chain(tmp_path, "fermi_energy = -1.5\nnum_valence_bands = 2\n")
    (tmp_path / "scf.out").write_text("     the Fermi energy is     1.2000 ev\n")
    model = load_model(tmp_path)
    assert model.fermi_level == -1.5
    notes = "; ".join(model.provenance.notes)
    assert "toy.win says -1.5000 eV, which counts, scf.out says 1.2000 eV" in notes
    assert "has 1 bands below it, num_valence_bands is 2" in notes


@pytest.mark.parametrize(
    ("labels", "formula"),
    [
        (("Fe1", "Fe2", "O1", "O2"), "FeO"),
        (("Fe_up", "Fe_dn", "O", "O"), "FeO"),
        (("H1", "H2", "C"), "CH2"),
        (("MN", "si3"), "MnSi"),
        (("1", "2"), None),
        (("X", "O"), None),
        ((), None),
    ],
)
def test_elements_are_the_leading_letters_of_labels(labels, formula):
    assert reduced_formula(labels) == formula


def test_labels_with_numbers_do_not_lower_the_symmetry(tmp_path):
    model = WannierModel.from_hoppings(
        SEED, 3 * np.eye(3), {(0, 0, 0): [[0.0]], (1, 0, 0): [[1.0]]}, np.zeros((1, 3))
    )
    sites = [(0.0, 0.0, 0.0), (1.5, 1.5, 1.5)]
    plain = replace(model, atoms=tuple(Atom("Fe", site) for site in sites))
    numbered = replace(model, atoms=tuple(Atom(f"Fe{n}", site) for n, site in enumerate(sites)))
    wien = replace(model, atoms=tuple(Atom(str(n), site) for n, site in enumerate(sites)))
    structures = {id(m): structure_of(m) for m in (plain, numbered, wien)}
    found = [composition(m, Placed("a", structures[id(m)])) for m in (plain, numbered, wien)]
    assert found[0] == found[1] == {"formula": "Fe", "space_group_number": 229.0, "space_group": "Im-3m"}
    assert found[2] == {}


def test_formulas_of_built_in_models_are_in_the_order_of_files():
    assert library.formula("WSe2") == "Se2W"
    assert library.formula("MoS2") == "MoS2"
    assert library.formula("haldane") is None


def test_materials_of_one_id_are_told_apart(tmp_path):
    for place in ("Fe-soc", "Fe/soc", "fe/soc"):
        chain(tmp_path / "tree" / place, "")
    with pytest.warns(SameIdWarning, match="'Fe-soc' is that of .*Fe/soc/toy and of .*Fe-soc/toy") as told:
        found = find_materials(tmp_path / "tree")
    assert sorted(source.id for source in found) == ["Fe-soc", "Fe-soc-2", "fe-soc-3"]
    assert len({source.path for source in found}) == 3
    assert len(told) == 2
    (tmp_path / "list.csv").write_text("id,path\na-2,x\na,tree/Fe-soc\na,tree/Fe/soc\n")
    with pytest.warns(SameIdWarning):
        assert [source.id for source in find_materials(tmp_path / "list.csv")] == ["a-2", "a", "a-3"]


def test_a_second_hamiltonian_in_a_folder_makes_the_first_no_new_material(tmp_path):
    """Its id changes from A to A-toy; what is there under the former one is not computed again."""
    folder, store = chain(tmp_path / "tree" / "A", ""), str(tmp_path / "s.zarr")
    submit = ["submit", str(folder.parent), "--store", store, "--kmesh", "4,1,1", "--workers", "0"]
    submit += ["--scan-points", "3", "--quantities", "carrier_density"]
    names = ["screen", store, "--columns", "name", "--csv", str(tmp_path / "names.csv")]

    def submitted() -> tuple[str, list[str]]:
        told = spinscreen(*submit).stdout
        spinscreen(*names)
        return told, sorted(pd.read_csv(tmp_path / "names.csv")["name"])

    assert submitted()[1] == ["A"]
    for ending in ("_hr.dat", ".win", "_centres.xyz"):
        (folder / f"other{ending}").write_bytes((folder / f"{SEED}{ending}").read_bytes())
    told, found = submitted()
    assert "0 computed, 2 there already" in told
    assert "A-other: there already as A" in told
    assert "A-toy: there already as A" in told
    assert found == ["A"]
    path = folder / "other_hr.dat"
    path.write_text(path.read_text().replace("0.200000", "0.300000"))
    told, found = submitted()
    assert "1 computed, 1 there already" in told
    assert found == ["A", "A-other"]
    # And the other way: where one is taken away, the one that stays has the name of the folder.
    for old in folder.glob("toy*"):
        old.unlink()
    told, found = submitted()
    assert "0 computed, 1 there already" in told
    assert "A: there already as A-other" in told
    assert found == ["A", "A-other"]


def test_where_a_model_is_from_is_in_the_catalog(tmp_path):
    places = tmp_path / "tree"
    chain(places / "chain", "fermi_energy = -1.5\n")
    write_ab_initio_in(places / "spin")
    store = tmp_path / "results.zarr"
    settings = {"kmesh": 2, "scan_points": 3, "quantities": ["carrier_density"]}
    run_campaign(Campaign(find_materials(places), **settings), store)
    columns = ["spin_source", "position_source", "minimal_images", "spin_degeneracy"]
    measured = ["symmetry_deviation", "pair_splitting"]
    table = screen(store, columns=["name", *columns, *measured]).sort_values("name")
    assert table[columns].values.tolist() == [
        ["none", "centres", False, 2],
        ["ab_initio", "centres", True, 1],
    ]
    assert table["minimal_images"].dtype == bool
    # Nothing was symmetrized; who asks for it is told so, not that there is no such column.
    assert table[measured].isna().all(axis=None)
    assert screen(store, "not minimal_images", columns=["name"])["name"].tolist() == ["chain"]
    # A result of before the attribute was there.
    part = xr.Dataset({"carrier_density": ("fermi_energy", [0.0, 1.0])}, {"fermi_energy": [0.0, 1.0]})
    publish(part.assign_attrs(model_name="old", k_mesh=[1, 1, 1], dimension=3), store, "old-0000000000")
    build_catalog(store)
    again = screen(store, columns=["name", "minimal_images"]).sort_values("name")["minimal_images"]
    np.testing.assert_array_equal(again, [0.0, np.nan, 1.0])


def write_ab_initio_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    write_ab_initio(folder, formatted=True)
    path = folder / f"{SEED}.win"
    path.write_text(path.read_text() + CELL.format(3))


@dataclass(frozen=True)
class Placed:
    """A source whose structure is known."""

    id: str
    known: Structure | None
    path: None = None

    def structure(self, model: WannierModel) -> Structure | None:
        return self.known


def test_a_path_with_breaks_is_drawn_with_breaks(tmp_path):
    path = "begin kpoint_path\nG 0 0 0 X 0.5 0 0\nK 0 0.25 0 G 0 0 0\nend kpoint_path\n"
    model = load_model(chain(tmp_path, path))
    corners = path_corners(None, model)
    assert [corner and corner[0] for corner in corners] == ["G", "X", None, "K", "G"]
    assert path_corners("G 0 0 0, X 0.5 0 0 | K 0 0.25 0, G 0 0 0", model) == corners
    found = k_path(corners, model.lattice, 4)
    assert found.breaks == (5,)
    assert [label for _, label in found.ticks] == ["G", "X|K", "G"]
    assert found.distance[4] == found.distance[5]
    assert found.points[[4, 5]].tolist() == [[0.5, 0, 0], [0, 0.25, 0]]
    # Half and a quarter of a reciprocal vector of 2 pi/3 1/angstrom.
    assert found.distance[-1] == pytest.approx(np.pi / 3 + np.pi / 6)
    dataset = evaluate(model, found, ["energy", "berry_curvature"])
    assert dataset["distance"].attrs["breaks"] == [5]
    figure = plot_bands(dataset, "berry_curvature", {"axis": "z"}, None)
    (lines,) = figure.axes[0].collections
    # Four steps on either side of the break and none over it.
    assert len(lines.get_segments()) == 8 * model.size
    assert max(float(np.ptp(step[:, 0])) for step in lines.get_segments()) == pytest.approx(np.pi / 12)
    with pytest.raises(InputError, match="at least two labelled k points in each piece"):
        k_path(corners[:4], model.lattice)


def test_check_says_what_will_be_computed_and_writes_a_manifest(tmp_path, monkeypatch):
    chain(tmp_path / "tree" / "chain", "fermi_energy = -1.5\n")
    write_tb_in(tmp_path / "tree" / "spin")
    broken = tmp_path / "tree" / "broken"
    chain(broken, "num_wann = 7\n")
    monkeypatch.chdir(tmp_path)
    shown = spinscreen("check", "tree", "--write", "list.csv")
    assert shown.returncode == 1
    lines = shown.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("chain: good"))
    assert "missing: spin" in lines[at]
    # As by default, adaptively: at T = 0 with what is of a Fermi surface.
    assert "computes carrier_density, density_of_states, anomalous_hall_conductivity" in lines[at + 1]
    assert "nothing of a spin; above 0 K also" in lines[at + 1]
    assert "no spin: toy.win does not say spinors" in lines[at + 2]
    at = next(n for n, line in enumerate(lines) if line.startswith("spin: good"))
    assert "conserved_hall_conductivity" in lines[at + 1]
    assert "of spin_x, spin_y, spin_z" in lines[at + 1]
    assert "found by test" in lines[at + 2]
    table = pd.read_csv(tmp_path / "list.csv").set_index("id")
    assert table.loc["chain", "path"] == "tree/chain/toy"
    assert table.loc["chain", "check"].startswith("missing: spin, position matrix")
    assert "'num_wann' is '7', but line 1 says '3'" in table.loc["broken", "check"]
    assert {"fermi_level", "electrons", "spin_ordering", "soc", "lattice"} <= set(table.columns)
    # It is a manifest as it stands, and says the same.
    again = spinscreen("check", "list.csv")
    assert [line for line in again.stdout.splitlines() if "good" in line] == [
        line for line in lines if "good" in line
    ]
    refused_now = spinscreen("check", "tree", "--write", "list.csv")
    assert refused_now.returncode == 2
    assert "list.csv: is there already" in refused_now.stderr


def write_tb_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    write_tb(folder)


def test_bands_that_are_all_full(tmp_path):
    """Wannier functions of the valence bands alone: 6 electrons in 3 bands whose highest ends at 3.4 eV."""
    model = load_model(chain(tmp_path, "num_valence_bands = 3\n"), electrons=6)
    assert model.fermi_level == pytest.approx(3.5, abs=0.01)
    dataset = compute(model, (8, 1, 1), [model.fermi_level], quantities=["carrier_density"])
    assert float(dataset["carrier_density"][0]) == pytest.approx(6)


def test_tables_say_that_they_are_of_one_spin(tmp_path):
    words = ("--kmesh", "8", "--fermi-energy", "-1.5")
    alone = spinscreen("run", str(chain(tmp_path / "a", "")), *words)
    assert "of one spin of two, but for numbers of electrons" in alone.stdout
    assert "of one spin" not in spinscreen("run", str(chain(tmp_path / "b", "spin = down\n")), *words).stdout


def bands_of(folder: Path, source: Path, name: str, change) -> None:
    """A checkpoint, its .win, and energies (k, band) that are changed."""
    for suffix in ("chk", "win"):
        (folder / f"{name}.{suffix}").symlink_to(source / name / f"{name}.{suffix}")
    table = np.loadtxt(source / name / f"{name}.eig")
    energies = table[:, 2].reshape(int(table[:, 1].max()), -1)
    table[:, 2] = change(energies).ravel()
    np.savetxt(folder / f"{name}.eig", table, fmt="%d %d %.12f")


def half_along(axis: int, cells: int):
    def change(energies: np.ndarray) -> np.ndarray:
        return np.roll(energies.reshape(cells, cells, cells, -1), cells // 2, axis=axis).reshape(
            energies.shape
        )

    return change


@pytest.mark.parametrize("name", ["Fe", "Pt"])
def test_a_spin_whose_components_are_in_another_order(tmp_path, reference_data, name):
    """A proper rotation of a spin is a spin; the crystal, magnetic or not, turns with its own axes."""
    for suffix in ("eig", "chk", "win"):
        (tmp_path / f"{name}.{suffix}").symlink_to(reference_data / name / f"{name}.{suffix}")
    content = (reference_data / name / f"{name}.spn").read_bytes()
    parts, place = [], 84
    while place < len(content):
        (size,) = struct.unpack_from("<i", content, place)
        table = np.frombuffer(content, complex, size // 16, place + 4).reshape(-1, 3)
        parts.append(struct.pack("<i", size) + table[:, [1, 2, 0]].tobytes() + struct.pack("<i", size))
        place += size + 8
    (tmp_path / f"{name}.spn").write_bytes(content[:84] + b"".join(parts))
    with refused(f"{name}.spn: at k points that are equivalent", "taken as z, x, y they are"):
        load_model(tmp_path)


def test_an_order_of_components_that_no_symmetry_shows(tmp_path):
    """A chain of two states that nothing maps to each other."""
    write_ab_initio(tmp_path, formatted=False)
    assert any("no symmetry shows" in note for note in load_model(tmp_path).provenance.notes)


def test_a_magnet_whose_lattice_its_moment_does_not_know():
    """Without spin-orbit coupling a moment along x of a tetragonal crystal is as good as one along z."""
    mesh = np.stack(np.meshgrid(*3 * [np.arange(3) / 3], indexing="ij"), axis=-1).reshape(-1, 3)
    lattice, angles = np.diag([3.0, 3.0, 4.0]), 2 * np.pi * mesh
    band = np.cos(angles[:, 0]) + np.cos(angles[:, 1]) + 0.3 * np.cos(angles[:, 2])
    gauge, centres = np.zeros((27, 2, 2), complex), np.zeros((2, 3))
    checkpoint = Checkpoint(lattice, np.array([3, 3, 3]), mesh, gauge, centres, gauge)
    moment = PAULI[0] / 2
    hamiltonian = band[:, None, None] * np.eye(2) + 0.8 * moment
    spin = np.broadcast_to(PAULI / 2, (len(mesh), 3, 2, 2))
    assert not check_axes(Path("x.spn"), hamiltonian, spin, checkpoint)


@pytest.mark.parametrize("coupling", [0.0, 3e-3])
def test_a_magnet_whose_spins_turn_against_its_lattice(coupling):
    """Kagome layers with moments at 120 degrees that turn by -120 where the crystal turns by 120.

    Without spin-orbit coupling (eV), or a weak one, its bands obey a spin-space group: the components are
    right, though those of another order obey the lattice and they do not.
    """
    cells = (4, 4, 2)
    grid = np.meshgrid(*(np.arange(n) / n for n in cells), indexing="ij")
    mesh = np.stack(grid, axis=-1).reshape(-1, 3)
    lattice = np.array([[5.5, 0, 0], [-2.75, 2.75 * np.sqrt(3), 0], [0, 0, 5.0]])
    sites = np.array([[0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0]])
    angles = -2 * np.pi / 3 * np.arange(3)
    moments = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    hamiltonian = np.zeros((len(mesh), 6, 6), complex)
    for i in range(3):
        own = slice(2 * i, 2 * i + 2)
        hamiltonian[:, own, own] = np.tensordot(moments[i], PAULI, axes=1)
        hamiltonian[:, own, own] += 0.6 * np.cos(2 * np.pi * mesh[:, 2, None, None]) * np.eye(2)
        j = (i + 1) % 3
        other = slice(2 * j, 2 * j + 2)
        steps = sites[j] - sites[i] + np.array(list(itertools.product((-1, 0, 1), (-1, 0, 1), (0,))))
        near = np.linalg.norm(steps @ lattice, axis=1) < 2.8
        reach = steps[near] - sites[j] + sites[i]
        hop = np.exp(2j * np.pi * mesh @ reach.T).sum(axis=1)[:, None, None]
        hamiltonian[:, own, other] = hop * (np.eye(2) + 1j * coupling * PAULI[2])
        hamiltonian[:, other, own] = hamiltonian[:, own, other].conj().swapaxes(1, 2)
    centres = np.repeat(sites @ lattice, 2, axis=0)
    gauge = np.zeros((len(mesh), 6, 6), complex)
    checkpoint = Checkpoint(lattice, np.array(cells), mesh, gauge, centres, gauge)
    spin = np.broadcast_to(np.kron(np.eye(3), PAULI / 2), (len(mesh), 3, 6, 6))
    atoms = [Atom("Mn", tuple(site)) for site in sites @ lattice]
    # One atom in place of three does not show that the moments are not parallel.
    with refused("x.spn: at k points that are equivalent"):
        check_axes(Path("x.spn"), hamiltonian, spin, checkpoint, atoms[:1])
    assert not check_axes(Path("x.spn"), hamiltonian, spin, checkpoint, atoms)


def test_energies_whose_unit_nothing_says(tmp_path, reference_data):
    """Without windows a width that no electrons have is a warning, a level far from all bands a refusal."""
    for folder, factor in (("ev", 1.0), ("hartree", 1 / 27.211386)):
        (tmp_path / folder).mkdir()
        bands_of(tmp_path / folder, reference_data, "GaAs", lambda e, factor=factor: factor * e)
    assert any(
        "taken for eV" in note for note in load_model(tmp_path / "ev", spin_ordering="none").provenance.notes
    )
    with pytest.warns(EnergyUnitWarning, match="look whether it is in rydberg"):
        load_model(tmp_path / "hartree", spin_ordering="none")
    (tmp_path / "hartree" / "scf.out").write_text("     the Fermi energy is     9.1200 ev\n")
    with refused("GaAs.eig: its bands are from ", "eV away from the Fermi level 9.12 eV", "hartree"):
        load_model(tmp_path / "hartree", spin_ordering="none")
    with pytest.warns(EnergyUnitWarning):
        load_model(tmp_path / "hartree", fermi_level=9.12, spin_ordering="none")


def test_widths_of_layers_and_of_narrow_shells(tmp_path):
    """Vacuum is no room for electrons, and shells of d or f alone have bands as narrow as one likes."""
    for folder, cell, block in (
        ("vacuum", "3 0 0\n0 3 0\n0 0 400", "C:s"),
        ("narrow", "3 0 0\n0 3 0\n0 0 3", "C:s"),
        ("shell", "3 0 0\n0 3 0\n0 0 3", "C:f"),
    ):
        vectors = np.array(cell.split(), dtype=float).reshape(3, 3)
        atoms = (Atom("C", (0.0, 0.0, 0.0)),)
        width = 12.0 if folder == "vacuum" else 0.1
        model = WannierModel(
            "x",
            vectors,
            [[0, 0, 0], [1, 0, 0], [-1, 0, 0]],
            np.reshape([0, width / 4, width / 4], (3, 1, 1)),
            np.zeros((3, 3, 1, 1)),
            atoms=atoms,
            projections=(block,),
        )
        files = SimpleNamespace(
            is_text=False, win=None, gauge=None, files={"eig": Path("x.eig")}, spinors=False
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with_units_told(model, files, level_is_given=True)
        assert bool(caught) is (folder == "narrow"), folder


EQUIVALENT, FROZEN = "which as many others have that are not equivalent", "in the frozen window of Fe.win"


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("Pt", half_along(0, 4), EQUIVALENT),
        ("Pt", half_along(2, 4), EQUIVALENT),
        ("Pt", lambda e: e[3 * np.arange(len(e)) % len(e)], EQUIVALENT),
        ("Pt", lambda e: np.roll(e, 1, axis=0), EQUIVALENT),
        ("GaAs", half_along(1, 4), EQUIVALENT),
        ("GaAs", lambda e: np.roll(e, -1, axis=0), EQUIVALENT),
        # A magnetic crystal, which has less symmetry than its lattice.
        ("Fe", half_along(0, 2), EQUIVALENT),
        ("Fe", lambda e: e[3 * np.arange(len(e)) % len(e)], EQUIVALENT),
        ("Fe", lambda e: np.roll(e, 1, axis=0), EQUIVALENT),
        ("Fe", lambda e: e / 13.605693, FROZEN),
        ("Fe", lambda e: e / 27.211386, FROZEN),
        ("Fe", lambda e: 2 * e, "is one of those in the window in the .chk, but at"),
    ],
)
def test_energies_at_other_k_points_or_in_other_units(reference_data, tmp_path, name, change, told):
    bands_of(tmp_path, reference_data, name, change)
    with refused(told):
        load_model(tmp_path, spin_ordering="none")


@pytest.mark.parametrize("name", ["Pt", "GaAs", "Fe"])
def test_energies_as_they_are(reference_data, tmp_path, name):
    """Corrections that are added to them afterwards move states across the edge of a window."""
    bands_of(tmp_path, reference_data, name, lambda e: e - 1)
    load_model(tmp_path, spin_ordering="none")


def test_rows_of_an_eig_in_another_order(tmp_path):
    write_ab_initio(tmp_path, formatted=False)
    path = tmp_path / f"{SEED}.eig"
    rows = path.read_text().splitlines()
    rows.sort(key=lambda row: int(row.split()[0]))
    path.write_text("\n".join(rows) + "\n")
    with refused("its rows are in another order, expected k point by k point", "sort them by the second"):
        load_model(tmp_path)


def test_a_list_with_few_elements_left_out(tmp_path):
    """Two of 75 numbers."""
    cells, size = range(-1, 2), 5
    lines = ["generated", str(size), str(len(cells)), "1 1 1"]
    lines += [f"{r} 0 0 {m} {n} 0.5 0" for r in cells for n in range(1, size + 1) for m in range(1, size + 1)]
    lost = {"-1 0 0 2 3 0.5 0", "1 0 0 3 2 0.5 0"}
    (tmp_path / "x_hr.dat").write_text("\n".join(line for line in lines if line not in lost) + "\n")
    with refused("2 of 75 elements are left out, expected none, or at least 10 %"):
        load_model(tmp_path, lattice=np.eye(3))


def test_a_link_to_a_material_that_is_gone(tmp_path):
    """It is one that fails; a link of a file of a material, or beside it, is none."""
    (tmp_path / "Fe").mkdir()
    write_tb(tmp_path / "Fe")
    for place in ("Cu", "Zn.zip", "WAVECAR", "notes.txt", "Fe/old"):
        (tmp_path / place).symlink_to("/nowhere/at/all")
    found = {source.id: source for source in find_materials(tmp_path)}
    assert set(found) == {"Fe", "Cu", "Zn"}
    assert check_material(found["Fe"]).error is None
    for gone in ("Cu", "Zn"):
        assert "is a link to nothing" in check_material(found[gone]).error
    checked = spinscreen("check", str(tmp_path))
    assert "1 of 3 can be computed" in checked.stdout


@pytest.mark.parametrize(
    ("form", "change", "is_same"),
    [
        ("{:13.5E}", 0.0, True),
        ("{:12.4E}", 0.0, True),
        ("{:12.4f}", 0.0, True),
        ("{:12.4E}", 0.05, False),
        ("{:15.8E}", 2e-5, False),
    ],
)
@pytest.mark.parametrize("degeneracy", [1, 2])
def test_digits_and_degeneracies_of_what_is_written_twice(tmp_path, form, change, is_same, degeneracy):
    """The same H in fewer digits, or with what the elements are divided by, is no contradiction."""
    level = 40.123456
    vectors = ((-1, 0, 0), (0, 0, 0), (1, 0, 0))
    elements = {vector: 0.3456789 if any(vector) else level for vector in vectors}
    hr = [f"{r[0]} 0 0 1 1 {value:.6f} 0.000000" for r, value in elements.items()]
    (tmp_path / "toy_hr.dat").write_text("\n".join(["hr", "1", "3", "1 1 1", *hr]) + "\n")
    lines = ["tb", "3 0 0", "0 9 0", "0 0 9", "1", "3", f"{degeneracy} 1 {degeneracy}"]
    for r, value in elements.items():
        written = form.format(value * degeneracy if any(r) else value + change)
        lines += ["", f"{r[0]} 0 0", f"1 1 {written} {form.format(0)}"]
    for r in vectors:
        lines += ["", f"{r[0]} 0 0", "1 1" + f" {form.format(0)}" * 6]
    (tmp_path / "toy_tb.dat").write_text("\n".join(lines) + "\n")
    if is_same:
        assert load_model(tmp_path).size == 1
    else:
        with refused("element 1 1 of R = 0 0 0 differs by", "in toy_hr.dat"):
            load_model(tmp_path)


def test_a_hamiltonian_that_is_written_twice_is_compared(tmp_path):
    """One changed number keeps H Hermitian; the same number in the other file tells."""
    write_wannier90(library.load("kane_mele"), tmp_path, SEED)
    load_model(tmp_path)
    path = tmp_path / f"{SEED}_hr.dat"
    lines = path.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.split()[:5] == ["0", "0", "0", "2", "2"])
    lines[place] = f"{lines[place][:25]} 0.250000 0.000000"
    path.write_text("\n".join(lines) + "\n")
    with refused("toy_tb.dat: element 2 2 of R = 0 0 0 differs by ", "in toy_hr.dat", "name the one that"):
        load_model(tmp_path)
    for named in ("toy_tb.dat", "toy_hr.dat"):
        load_model(tmp_path / named)
    path.write_text("\n".join(lines[:40]) + "\n")
    assert any(
        "left out: " in note and "toy_hr.dat" in note for note in load_model(tmp_path).provenance.notes
    )
