"""From a model to a dataset: settings, plans, Dask, and the command line. The only room that knows Dask."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alarms import NetTorqueWarning
    from .calculation import Calculation, make_settings
    from .campaign import Campaign, Outcome
    from .computing import compute, compute_settings
    from .dask_engine import DaskEngine, SchedulerLostError
    from .driver import CampaignReport, run_campaign
    from .engine import Engine, LocalEngine
    from .evaluating import evaluate
    from .liveness import WorkersLostError
    from .one_material import screen_one
    from .settings import Settings
    from .streaming import stream_bands

__all__ = [
    "Calculation",
    "Campaign",
    "CampaignReport",
    "DaskEngine",
    "Engine",
    "LocalEngine",
    "NetTorqueWarning",
    "Outcome",
    "SchedulerLostError",
    "Settings",
    "WorkersLostError",
    "compute",
    "compute_settings",
    "evaluate",
    "make_settings",
    "run_campaign",
    "screen_one",
    "stream_bands",
]

# Whoever wants to hear of a campaign adds a handler; without one, nothing is printed.
logging.getLogger("spinscreen").addHandler(logging.NullHandler())

_MODULES = {
    "alarms": ("NetTorqueWarning",),
    "calculation": ("Calculation", "make_settings"),
    "campaign": ("Campaign", "Outcome"),
    "computing": ("compute", "compute_settings"),
    "dask_engine": ("DaskEngine", "SchedulerLostError"),
    "driver": ("CampaignReport", "run_campaign"),
    "engine": ("Engine", "LocalEngine"),
    "evaluating": ("evaluate",),
    "liveness": ("WorkersLostError",),
    "one_material": ("screen_one",),
    "settings": ("Settings",),
    "streaming": ("stream_bands",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Dask and xarray are imported when they are asked for: until then the command line can be interrupted
    # without a traceback, and workers of a pool start sooner.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
