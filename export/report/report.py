"""The report of an exported folder: `report.json` for programs, `report.html` to read.

A report is plain JSON, `{"format": 1, "exports": [...]}`, with one export for each
name and version in the folder. An export tells how far every endpoint of every file is
from Keras, how fast it is, and the SHA-256 of what was written. Sizes are in bytes,
latencies in ms at batch 1, PSNR in dB.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from export._staging import write_texts
from export.errors import ExportError
from export.paths import require_inside
from export.report import page

FORMAT = 1

NAME, PAGE = "report.json", "report.html"

_Json = dict[str, Any]

# What the report cannot do without: the rest may be absent in a folder made by hand.
_EXPORT = {"name": str, "version": int, "endpoints": dict, "files": list}
_FILE = {"path": str, "format": str, "quantization": str, "sha256": dict, "rows": list}
_ROW = {"endpoint": str, "ok": bool}


def read(directory: pathlib.Path) -> _Json:
    """Returns the report of a folder, or an empty one where there is none.

    Raises:
        ExportError: `report.json` is damaged, or of a format that is not known here.
    """
    path = directory / NAME
    if not path.exists():
        return {"format": FORMAT, "exports": []}
    try:
        report = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        _require(report, {"format": int}, "the report")
        if report["format"] == FORMAT:
            _check(report)
    except (ExportError, OSError, ValueError, RecursionError) as error:
        raise ExportError(
            f"{path} cannot be read ({error}): restore it, or delete it and export "
            "again"
        ) from error
    if report["format"] != FORMAT:
        raise ExportError(
            f"{path} is of format {report['format']}, and this `export` reads "
            f"{FORMAT}: pip install --upgrade tfgen"
        )
    return report


def merge(report: Mapping[str, Any], export: Mapping[str, Any]) -> _Json:
    """Returns the report with the export in it, sorted by name and version.

    An export of the same name and version is replaced. The arguments stay as they are.
    """
    exports = {(e["name"], e["version"]): e for e in report["exports"]}
    exports[export["name"], export["version"]] = export
    return {**report, "exports": [exports[key] for key in sorted(exports)]}


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes `report.json` and `report.html`, over older ones.

    The page is one file: its pictures are read from the folder and embedded.

    Raises:
        ExportError: The report holds NaN, infinity, or what JSON does not know.
    """
    try:
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"the report cannot be written ({error}): give null and a `problem`"
        ) from error
    html = page.make_page(directory, report)
    write_texts(directory, {PAGE: html, NAME: text + "\n"})


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _check(report: _Json) -> None:
    _require(report, {"exports": list}, "the report")
    for export in report["exports"]:
        _require(export, _EXPORT, "an export")
        for file in export["files"]:
            _require(file, _FILE, "a file")
            for path in (file["path"], *file["sha256"]):
                require_inside(path)
            for row in file["rows"]:
                _require(row, _ROW, "a row")
        for picture in export.get("pictures", []):
            _require(picture, {"path": str}, "a picture")
            require_inside(picture["path"])


def _require(value: Any, fields: Mapping[str, type], what: str) -> None:
    for name, kind in fields.items():
        if not isinstance(value, dict) or not isinstance(value.get(name), kind):
            raise ValueError(f"{what} needs '{name}', a {kind.__name__}")
