"""Results for other programs: plain records, and OPTIMADE lines that OPTIMADE's own models read."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from typing import get_type_hints

import numpy as np
import pytest
from command_line import spinscreen as command
from hypothesis import given
from hypothesis import strategies as st

import spinscreen
from spinscreen.kernels import QUANTITIES, InputError, Integral
from spinscreen.materials import FileSource, LibrarySource, find_materials
from spinscreen.storage import RECORD_VERSION, MaterialRecord, Store, export_results, unit_registry
from spinscreen.storage.exports import optimade, record
from spinscreen.storage.exports.ucum import ucum_of
from spinscreen.workflows import Calculation, screen_one

#: Small, with a scan about the Fermi level.
PLAIN = {"kmesh": 6, "scan_points": 5, "half_width": 0.5}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store with a layer and with a chain of another name whose columns a user gave."""
    path = tmp_path_factory.mktemp("exports") / "results.zarr"
    screen_one("kane_mele", PLAIN, store=path)
    columns = {"formula": "GaAs", "space_group_number": 216.0, "E_hull (eV/atom)": 0.01, "Who": "Δ"}
    screen_one(LibrarySource("other", columns, "haldane"), PLAIN, store=path)
    store = Store.at(path)
    store.build_catalog()
    return store


@pytest.fixture(scope="module")
def found() -> MaterialRecord:
    return screen_one("kane_mele", PLAIN)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_record_survives_json_and_pickle(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_record_has_the_entries_that_are_declared(found):
    quantity = found["quantities"]["conserved_hall_conductivity"]
    for kind, entry in (
        (MaterialRecord, found),
        (record.QuantityRecord, quantity),
        (record.ComponentRecord, quantity["components"]["xy_z"]),
        (record.StructureRecord, found["structure"]),
        (record.ProvenanceRecord, found["provenance"]),
    ):
        assert list(get_type_hints(kind)) == list(entry)
    assert found["record_version"] == RECORD_VERSION == 1


def test_the_numbers_of_a_record_are_those_of_the_dataset(found):
    dataset = spinscreen.compute(spinscreen.library.load("kane_mele"), **PLAIN)
    here = dataset.spinscreen.at_fermi_level()
    labels = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}
    component = found["quantities"]["conserved_hall_conductivity"]["components"]["xy_z"]
    assert component == {
        "value": here["conserved_hall_conductivity"].sel(labels).item(),
        "error": here["conserved_hall_conductivity_error"].sel(labels).item(),
        "units": "(hbar/e) S",
    }
    assert found["columns"]["conserved_xy_z"] == component["value"]
    assert found["units"]["conserved_xy_z"] == found["units"]["conserved_xy_z_error"] == component["units"]
    assert found["fermi_energy"] == here["fermi_energy"].item()
    assert set(found["quantities"]) == {name for name in dataset.data_vars if not name.endswith("_error")}
    assert found["quality"] == "unconverged"
    assert found["converged"] is False
    assert found["provenance"]["key"] == dataset.attrs["key"]


def test_scalars_parts_and_units_of_several_observables_have_their_names():
    names = ["carrier_density", "conserved_hall_conductivity", "circulation_magnetization"]
    found = screen_one("kane_mele", PLAIN | {"charge": True, "quantities": names})
    assert list(found["quantities"]["carrier_density"]["components"]) == ["scalar"]
    hall = found["quantities"]["conserved_hall_conductivity"]["components"]
    assert (hall["xy_z"]["units"], hall["xy_charge"]["units"]) == ("(hbar/e) S", "S")
    parts = found["quantities"]["circulation_magnetization"]["components"]
    assert all(component["value"] is not None for component in parts.values())
    assert all(name.count(" ") == 1 for name in parts)


def test_where_no_energy_stands_for_the_level_there_are_no_values_and_a_note():
    level = spinscreen.library.load("kane_mele").fermi_level
    found = screen_one("kane_mele", {"kmesh": 4, "fermi_energy": [level + 1, level + 2]})
    assert found["quantities"] == {}
    assert found["fermi_energy"] is None
    assert any("no values at the Fermi level" in note for note in found["notes"])
    assert found["columns"]["conserved_xy_z"] is None
    assert any("within 0.05 eV of the Fermi level" in warning for warning in found["warnings"])


def test_a_broken_premise_and_what_was_warned_about_are_told():
    # Rashba coupling lets a field exert a torque on the spins in the plane.
    names = [f"{kind}_hall_conductivity" for kind in ("conserved", "conventional")]
    names.append("field_induced_density_rate")
    found = screen_one("kane_mele", {"budget": 1500, "fermi_energy": [0.0, 0.96], "quantities": names})
    assert found["quantities"]["conserved_hall_conductivity"]["net_torque"] == ["spin_x", "spin_y"]
    assert found["quantities"]["conventional_hall_conductivity"]["net_torque"] == []
    assert any("net torque on spin_x, spin_y" in warning for warning in found["warnings"])
    assert found["columns"]["k_mesh"] == "adaptive"
    unchecked = screen_one("kane_mele", PLAIN)["quantities"]["conserved_hall_conductivity"]
    assert unchecked["net_torque"] is None
    assert "unchecked is the premise" in unchecked["note"]


def test_a_mapping_a_calculation_and_a_source_give_the_same():
    mapping = screen_one("haldane", PLAIN)
    calculation = screen_one(LibrarySource("haldane"), Calculation(**PLAIN))
    assert mapping["quantities"] == calculation["quantities"]
    assert mapping["id"] == calculation["id"]
    assert screen_one("library:haldane", PLAIN)["quantities"] == mapping["quantities"]


def test_what_is_stored_is_read_and_not_computed_again(place, monkeypatch):
    monkeypatch.setattr(
        "spinscreen.workflows.publication.compute_settings", lambda *_: pytest.fail("computed again")
    )
    found = screen_one("kane_mele", PLAIN, store=place.path)
    assert found["id"] in place.results


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        screen_one(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is 3 materials, expected one"):
        screen_one("library:kane_mele?rashba=0:0.2:0.1")
    with pytest.raises(InputError, match="kmash"):
        screen_one("kane_mele", {"kmash": 3})


def test_a_record_of_real_platinum_knows_its_crystal(reference_data):
    (source,) = find_materials(reference_data / "Pt")
    assert isinstance(source, FileSource)
    found = screen_one(source, {"kmesh": 2, "fermi_energy": [18.0]})
    assert found["columns"]["formula"] == "Pt"
    assert found["columns"]["space_group_number"] == 225
    assert found["structure"]["symbols"] == ["Pt"]
    assert len(found["provenance"]["files"]) > 3
    assert (
        found["quantities"]["conserved_hall_conductivity"]["components"]["xy_z"]["units"] == "(hbar/e) S/cm"
    )


def test_the_lines_are_read_by_the_models_of_optimade(place, tmp_path):
    models = pytest.importorskip("optimade.models")
    file = tmp_path / "materials.jsonl"
    done = command("export", str(place.path), "-o", str(file))
    assert done.returncode == 0, done.stderr
    header, info, *entries = lines(file)
    assert header == {"x-optimade": {"meta": {"api_version": optimade.OPTIMADE_VERSION}}}
    described = models.EntryInfoResource(**info).properties
    assert len(entries) == 2
    for entry in entries:
        structure = models.StructureResource(**entry)
        assert structure.id in place.results
        assert set(entry["attributes"]) | {"id", "type"} <= set(described)


def test_an_optimade_entry_holds_the_numbers_of_the_catalog_in_units_of_its_dimension(place, tmp_path):
    file = tmp_path / "materials.jsonl"
    export_results(place, place.results, file, "optimade")
    _, info, *entries = lines(file)
    for entry in entries:
        row, own = place.row(entry["id"]), entry["attributes"]
        dimension = int(row.columns["dimension"])
        assert own[f"_spinscreen_anomalous_xy_{dimension}d"] == row.columns["anomalous_xy"]
        assert own.get("_spinscreen_conserved_xy_z_2d") == row.columns.get("conserved_xy_z")
        assert own["nperiodic_dimensions"] == dimension
        assert own["dimension_types"] == [1, 1, 0]
    told = info["properties"]["_spinscreen_conserved_xy_z_2d"]
    assert told["unit"] == "[h].[pi]-1.[e]-1.S/2"
    assert "(hbar/e) S" in told["description"]


def test_what_a_user_gave_keeps_its_heading_and_composition_comes_from_the_formula(place, tmp_path):
    file = tmp_path / "materials.jsonl"
    export_results(place, [place.ids_of("other")[0]], file, "optimade")
    _, info, entry = lines(file)
    own = entry["attributes"]
    assert own["chemical_formula_reduced"] == "AsGa"
    assert own["chemical_formula_anonymous"] == "AB"
    assert own["elements"] == ["As", "Ga"]
    assert own["space_group_it_number"] == 216
    # The model knows no such atoms.
    assert own["species_at_sites"] is own["nsites"] is None
    assert own["_spinscreen_who"] == "Δ"
    assert "E_hull (eV/atom)" in info["properties"]["_spinscreen_e_hull_ev_atom"]["description"]


@pytest.mark.parametrize("formula", ["", "dimer", "Pt0", "Xx2", "H2O monolayer", "(CH3)2"])
def test_a_text_that_is_no_formula_gives_no_composition(formula):
    assert optimade._counts(formula) == {}


@given(st.dictionaries(st.sampled_from(["H", "Pt", "Ga", "As", "O"]), st.integers(1, 30), min_size=1))
def test_a_formula_is_read_as_it_was_written(counts):
    formula = "".join(f"{symbol}{number}" for symbol, number in counts.items())
    assert optimade._counts(formula) == dict(sorted(counts.items()))
    assert optimade._anonymous(counts).startswith("A")


def test_names_that_come_out_alike_stay_apart(place):
    row = place.row(place.ids_of("other")[0])
    both = {**row.columns, "who": 1.0}
    properties = optimade.properties_of([row.__class__(**{**vars(row), "columns": both})])
    names = [name for name, _ in properties.values()]
    assert len(set(names)) == len(names)
    assert {"_spinscreen_who", "_spinscreen_who_2"} <= set(names)


def test_records_are_one_line_each(place, tmp_path):
    file = tmp_path / "records.jsonl"
    done = command(
        "export", str(place.path), "-o", str(file), "--format", "records", "--where", 'name == "other"'
    )
    assert done.returncode == 0, done.stderr
    (found,) = lines(file)
    assert found["name"] == "other"
    assert found["record_version"] == RECORD_VERSION


def test_a_damaged_result_is_told_and_left_out(place, tmp_path):
    copy = Store.at(shutil.copytree(place.path, tmp_path / "copy.zarr", symlinks=True))
    broken = copy.file(copy.ids_of("other")[0])
    broken.write_bytes(broken.read_bytes()[:-40])
    done = command("export", str(copy.path), "-o", str(tmp_path / "x.jsonl"))
    assert done.returncode == 1
    assert "is damaged" in done.stdout
    assert "written" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--format", "cif"], "--format: expected one of"), (["--where", "gap > 1e9"], "no result to export")],
)
def test_what_cannot_be_exported_is_said(place, tmp_path, words, told):
    file = tmp_path / "x.jsonl"
    done = command("export", str(place.path), "-o", str(file), *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert not file.exists()


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_every_unit_that_is_stored_is_one_of_ucum(dimension):
    """Against the units of pint, through a reader of UCUM where one is installed."""
    registry = unit_registry()
    units = {
        quantity.unit.in_dimension[dimension].format(theta=theta).replace("(e/e) ", "")
        for quantity in QUANTITIES.values()
        if isinstance(quantity, Integral)
        for theta in ("hbar", "e", "1")
    }
    codes = {unit: ucum_of(unit) for unit in units}
    assert None not in codes.values()
    assert ucum_of("(Theta/e) S") is None
    ucum = pytest.importorskip("ucumvert", reason="ucumvert reads UCUM").PintUcumRegistry()
    for unit, code in codes.items():
        ours = registry.parse_expression(unit)
        ours = ours.to_base_units().magnitude if hasattr(ours, "magnitude") else ours
        theirs = ucum.from_ucum(code).to_base_units().magnitude
        # Both know e, h and eV to the last digit of CODATA 2018, where they are exact.
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, err_msg=f"{unit} {code}")


def test_a_result_of_an_earlier_version_is_a_record(place):
    dataset = place.read(place.results[0]).load()
    for name in ("periodic", "computed", "converged", "schema_version"):
        dataset.attrs.pop(name, None)
    bare = dataset[[name for name in dataset.data_vars if not name.endswith("_error")]]
    found = record.material_record(bare, "old")
    assert found["quality"] == "unknown"
    assert found["converged"] is None
    errors = [c["error"] for q in found["quantities"].values() for c in q["components"].values()]
    assert set(errors) == {None}


def test_the_recipe_for_a_database_of_zips_runs(tmp_path):
    """docs/teams.md: files as JARVIS-WTB has them are checked, computed, screened and exported."""
    model = spinscreen.library.load("kane_mele")
    stem = spinscreen.write_wannier90(model, tmp_path / "plain", "wannier90")
    cell = "\n".join(" ".join(map(str, vector)) for vector in model.lattice)
    poscar = f"C\n1.0\n{cell}\nC\n2\nDirect\n0 0 0\n0.333333 0.333333 0\n"
    (tmp_path / "jarvis").mkdir()
    with zipfile.ZipFile(tmp_path / "jarvis" / "JVASP-1.zip", "w") as archive:
        archive.write(f"{stem}_hr.dat", "wannier90_hr.dat")
        archive.writestr("POSCAR", poscar)
        archive.writestr("JVASP-1.json", json.dumps({"info_mesh": {"efermi": 0.0}}))

    def run(*words):
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "1 of 1 can be computed" in run("check", "jarvis", "--write", "jarvis.csv")
    settings = (
        "--kmesh",
        "4",
        "--fermi-energy",
        "0",
        "--quantities",
        "carrier_density,conserved_hall_conductivity",
    )
    run("submit", "jarvis.csv", "--store", "jarvis.zarr", *settings, "--workers", "0")
    assert "JVASP-1" in run("screen", "jarvis.zarr", "--where", 'formula == "C"')
    run("export", "jarvis.zarr", "-o", "jarvis.jsonl")
    entry = lines(tmp_path / "jarvis.jsonl")[-1]
    assert entry["attributes"]["chemical_formula_reduced"] == "C"
    assert entry["attributes"]["_spinscreen_name"] == "JVASP-1"
    found = screen_one(tmp_path / "jarvis" / "JVASP-1.zip", {"kmesh": 4, "fermi_energy": [0.0]})
    assert found["name"] == "JVASP-1"
    assert any("spin: pure spinors, interlaced, found by test" in note for note in found["notes"])
    assert any("all Wannier functions put at the origin" in note for note in found["notes"])
