"""The page of a store without a browser: what is in the file, and what the server answers to whom."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import signal
import subprocess
import zlib
from html import unescape
from importlib import resources
from threading import Thread
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from command_line import COMMAND, spinscreen
from hypothesis import given
from hypothesis import strategies as st
from pages import HOSTILE, mixed_store, result

from spinscreen.materials import library
from spinscreen.storage import PageServer, Store, write_report
from spinscreen.storage.page import report as report_module
from spinscreen.storage.page.columns import told_columns
from spinscreen.storage.page.document import page_html
from spinscreen.storage.page.material import material_page
from spinscreen.storage.page.packing import json_bytes, known_digits, packed_column, packed_material
from spinscreen.storage.page.report import _fair_share
from spinscreen.storage.page.table import ResultTable
from spinscreen.storage.results.units import TENSORS


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return mixed_store(tmp_path_factory.mktemp("page"))


def interleaved(planes: bytes, size: int) -> bytes:
    return np.frombuffer(planes, np.uint8).reshape(size, -1).T.tobytes()


def unpacked(packed: bytes) -> tuple[dict, np.ndarray]:
    """Header and curves of a material, as the script of the page reads them."""
    content = zlib.decompress(packed)
    end = 4 + int.from_bytes(content[:4], "little")
    header = json.loads(content[4:end])
    halves = np.frombuffer(interleaved(content[end:], 2), "<f2").astype(float)
    scales = np.array(header["scales"])
    return header, halves.reshape(len(scales), -1) * scales[:, None] if len(scales) else halves


def data_of(html: str) -> dict:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(data)


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), max_size=20))
def test_columns_come_back_to_the_last_bit(numbers):
    values = np.array(numbers, dtype=float)
    found = np.frombuffer(interleaved(zlib.decompress(packed_column(values)), 8), "<f8")
    np.testing.assert_array_equal(found, values)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20))
def test_curves_come_back_to_eleven_bits(numbers):
    curve = np.array([*numbers, np.nan])
    header, (found,) = unpacked(packed_material({"a": 1}, [curve]))
    assert header["a"] == 1
    # Half an ulp of 11 bits; what is below 2e-9 of the largest has fewer, down to a step of 2e-12 of it.
    largest = np.abs(curve[:-1]).max()
    np.testing.assert_allclose(found, curve, rtol=2**-11, atol=2e-12 * largest)


def test_the_data_end_where_they_end():
    for told in (HOSTILE, "<!--<script>", "\u2028\ud800", "]]>"):
        html = page_html(json_bytes({"a": told}), told, live=False).decode()
        assert html.count("<script") == len(re.findall("<script", html))
        assert data_of(html)["a"] == told.replace("\ud800", "?")
        assert HOSTILE not in html
        assert unescape(re.search("<title>(.*?)</title>", html)[1]) == told.replace("\ud800", "?")


def test_the_file_has_everything_and_its_policy_lets_nothing_else_in(store, tmp_path):
    done = write_report(store, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert done.size == (tmp_path / "report.html").stat().st_size
    assert (done.materials, done.left_out, done.damaged) == (10, 0, ())
    assert not re.search(r"<(?:link|img|iframe|script[^>]* src)", html.split('id="data"')[0])
    assert "sourceMappingURL" not in html
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)[1]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    for script in re.findall(r"<script>(.*?)</script>", html, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    data = data_of(html)
    assert len(data["ids"]) == len(data["materials"]) == 10
    assert data["failures"][0]["id"] == HOSTILE
    assert data["campaigns"][0]["settings"]["note"] == HOSTILE
    assert "arXiv:2009.12058" in data["cite"]
    for name in data["values"]:
        assert len(data["columns"]) == len(data["values"]), name


def test_numbers_at_the_fermi_level_are_those_of_the_store(store):
    header, curves = unpacked(material_page(store, "r.zarr", "crystal-0000000007").packed())
    dataset = store.read("crystal-0000000007")
    here = dataset.spinscreen.at_fermi_level()
    for tensor in header["tensors"]:
        stored = here[tensor["name"]]
        # Seven digits are written.
        found, wanted = np.array(tensor["values"], dtype=float), stored.values
        for place in [] if tensor["forbidden"] == "all" else tensor["forbidden"]:
            # 0 where symmetry forbids what is no more than its error.
            error = here.get(f"{tensor['name']}_error")
            if found[tuple(place)] == 0.0 and error is not None:
                assert abs(wanted[tuple(place)]) <= error.values[tuple(place)]
                found[tuple(place)] = wanted[tuple(place)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * np.nanmax(np.abs(wanted)))
        assert tensor["dims"] == list(stored.dims)
    assert header["level"] == pytest.approx(0.1)
    first = header["curves"][0]
    wanted = dataset.spinscreen.component(first["variable"], first["component"]).sortby("fermi_energy")
    # Half a step of an eighth of the error, where there are errors.
    error = np.abs(curves[1]) if first["error"] else 0.0
    allowed = 2**-10 * np.abs(wanted.values) + 1e-9 * float(abs(wanted).max()) + error / 8
    assert (np.abs(curves[0] - wanted.values) <= allowed).all()


def test_curves_are_kept_as_far_as_they_are_known():
    rng = np.random.default_rng(0)
    values, errors = rng.normal(size=300), 10.0 ** rng.uniform(-6, 0, size=300)
    errors[:3] = 0.0, np.nan, np.inf
    told, bars = known_digits(values, errors)
    np.testing.assert_array_equal(told[:3], values[:3])
    np.testing.assert_array_equal(bars[:3], errors[:3])
    assert (np.abs(told - values)[3:] <= errors[3:] / 8).all()
    # Never smaller, and by an eighth larger at most.
    assert ((bars[3:] >= errors[3:]) & (bars[3:] <= errors[3:] * 1.125)).all()


def test_layers_are_shown_in_quanta_as_everywhere(store):
    header, _ = unpacked(material_page(store, "r.zarr", "kane_mele-0000000002").packed())
    tensor = next(t for t in header["tensors"] if t["name"] == "conserved_hall_conductivity")
    assert set(tensor["units"]) == {"e/2π"}
    dataset = store.read("kane_mele-0000000002").spinscreen.at_fermi_level()
    values = dataset.spinscreen.in_units("conserved_hall_conductivity", "e/(2 pi)")
    np.testing.assert_allclose(np.array(tensor["values"]), values.values, rtol=1e-6)


def test_a_superseded_result_is_there_when_asked_for(store, tmp_path):
    assert write_report(store, tmp_path / "all.html", latest=False).materials == 11
    data = data_of((tmp_path / "all.html").read_text("utf-8"))
    assert data["newest"].count(False) == 1
    assert write_report(store, tmp_path / "some.html", "dimension == 3").materials == 2
    assert store.report(tmp_path / "some.html", "dimension == 1").materials == 1


def test_a_report_leaves_small_curves_out_before_it_grows_too_large(store, tmp_path, monkeypatch):
    whole = write_report(store, tmp_path / "whole.html")
    monkeypatch.setattr(report_module, "_MOST", whole.size - 5_000)
    done = write_report(store, tmp_path / "cut.html")
    assert done.size <= whole.size - 5_000
    assert done.left_out > 0
    data = data_of((tmp_path / "cut.html").read_text("utf-8"))
    headers = [unpacked(base64.b64decode(packed))[0] for packed in data["materials"]]
    assert sum(header["left_out"] for header in headers) == done.left_out
    # The first of every answer stays.
    cut = next(header for header in headers if header["left_out"])
    assert {"conventional_hall_conductivity", "proper_hall_conductivity"} <= {
        c["variable"] for c in cut["curves"]
    }


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(1, 5000))
def test_room_is_shared_fairly(sizes, room):
    most = _fair_share(sizes, room)
    taken = sum(min(size, most) for size in sizes)
    assert taken <= room * (1 + 1e-12)
    # Nothing is wasted while any of them is cut.
    assert all(size <= most for size in sizes) or taken == pytest.approx(room)


def test_what_some_materials_have_is_there_whatever_others_have(store):
    table = ResultTable(store).now()
    crystals = (table["dimension"] == 3).values
    names = [n for n in table.data_vars if str(n).startswith(tuple(TENSORS))]
    # As large as in metals, beside which numbers of layers, in siemens, look like rounding.
    large = table.assign({n: table[n].where(~crystals, 1e6 * table[n]) for n in names})
    of_layers = set(told_columns(table.isel(material=np.flatnonzero(~crystals))))
    assert len(of_layers) > 60
    assert of_layers <= set(told_columns(large))


def test_columns_of_rounding_are_left_out(store):
    table = ResultTable(store).now()
    # Of chains nobody knows what is rounding.
    table = table.isel(material=np.flatnonzero(table["dimension"] > 1))
    # Below what is rounding in the smallest unit, siemens.
    zero = {n: table[n].where(table[n].isnull(), 1e-20) for n in _beside("conserved_xy_z")}
    told = told_columns(table.assign(zero))
    assert not set(zero) & set(told)
    assert "conserved_xy_z_max" in told
    # An error above it says that the number may be anything.
    assert set(zero) <= set(told_columns(table.assign(zero | {"conserved_xy_z_error": table["gap"] + 1})))


def _beside(column: str) -> list[str]:
    return [column, f"{column}_error", f"{column}_sensitivity"]


def test_the_table_needs_no_catalog_and_says_what_is_damaged(tmp_path):
    store = Store.at(tmp_path / "r.zarr")
    for name in ("a", "b", "c"):
        store.publish(result(library.load("kane_mele"), name), f"{name}-0000000001")
    without = ResultTable(store).now()
    store.build_catalog()
    with_catalog = ResultTable(store).now()
    assert list(without["material"].values) == list(with_catalog["material"].values)
    for name in without.variables:
        assert list(map(str, without[name].values)) == list(map(str, with_catalog[name].values)), name
    # One more than the catalog has, one less, and one that is damaged.
    store.publish(result(library.load("kane_mele"), "d"), "d-0000000001")
    store.file("a-0000000001").unlink()
    store.file("e-0000000001").write_bytes(b"nothing")
    later = ResultTable(store).now()
    assert [str(n)[0] for n in later["material"].values] == ["b", "c", "d"]
    (told,) = later.attrs["damaged"]
    assert "is damaged" in told
    done = write_report(store, tmp_path / "report.html")
    assert (done.materials, done.damaged) == (3, (told,))


def test_mistakes_are_one_sentence(store, tmp_path):
    for words, message in (
        (("report", tmp_path / "none.zarr"), "no store found there"),
        (("report", store.path, "-o", tmp_path / "no" / "report.html"), "the folder of"),
        (("report", store.path, "-o", tmp_path / "r.html", "--where", "gapp < 1"), "did you mean 'gap'?"),
        (("serve", tmp_path / "none.zarr"), "no store found there"),
        (("serve", store.path, "--host", "256.1.1.1"), "expected a free port of an interface"),
    ):
        done = spinscreen(*map(str, words))
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_report_tells_what_it_wrote(store, tmp_path):
    done = spinscreen("report", str(store.path), "-o", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "written: page.html, 10 materials, 1.2 MB" in done.stdout


@pytest.fixture(scope="module")
def server(store):
    with PageServer(store) as opened:
        Thread(target=opened.serve_forever, daemon=True).start()
        yield opened
        opened.shutdown()


def asked(server: PageServer, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """The answer to a request for a path as it stands, below the secret where it begins with no slash."""
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest(
        method, path if path.startswith("/") else address.path + path, skip_host="Host" in headers
    )
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def test_a_served_page_answers_what_it_needs(server, store):
    assert urlsplit(server.address).hostname == "127.0.0.1"
    page = asked(server, "")
    assert page.status == 200
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    summary = json.loads(asked(server, "api/summary").read())
    revision = summary["revision"]
    assert json.loads(asked(server, f"api/summary?revision={revision}").read()) == {"revision": revision}
    assert len(summary["ids"]) == 11
    packed = asked(server, f"api/column?name=gap&revision={revision}").read()
    assert len(zlib.decompress(packed)) == 8 * 11
    names = json.loads(asked(server, f"api/column?name=name&revision={revision}").read())
    assert HOSTILE in names
    header, _ = unpacked(asked(server, "api/material?id=crystal-0000000007").read())
    assert header["name"] == "crystal"
    assert asked(server, "", "HEAD").read() == b""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/wrong/", 404),
        ("/wrong/api/summary", 404),
        ("../", 404),
        ("api/material?id=../../../../etc/passwd", 404),
        ("api/material?id=" + quote("../materials/crystal-0000000007"), 404),
        ("api/material", 404),
        ("api/column?name=nothing&revision=", 409),
        ("api/nothing", 404),
        ("/../../etc/passwd", 404),
        ("//etc/passwd", 404),
        ("//[", 404),
        ("api/material?id=%00%ff", 404),
    ],
)
def test_nothing_else_is_ever_answered(server, path, status):
    answer = asked(server, path)
    assert answer.status == status
    assert set(json.loads(answer.read())) == {"error"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(server, method):
    assert asked(server, "api/summary", method).status == 501


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8080", 200),
        ("[::1]:1", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("[", 400),
        ("", 403),
    ],
)
def test_a_page_elsewhere_cannot_pass_for_this_machine(server, host, status):
    assert asked(server, "", Host=host).status == status


def test_serve_prints_its_address_and_ends_with_an_interrupt(store):
    process = subprocess.Popen(
        [*COMMAND, "serve", str(store.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        address = urlsplit(process.stdout.readline().strip())
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        connection.request("GET", address.path)
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1] == "stopped"
    finally:
        process.kill()


def test_front_end_parts_are_those_that_were_looked_at():
    folder = resources.files("spinscreen.storage.page") / "vendor"
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {entry.name for entry in folder.iterdir()} - {"SHA256SUMS", "README.md", "fetch", "__pycache__"}
    assert set(sums) == files
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
