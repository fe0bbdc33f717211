"""A store with one of every kind that its page may meet, and a browser to look at the page with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from support import random_model

from spinscreen.materials import bogoliubov, library
from spinscreen.storage import Store
from spinscreen.workflows import compute

#: What would run if a page took a name for HTML, and would end the element of its data.
HOSTILE = """<img src=x onerror="document.title='owned'"></script><b>&amp;'"""

#: A heading that a spreadsheet would run.
FORMULA = '=HYPERLINK("http://x")'

ANSWERS = ["conventional_hall_conductivity", "conserved_hall_conductivity", "proper_hall_conductivity"]
QUANTITIES = ["carrier_density", *ANSWERS, "anomalous_hall_conductivity", "drude_weight"]


def result(model: Any, name: str, mesh: int = 4, **settings: Any) -> xr.Dataset:
    """A result of a few seconds' thousandth, with a name of its own."""
    quantities = QUANTITIES if model.observables else ["carrier_density", "anomalous_hall_conductivity"]
    if "fermi_energy" not in settings:
        settings = {"scan_points": 9, **settings}
    found = compute(model, mesh, quantities=quantities, **{"temperature": 300, **settings})
    return found.assign_attrs(material=name, computed=f"2026-01-0{mesh % 9}")


def of_columns(dataset: xr.Dataset, **columns: Any) -> xr.Dataset:
    return dataset.assign_attrs(columns=json.dumps(columns))


def without_errors(dataset: xr.Dataset) -> xr.Dataset:
    """As versions before errors stored it."""
    kept = dataset.drop_vars([name for name in dataset.data_vars if str(name).endswith("_error")])
    for variable in kept.data_vars.values():
        variable.attrs = {k: v for k, v in variable.attrs.items() if "components" not in k}
    kept.attrs = {k: v for k, v in kept.attrs.items() if k not in ("converged", "computed")}
    return kept


def without_level(dataset: xr.Dataset) -> xr.Dataset:
    """As where no file says it."""
    dataset.attrs.pop("fermi_level")
    return dataset.drop_vars("fermi_level")


def mixed_store(folder: Path) -> Store:
    """Layers, a crystal, a chain; spinless, superconducting, hostile, old; one superseded, two failed."""
    store = Store.at(folder / "r.zarr")
    kane_mele = library.load("kane_mele")
    levelled = {"fermi_level": 0.1}
    results = {
        "kane_mele-0000000001": result(kane_mele, "kane_mele", 3),
        "kane_mele-0000000002": result(kane_mele, "kane_mele", 4),
        "WSe2-0000000003": of_columns(
            result(library.load("WSe2"), "WSe2"),
            **{"formula": "Se2W", "E_hull (eV/atom)": 0.25, FORMULA: "@SUM(1)"},
        ),
        "MoS2-0000000004": of_columns(
            result(library.load("MoS2"), "MoS2"),
            **{"formula": "MoS2", "E_hull (eV/atom)": 0.5, FORMULA: "plain"},
        ),
        "haldane-0000000005": result(library.load("haldane"), "haldane"),
        "hostile-0000000006": result(kane_mele, HOSTILE, 5),
        "crystal-0000000007": result(random_model(1), "crystal", **levelled),
        "chain-0000000008": result(random_model(2, periodic=(True, False, False)), "chain", **levelled),
        "old-0000000009": without_errors(result(library.load("stanene"), "old")),
        "superconductor-000000000a": result(
            bogoliubov(library.load("rashba_ferromagnet"), "s", gap=0.01),
            "superconductor",
            scan_points=1,
        ),
        "unknown-000000000b": without_level(
            result(random_model(4), "unknown", fermi_energy=[-1.0, 0.0, 1.0])
        ),
    }
    for name, dataset in results.items():
        assert store.publish(dataset, name)
    campaign = store.record_campaign({"source": "library", "note": HOSTILE})
    store.record_failure(HOSTILE, f"nothing in {HOSTILE}", campaign)
    return store


def browser_or_skip() -> tuple[str, str]:
    """Paths of Chromium and its driver, as Debian installs them."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip(
            "no chromium and chromedriver (Debian: chromium, chromium-driver), in which pages are tested"
        )
    return programs  # type: ignore[return-value]


@contextmanager
def chromium(downloads: Path) -> Iterator[Any]:
    """A headless browser that writes what is downloaded into a folder and keeps a list of all requests."""
    program, driver = browser_or_skip()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.add_argument("--window-size=1400,1000")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def requested(browser: Any) -> list[str]:
    """Addresses that the browser asked for since the last time."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
