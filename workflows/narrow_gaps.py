"""Gaps at the Fermi energy that the degeneracy threshold closes, looked for before numbers are believed."""

from __future__ import annotations

import numpy as np
import xarray as xr

from spinscreen.materials import WannierModel, narrow_gap

from .settings import Settings
from .telling import say_of


class NarrowGapWarning(UserWarning):
    """The degeneracy threshold joins levels on both sides of a gap at the Fermi energy."""


def tell_narrow_gap(dataset: xr.Dataset, model: WannierModel, settings: Settings) -> None:
    """A warning, and attributes `converged` that do not claim what the threshold decides."""
    threshold = settings.degeneracy_threshold
    if threshold == 0 or model.is_bogoliubov:
        return
    gap = narrow_gap(model, np.array(settings.fermi_energy), threshold)
    if gap is None:
        return
    place = " ".join(f"{x:.4g}" for x in gap.kpoint)
    for integral in settings.integrals:
        attributes = dataset.variables[integral.name].attrs
        if "converged" in attributes and not integral.unit.counts_electrons:
            attributes["converged"] = False
            dataset.attrs["converged"] = False
    dataset.attrs["narrow_gap"] = gap.width
    say_of(
        dataset,
        f"{model.name}: degeneracy_threshold {threshold:g} eV joins levels on both sides of the gap of "
        f"{gap.width:.2g} eV at k = {place} and the Fermi energy {gap.energy:.4f} eV, expected at most a "
        "tenth of the gap; what these levels contribute to each other is left out, which no error bar tells: "
        f"give degeneracy_threshold = {gap.width / 20:.0e}.",
        NarrowGapWarning,
        3,
    )
