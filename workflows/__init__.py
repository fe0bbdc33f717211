"""From a model to a dataset: settings, plans, Dask, and the command line. The only room that knows Dask."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .campaign import Campaign, Outcome
    from .computing import compute, compute_settings, evaluate
    from .driver import CampaignReport, SchedulerLostError, run_campaign
    from .liveness import WorkersLostError
    from .settings import Settings, make_settings
    from .streaming import stream_bands

__all__ = [
    "Campaign",
    "CampaignReport",
    "Outcome",
    "SchedulerLostError",
    "Settings",
    "WorkersLostError",
    "compute",
    "compute_settings",
    "evaluate",
    "make_settings",
    "run_campaign",
    "stream_bands",
]

_MODULES = {
    "campaign": ("Campaign", "Outcome"),
    "computing": ("compute", "compute_settings", "evaluate"),
    "driver": ("CampaignReport", "SchedulerLostError", "run_campaign"),
    "liveness": ("WorkersLostError",),
    "settings": ("Settings", "make_settings"),
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
