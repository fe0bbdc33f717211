"""What a campaign would compute of a material, before it does."""

from __future__ import annotations

from dataclasses import dataclass

from spinscreen.materials import MaterialCheck, Source, checked_model

from .settings import default_quantities


@dataclass(frozen=True)
class Preview:
    """check : what reading the material showed
    quantities : that are computed by default; of : observables that they are currents and densities of
    left_out : quantities that need a temperature above 0
    """

    check: MaterialCheck
    quantities: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """On three lines at most: what was found, what will be computed, what was assumed."""
        check = self.check
        if check.error is not None:
            return f"{check.id}: {check.error}"
        lacks = f"; missing: {', '.join(check.missing)}" if check.missing else ""
        of = f" of {', '.join(self.of)}" if self.of else ", nothing of a spin"
        later = f"; above 0 K also {', '.join(self.left_out)}" if self.left_out else ""
        lines = [
            f"{check.id}: good: {check.found}{lacks}",
            f"  computes {', '.join(self.quantities)}{of}{later}",
        ]
        return "\n".join(lines + [f"  assumes {'; '.join(check.assumptions)}"] * bool(check.assumptions))


def preview_material(source: Source) -> Preview:
    """Read a material without computing, and say what a calculation with default settings would do of it."""
    check, model = checked_model(source)
    if model is None:
        return Preview(check)
    quantities = default_quantities(model, 0.0, adaptive=True)
    later = tuple(name for name in default_quantities(model, 1.0, adaptive=True) if name not in quantities)
    return Preview(check, quantities, tuple(model.observables), later)
