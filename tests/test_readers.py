"""Files as other programs, machines and versions write them, and files of any size."""

from __future__ import annotations

import itertools
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inputs import SEED, as_records, write_ab_initio, write_hr, write_tb
from support import random_model

from spinscreen.kernels import InputError
from spinscreen.materials import library, load_model, write_wannier90
from spinscreen.materials.wannier90 import number_stream
from spinscreen.materials.wannier90.checkpoint import _Records, read_checkpoint, read_spin
from spinscreen.materials.wannier90.number_stream import NumberStream
from spinscreen.materials.wannier90.tight_binding_files import read_hr, read_tb

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")

HEADER = 4  # lines of the _hr.dat of few R vectors before its elements


@pytest.fixture
def hr(tmp_path) -> Path:
    write_hr(tmp_path)
    return tmp_path / f"{SEED}_hr.dat"


def rewrite(file: Path, change, header: int = HEADER) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:header], *change(lines[header:])]) + "\n")


def by_second_index(rows: list[str]) -> list[str]:
    return sorted(rows, key=lambda row: [int(word) for word in row.split()[:5]])


def shuffled(rows: list[str]) -> list[str]:
    return [rows[n] for n in np.random.default_rng(0).permutation(len(rows))]


@pytest.mark.parametrize("order", [by_second_index, shuffled, lambda rows: rows[::-1]])
def test_rows_in_any_order(hr, order):
    before = load_model(hr.parent)
    rewrite(hr, order)
    assert load_model(hr.parent).fingerprint == before.fingerprint


def test_blocks_of_a_tb_file_in_any_order(tmp_path):
    write_tb(tmp_path)
    before = load_model(tmp_path)
    file = tmp_path / f"{SEED}_tb.dat"
    lines = file.read_text().splitlines()
    size = before.size**2

    def turned(block: list[str]) -> list[str]:
        return block[::-1] if len(block) == size else block

    blocks = [
        list(group) for _, group in itertools.groupby(lines[7:], key=lambda line: len(line.split()) > 3)
    ]
    file.write_text("\n".join([*lines[:7], *itertools.chain(*map(turned, blocks))]) + "\n")
    assert load_model(tmp_path).fingerprint == before.fingerprint


def test_a_list_of_nonzero_elements(hr):
    before = load_model(hr.parent)
    rewrite(hr, lambda rows: [row for row in rows if any(float(x) for x in row.split()[5:])])
    assert load_model(hr.parent).fingerprint == before.fingerprint
    # One line less, and its conjugate stays.
    rewrite(hr, lambda rows: rows[1:])
    with pytest.raises(InputError, match=r"_hr\.dat, line \d+: the file ends here"):
        load_model(hr.parent)


def test_r_given_once_for_both_signs(tmp_path):
    write_wannier90(library.load("kane_mele"), tmp_path, SEED)
    (tmp_path / f"{SEED}_tb.dat").unlink()
    before = load_model(tmp_path)
    file = tmp_path / f"{SEED}_hr.dat"
    lines = file.read_text().splitlines()
    half = [row for row in lines[HEADER:] if [int(x) for x in row.split()[:3]] >= [0, 0, 0]]
    count = len({tuple(row.split()[:3]) for row in half})
    file.write_text("\n".join([lines[0], lines[1], str(count), " 1" * count, *half]) + "\n")
    after = load_model(tmp_path)
    np.testing.assert_array_equal(after.translations, before.translations)
    np.testing.assert_array_equal(after.hamiltonian, before.hamiltonian)


def test_one_sign_of_an_r_vector_lost(hr):
    """Only where all are given once is it meant so."""
    rewrite(hr, lambda rows: rows[16:])
    lines = hr.read_text().splitlines()
    hr.write_text("\n".join([lines[0], lines[1], "6", " 1" * 6, *lines[HEADER:]]) + "\n")
    with pytest.raises(InputError, match="its negative is missing"):
        load_model(hr.parent)


def test_elements_out_of_range(hr):
    rewrite(hr, lambda rows: [rows[0].replace("    1    1 ", "    1    9 ", 1), *rows[1:]])
    with pytest.raises(InputError, match=r"in R block 1 expected elements 1 to 4, found \[1, 9\]"):
        load_model(hr.parent)


def test_exponents_without_a_letter(tmp_path):
    write_tb(tmp_path)
    before = load_model(tmp_path)
    file = tmp_path / f"{SEED}_tb.dat"
    text = file.read_text()
    file.write_text(text.replace("0.00000000E+00", "0.12345678-104"))
    np.testing.assert_allclose(load_model(tmp_path).hamiltonian, before.hamiltonian, atol=1e-100)


def test_windows_files(tmp_path):
    write_tb(tmp_path)
    before = load_model(tmp_path)
    for name in (f"{SEED}_tb.dat", f"{SEED}.win"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert load_model(tmp_path).fingerprint == before.fingerprint


def test_a_position_matrix_beside_a_hamiltonian(tmp_path):
    """seedname_r.dat holds what the second half of a _tb.dat does, with its R in each line."""
    model = random_model(2, size=3)
    write_wannier90(model, tmp_path, SEED)
    win = tmp_path / f"{SEED}.win"
    win.write_text("".join(line for line in win.open() if "spinors" not in line))
    tb, hr = read_tb(tmp_path / f"{SEED}_tb.dat"), read_hr(tmp_path / f"{SEED}_hr.dat")
    lines = [" written by a test", "3", str(len(tb.translations))]
    for vector, matrices in zip(tb.translations.tolist(), tb.position, strict=True):
        for n, m in itertools.product(range(3), range(3)):
            values = " ".join(f"{x.real:.9f} {x.imag:.9f}" for x in matrices[:, m, n])
            lines.append(f"{' '.join(map(str, vector))} {m + 1} {n + 1} {values}")
    (tmp_path / f"{SEED}_r.dat").write_text("\n".join(lines) + "\n")
    by_tb = load_model(tmp_path, spin_ordering="none")
    (tmp_path / f"{SEED}_tb.dat").unlink()
    found = load_model(tmp_path, spin_ordering="none")
    assert found.provenance.position_source == "matrix"
    assert any("_r.dat" in file for file, _ in found.provenance.files)
    np.testing.assert_allclose(found.position, by_tb.position, atol=1e-8)
    assert len(hr.translations) == len(tb.translations)
    (tmp_path / f"{SEED}_r.dat").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"_r\.dat, line \d+: the file ends here"):
        load_model(tmp_path, spin_ordering="none")
    (tmp_path / f"{SEED}_r.dat").write_text("\n".join(lines).replace("\n3\n", "\n2\n", 1))
    with pytest.raises(InputError, match=r"_r\.dat: has 2 Wannier functions, expected 3"):
        load_model(tmp_path, spin_ordering="none")


def as_bytes(value: float) -> bytes:
    return struct.pack("<d", value)


@given(
    st.lists(
        st.one_of(
            st.floats(-1e5, 1e5).map(lambda x: f"{x:.6f}"),
            st.floats(-1e5, 1e5).map(lambda x: f"{x:.14E}"),
            st.floats(-1e5, 1e5).map(repr),
            st.floats(-1e5, 1e5).map(lambda x: f"{x:.8E}".replace("E", "D")),
            st.integers(-99999, 99999).map(str),
            st.sampled_from(["-0.000000", ".5", "5.", "+1", "1e-300", "123456789012345678901e-18"]),
        ),
        min_size=1,
    )
)
def test_compiled_numbers_are_those_of_python(tokens):
    """To the last bit, as keys of stored results hang on it."""
    text = "  ".join(tokens).encode() + b"\n"
    buffer = np.zeros(max(64, len(text)), dtype=np.uint8)
    buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
    values, state = np.empty(len(text)), np.zeros(2, dtype=np.int64)
    number_stream._scan(buffer, len(text), number_stream._POWERS, values, state)
    expected = [float(token.replace("D", "E")) for token in tokens]
    # Where it cannot be exact it stops, and Python reads the piece.
    found = values[: state[0]].tolist()
    assert [*map(as_bytes, found)] == [*map(as_bytes, expected[: len(found)])]
    plain = all(len(t.replace("-", "").replace(".", "")) < 16 and "e-300" not in t.lower() for t in tokens)
    if plain and not any("E" in t.upper() or "D" in t for t in tokens):
        assert state[1] == 1


@pytest.mark.parametrize("text", ["1 x", "1.2.3", "-", "1e", "1_0", "0x10", "nan", "1..2", "+-1"])
def test_compiled_numbers_leave_what_is_none_to_others(text):
    buffer = np.zeros(64, dtype=np.uint8)
    buffer[: len(text)] = np.frombuffer(text.encode(), dtype=np.uint8)
    state = np.zeros(2, dtype=np.int64)
    number_stream._scan(buffer, len(text), number_stream._POWERS, np.empty(64), state)
    assert state[1] == 0


def test_a_file_of_many_pieces(tmp_path):
    """Numbers are not torn where a piece ends, also in one line without end."""
    expected = np.random.default_rng(0).normal(size=200_000).round(6)
    for blank in ("\n", " "):
        file = tmp_path / "numbers"
        file.write_text("comment\n" + blank.join(f"{x:.6f}" for x in expected))
        stream = NumberStream(file)
        assert stream.line() == "comment"
        np.testing.assert_array_equal(stream.take(150_000), expected[:150_000])
        rest = list(stream.rows(50))
        np.testing.assert_array_equal(np.concatenate(rest).ravel(), expected[150_000:])
        stream.end()


@pytest.mark.parametrize("mark", [">i", "<q", ">q"])
def test_records_of_another_machine(tmp_path, mark):
    """Big-endian numbers, lengths of eight bytes."""
    write_ab_initio(tmp_path, formatted=False)
    expected = read_checkpoint(tmp_path / f"{SEED}.chk"), read_spin(tmp_path / f"{SEED}.spn")
    for name in (f"{SEED}.chk", f"{SEED}.spn"):
        records = _Records((tmp_path / name).read_bytes())
        items: list[str | np.ndarray] = []
        while records._at < len(records._raw):
            items.append(np.frombuffer(bytes(records._record()), np.uint8))
        if mark[0] == ">":
            items = [_swapped(item, name) for item in items]
        (tmp_path / name).write_bytes(as_records(items, mark))
    found = read_checkpoint(tmp_path / f"{SEED}.chk"), read_spin(tmp_path / f"{SEED}.spn")
    np.testing.assert_array_equal(found[0].gauge, expected[0].gauge)
    np.testing.assert_array_equal(found[0].mesh, expected[0].mesh)
    np.testing.assert_array_equal(found[1], expected[1])


def _swapped(item: np.ndarray, name: str) -> np.ndarray:
    """Text stays, whole numbers have four bytes, all else eight."""
    size = len(item)
    if size in (33, 20, 60):
        return item
    return item.reshape(-1, 4 if size in (0, 4, 12) or (name.endswith("spn") and size == 8) else 8)[:, ::-1]


def test_records_beyond_what_a_length_can_say(tmp_path):
    """A record in pieces: the lengths before all but the last, and after all but the first, are negative."""
    write_ab_initio(tmp_path, formatted=False)
    file = tmp_path / f"{SEED}.chk"
    expected = read_checkpoint(file)
    records, content = _Records(file.read_bytes()), b""
    while records._at < len(records._raw):
        record = bytes(records._record())
        cuts = [record[n : n + 64] for n in range(0, len(record), 64)] or [b""]
        for n, cut in enumerate(cuts):
            before = -len(cut) if n < len(cuts) - 1 else len(cut)
            after = -len(cut) if n else len(cut)
            content += struct.pack("<i", before) + cut + struct.pack("<i", after)
    file.write_bytes(content)
    np.testing.assert_array_equal(read_checkpoint(file).gauge, expected.gauge)


def test_a_broken_block_that_is_not_needed(tmp_path):
    write_tb(tmp_path)
    shutil.copy(tmp_path / f"{SEED}.win", tmp_path / "kept")
    with (tmp_path / f"{SEED}.win").open("a") as win:
        win.write("begin kpoint_path\nG 0 0 0\n")
    model = load_model(tmp_path)
    assert any(note.startswith("k path: ") and "has no end" in note for note in model.provenance.notes)


def test_a_large_file_in_memory_that_its_matrix_takes(tmp_path):
    """H itself, a byte for each element, and pieces of a few MB, whatever the size of the file."""
    size, reach = 48, range(-2, 3)
    file = tmp_path / "large_hr.dat"
    rows = [f"{m + 1:5d}{n + 1:5d}{m - n:12.6f}{0:12.6f}\n" for n in range(size) for m in range(size)]
    vectors = [f"{x:5d}{y:5d}{z:5d}" for x in reach for y in reach for z in reach]
    with file.open("w") as stream:
        stream.write(f"comment\n{size}\n{len(vectors)}\n" + " 1" * len(vectors) + "\n")
        for vector in vectors:
            stream.write(vector + vector.join(rows))
    read_hr(file)
    tracemalloc.start()
    raw = read_hr(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size > 12e6
    assert raw.hamiltonian[7, 5, 2] == 3
    assert peak < 1.2 * raw.hamiltonian.nbytes + 12e6
