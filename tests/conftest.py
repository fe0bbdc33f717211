"""Fixtures: reference data that may be absent, models that many tests share, one small cluster."""

from __future__ import annotations

import os

# Set before NumPy is loaded: parallel tests share two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Set before Rich is: else `pytest -s` in a terminal colours what the command line prints into a test's file.
os.environ["TERM"] = "dumb"
# A width that Rich finds when it is loaded is kept; `command_line.spinscreen` gives its own.
os.environ.pop("COLUMNS", None)

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from spinscreen.materials import WannierModel, load_model

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in the background, and processes that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: speed is measured in benchmarks, not in tests.
settings.register_profile("spinscreen", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("spinscreen")

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz",
        type=int,
        default=300,
        help="damaged files that tests/test_fuzz.py reads; CI reads the default",
    )
    parser.addoption(
        "--honesty",
        type=int,
        default=2,
        help="start meshes and shifts of each model that tests/test_honesty.py draws; CI draws the default",
    )
    parser.addoption("--fuzz-seed", type=int, default=0, help="other damages of the same kind")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Pictures are compared without an option, but where new ones are asked for.
    if hasattr(config.option, "mpl") and not config.getoption("mpl_generate_path"):
        config.option.mpl = True


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder with real Wannier90 outputs and the peers' numbers."""
    if not REFERENCE.is_dir():
        pytest.skip(f"reference data are not at {REFERENCE}: real Pt, Fe and GaAs files are needed")
    return REFERENCE


@pytest.fixture(scope="session")
def platinum(reference_data: Path) -> WannierModel:
    return load_model(reference_data / "Pt")


@pytest.fixture(scope="session")
def iron(reference_data: Path) -> WannierModel:
    return load_model(reference_data / "Fe", fermi_level=12.6279)


@pytest.fixture(scope="session")
def gallium_arsenide(reference_data: Path) -> WannierModel:
    return load_model(reference_data / "GaAs", fermi_level=7.9366)


@pytest.fixture(scope="session")
def client():
    """Two single-threaded Dask workers."""
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        yield client


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder with small inputs of the kinds that once went wrong."""
    folder = REFERENCE.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"small inputs that once went wrong are not at {folder}")
    return folder
