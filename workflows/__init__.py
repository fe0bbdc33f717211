"""From a model to a dataset: settings, plans, Dask, and the command line. The only room that knows Dask."""

from .campaign import Campaign, CampaignReport, Outcome, run_campaign
from .computing import compute, compute_settings, evaluate
from .settings import Settings, make_settings

__all__ = [
    "Campaign",
    "CampaignReport",
    "Outcome",
    "Settings",
    "compute",
    "compute_settings",
    "evaluate",
    "make_settings",
    "run_campaign",
]
