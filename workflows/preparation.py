"""From a model as it was read to the model that is computed: observables added, a superconductor made."""

from __future__ import annotations

from spinscreen.materials import WannierModel, bcs_gap, bogoliubov, with_orbital_momentum


def prepared_model(
    model: WannierModel,
    *,
    charge: bool = False,
    orbital: bool = False,
    pairing: str | None = None,
    gap: float = 1e-3,
    chemical_potential: float | None = None,
    temperature: float = 0.0,
) -> WannierModel:
    """Add the charge and the orbital angular momentum, and pair the electrons.

    pairing : a name of `PAIRINGS` or None; gap : its amplitude at T = 0 (eV), reduced to `temperature` (K)
    Raises InputError where the model lacks what is needed.
    """
    if orbital:
        model = with_orbital_momentum(model)
    if charge:
        model = model.with_charge()
    if pairing is not None:
        model = bogoliubov(model, pairing, chemical_potential, bcs_gap(gap, temperature))
    return model
