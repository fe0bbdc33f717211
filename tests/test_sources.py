"""Where materials come from: trees, manifests, structures beside the model, Fermi levels."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from campaigns import campaign
from command_line import spinscreen
from inputs import CIF, OPTIMADE, POSCAR

from spinscreen.kernels import InputError
from spinscreen.materials import (
    SameIdWarning,
    WannierModel,
    check_material,
    composition,
    find_materials,
    library,
    load_model,
    read_structure,
    write_wannier90,
)
from spinscreen.materials.wannier90.scf_outputs import level_of_outputs
from spinscreen.storage import screen
from spinscreen.workflows import compute, evaluate, run_campaign

ROWS = [
    {"id": "first", "path": "km/kane_mele", "fermi_level": 0.1, "spin_ordering": "interlaced", "tc": 4.2},
    {"id": "second", "path": "km", "family": "toy", "formula": "C2", "space_group": "191"},
]

#: Lists that repeat each other, ten times at each level, and mappings that merge each other.
LEVELS = range(1, 40)
LAUGHS = "- id: x\n  path: &a0 [y]\n" + "".join(
    f"  n{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in LEVELS
)
MERGES = "- &a0 {id: x, path: y, 1: 1, 2: 2}\n" + "".join(
    f"- &a{n}\n  k{n}: 1\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in LEVELS
)


#: angstrom, of POSCAR, CIF and OPTIMADE
GALLIUM_ARSENIDE = 2.8265 * (np.ones((3, 3)) - np.eye(3))


@pytest.fixture
def folder(tmp_path) -> Path:
    write_wannier90(library.load("kane_mele"), tmp_path / "km")
    return tmp_path


def write_rows(folder: Path, ending: str) -> Path:
    manifest = folder / f"list{ending}"
    if ending == ".csv":
        pd.DataFrame(ROWS).to_csv(manifest, index=False)
    elif ending == ".json":
        manifest.write_text(json.dumps(ROWS))
    else:
        manifest.write_text(yaml.safe_dump(ROWS))
    return manifest


@pytest.mark.parametrize("ending", [".csv", ".json", ".yaml"])
def test_a_manifest_brings_levels_orders_and_columns(folder, ending):
    first, second = find_materials(write_rows(folder, ending))
    assert first.overrides == {"fermi_level": 0.1, "spin_ordering": "interlaced"}
    assert first.columns == {"tc": 4.2}
    assert second.columns == {"family": "toy", "formula": "C2", "space_group": "191"}
    assert first.load().fermi_level == 0.1


def test_columns_of_a_manifest_are_screened(folder):
    store = folder / "results.zarr"
    assert run_campaign(campaign(find_materials(write_rows(folder, ".yaml"))), store).count("computed") == 2
    assert screen(store, "tc > 4", columns=["name", "tc"])["name"].tolist() == ["first"]
    assert screen(store, "formula == 'C2' and space_group == '191'")["name"].tolist() == ["second"]


def test_a_column_of_the_user_does_not_hide_what_was_computed(folder):
    (folder / "list.json").write_text(json.dumps([{"id": "a", "path": "km", "gap": 99.0}]))
    store = folder / "results.zarr"
    run_campaign(campaign(find_materials(folder / "list.json")), store)
    found = screen(store, columns=["gap", "gap_given"])
    assert found["gap_given"].tolist() == [99.0]
    assert found["gap"].item() < 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "id,path\n,x\n", "entry 1: expected an id and a path"),
        ("list.csv", "id,path\n", "found no material"),
        (
            "list.csv",
            "id,path,fermi_level\na,x,high\n",
            "entry 1: fermi_level .*found 'high'",
        ),
        ("list.csv", "id,path,spin_ordering\na,x,up\n", "entry 1: spin_ordering .* found 'up'"),
        ("list.csv", "id,path,electrons\na,x,-2\n", "entry 1: electrons .* greater than 0, found '-2'"),
        ("list.json", "[{", "cannot be read as json .*line 1"),
        ("list.yaml", "- id: [", "cannot be read as yaml .*line"),
        ("list.yaml", "id: x", "expected a list of entries"),
        ("list.txt", "id", "ends in .csv, .json or .yaml"),
        # Columns and keys.
        ("list.csv", "id,path,id\na,x,b\n", "cannot be read as csv .'id' is given twice, expected each once"),
        (
            "list.csv",
            "id,path\na,x,1,2\n",
            "line 2 has 4 cells, the heading 2; put text with a comma in quotes",
        ),
        ("list.csv", f"id,path\na,{'x' * 200_000}\n", "cannot be read as csv .line 2: field larger"),
        ("list.json", '[{"id": "a", "id": "b", "path": "x"}]', "'id' is given twice"),
        ("list.yaml", "- id: a\n  id: b\n  path: x\n", "'id' is given twice"),
        (
            "list.json",
            json.dumps([{"id": "a", "path": "x", "n": "y" * 200_000}]),
            "a value of 200000 characters",
        ),
        # Ids and paths.
        ("list.json", '[{"id": NaN, "path": "x"}]', "entry 1: id: expected text, found nan"),
        ("list.json", '[{"id": 1e999, "path": "x"}]', "entry 1: id: expected text, found inf"),
        ("list.json", '[{"id": true, "path": "x"}]', "entry 1: id: expected text, found True"),
        ("list.json", '[{"id": ["a"], "path": "x"}]', "entry 1: expected an id and a path"),
        ("list.json", '[{"id": "a", "path": "x\\u0000y"}]', "entry 1: path: holds a NUL character"),
        ("list.csv", "id,path\na,x\0y\n", "cannot be read as csv .it holds a NUL byte"),
        # Numbers.
        (
            "list.json",
            '[{"id": "a", "path": "x", "fermi_level": NaN}]',
            "fermi_level .* should be a finite number, found nan",
        ),
        (
            "list.json",
            f'[{{"id": "a", "path": "x", "n": {"1" * 5000}}}]',
            "cannot be read as json .Exceeds the",
        ),
        ("list.csv", "id,path,fermi_level\na,x,1e300\n", "fermi_level .* less than 1000000, found '1e300'"),
        ("list.csv", "id,path,electrons\na,x,inf\n", "electrons .* should be a finite number, found 'inf'"),
        ("list.csv", "id,path,hull\na,x,1e400\n", "entry 1: 'hull': '1e400' is larger than any number"),
        # What has no end.
        ("list.json", "[" * 100_000, "cannot be read as json .nested too deeply"),
        ("list.yaml", "[" * 100_000, "cannot be read as yaml .nested too deeply"),
        ("list.yaml", "- id: !!python/object:os.system {}\n", "cannot be read as yaml .could not determine"),
        ("list.yaml", "- &a {id: x, path: *a}\n", "entry 1: has more than 10000 values"),
        ("list.yaml", LAUGHS, "entry 1: has more than 10000 values"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        find_materials(tmp_path / name)


def test_all_wrong_rows_are_told_and_blank_ones_are_none(tmp_path):
    rows = ["id,path,electrons", "a,x,", ",y,", " ,,", "b,z,many", ",,"]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match=r"list.csv, entry 2: expected an id.* entry 4: electrons .*'many'"):
        find_materials(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("\n".join(rows[:2] + rows[3:4]) + "\n")
    assert [source.id for source in find_materials(tmp_path / "list.csv")] == ["a"]


def test_built_in_models_in_a_manifest(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("id,path,note\none,library:MoS2?soc=0.1,mine\ntwo,library:haldane,\n")
    one, two = find_materials(path)
    assert (one.id, one.columns["note"], one.columns["soc"]) == ("one", "mine", 0.1)
    assert one.load().name == "one"
    assert two.load().size == library.load("haldane").size
    path.write_text("id,path,electrons\na,library:MoS2?soc=0:0.2:0.1,\nb,library:MoS2,3\n")
    with pytest.raises(
        InputError, match=r"entry 1: path: .* is 3 materials.* entry 2: electrons: .*built in"
    ):
        find_materials(path)
    path.write_text("id,path\na,library:MoS2\na,library:MoS2\n")
    with pytest.raises(InputError, match="electrons: a is built in, expected files"):
        find_materials(path, electrons=3)
    with pytest.warns(SameIdWarning, match="that of library:MoS2 twice, the second of which is called 'a-2'"):
        assert [source.id for source in find_materials(path)] == ["a", "a-2"]


def test_rows_that_repeat_each_other_are_read_once_each(tmp_path):
    (tmp_path / "list.yaml").write_text(MERGES)
    with pytest.warns(SameIdWarning, match="the id 'x' is that of"):
        found = find_materials(tmp_path / "list.yaml")
    assert len(found) == len(LEVELS) + 1


def test_ids_may_be_whatever_can_be_printed(tmp_path):
    ids = [
        "Fe/bcc",
        "..",
        "../materials",
        "a'b\"c",
        "x" * 300,
        "[bold]",
        "=cmd",
        "é",
        " ",
        "1:30",
        "010",
        "NO",
    ]
    rows = [{"id": name, "path": "x"} for name in ids]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "list.yaml").write_text("".join(f"- {{id: {json.dumps(n)}, path: x}}\n" for n in ids))
    pd.DataFrame(rows).to_csv(tmp_path / "list.csv", index=False)
    for ending in ("json", "yaml", "csv"):
        assert [source.id for source in find_materials(tmp_path / f"list.{ending}")] == ids


def test_yaml_keeps_what_was_written(tmp_path):
    """YAML 1.1 reads 1:30 as 90, 010 as 8 and NO as false."""
    (tmp_path / "list.yaml").write_text(
        "- &first {id: 1:30, path: a, formula: NO, space_group: 010, tc: 4.5, magnetic: true, gap: .nan}\n"
        "- {<<: *first, id: 2, path: 3, tc: ~}\n"
    )
    first, second = find_materials(tmp_path / "list.yaml")
    assert (first.id, second.id, Path(second.path).name) == ("1:30", "2", "3")
    expected = {
        "formula": "NO",
        "space_group": "010",
        "magnetic": "True",
        "gap": pytest.approx(np.nan, nan_ok=True),
    }
    assert first.columns == {**expected, "tc": 4.5}
    assert second.columns == expected


@pytest.mark.parametrize("ending", [".csv", ".json", ".yaml"])
def test_a_manifest_from_a_spreadsheet(folder, ending):
    """It begins with a byte order mark and has an empty column."""
    manifest = write_rows(folder, ending)
    text = manifest.read_text()
    if ending == ".csv":
        text = "".join(f"{line},\n" for line in text.splitlines())
    manifest.write_text(text, encoding="utf-8-sig")
    first, second = find_materials(manifest)
    assert first.columns == {"tc": 4.2}
    assert second.columns["family"] == "toy"
    manifest.write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    with pytest.raises(InputError, match=f"cannot be read as {ending[1:]} .*save it as UTF-8"):
        find_materials(manifest)


def test_a_tree_names_materials_by_their_folders(tmp_path):
    for place, name in (("a/b", "MoS2"), ("c", "WS2"), ("c", "WSe2")):
        write_wannier90(library.load(name), tmp_path / place)
    assert [m.id for m in find_materials(tmp_path)] == ["a-b", "c-WS2", "c-WSe2"]


def in_the_cell_of_gallium_arsenide(name: str) -> WannierModel:
    return replace(library.load(name), lattice=GALLIUM_ARSENIDE)


@pytest.mark.parametrize(
    ("name", "content"),
    [("POSCAR", POSCAR), ("kane_mele.cif", CIF), ("structure.json", json.dumps(OPTIMADE))],
)
def test_structures_beside_a_model_give_formula_and_space_group(folder, name, content):
    write_wannier90(in_the_cell_of_gallium_arsenide("kane_mele"), folder / "km")
    (folder / "km" / name).write_text(content)
    (source,) = find_materials(folder / "km")
    found = composition(source.load(), source)
    assert found["formula"] == "AsGa"
    assert found["space_group_number"] == 216
    assert found["space_group"] == "F-43m"
    # The primitive cell, or the cube of four of them.
    cells = abs(np.linalg.det(read_structure(folder / "km" / name).lattice)) / (5.653**3 / 4)
    assert round(cells, 6) in (1, 4)


def test_a_damaged_structure_is_left_out_with_a_note(folder):
    (folder / "km" / "POSCAR").write_text("GaAs\n1.0\n0 0\n")
    (source,) = find_materials(folder / "km")
    assert check_material(source).error is None
    (note,) = (note for note in source.load().provenance.notes if note.startswith("composition"))
    assert "POSCAR: cannot be read as a structure" in note


def test_the_structure_of_another_material_is_not_believed(folder):
    (folder / "km" / "POSCAR").write_text(POSCAR)
    (folder / "km" / "CONTCAR").write_text("")
    (source,) = find_materials(folder / "km")
    model = source.load()
    assert composition(model, source).get("formula") != "AsGa"
    assert "composition: POSCAR is left out, its cell is not the one of the model" in model.provenance.notes


def test_a_structure_without_ase(folder, monkeypatch):
    """Of the atoms, and the cell, of the .win no library is needed."""
    monkeypatch.setitem(sys.modules, "ase.io", None)
    (folder / "km" / "POSCAR").write_text(POSCAR)
    (source,) = find_materials(folder / "km")
    checked = check_material(source)
    assert checked.error is None
    assert any("pip install 'spinscreen[structures]'" in note for note in source.load().provenance.notes)


def test_in_a_flat_folder_only_files_of_the_same_name_belong_to_a_model(tmp_path):
    for name in ("MoS2", "WS2"):
        write_wannier90(in_the_cell_of_gallium_arsenide(name), tmp_path)
    (tmp_path / "POSCAR").write_text(POSCAR)
    (tmp_path / "WS2.cif").write_text(CIF)
    (tmp_path / "WS2.scf.out").write_text("     the Fermi energy is     0.7000 ev\n")
    first, second = find_materials(tmp_path)
    assert composition(second.load(), second)["formula"] == "AsGa"
    assert composition(first.load(), first).get("formula") != "AsGa"


def without_level(folder: Path) -> Path:
    """The model's files, its .win saying nothing of the Fermi level."""
    win = folder / "km" / "kane_mele.win"
    win.write_text("\n".join(line for line in win.read_text().splitlines() if "fermi" not in line.lower()))
    return folder / "km"


@pytest.mark.parametrize(
    ("name", "text", "level"),
    [
        ("scf.out", "the Fermi energy is    9.0 ev\n...\n     the Fermi energy is    -0.3500 ev\n", -0.35),
        ("x.scf.out", "     highest occupied, lowest unoccupied level (ev):    -0.5000    0.1000\n", -0.2),
        ("pw.out", "     highest occupied level (ev):     0.2500\n", 0.25),
        ("OUTCAR", " E-fermi :   0.1234     XC(G=0):  -10.1      alpha+bet : -9.9\n", 0.1234),
    ],
)
def test_the_fermi_level_of_an_scf_output(folder, name, text, level):
    place = without_level(folder)
    assert load_model(place).fermi_level is None
    (place / name).write_text(text)
    assert level_of_outputs(place, "kane_mele") == (pytest.approx(level), place / name)
    model = load_model(place)
    assert f"Fermi level: from {name}" in model.provenance.notes
    # At an edge of the gap, from -0.24 to 0.16 eV, a level is moved into its middle.
    moved = any("lies at the edge of the gap" in note for note in model.provenance.notes)
    assert model.fermi_level == pytest.approx(-0.0401 if moved else level, abs=1e-4)
    assert load_model(place, fermi_level=1.5).fermi_level == 1.5


def test_outputs_that_contradict_each_other_are_refused(folder):
    place = without_level(folder)
    (place / "a.scf.out").write_text("the Fermi energy is    0.1 ev\n")
    (place / "nscf.out").write_text("the Fermi energy is    0.3 ev\n")
    assert level_of_outputs(place, "kane_mele") == (0.1, place / "a.scf.out")
    (place / "b.scf.out").write_text("the Fermi energy is    2.0 ev\n")
    with pytest.raises(
        InputError, match=r"b\.scf\.out: its Fermi level is 2\.0 eV, but a\.scf\.out has 0\.1 eV"
    ):
        load_model(place)


def test_the_fermi_level_of_an_electron_count(folder):
    place = without_level(folder)
    half = load_model(place, electrons=2)
    dataset = compute(half, 30, [half.fermi_level])
    assert float(dataset["carrier_density"][0]) == pytest.approx(2, abs=1e-12)
    # In a gap the level stands in its middle: the bands are symmetric about it without mass and Rashba terms.
    assert half.fermi_level == pytest.approx(0, abs=0.05)
    with (place / "kane_mele.win").open("a") as win:
        win.write("\nnum_valence_bands = 2\n")
    assert load_model(place).fermi_level == half.fermi_level
    # Valence bands alone may be all that there is.
    full = load_model(place, electrons=4)
    assert full.fermi_level == pytest.approx(
        float(evaluate(full, [[0, 0, 0]], ["energy"])["energy"].max()) + 0.1
    )
    assert any("above all bands" in note for note in full.provenance.notes)
    with pytest.raises(InputError, match="electrons is 9, expected more than 0 and at most the 4"):
        load_model(place, electrons=9)


@pytest.mark.parametrize("filling", [0.4, 1.0, 1.7, 3.2])
def test_a_metal_is_filled_as_far_as_it_was_asked(filling):
    model = library.load("rashba_ferromagnet")
    count = filling / 2
    from spinscreen.materials.fermi_level import with_filling

    level = with_filling(model, count, "test").fermi_level
    density = float(compute(model, 63, [level], kshift=0)["carrier_density"][0])
    # Of 63 x 63 points up to eight are equal by symmetry: all of these lie below the level, or none.
    assert density == pytest.approx(count, abs=8 / 63**2)


def test_check_says_what_is_missing(folder):
    place = without_level(folder)
    (source,) = find_materials(place)
    assert "Fermi level" in check_material(source).missing
    (place / "kane_mele_tb.dat").write_text("nonsense")
    assert "kane_mele_tb.dat, line" in (check_material(source).error or "")


def test_real_structures_are_found_from_the_win(reference_data):
    expected = {"Pt": ("Pt", 225), "Fe": ("Fe", 229), "GaAs": ("AsGa", 216)}
    for source in find_materials(reference_data):
        found = composition(source.load(), source)
        assert (found["formula"], found["space_group_number"]) == expected[source.id]


def test_what_is_of_one_material_is_given_for_one(tmp_path):
    for name in ("one", "two"):
        write_wannier90(library.load("haldane"), tmp_path / name, name)
        for suffix in ("_tb.dat", ".win"):
            (tmp_path / name / f"{name}{suffix}").unlink()
    cell = ("--lattice", "2.46 0 0 -1.23 2.13 0 0 0 15")
    checked = spinscreen("check", str(tmp_path / "one"), *cell, "--fermi-level", "0.25")
    assert "Fermi level 0.2500 eV" in checked.stdout
    stored = spinscreen("submit", str(tmp_path / "one"), *cell, "--kmesh", "4", "--dry-run")
    assert '"lattice": "2.46 0 0' in stored.stdout
    for words in (("check", "--electrons", "1"), ("submit", *cell)):
        told = spinscreen(words[0], str(tmp_path), *words[1:]).stderr
        assert f"{words[1]}: " in told
        assert "holds 2 materials, expected one; name one of them" in " ".join(told.split())
