"""One material as a plain function call: what a workflow manager runs as one of its jobs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinscreen.kernels import InputError
from spinscreen.materials import MaterialSource, Source, WannierModel, library, library_scan, load_model
from spinscreen.storage import MaterialRecord, Store, checked_store, material_record

from .calculation import Calculation
from .dask_engine import engine_of
from .publication import Work


def screen_one(
    source: str | Path | Source,
    calculation: Calculation | Mapping[str, Any] | None = None,
    *,
    store: str | Path | None = None,
) -> MaterialRecord:
    """Read a material, compute, and return all that is known of it at its Fermi level as a plain dict.

    source : folder, seedname, file or archive as for `load_model`, name of a built-in model, or a `Source`,
        for example one of `find_materials`
    calculation : a `Calculation`, or its settings as a dict of plain values, such as {"temperature": 300}
    store : where the whole result is published as well, curves and all; one that is there already is read
        instead of computed again. `spinscreen catalog` then brings the catalog of the store up to date.
    Returns numbers, texts, truth values, None and lists and dicts of them, see `MaterialRecord`: JSON and
    pickle give it back as it is. Warnings are in it instead of being shown. Uses the threads of this
    process. Raises InputError where the material cannot be read or a setting makes no sense, StoreError
    where the store cannot be written.

    >>> from spinscreen.workflows import screen_one
    >>> found = screen_one("kane_mele", {"kmesh": 24, "fermi_energy": [0.0]})
    >>> hall = found["quantities"]["conserved_hall_conductivity"]["components"]["xy_z"]
    >>> print(f"{hall['value']:.2e} {hall['units']}", found["quality"])
    -3.98e-05 (hbar/e) S unconverged
    """
    if not isinstance(calculation, Calculation | None):
        calculation = Calculation(**calculation)
    place = None if store is None else Store.at(checked_store(store))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        work = Work.of(*_read(source), calculation or Calculation())
        record = material_record(_computed(work, place), work.material_id)
    told = [str(one.message) for one in heard if issubclass(one.category, UserWarning)]
    for one in heard:
        if not issubclass(one.category, UserWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return {**record, "warnings": list(dict.fromkeys([*told, *record["warnings"]]))}


def _computed(work: Work, store: Store | None) -> Any:
    if store is None:
        # A structure file that cannot be read is said before the work.
        _ = work.columns
        return work.described(work.result(engine_of(None)))
    if work.is_published(store):
        return store.read(work.material_id).load()
    return work.result(engine_of(None), store)


def _read(source: str | Path | Source) -> tuple[Source, WannierModel]:
    if not isinstance(source, str | Path):
        return source, source.load()
    text = str(source)
    if not Path(text).exists():
        if text.startswith("library:"):
            found = library_scan(text)
            if len(found) > 1:
                raise InputError(
                    f"{text}: is {len(found)} materials, expected one; find_materials() has all."
                )
            return found[0], found[0].load()
        if text in library.names():
            return MaterialSource(text), library.load(text)
    model = load_model(source)
    return MaterialSource(model.name, text), model
