"""Small valid inputs of every kind that the readers know."""

from __future__ import annotations

import csv
import itertools
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tbmodels
import yaml
from support import random_hermitian, random_model, random_unitary

from spinscreen.materials import library, write_wannier90
from spinscreen.materials.spin import PAULI
from spinscreen.materials.wannier90.checkpoint import read_checkpoint

SEED = "toy"

POSCAR = """GaAs
1.0
0.0 2.8265 2.8265
2.8265 0.0 2.8265
2.8265 2.8265 0.0
Ga As
1 1
Direct
0.0 0.0 0.0
0.25 0.25 0.25
"""

CIF = """data_GaAs
_cell_length_a 5.653
_cell_length_b 5.653
_cell_length_c 5.653
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F -4 3 m'
_space_group_IT_number 216
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Ga1 Ga 0 0 0
As1 As 0.25 0.25 0.25
"""

OPTIMADE = {
    "data": {
        "id": "example-1",
        "type": "structures",
        "attributes": {
            "last_modified": "2024-01-01T00:00:00Z",
            "elements": ["As", "Ga"],
            "nelements": 2,
            "elements_ratios": [0.5, 0.5],
            "chemical_formula_descriptive": "GaAs",
            "chemical_formula_reduced": "AsGa",
            "chemical_formula_anonymous": "AB",
            "dimension_types": [1, 1, 1],
            "nperiodic_dimensions": 3,
            "lattice_vectors": [[0, 2.8265, 2.8265], [2.8265, 0, 2.8265], [2.8265, 2.8265, 0]],
            "cartesian_site_positions": [[0, 0, 0], [1.41325, 1.41325, 1.41325]],
            "nsites": 2,
            "species": [
                {"name": "Ga", "chemical_symbols": ["Ga"], "concentration": [1.0]},
                {"name": "As", "chemical_symbols": ["As"], "concentration": [1.0]},
            ],
            "species_at_sites": ["Ga", "As"],
            "structure_features": [],
        },
    }
}


#: A real calculation, of whose files most say something that another one says too; absent elsewhere.
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "Fe"
REAL_FILES = ("_tb.dat", "_wsvec.dat", ".chk", ".spn", ".eig", ".win")


def build_inputs(root: Path) -> dict[str, list[str]]:
    """One folder for each kind of input under `root`; returns the files to damage in each."""
    writers: dict[str, Callable[[Path], list[str]]] = {
        "tb": write_tb,
        "hr": write_hr,
        "formatted": lambda folder: write_ab_initio(folder, formatted=True),
        "unformatted": lambda folder: write_ab_initio(folder, formatted=False),
        "trial": write_trial,
        "overlaps": write_overlaps,
        "beside": write_beside,
        "packed": write_packed,
        "system": write_system,
        "archive": write_archive,
        "tbmodels": write_tbmodels,
        "structure": write_structures,
        "scf": write_scf,
        "manifest": write_manifests,
    }
    victims = {}
    for kind, write in writers.items():
        (root / kind).mkdir(parents=True)
        victims[kind] = write(root / kind)
    if REAL.is_dir():
        (root / "real").mkdir()
        victims["real"] = [f"Fe{suffix}" for suffix in REAL_FILES]
        for name in victims["real"]:
            (root / "real" / name).write_bytes((REAL / name).read_bytes())
    return victims


def write_tb(folder: Path) -> list[str]:
    write_wannier90(library.load("kane_mele"), folder, SEED)
    for suffix in ("_hr.dat", "_centres.xyz"):
        (folder / f"{SEED}{suffix}").unlink()
    return [f"{SEED}_tb.dat", f"{SEED}.win"]


def write_hr(folder: Path) -> list[str]:
    write_wannier90(library.load("kane_mele"), folder, SEED)
    (folder / f"{SEED}_tb.dat").unlink()
    with (folder / f"{SEED}.win").open("a") as win:
        win.write("begin atoms_cart\nbohr\nC 0 0 0\nend atoms_cart\n")
    return [f"{SEED}_hr.dat", f"{SEED}_centres.xyz", f"{SEED}.win"]


def write_ab_initio(folder: Path, formatted: bool) -> list[str]:
    """A chain of two spinors at three k points: _hr.dat, _wsvec.dat, .win, .eig, .chk and .spn agree."""
    rng = np.random.default_rng(5)
    size, count = 2, 3
    energies = np.sort(rng.normal(size=(count, size)), axis=1)
    gauge = np.stack([random_unitary(rng, size) for _ in range(count)])
    kpoints = np.zeros((count, 3))
    kpoints[:, 0] = np.arange(count) / count
    bloch = gauge.conj().swapaxes(1, 2) @ (energies[:, :, None] * gauge)
    cells = np.array([[n, 0, 0] for n in (-1, 0, 1)])
    hoppings = np.tensordot(np.exp(-2j * np.pi * cells @ kpoints.T), bloch, axes=1) / count
    # Nearly the same at each k in the Wannier basis, as the functions are local.
    local = PAULI + 0.02 * random_hermitian(rng, count, 3, size, size)
    local /= np.abs(np.linalg.eigvalsh(local)).max()
    pauli = gauge[:, None] @ local @ gauge.conj().swapaxes(1, 2)[:, None]
    _write_hoppings(folder, cells, hoppings)
    (folder / f"{SEED}.win").write_text("num_wann = 2\nspinors = T\nmp_grid = 3 1 1\nfermi_energy = 0.1\n")
    bands = [(n + 1, k + 1, energies[k, n]) for k in range(count) for n in range(size)]
    (folder / f"{SEED}.eig").write_text("".join(f"{n} {k} {e:.12f}\n" for n, k, e in bands))
    names = [f"{SEED}.chk", f"{SEED}.spn"]
    contents = [_checkpoint(kpoints, gauge), _spin(pauli)]
    if formatted:
        names = [f"{name}.fmt" for name in names]
        # Two counts share a line in this file alone.
        contents[1] = [contents[1][0], "2 3", *contents[1][2:]]
        for name, items in zip(names, contents, strict=True):
            (folder / name).write_text("".join(f"{text}\n" for text in map(_as_text, items) if text))
    else:
        for name, items in zip(names, contents, strict=True):
            (folder / name).write_bytes(as_records(items))
    # The binary files have the most to damage.
    return [*names, *names, f"{SEED}_hr.dat", f"{SEED}_wsvec.dat", f"{SEED}.eig"]


def write_trial(folder: Path) -> list[str]:
    """The same with projections and an .amn: each function is mostly one of the trial orbitals."""
    write_ab_initio(folder, formatted=False)
    checkpoint = read_checkpoint(folder / f"{SEED}.chk")
    count, bands, size = checkpoint.gauge.shape
    shares = 0.9 * np.eye(size) + 0.02 * np.random.default_rng(6).normal(size=(count, size, size))
    overlaps = checkpoint.gauge @ shares
    with (folder / f"{SEED}.win").open("a") as win:
        win.write("begin projections\nc=0,0,0:s\nend projections\n")
    lines = ["written by a test", f"{bands} {count} {size}"]
    for k, n, m in itertools.product(range(count), range(size), range(bands)):
        value = overlaps[k, m, n]
        lines.append(f"{m + 1:5d}{n + 1:5d}{k + 1:5d}{value.real:18.12f}{value.imag:18.12f}")
    (folder / f"{SEED}.amn").write_text("\n".join(lines) + "\n")
    return [f"{SEED}.amn", f"{SEED}.amn", f"{SEED}.win"]


WOUT = """
                              Lattice Vectors (Ang)
                    a_1     2.460000   0.000000   0.000000
                    a_2     1.230000   2.130422   0.000000
                    a_3     0.000000   0.000000  10.000000
 |   Site       Fractional Coordinate          Cartesian Coordinate (Ang)     |
 | C    1   0.00000   0.00000   0.00000   |    0.00000   0.00000   0.00000    |
 Final State
  WF centre and spread    1  (  0.100000, -0.200000,  0.000000 )     1.50000000
  WF centre and spread    2  (  1.500000,  0.000000,  0.000000 )     2.50000000
  WF centre and spread    3  (  0.100000, -0.200000,  0.000000 )     1.50000000
  WF centre and spread    4  (  1.500000,  0.000000,  0.000000 )     2.50000000
"""

WT_IN = """&TB_FILE
Hrfile = 'toy_hr.dat'
/
LATTICE
Angstrom
2.46 0 0
1.23 2.130422 0
0 0 10
ATOM_POSITIONS
1
Direct
C 0 0 0
PROJECTORS
2
C s pz
&SYSTEM
SOC = 1
/
"""


def write_beside(folder: Path) -> list[str]:
    """A Hamiltonian, its position matrix, and a cell in a .wout and a wt.in."""
    model = library.load("kane_mele")
    write_wannier90(model, folder, SEED)
    for suffix in ("_tb.dat", "_centres.xyz", ".win"):
        (folder / f"{SEED}{suffix}").unlink()
    (folder / f"{SEED}.wout").write_text(WOUT)
    (folder / "wt.in").write_text(WT_IN)
    lines = [" comment", str(model.size), str(len(model.translations))]
    for vector, matrices in zip(model.translations.tolist(), model.position, strict=True):
        for n in range(model.size):
            for m in range(model.size):
                values = " ".join(f"{x.real:.6f} {x.imag:.6f}" for x in matrices[:, m, n])
                lines.append(f"{' '.join(map(str, vector))} {m + 1} {n + 1} {values}")
    (folder / f"{SEED}_r.dat").write_text("\n".join(lines) + "\n")
    return [f"{SEED}_r.dat", f"{SEED}.wout", "wt.in", f"{SEED}_hr.dat"]


def write_packed(folder: Path) -> list[str]:
    """The same calculation in two archives."""
    write_tb(folder)
    files = [folder / name for name in (f"{SEED}_tb.dat", f"{SEED}.win")]
    with zipfile.ZipFile(folder / "toy.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    with tarfile.open(folder / "toy.tar.gz", "w:gz") as archive:
        for file in files:
            archive.add(file, file.name)
    for file in files:
        file.unlink()
    return ["toy.zip", "toy.tar.gz"]


def write_system(folder: Path) -> list[str]:
    """A system as WannierBerri saves it."""
    model = random_model(0, size=2)
    arrays = {
        "_XX_R_Ham": model.hamiltonian,
        "_XX_R_AA": np.moveaxis(model.position, 1, 3),
        "real_lattice": model.lattice,
        "iRvec": model.translations,
        "wannier_centers_cart": model.centres,
        "periodic": np.array(model.periodic),
    }
    for name, array in arrays.items():
        np.savez(folder / f"{name}.npz", array)
    return [f"{name}.npz" for name in arrays]


#: angstrom: centres of the Wannier functions of `write_overlaps`.
CENTRES = np.array([[0.3, 0.0, 0.1], [1.4, -0.2, 0.0]])


def write_overlaps(folder: Path) -> list[str]:
    """The same chain as .chk, .eig, .spn and .mmn, the functions points at `CENTRES`."""
    write_ab_initio(folder, formatted=False)
    for name in (f"{SEED}_hr.dat", f"{SEED}_wsvec.dat"):
        (folder / name).unlink()
    checkpoint = read_checkpoint(folder / f"{SEED}.chk")
    count, size = checkpoint.gauge.shape[:2]
    items = _checkpoint(checkpoint.kpoints, checkpoint.gauge, CENTRES)
    (folder / f"{SEED}.chk").write_bytes(as_records(items))
    lines = [" comment", f"{size} {count} 6"]
    # Along the chain the next k points, across it the same one and a reciprocal vector.
    for k in range(count):
        for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
            other = (k + step[0]) % count
            cell = ((k + step[0]) // count, *step[1:])
            b = 2 * np.pi / 3 * (np.array(step) / [count, 1, 1])
            phases = np.diag(np.exp(-1j * CENTRES @ b))
            overlap = checkpoint.gauge[k] @ phases @ checkpoint.gauge[other].conj().T
            lines.append(f"{k + 1} {other + 1} {' '.join(map(str, cell))}")
            lines += [f"{x.real:.12f} {x.imag:.12f}" for x in overlap.T.ravel()]
    (folder / f"{SEED}.mmn").write_text("\n".join(lines) + "\n")
    return [f"{SEED}.mmn", f"{SEED}.mmn", f"{SEED}.chk", f"{SEED}.eig"]


def _write_hoppings(folder: Path, cells: np.ndarray, hoppings: np.ndarray) -> None:
    size = hoppings.shape[-1]
    lines = [" written on a day", str(size), str(len(cells)), " ".join("1" for _ in cells)]
    images = ["## written on a day with use_ws_distance=.true."]
    for cell, matrix in zip(cells.tolist(), hoppings, strict=True):
        for j in range(size):
            for i in range(size):
                label = " ".join(map(str, [*cell, i + 1, j + 1]))
                lines.append(f"{label} {matrix[i, j].real:.12f} {matrix[i, j].imag:.12f}")
                images.append(f"{label}\n1\n0 0 0")
    (folder / f"{SEED}_hr.dat").write_text("\n".join(lines) + "\n")
    (folder / f"{SEED}_wsvec.dat").write_text("\n".join(images) + "\n")


def _checkpoint(
    kpoints: np.ndarray, gauge: np.ndarray, centres: np.ndarray | None = None
) -> list[str | np.ndarray]:
    """Items of a checkpoint without disentanglement, neighbours' overlaps zero."""
    count, size, _ = gauge.shape
    return [
        "written by a test".ljust(33),
        np.array([size], "<i4"),
        np.array([0], "<i4"),
        np.array([], "<i4"),
        3 * np.eye(3),
        2 * np.pi / 3 * np.eye(3),
        np.array([count], "<i4"),
        np.array([count, 1, 1], "<i4"),
        kpoints,
        np.array([2], "<i4"),
        np.array([size], "<i4"),
        "postwann".ljust(20),
        np.array([0], "<i4"),
        gauge.swapaxes(1, 2),
        np.zeros((count, 2, size, size), complex),
        np.zeros((size, 3)) if centres is None else centres,
        np.ones(size),
    ]


def _spin(pauli: np.ndarray) -> list[str | np.ndarray]:
    """Upper triangles column by column, the three components of an element together."""
    count, _, size, _ = pauli.shape
    upper = [(n, m) for m in range(size) for n in range(m + 1)]
    packed = [np.array([matrices[:, n, m] for n, m in upper]) for matrices in pauli]
    return ["comment".ljust(60), np.array([size, count], "<i4"), *packed]


def as_records(items: list[str | np.ndarray], mark: str = "<i") -> bytes:
    """Fortran sequential records, the lengths before and after each as `struct` writes `mark`."""
    content = [item.encode() if isinstance(item, str) else item.tobytes() for item in items]
    return b"".join(struct.pack(mark, len(c)) + c + struct.pack(mark, len(c)) for c in content)


def _as_text(item: str | np.ndarray) -> str:
    if isinstance(item, str):
        return item
    values = np.ascontiguousarray(item).ravel()
    if np.iscomplexobj(values):
        return "\n".join(f"{x.real:.15e} {x.imag:.15e}" for x in values)
    return "\n".join(map(str, values.tolist()))


def write_archive(folder: Path) -> list[str]:
    random_model(0, size=2).save(folder / f"{SEED}.hdf5")
    return [f"{SEED}.hdf5"]


def write_tbmodels(folder: Path) -> list[str]:
    for name, sparse in ((f"{SEED}.hdf5", False), ("sparse.hdf5", True)):
        tbmodels.Model(
            on_site=[1.0, -1.0],
            hop={(1, 0): [[0, 1j], [0.5, 0]]},
            pos=[[0, 0], [0.5, 0.5]],
            uc=[[2, 0], [0, 3]],
            contains_cc=False,
            sparse=sparse,
        ).to_hdf5_file(str(folder / name))
    return [f"{SEED}.hdf5", "sparse.hdf5"]


def write_structures(folder: Path) -> list[str]:
    """Three calculations, as one is read with one structure."""
    contents = {"POSCAR": POSCAR, "toy.cif": CIF, "toy.json": json.dumps(OPTIMADE, indent=1)}
    names = []
    for name, content in contents.items():
        place = folder / name.replace(".", "_")
        write_wannier90(library.load("haldane"), place, SEED)
        (place / name).write_text(content)
        names.append(f"{place.name}/{name}")
    return names


def write_scf(folder: Path) -> list[str]:
    """A calculation whose Fermi level is in two outputs, or else in its electrons."""
    write_tb(folder)
    win = folder / f"{SEED}.win"
    kept = [line for line in win.read_text().splitlines() if "fermi" not in line]
    win.write_text("\n".join([*kept, "num_valence_bands = 2", ""]))
    (folder / "OUTCAR").write_text(
        "text\n" * 50 + " E-fermi :   0.1234     XC(G=0):  -10.1\n" + "text\n" * 50
    )
    (folder / "toy.scf.out").write_text(
        "     the Fermi energy is     0.1200 ev\n     highest occupied level (ev):     0.1250\n"
    )
    return ["OUTCAR", "toy.scf.out", f"{SEED}.win"]


def write_manifests(folder: Path) -> list[str]:
    write_tb(folder)
    rows = [
        {"id": "one", "path": SEED, "fermi_level": 0.1, "spin_ordering": "interlaced", "tc": 4.2},
        {"id": "two", "path": f"{SEED}_tb.dat", "formula": "C2", "space_group": "191", "tags": "a"},
    ]
    with (folder / "list.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, sorted({key for row in rows for key in row}))
        table.writeheader()
        table.writerows(rows)
    (folder / "list.json").write_text(json.dumps(rows, indent=1))
    (folder / "list.yaml").write_text(yaml.safe_dump(rows))
    return ["list.csv", "list.json", "list.yaml"]
