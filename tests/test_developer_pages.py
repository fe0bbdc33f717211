"""The examples of the developer pages run as they stand."""

from __future__ import annotations

import importlib
import pickle
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from spinscreen.kernels import InputError
from spinscreen.materials import (
    FileSource,
    LibrarySource,
    MaterialSource,
    Source,
    check_material,
    find_materials,
    library,
    load_model,
    loading,
)
from spinscreen.storage import screen
from spinscreen.workflows import Campaign, run_campaign

PAGES = Path(__file__).resolve().parents[1] / "docs" / "developing"


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


@pytest.fixture
def database(tmp_path, monkeypatch) -> Path:
    """An SQLite file of two models, in the current folder."""
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("models.sqlite")) as opened, opened:
        opened.execute("CREATE TABLE models (name TEXT, modified TEXT, family TEXT, content BLOB)")
        for name in ("MoS2", "WS2"):
            library.load(name).save("model.hdf5")
            row = (f"my-{name}", "2024-01-01", "TMD", Path("model.hdf5").read_bytes())
            opened.execute("INSERT INTO models VALUES (?, ?, ?, ?)", row)
    return tmp_path / "models.sqlite"


def test_a_source_of_ones_own(database, monkeypatch):
    source_code, use = examples("add-a-source.md")
    Path("my_database.py").write_text(source_code)
    monkeypatch.syspath_prepend(".")
    module = importlib.import_module("my_database")
    first, second = module.database_materials("models.sqlite")
    assert isinstance(first, Source)
    assert pickle.loads(pickle.dumps(first)) == first
    assert first.load().fingerprint == library.load("MoS2").fingerprint
    names = {"database_materials": module.database_materials}
    exec(use, names)
    assert names["summary"].count("computed") == 2
    assert screen("results.zarr", columns=["family"])["family"].tolist() == ["TMD", "TMD"]
    missing = module.DatabaseSource("other", "models.sqlite")
    with pytest.raises(InputError, match="has no model 'other'"):
        missing.stamp()
    assert "has no model 'other'" in (check_material(missing).error or "")
    # Resumed by its stamp: the model is not even read again.
    monkeypatch.setattr(type(first), "load", lambda self: pytest.fail("read again"))
    again = run_campaign(Campaign((first, second), kmesh=12, scan_points=21), "results.zarr")
    assert again.count("present") == 2


def test_an_observable_of_ones_own(capsys):
    (code,) = examples("add-an-observable.md")
    names: dict = {}
    exec(code, names)
    found = names["dataset"]
    assert list(found["observable"].values[-2:]) == ["sublattice", "dipole"]
    assert list(found["observable_unit"].values[-2:]) == ["1", "e angstrom"]


def test_a_file_format_of_ones_own(tmp_path, monkeypatch):
    """One entry in one table; the model has the shapes that the page names."""
    page = (PAGES / "add-a-file-format.md").read_text()
    assert "(R, 3, wannier, wannier) angstrom" in page
    known = library.load("haldane")
    assert known.position.shape == (len(known.translations), 3, known.size, known.size)
    monkeypatch.setitem(loading.FORMATS, ".mine", lambda path, wanted: known.noted(path.read_text()))
    (tmp_path / "a.mine").write_text("read")
    assert load_model(tmp_path / "a.mine").provenance.notes[-1] == "read"
    (tmp_path / "list.csv").write_text("id,path\na,a.mine\n")
    assert check_material(find_materials(tmp_path / "list.csv")[0]).error is None


def test_sources_of_spinscreen(tmp_path):
    sources = [LibrarySource("MoS2"), FileSource("a", str(tmp_path)), MaterialSource("MoS2")]
    assert all(isinstance(source, Source) for source in (*sources, *find_materials("library")))
    assert sources[0].path is None
    assert MaterialSource("MoS2").load().fingerprint == LibrarySource("MoS2").load().fingerprint
    there = MaterialSource("a", str(tmp_path), {"fermi_level": 1.0})
    assert there.stamp() == FileSource("a", str(tmp_path), {"fermi_level": 1.0}).stamp()
    assert pickle.loads(pickle.dumps(there)) == there
