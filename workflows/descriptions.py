"""What a dataset says of the model that it is of."""

from __future__ import annotations

from spinscreen.kernels import Resolution
from spinscreen.materials import WannierModel
from spinscreen.storage import Observables


def observables_of(model: WannierModel) -> Observables:
    facts = model.observable_facts
    return Observables(
        tuple(facts),
        tuple(fact.unit for fact in facts.values()),
        rotations=tuple(fact.rotation for fact in facts.values()),
        axes=tuple(fact.axis or "" for fact in facts.values()),
        time_reversals=tuple(fact.time_reversal for fact in facts.values()),
        labels=tuple(fact.label or name for name, fact in facts.items()),
    )


def model_attributes(model: WannierModel, resolution: Resolution) -> dict[str, object]:
    """Attributes that Zarr can store: text, numbers and lists."""
    attributes: dict[str, object] = {
        "model_name": model.name,
        "model_hash": model.fingerprint,
        "model_files": [f"{path} sha256:{digest}" for path, digest in model.provenance.files],
        "model_notes": list(model.provenance.notes),
        "dimension": model.dimension,
        "periodic": list(model.periodic),
        "wannier_functions": model.size,
        "spin_degeneracy": model.spin_degeneracy,
        "spin_source": model.provenance.spin_source,
        "position_source": model.provenance.position_source,
        "minimal_images": model.provenance.minimal_images,
        "lattice": model.lattice.tolist(),
        "atom_symbols": [atom.symbol for atom in model.atoms],
        "atom_positions": [list(atom.position) for atom in model.atoms],
        "degeneracy_threshold": resolution.degeneracy_threshold,
        "broadening": resolution.broadening,
    }
    used = resolution.floored(model.operators).degeneracy_threshold
    if used > resolution.degeneracy_threshold:
        attributes["degeneracy_threshold_used"] = used
    measured = {
        "fermi_level": model.fermi_level,
        "symmetry_deviation": model.provenance.symmetry_deviation,
        "pair_splitting": model.provenance.pair_splitting,
    }
    attributes |= {name: float(value) for name, value in measured.items() if value is not None}
    return attributes
