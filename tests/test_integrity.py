"""What is stored stays what was written, or is noticed: damage, odd names, moved stores, older versions."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from campaigns import NAMES, campaign, numbers
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials, library, write_wannier90
from spinscreen.storage import (
    Checkpoints,
    Store,
    StoreError,
    band_stream,
    build_catalog,
    failures,
    group_name,
    is_published,
    material_file,
    migrate,
    open_catalog,
    open_store,
    publish,
    published,
    read_material,
    record_failure,
    screen,
    verify,
)
from spinscreen.storage.band_stream import BandStream
from spinscreen.storage.files import remove_inside
from spinscreen.workflows import compute, run_campaign, stream_bands
from spinscreen.workflows.cli.store import present_id

COLUMNS = (
    "material",
    "observable",
    "relative_energy",
    "current_axis",
    "",
    "E_hull (eV/atom)",
    "E hull",
    "for",
)


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return compute(library.load("kane_mele"), 12, np.linspace(-1, 1, 5))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A store with everything in it."""
    store = tmp_path_factory.mktemp("whole") / "results.zarr"
    sources = [source for source in find_materials("library") if source.id in NAMES]
    run_campaign(campaign(sources), store)
    stream_bands(library.load("haldane"), 6, store, ("energy", "berry_curvature"))
    record_failure(store, "broken", "a reason", "campaign")
    assert verify(store) == ()
    return store


@pytest.fixture
def copy(tmp_path, whole) -> Path:
    return shutil.copytree(whole, tmp_path / "results.zarr", symlinks=True)


def damages(content: bytes, seed: int, count: int):
    """The content with one bit flipped, cut off, emptied, or with something behind it."""
    rng = random.Random(seed)
    yield b""
    yield content[:-1]
    yield content[: len(content) // 2]
    for _ in range(count):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        yield bytes(changed)


def test_any_damage_to_a_material_is_noticed(copy):
    name = published(copy)[0]
    file = material_file(copy, name)
    content = file.read_bytes()
    for changed in damages(content, seed=1, count=100):
        file.write_bytes(changed)
        with pytest.raises(InputError, match="is damaged"):
            read_material(copy, name)


def test_a_damaged_material_is_left_out_named_removed_and_computed_anew(copy, whole):
    name = published(copy)[0]
    file = material_file(copy, name)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)
    (copy / "catalog").unlink()
    found = build_catalog(copy)
    assert found.sizes["material"] == len(NAMES) - 1
    assert [name in sentence for sentence in found.attrs["damaged"]] == [True]
    (damage,) = verify(copy)
    assert damage.place == file
    assert verify(copy, repair=True) == (damage,)
    assert not file.exists()
    sources = [source for source in find_materials("library") if source.id in NAMES]
    report = run_campaign(campaign(sources), copy)
    assert (report.count("computed"), report.count("present")) == (1, 3)
    assert numbers(copy) == numbers(whole)
    assert verify(copy) == ()


def test_a_file_that_a_power_loss_has_emptied_does_not_count_as_published(copy):
    name = published(copy)[0]
    dataset = read_material(copy, name).load()
    material_file(copy, name).write_bytes(b"")
    assert not is_published(copy, name)
    assert publish(dataset, copy, name)
    assert is_published(copy, name)


def test_any_damage_to_bands_is_noticed(copy):
    (group,) = [place for place in (copy / "bands").iterdir() if place.is_dir()]
    files = sorted(p for p in group.rglob("*") if p.is_file())
    for file in random.Random(6).sample(files, 8):
        content = file.read_bytes()
        for changed in damages(content, seed=2, count=1):
            file.write_bytes(changed)
            assert [damage.place for damage in verify(copy)] == [group], file
        file.unlink()
        assert [damage.place for damage in verify(copy)] == [group], file
        file.write_bytes(content)
    assert verify(copy) == ()


def test_any_damage_to_a_catalog_is_noticed_or_changes_nothing(copy):
    expected = open_catalog(copy).load()
    files = sorted(p for p in (copy / "catalog").resolve().rglob("*") if p.is_file())
    rng = random.Random(3)
    for file in rng.sample(files, 6):
        content = file.read_bytes()
        for changed in damages(content, seed=4, count=1):
            file.write_bytes(changed)
            if not verify(copy):
                xr.testing.assert_identical(open_catalog(copy).load(), expected)
        file.write_bytes(content)
    for file in rng.sample([file for file in files if file.name != "zarr.json"], 5):
        content = file.read_bytes()
        file.unlink()
        assert [damage.place for damage in verify(copy)] == [copy / "catalog"], file
        file.write_bytes(content)


def test_a_damaged_catalog_is_made_anew(copy):
    expected = open_catalog(copy).load()
    ((copy / "catalog").resolve() / "zarr.json").write_bytes(b"")
    with pytest.raises(InputError, match="its catalog is damaged"):
        screen(copy)
    with pytest.raises(InputError, match="its catalog is damaged"):
        open_catalog(copy)
    assert len(open_store(copy)["materials"]) == len(NAMES)
    xr.testing.assert_equal(build_catalog(copy).load(), expected)


@pytest.mark.parametrize("name", ["zarr.json", "materials/zarr.json"])
def test_damaged_metadata_of_the_store_are_written_anew(copy, whole, name):
    (copy / name).write_bytes(b"")
    assert copy / name in [damage.place for damage in verify(copy)]
    verify(copy, repair=True)
    assert verify(copy) == ()
    assert numbers(copy) == numbers(whole)


def test_a_damaged_record_hides_no_other(copy):
    record_failure(copy, "other", "another reason")
    (damaged,) = (copy / "failures").glob("broken*")
    damaged.write_text("{")
    assert failures(copy) == {"other": "another reason"}
    assert [damage.place for damage in verify(copy)] == [damaged]
    verify(copy, repair=True)
    assert verify(copy) == ()


def test_a_partial_sum_that_was_cut_is_computed_again(tmp_path):
    kept = Checkpoints(tmp_path / "r.zarr", "some")
    arrays = [np.arange(6.0).reshape(2, 3), np.array(2 + 1j)]
    kept.save(3, arrays)
    (file,) = tmp_path.rglob("batch-*.npz")
    for found, array in zip(kept.load(3), arrays, strict=True):
        np.testing.assert_array_equal(found, array)
    content = file.read_bytes()
    for changed in damages(content, seed=5, count=100):
        file.write_bytes(changed)
        assert kept.load(3) is None
    assert kept.load(4) is None


ODD_IDS = (
    "..", "../materials", ".", "a/b", "/etc/passwd", "it's \"quoted\"", "x" * 300, "é" * 200, "[/red]",
    "a\\b", "con:", "-rf", "~", "$HOME", "a b", " ", "..\u2028", "\udce9t\udce9",
)  # fmt: skip


@given(st.text() | st.sampled_from(ODD_IDS), st.text() | st.sampled_from(ODD_IDS))
def test_a_group_name_is_one_part_of_a_path_and_tells_labels_apart(one, other):
    name = group_name(one)
    assert Path(name).name == name
    assert not name.startswith(".")
    # With a hash, a key and a suffix it is still a name that file systems take.
    assert len(name.encode()) <= 120
    assert name.isprintable()
    assert (name == group_name(other)) == (one == other)


@pytest.mark.parametrize("fails", [False, True])
def test_an_id_is_a_label_and_never_a_path(tmp_path, fails):
    files = tmp_path / "calculations" / "kane_mele"
    write_wannier90(library.load("kane_mele"), files)
    before = {p: p.read_bytes() for p in files.rglob("*") if p.is_file()}
    ids = [name for name in ODD_IDS if name.strip() and name.isprintable()] + [str(files)]
    rows = [{"id": name, "path": str(files / "none" if fails else files), "fermi_level": 0.0} for name in ids]
    manifest = tmp_path / "list.json"
    manifest.write_text(json.dumps(rows))
    store = tmp_path / "results.zarr"
    for _ in range(2):
        report = run_campaign(campaign(find_materials(manifest), kmesh=2, scan_points=2), store)
        assert report.count("failed") == (len(ids) if fails else 0)
        assert {p: p.read_bytes() for p in files.rglob("*") if p.is_file()} == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["calculations", "list.json", "results.zarr"]
    assert set(failures(store)) == (set(ids) if fails else set())
    assert len(published(store)) == (0 if fails else len(ids))
    if not fails:
        assert set(open_catalog(store)["name"].values) == set(ids)
    assert verify(store) == ()


def test_nothing_outside_of_a_store_is_removed(tmp_path):
    store, precious = tmp_path / "store", tmp_path / "precious"
    for folder in (store / "failures", precious):
        folder.mkdir(parents=True)
    (precious / "thesis.tex").write_text("data")
    (store / "link").symlink_to(precious)
    for place in (precious, store, store / "..", store / "link" / "thesis.tex", store / "failures" / ".."):
        with pytest.raises(StoreError, match="lies outside"):
            remove_inside(store, place)
    remove_inside(store, store / "link", store / "failures", store / "gone")
    assert (precious / "thesis.tex").read_text() == "data"
    assert not list(store.iterdir())


@pytest.mark.parametrize("heading", COLUMNS)
def test_a_column_of_any_name_is_kept_under_a_name_of_its_own(tmp_path, dataset, heading):
    store = tmp_path / "results.zarr"
    publish(dataset.assign_attrs(columns={heading: 4.5, "plain": "text"}), store, "a")
    publish(dataset, store, "b")
    for _ in range(2):
        found = build_catalog(store)
        (name,) = [v for v in found.data_vars if found[v].attrs.get("long_name") == heading] or [heading]
        assert found[name].values[0] == 4.5
        assert np.isnan(found[name].values[1])
        assert len(screen(store, f"{name} > 4")) == 1
        assert list(screen(store, columns=["plain"])["plain"]) == ["text", ""]
        plain = xr.open_zarr(store, group="catalog", consolidated=False)
        assert name in plain.data_vars
    assert verify(store) == ()


def test_readers_see_a_whole_catalog_at_any_moment(tmp_path, dataset):
    """Rebuilds in a process of their own; a catalog that is held open reads the same for ever."""
    store = tmp_path / "results.zarr"
    for i in range(30):
        publish(dataset, store, f"m{i:02d}")
    held = build_catalog(store)
    expected = held.load().copy()
    held = open_catalog(store)
    code = (
        "import sys\n"
        "from spinscreen.storage import Store, published\n"
        "from spinscreen.storage.catalog import _build\n"
        "store = Store.at(sys.argv[1])\n"
        "for _ in range(6): _build(store, map, None, published(store))\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, str(store)])
    opened = 0
    while driver.poll() is None:
        found = open_catalog(store).load()
        xr.testing.assert_equal(found, expected)
        plain = xr.open_zarr(store / "catalog").load()
        assert list(plain["material"].values) == list(expected["material"].values)
        np.testing.assert_array_equal(plain["conserved_xy_z"], expected["conserved_xy_z"])
        opened += 1
    assert driver.wait() == 0
    assert opened > 1
    generations = [place for place in (store / "catalogs").iterdir() if place.is_dir()]
    assert 2 <= len(generations) <= 8
    xr.testing.assert_equal(held.load(), expected)


def test_a_held_catalog_goes_on_over_a_rebuild(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    for i in range(3):
        publish(dataset, store, f"m{i:02d}")
    expected = build_catalog(store).load()
    held = open_catalog(store)
    material_file(store, "m00").unlink()
    assert build_catalog(store).sizes["material"] == 2
    xr.testing.assert_equal(held.load(), expected)


@pytest.mark.parametrize("prefix", ["", "results.zarr"])
def test_a_copy_in_one_zip_file_is_read_where_it_is(tmp_path, whole, prefix):
    copy = shutil.make_archive(
        str(tmp_path / "copy"), "zip", whole.parent if prefix else whole, prefix or None
    )
    zipped, there = open_store(copy), open_store(whole)
    for kind in ("materials", "bands"):
        assert list(zipped[kind].children) == list(there[kind].children)
        for name, node in there[kind].children.items():
            xr.testing.assert_identical(
                zipped[f"{kind}/{name}"].to_dataset().load(), node.to_dataset().load()
            )
    xr.testing.assert_identical(zipped["catalog"].to_dataset().load(), open_catalog(whole).load())
    assert screen(copy).equals(screen(whole))
    shutil.make_archive(str(tmp_path / "other"), "zip", Path(__file__).parent, "test_integrity.py")
    with pytest.raises(InputError, match="holds no store"):
        open_store(tmp_path / "other.zip")


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_store_that_goes_away_is_noticed_and_nothing_counts_as_computed(tmp_path, how):
    store = tmp_path / "results.zarr"
    sources = [source for source in find_materials("library") if source.id in NAMES]

    def disturb(_) -> None:
        if how == "deleted":
            shutil.rmtree(store, ignore_errors=True)
        elif how == "moved":
            store.rename(tmp_path / "elsewhere.zarr") if store.exists() else None
        else:
            shutil.rmtree(store)
            Store.at(store).opened()

    with pytest.raises(StoreError, match="was moved, replaced, deleted or unmounted"):
        run_campaign(campaign(sources, kmesh=2, scan_points=2), store, progress=disturb)
    assert store.exists() == (how == "replaced")


def test_a_result_that_is_taken_away_meanwhile_is_not_counted(tmp_path):
    store = tmp_path / "results.zarr"
    sources = [source for source in find_materials("library") if source.id in NAMES]

    def disturb(outcome) -> None:
        material_file(store, outcome.material_id).unlink()

    with pytest.raises(StoreError, match="4 results that were published are not there any more"):
        run_campaign(campaign(sources, kmesh=2, scan_points=2), store, progress=disturb)


@pytest.mark.parametrize("how", ["empty folder", "dangling link", "link", "mount point"])
def test_a_store_may_be_a_link_or_a_mount_point(tmp_path, dataset, how):
    store = tmp_path / "results.zarr"
    if how == "empty folder":
        store.mkdir()
    elif how == "mount point":
        store.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(store)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("a file system can only be mounted by root: mount refused")
        (store / "lost+found").mkdir()
    else:
        target = tmp_path / "elsewhere" / "target"
        target.parent.mkdir()
        store.symlink_to(target)
        if how == "link":
            target.mkdir()
    try:
        assert publish(dataset, store, "a")
        stream_bands(library.load("haldane"), 4, store, ("energy",))
        assert build_catalog(store).sizes["material"] == 1
        assert verify(store) == ()
        assert store.is_symlink() == ("link" in how)
    finally:
        if how == "mount point":
            subprocess.run(["umount", "-l", str(store)], capture_output=True, check=False)


def test_failures_are_kept_by_campaign_and_go_with_their_source(tmp_path):
    write_wannier90(library.load("MoS2"), tmp_path / "tree" / "a")
    write_wannier90(library.load("MoS2"), tmp_path / "tree" / "b")
    for name in "ab":
        (tmp_path / "tree" / name / "MoS2_tb.dat").write_text("broken")
    store = tmp_path / "results.zarr"
    one, two = ({"kmesh": n, "scan_points": 2} for n in (2, 3))
    for settings in (one, two):
        run_campaign(campaign(find_materials(tmp_path / "tree"), **settings), store)
    assert len(list((store / "failures").iterdir())) == 4
    shutil.rmtree(tmp_path / "tree" / "a")
    run_campaign(campaign(find_materials(tmp_path / "tree"), **one), store)
    assert len(list((store / "failures").iterdir())) == 3
    run_campaign(campaign(find_materials(tmp_path / "tree"), **two), store)
    assert list(failures(store)) == ["b"]


def test_marks_of_streamed_chunks_go_with_the_arrays_they_are_of(tmp_path, monkeypatch):
    """Killed before the group was renamed, and chunks lost since: nothing is taken for written."""
    store = tmp_path / "results.zarr"
    model = library.load("haldane")
    name = stream_bands(model, 6, store, ("energy",))
    expected = xr.open_zarr(store, group=f"bands/{name}", consolidated=False).load()

    def killed(self, *places):
        raise KeyboardInterrupt

    shutil.rmtree(store / "bands")
    with monkeypatch.context() as patched:
        patched.setattr(BandStream, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            stream_bands(model, 6, store, ("energy",))
    # What a mark says is written must be there to the last byte.
    for chunk in (store / ".partial").rglob("c.0.0"):
        chunk.write_bytes(b"")
    stream_bands(model, 6, store, ("energy",))
    found = xr.open_zarr(store, group=f"bands/{name}", consolidated=False).load()
    xr.testing.assert_equal(found, expected)
    assert verify(store) == ()


def test_drivers_that_stream_the_same_bands_do_not_quarrel(tmp_path):
    store = tmp_path / "results.zarr"
    code = (
        "import sys\n"
        "from spinscreen.materials import library\n"
        "from spinscreen.workflows import stream_bands, streaming\n"
        "streaming._CHUNK_BYTES = 1\n"
        "model = library.load('haldane')\n"
        "for n in range(12, 16): stream_bands(model, n, sys.argv[1], ('energy', 'velocity'))\n"
    )
    drivers = [subprocess.Popen([sys.executable, "-c", code, str(store)]) for _ in range(3)]
    assert [driver.wait() for driver in drivers] == [0, 0, 0]
    assert len(open_store(store)["bands"]) == 4
    assert verify(store) == ()
    here = tmp_path / "here.zarr"
    name = stream_bands(library.load("haldane"), 15, here, ("energy", "velocity"))
    one, other = (xr.open_zarr(s, group=f"bands/{name}", consolidated=False).load() for s in (store, here))
    # Chunks of another size are sums over R in another order: rounding of numbers up to 10.
    xr.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("refusal", [FileExistsError, FileNotFoundError, NotADirectoryError, KeyError])
def test_a_chunk_that_is_written_while_a_second_driver_publishes_is_there(tmp_path, monkeypatch, refusal):
    store = tmp_path / "results.zarr"
    first = band_stream._array
    group = []

    def overtaken(*_):
        # What a file system says depends on the step between which the folder goes to its name.
        monkeypatch.setattr(band_stream, "_array", first)
        group.append(stream_bands(library.load("haldane"), 6, store, ("energy",)))
        raise refusal(17, "File exists")

    monkeypatch.setattr(band_stream, "_array", overtaken)
    assert group == [stream_bands(library.load("haldane"), 6, store, ("energy",))]
    assert verify(store) == ()


def old_store(folder: Path, datasets: dict[str, xr.Dataset]) -> Path:
    """A store as version 1 wrote it: a group of many files for each material, records as groups."""
    root = zarr.open_group(folder, mode="a", zarr_format=3)
    root.create_group("materials")
    root.create_group("failures").create_group("broken", attributes={"error": "an old reason"})
    settings = {"settings": {"source": "tree"}, "spinscreen_version": "0.1.0", "first_run": "2026-01-01"}
    root.create_group("campaigns").create_group("0123456789", attributes=settings)
    for name, dataset in datasets.items():
        old = dataset.assign_attrs(schema_version=1)
        old.to_zarr(folder / "materials" / name, mode="w", zarr_format=3, consolidated=True)
    return folder


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_store_of_version_1_is_read_and_rewritten(tmp_path):
    sources = [source for source in find_materials("library") if source.id in NAMES]
    job = campaign(sources)
    run_campaign(job, tmp_path / "new.zarr")
    tree = open_store(tmp_path / "new.zarr")
    datasets = {
        name: tree[f"materials/{name}"].to_dataset().load() for name in published(tmp_path / "new.zarr")
    }
    store = old_store(tmp_path / "old.zarr", {f"{name}-old": d for name, d in datasets.items()})
    assert len(open_store(store)["materials"]) == len(NAMES)
    assert failures(store) == {"broken": "an old reason"}
    assert build_catalog(store).sizes["material"] == len(NAMES)
    assert len(screen(store)) == len(NAMES)
    with pytest.raises(StoreError, match="spinscreen migrate"):
        run_campaign(job, store)
    done = migrate(store, present_id)
    assert (done.rewritten, done.left) == (len(NAMES), ())
    assert published(store) == tuple(datasets)
    assert numbers(store) == numbers(tmp_path / "new.zarr")
    assert run_campaign(job, store).count("present") == len(NAMES)
    assert verify(store) == ()
    assert migrate(store, present_id).rewritten == 0


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_what_is_damaged_in_a_store_of_version_1_blocks_nothing(tmp_path, dataset):
    store = old_store(tmp_path / "old.zarr", {"a": dataset, "b": dataset, "c": dataset})
    (store / "materials" / "a" / "zarr.json").write_bytes(b"")
    chunk = store / "materials" / "b" / "carrier_density" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    assert build_catalog(store).sizes["material"] == 1
    assert len(verify(store)) == 2
    done = migrate(store)
    assert (done.rewritten, len(done.left)) == (1, 2)
    assert open_catalog(store)["material"].values.tolist() == ["c"]


def test_what_cannot_be_read_is_named_and_never_removed(copy, monkeypatch):
    file = material_file(copy, published(copy)[0])
    opened = os.open

    def refusing(path, *options, **more):
        if path == file:
            raise OSError(5, "Input/output error")
        return opened(path, *options, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)
        (damage,) = verify(copy, repair=True)
    assert "Input/output error" in damage.reason
    assert not damage.removable
    assert verify(copy) == ()


def test_a_folder_of_the_same_names_is_not_taken_for_a_store(tmp_path, dataset):
    store = tmp_path / "project"
    (store / "materials").mkdir(parents=True)
    (store / "materials" / "mine.zip").write_text("data")
    with pytest.raises(StoreError, match="is a folder with other content"):
        publish(dataset, store, "a")
    assert sorted(p.name for p in store.rglob("*")) == ["materials", "mine.zip"]


def test_a_store_without_its_root_is_told_and_mended(copy, whole):
    (copy / "zarr.json").unlink()
    with pytest.raises(StoreError, match=r"its zarr.json is lost"):
        Store.at(copy).opened()
    verify(copy, repair=True)
    assert numbers(copy) == numbers(whole)


def test_what_a_killed_driver_left_goes_after_a_day(copy):
    partial = copy / ".partial"
    partial.mkdir(exist_ok=True)
    for name in ("a.new", "b.new", "x.sums"):
        (partial / name).write_text("")
    for name in ("b.new", "x.sums"):
        os.utime(partial / name, (1, 1))
    Store.at(copy).sweep()
    assert sorted(p.name for p in partial.iterdir()) == ["a.new", "x.sums"]


def test_a_file_system_without_links_has_a_catalog_all_the_same(tmp_path, dataset, monkeypatch):
    link = os.link

    def refusing(partial, *_, **__):
        # Zarr itself has links for what it writes.
        if str(partial).endswith((".new", ".link")):
            raise OSError(1, "Operation not permitted")
        link(partial, *_, **__)

    monkeypatch.setattr(os, "link", refusing)
    monkeypatch.setattr(Path, "symlink_to", refusing)
    store = tmp_path / "results.zarr"
    for i in range(3):
        assert publish(dataset, store, f"m{i}")
        assert not publish(dataset, store, f"m{i}")
        assert build_catalog(store).sizes["material"] == i + 1
        assert xr.open_zarr(store, group="catalog", consolidated=False).sizes["material"] == i + 1
    assert verify(store) == ()


def test_a_lost_or_cut_file_of_the_catalog_is_said_and_mended(copy):
    expected = open_catalog(copy).load()
    for damage in (Path.unlink, lambda file: file.write_bytes(b"")):
        damage((copy / "catalog").resolve() / "gap" / "c" / "0")
        with pytest.raises(InputError, match="its catalog is damaged"):
            screen(copy, "gap > 0")
        xr.testing.assert_equal(build_catalog(copy).load(), expected)
        assert len(screen(copy)) == len(NAMES)
    # One of the same size, which only its checksum tells.
    chunk = (copy / "catalog").resolve() / "gap" / "c" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(InputError, match="its catalog is damaged"):
        screen(copy, "gap > 0")


def test_what_is_damaged_is_computed_anew_by_the_next_run(copy, whole):
    name = published(copy)[0]
    content = bytearray(material_file(copy, name).read_bytes())
    content[len(content) // 3] ^= 4
    material_file(copy, name).write_bytes(content)
    assert not is_published(copy, name)
    assert Store.at(copy).damaged == (name,)
    sources = [source for source in find_materials("library") if source.id in NAMES]
    report = run_campaign(campaign(sources), copy)
    assert (report.count("computed"), report.count("present"), report.damaged) == (1, 3, ())
    assert numbers(copy) == numbers(whole)


def test_what_cannot_be_read_does_not_count_as_missing(copy, monkeypatch):
    def refusing(path, *options, **more):
        raise PermissionError(13, "Permission denied")

    name = published(copy)[0]
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)
        with pytest.raises(StoreError, match="cannot be read"):
            is_published(copy, name)
    assert is_published(copy, name)


def test_pipes_and_folders_of_the_names_of_results_block_nothing(copy, whole):
    os.mkfifo(copy / "materials" / "pipe.zip")
    (copy / "materials" / "folder.zip").mkdir()
    (copy / "materials" / "nowhere.zip").symlink_to("nothing")
    assert published(copy) == published(whole)
    assert verify(copy) == ()
    (copy / "catalog").unlink()
    assert build_catalog(copy).sizes["material"] == len(NAMES)


def test_headings_that_come_out_the_same_stay_apart(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    publish(dataset.assign_attrs(columns={"E hull (eV)": 1.5, "E_hull_eV": 2.5}), store, "a")
    assert build_catalog(store)["E_hull_eV"].values.tolist() == [2.5]
    publish(dataset.assign_attrs(columns={"E hull (eV)": 3.5}), store, "b")
    publish(dataset.assign_attrs(columns={"../E hull eV": 4.5}), store, "c")
    found = build_catalog(store)
    said = {
        found[v].attrs["heading"]: found[v].values.tolist()
        for v in found.data_vars
        if "heading" in found[v].attrs
    }
    np.testing.assert_equal(
        said,
        {
            "E_hull_eV": [2.5, np.nan, np.nan],
            "E hull (eV)": [1.5, 3.5, np.nan],
            "../E hull eV": [np.nan, np.nan, 4.5],
        },
    )
    assert verify(store) == ()


def test_words_for_nothing_are_missing_numbers(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    hulls: list = [0.25, "n/a", "NA", " - ", "none", 1.5]
    for n, hull in enumerate(hulls):
        columns = {"hull": hull, "order": ["FM", "none"][n % 2], "mixed": ["about 3", 2.0][n % 2]}
        publish(dataset.assign_attrs(columns=columns), store, f"m{n}")
    found = build_catalog(store)
    np.testing.assert_equal(found["hull"].values, [0.25, *[np.nan] * 4, 1.5])
    assert screen(store, "hull < 1").index.tolist() == ["m0"]
    # Of a column of words they are words.
    assert found["order"].values.tolist() == ["FM", "none"] * 3
    for condition in ("mixed < 3", "3 > mixed", "abs(mixed) < 3"):
        with pytest.raises(InputError, match=r"'about 3' of m0 is no number"):
            screen(store, condition)


def test_a_catalog_is_held_over_many_rebuilds(tmp_path, dataset):
    store = tmp_path / "results.zarr"
    publish(dataset, store, "m0")
    expected = build_catalog(store).load()
    held = open_catalog(store)
    for i in range(1, 4):
        publish(dataset, store, f"m{i}")
        build_catalog(store)
    xr.testing.assert_equal(held.load(), expected)


def test_every_campaign_that_failed_on_a_material_is_told(tmp_path):
    store = tmp_path / "results.zarr"
    record_failure(store, "X", "one reason", "a")
    record_failure(store, "X", "another reason", "b")
    assert {r["error"] for r in Store.at(store).failure_records} == {"one reason", "another reason"}
