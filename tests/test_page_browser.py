"""The page of a store as people use it, in a real browser: opened as a file, and served live."""

from __future__ import annotations

import json
import shlex
from threading import Thread

import pandas as pd
import pytest
from command_line import spinscreen
from pages import FORMULA, HOSTILE, chromium, mixed_store, requested, result, without_errors
from support import random_model

from spinscreen.materials import library
from spinscreen.storage import PageServer, Store, screen, write_report
from spinscreen.storage.targets import TABLES

#: Seconds after which what did not appear never will: starved machines, not slow pages.
PATIENCE = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def store(folder) -> Store:
    return mixed_store(folder)


@pytest.fixture(scope="module")
def browser(folder):
    (folder / "downloads").mkdir()
    with chromium(folder / "downloads") as opened:
        yield opened


@pytest.fixture(scope="module")
def report(store, folder) -> str:
    write_report(store.path, folder / "report.html")
    # Behind the page, which needs none: of the command line, which says the same.
    store.build_catalog()
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser, report):
    """The table of the report, fresh; a test ends without a word on the browser's console."""
    view = View(browser, report)
    view.open("#/")
    yield view
    assert [entry["message"] for entry in browser.get_log("browser")] == []


class View:
    """What a test does with a page."""

    def __init__(self, browser, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, place: str) -> None:
        # Not from one place of a page to another: every test begins anew.
        self.browser.get("about:blank")
        self.browser.get(self.address + place)
        self.wait(lambda: self.find("body").get_attribute("data-ready") == "true")

    def wait(self, true) -> None:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, PATIENCE, 0.05, [StaleElementReferenceException]).until(lambda _: true())

    def find(self, selector: str):
        return self.browser.find_element("css selector", selector)

    def all(self, selector: str) -> list:
        return self.browser.find_elements("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        return self.browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
        )

    def labelled(self, text: str):
        """The control of a label, as a screen reader finds it."""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('label')].find((l) => l.textContent.trim() === "
            "arguments[0] && l.offsetParent)?.control",
            text,
        )

    def button(self, text: str):
        return self.browser.find_element("xpath", f"//button[normalize-space(.)='{text}']")

    def names(self) -> list[str]:
        return self.texts(".tabulator-row .tabulator-cell[tabulator-field=name]")

    def cells(self, column: str) -> list[str]:
        return self.texts(f'.tabulator-row .tabulator-cell[tabulator-field="{column}"]')

    def kept(self) -> int:
        return int(self.find("#view-table .count").text.split(" of ")[0])

    def choose(self, label: str, value: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.labelled(label)).select_by_value(value)

    def write(self, label: str, text: str) -> None:
        from selenium.webdriver.common.keys import Keys

        # As fingers do: `clear` tells the page nothing.
        self.labelled(label).send_keys(Keys.CONTROL, "a")
        self.labelled(label).send_keys(Keys.DELETE, text)

    def command(self) -> list[str]:
        return shlex.split(self.find(".command").get_attribute("value"))


def all_dimensions(page: View) -> None:
    page.choose("Materials", "all")
    page.wait(lambda: page.kept() == 10)


def test_a_file_shows_its_store_without_asking_the_network(page):
    page.open("#/map")
    page.open("#/material/crystal-0000000007")
    page.open("#/about")
    page.open("#/")
    asked = requested(page.browser)
    assert asked
    assert {address.split(":")[0] for address in asked} <= {"file", "data", "blob", "about"}
    # Layers are the most.
    assert page.kept() == 7
    assert "superseded" not in page.find("#view-table .count").text
    assert page.labelled("Materials").get_attribute("value") == "2"
    assert "e/2π" in page.find("[role=columnheader][tabulator-field=conserved_xy_z]").text


def test_the_table_is_filtered_and_the_command_line_keeps_the_same(page, store, tmp_path):
    page.write("Elements", "Se -Pb")
    page.wait(lambda: page.kept() == 0 or page.names() == ["WSe2"])
    page.write("Elements", "")
    page.wait(lambda: page.kept() == 7)
    page.write("Name contains", "e")
    page.button("Add a range").click()
    page.write("Column", "conserved_xy_z")
    page.write("from", "0.001")
    page.labelled("of |value|").click()
    page.wait(lambda: "abs(conserved_xy_z) >=" in " ".join(page.command()))
    page.wait(lambda: page.kept() == len(page.names()) < 7)
    # In the table numbers are in e/2π, in the expression in what is stored; both mean the same rows.
    _, *words = page.command()
    done = spinscreen(*words, "--json", str(tmp_path / "kept.json"))
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert sorted(row["name"] for row in kept) == sorted(page.names())
    assert 0 < len(kept) < 7
    page.button("Clear").click()
    page.wait(lambda: page.kept() == 7)


def test_a_wrong_element_is_marked_and_keeps_nothing_back(page):
    page.write("Elements", "platinum")
    page.wait(lambda: page.labelled("Elements").get_attribute("aria-invalid") == "true")
    assert page.kept() == 7


def test_qualities_are_filtered(page):
    page.labelled("unconverged").click()
    page.wait(lambda: page.names() == ["old"])
    assert 'quality in ("converged", "unknown")' in " ".join(page.command())


def test_the_table_is_sorted_as_on_the_command_line(page, store):
    header = page.find("[role=columnheader][tabulator-field=proper_xy_z]")
    header.find_element("css selector", "button").click()
    page.wait(lambda: header.get_attribute("aria-sort") == "descending")
    table = screen(store, "dimension == 2", sort="proper_xy_z", latest=True)
    page.wait(lambda: page.names() == list(table["name"]))
    assert page.command()[page.command().index("--sort") + 1] == "proper_xy_z"
    page.labelled("rank by size, |value|").click()
    by_size = screen(store, "dimension == 2", sort="abs(proper_xy_z)", latest=True)
    page.wait(lambda: page.names() == list(by_size["name"]))
    assert page.command()[page.command().index("--sort") + 1] == "abs(proper_xy_z)"


def test_crystals_layers_and_chains_are_not_mixed(page, store):
    all_dimensions(page)
    assert "units differ" in page.find("[role=columnheader][tabulator-field=proper_xy_z]").text
    page.find("[role=columnheader][tabulator-field=proper_xy_z] button").click()
    table = screen(store, sort="proper_xy_z", latest=True)
    page.wait(lambda: page.names() == list(table["name"]))
    units = {cell.split()[-1] for cell in page.cells("proper_xy_z") if cell[-1] not in "–0"}  # noqa: RUF001
    assert units == {"S/cm", "e/2π", "cm"}
    page.button("Add a range").click()
    page.write("Column", "proper_xy_z")
    page.write("from", "1")
    assert "units differ" in page.find(".range").text
    assert page.kept() == 10
    page.open("#/map")
    page.choose("Materials", "all")
    page.wait(lambda: len(page.all(".charts > figure")) == 3)


def test_no_number_is_taken_for_rounding_beside_a_larger_one(browser, tmp_path):
    store = Store.at(tmp_path / "r.zarr")
    crystal = result(random_model(1), "crystal", fermi_level=0.1)
    # A million S/cm beside a hundredth of a quantum, which is 1e-6 S.
    store.publish(crystal.map(lambda values: 1e6 * values, keep_attrs=True), "crystal-0000000001")
    store.publish(result(library.load("MoS2"), "MoS2"), "MoS2-0000000002")
    store.publish(without_errors(result(library.load("kane_mele"), "old")), "old-0000000003")
    write_report(store, tmp_path / "report.html")
    store.build_catalog()
    page = View(browser, (tmp_path / "report.html").as_uri())
    page.open("#/")
    page.choose("Materials", "all")
    page.wait(lambda: page.kept() == 3)
    columns = [f"{kind}_xy_z" for kind in ("conventional", "conserved", "proper")]
    words = ("--columns", ",".join(["name", *columns]), "--sort", "-dimension", "--mixed")
    shown = spinscreen("screen", str(store.path), *words, env={"COLUMNS": "300"}).stdout
    rows = [[cell.strip() for cell in line.split("│")[2:-1]] for line in shown.splitlines() if "│" in line]
    expected = {row[0]: row[1:] for row in rows}
    found = zip(page.names(), *(page.cells(column) for column in columns), strict=True)
    assert {name: list(cells) for name, *cells in found} == expected
    assert all("0 " not in cell for cell in expected["MoS2"])


def test_the_keyboard_is_enough(page):
    from selenium.webdriver.common.keys import Keys

    page.find("body").send_keys(Keys.TAB)
    assert page.browser.switch_to.active_element.text == "Skip to the content"
    button = page.find("[role=columnheader][tabulator-field=gap] button")
    page.browser.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    header = page.find("[role=columnheader][tabulator-field=gap]")
    page.wait(lambda: header.get_attribute("aria-sort") == "descending")
    link = page.find('.tabulator-row a[title="WSe2-0000000003"]')
    link.send_keys(Keys.ENTER)
    page.wait(lambda: page.texts("h1#material-title") == ["WSe2"])
    # Where the eye goes, the focus goes.
    assert page.browser.switch_to.active_element.text == "WSe2"


def test_every_control_has_a_name_and_tables_have_headings(page):
    page.button("Add a range").click()
    for place in ("#/", "#/map", "#/material/crystal-0000000007"):
        page.open(place)
        nameless = page.browser.execute_script(
            "return [...document.querySelectorAll('input, select, button, a, svg[role=img]')].filter((e) => "
            "!(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label') || "
            "e.querySelector('[aria-label]'))).map((e) => e.outerHTML)"
        )
        assert nameless == []
    assert page.find("table.tensor caption").text.startswith("spin_x")
    assert page.find("table.tensor tbody th").get_attribute("scope") == "row"
    assert page.find(".figure > svg").get_attribute("aria-label")
    page.open("#/")
    assert page.find("#table").get_attribute("role") == "grid"
    assert page.find("#view-table .count").get_attribute("aria-live") == "polite"


def test_a_material_has_curves_with_a_component_to_pick_and_its_tensor(page, store):
    page.open("#/material/crystal-0000000007")
    assert (
        len(page.all(".figure path[fill-opacity], .figure g[fill-opacity='0.22'] path")) >= 3
    )  # error bands
    shown = {component.strip() for component in page.texts("#component option")}
    assert len(shown) == 27
    before = page.find(".figure").get_attribute("innerHTML")
    page.choose("Component", "xy_x")
    page.wait(lambda: page.find(".figure").get_attribute("innerHTML") != before)
    dataset = store.read("crystal-0000000007")
    here = dataset.spinscreen.at_fermi_level()["conventional_hall_conductivity"]
    stored = float(here.sel(observable="spin_x", current_axis="x", field_axis="y"))
    (cell,) = page.texts("table.tensor:first-of-type tbody tr:first-child td:nth-of-type(2)")
    # As many digits as the error allows, which in this coarse result is one.
    assert abs(float(cell.split("±")[0]) - stored) <= float(cell.split("±")[1])
    line = page.find(".code").text
    assert line == f'xr.open_zarr("zip::{store.path}/materials/crystal-0000000007.zip")'


def test_what_symmetry_forbids_is_grey(page, store):
    page.open("#/material/haldane-0000000005")
    page.choose("Quantity", "anomalous_hall_conductivity")
    forbidden = store.read("haldane-0000000005")["anomalous_hall_conductivity"].attrs["forbidden_components"]
    assert len(page.all(".tensor td.forbidden")) == len(forbidden.split(", ")) > 0
    assert set(page.texts(".tensor td.forbidden")) == {"0 by symmetry"}


@pytest.mark.parametrize(
    ("material", "told"),
    [
        ("old-0000000009", "No error bars were stored with this result."),
        ("unknown-000000000b", "The Fermi level of this result is unknown"),
        ("superconductor-000000000a", "Bands are error bars."),
        ("chain-0000000008", "S cm"),
        ("nobody-0000000000", "no result nobody-0000000000 on this page"),
    ],
)
def test_every_kind_of_result_has_a_page(page, material, told):
    page.open(f"#/material/{material}")
    assert told in page.find("main").text


def test_names_are_never_html(page):
    page.open("#/material/hostile-0000000006")
    assert page.texts("h1#material-title") == [HOSTILE]
    page.open("#/about")
    assert HOSTILE in page.find("#view-about").get_attribute("textContent")
    page.open("#/map")
    page.open("#/")
    assert HOSTILE in page.names()
    assert page.all("img") == page.all("main b") == []
    assert "owned" not in page.browser.title
    page.write("Name contains", '"></script>')
    page.wait(lambda: page.names() == [HOSTILE])


@pytest.mark.parametrize("columns", ["shown", "all"])
def test_a_table_is_downloaded_as_the_command_line_writes_it(page, store, folder, tmp_path, columns):
    all_dimensions(page)
    downloads = folder / "downloads"
    page.find(f"select[aria-label='Columns to download'] option[value={columns}]").click()
    page.button("Download CSV").click()
    page.button("Download JSON").click()
    page.wait(lambda: {p.name for p in downloads.iterdir()} == {"materials.csv", "materials.json"})
    csv, records = (
        pd.read_csv(downloads / "materials.csv"),
        json.loads((downloads / "materials.json").read_text()),
    )
    raw = (downloads / "materials.csv").read_text()
    for file in list(downloads.iterdir()):
        file.unlink()
    names = list(csv.columns[1:])
    expected = screen(store.path, columns=names, latest=True) if columns == "shown" else None
    if expected is not None:
        TABLES["--csv"].write(expected.loc[csv["material"]], tmp_path / "expected.csv")
        written = pd.read_csv(tmp_path / "expected.csv")
        # To the last bit: both write the shortest text that reads as the number.
        pd.testing.assert_frame_equal(csv, written, check_exact=True)
    else:
        assert len(names) > 60
        assert "'=HYPERLINK" not in raw.splitlines()[0]  # its column has a name that an expression can say
        assert "'@SUM(1)" in raw
        assert any(row["HYPERLINK_http_x"] == "@SUM(1)" for row in records)
    assert [row["material"] for row in records] == list(csv["material"])


def test_columns_are_chosen_and_headings_are_texts(page):
    # What the user calls columns is shown of itself.
    assert page.texts("[role=columnheader][tabulator-field=HYPERLINK_http_x] button") == [FORMULA]
    assert page.cells("HYPERLINK_http_x").count("@SUM(1)") == 1
    page.button("Columns…").click()
    page.write("Search", "temp")
    page.find("dialog .choices label").click()
    page.button("Done").click()
    page.wait(lambda: set(page.cells("temperature")) == {"300"})


def test_the_map_shows_and_opens_materials(page):
    page.open("#/map")
    points = page.all("#view-map svg a")
    assert len(points) == 6  # haldane has no spin
    assert page.all("#view-map g[fill='var(--tint)'] rect")
    named = [point.get_attribute("aria-label") for point in points]
    assert any(text.startswith("WSe2\nconventional_xy_z: ") for text in named)
    page.choose("Colour", "quality")
    page.choose("Across", "fermi_level")
    page.wait(lambda: "fermi_level (eV)" in page.find("#view-map").text)
    assert page.all("#view-map g[fill='var(--tint)'] rect") == []
    page.browser.execute_script(
        "document.querySelector('#view-map svg a').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    page.wait(lambda: page.texts("h1#material-title") != [])


@pytest.fixture
def served(tmp_path, browser):
    """A store that is served, with one result and no catalog; ends without a word on the console."""
    store = Store.at(tmp_path / "live.zarr")
    store.publish(result(library.load("kane_mele"), "first"), "first-0000000001")
    with PageServer(store) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield View(browser, server.address), store
        assert [entry["message"] for entry in browser.get_log("browser")] == []
        browser.get("about:blank")
        server.shutdown()


def test_a_served_page_shows_new_results_by_themselves(served):
    page, store = served
    before = sorted(p for p in store.path.rglob("*"))
    requested(page.browser)  # those of tests before
    page.open("#/")
    assert page.names() == ["first"]
    page.open("#/material/first-0000000001")
    assert page.all(".figure svg path")
    page.open("#/")
    # Nothing is ever written by who looks.
    assert sorted(p for p in store.path.rglob("*")) == before
    store.publish(result(library.load("stanene"), HOSTILE), "second-0000000002")
    page.wait(lambda: sorted(page.names()) == sorted(["first", HOSTILE]))
    assert "1 new results" in page.find("#news").text
    own = page.address
    assert all(
        a.startswith((own, "data:", "blob:", "about:")) or a.endswith("/favicon.ico")
        for a in requested(page.browser)
    )


@pytest.mark.parametrize("results", [0, 1])
def test_a_page_of_an_empty_store_and_of_one_material(browser, tmp_path, results):
    store = Store.at(tmp_path / "r.zarr")
    store.record_failure("Pt", "no Hamiltonian")
    if results:
        store.publish(result(library.load("kane_mele"), "one"), "one-0000000001")
    write_report(store, tmp_path / "report.html")
    page = View(browser, (tmp_path / "report.html").as_uri())
    page.open("#/")
    assert page.kept() == results
    assert "failed: 1" in page.find(".told").text
    page.open("#/map")
    page.open("#/about")
    assert "no Hamiltonian" in page.find("#view-about").text
    assert [entry["message"] for entry in browser.get_log("browser")] == []
