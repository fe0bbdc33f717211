"""Results for other programs: plain records for workflow managers and databases, OPTIMADE JSON lines."""

from .files import EXPORTS, Export, export_results
from .optimade import OPTIMADE_VERSION
from .record import RECORD_VERSION, MaterialRecord, material_record

__all__ = [
    "EXPORTS",
    "OPTIMADE_VERSION",
    "RECORD_VERSION",
    "Export",
    "MaterialRecord",
    "export_results",
    "material_record",
]
