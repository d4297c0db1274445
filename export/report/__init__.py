"""The report of an export: `report.json`, pages, the guide."""

from export.report.report import merge, read, write

__all__ = ["merge", "read", "write"]
