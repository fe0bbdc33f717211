"""From a model to a dataset: settings, plans, Dask, and the command line. The only room that knows Dask."""

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
