"""The page of a store: one file that can be mailed (`write_report`), or the same live (`PageServer`)."""

from .report import Report, write_report
from .server import PageServer

__all__ = ["PageServer", "Report", "write_report"]
