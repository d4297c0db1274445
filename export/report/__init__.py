"""The report of an export: `report.json`, pages, the guide."""
