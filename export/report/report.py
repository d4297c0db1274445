"""The report of an exported folder: `report.json` for programs, `report.html` to read.

A report is plain JSON, `{"format": 1, "exports": [...]}`, with one export for each
name and version in the folder. An export tells how far every endpoint of every file is
from Keras, how fast it is, and the SHA-256 of what was written. Sizes are in bytes,
latencies in ms at batch 1, PSNR in dB.
"""

import itertools
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from export._staging import staging
from export.errors import ExportError
from export.paths import require_inside
from export.report import page, units

FORMAT = 1
THREADS = 2  # of the latencies in `table`: what a phone spares

NAME, PAGE = "report.json", "report.html"
_RUNTIMES = {"saved_model": "SavedModel", "tflite": "LiteRT"}

_Json = dict[str, Any]

# What the report cannot do without: the rest may be absent in a folder made by hand.
_EXPORT = {"name": str, "version": int, "endpoints": dict, "files": list}
_FILE = {"path": str, "format": str, "quantization": str, "sha256": dict, "rows": list}
_ROW = {"endpoint": str, "ok": bool}


# ---- report.json ---------------------------------------------------------------------


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
    key = export["name"], export["version"]
    others = [e for e in report["exports"] if (e["name"], e["version"]) != key]
    exports = sorted([*others, export], key=lambda e: (e["name"], e["version"]))
    return {**report, "exports": exports}


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes `report.json` and `report.html`, over older ones.

    The page is one file: its pictures are read from the folder and embedded.

    Raises:
        ExportError: The report holds NaN, infinity, or what is no JSON.
    """
    try:
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"the report cannot be written ({error}): give null and a `problem`"
        ) from error
    html = page.make_page(directory, report)
    with staging(directory / NAME) as folder:
        (folder / NAME).write_text(text + "\n", encoding="utf-8")
        (folder / PAGE).write_text(html, encoding="utf-8")
        (folder / PAGE).replace(directory / PAGE)
        (folder / NAME).replace(directory / NAME)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


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


# ---- a table in Markdown -------------------------------------------------------------


def table(report: Mapping[str, Any], threads: int = THREADS) -> str:
    """Returns a Markdown table of the files of a report, or of one export of it.

    A line a file: size, the worst of its endpoints (largest difference from Keras, PSNR
    in dB, SSIM), partitions of the delegate, and for each endpoint the median latency
    with the speed relative to the SavedModel (2.0x takes half of the time). Columns
    without a figure are left out.
    """
    if "exports" not in report:
        return _tabulate(report, threads)
    exports = report["exports"]
    if len(exports) == 1:
        return _tabulate(exports[0], threads)
    return "\n".join(
        f"**{_cell(export['name'])}**, version {export['version']}\n\n"
        f"{_tabulate(export, threads)}"
        for export in exports
    )


def _tabulate(export: Mapping[str, Any], threads: int) -> str:
    latency = export.get("latency", [])
    measured = {(entry["runtime"], entry["quantization"]) for entry in latency}
    files = [(_runtime_of(file), _figures(file)) for file in export["files"]]
    others = sorted(measured - {runtime for runtime, _ in files})
    rows = [*files, *[(other, {"File": " ".join(other)}) for other in others]]
    lines = [figures | _times(runtime, latency, threads) for runtime, figures in rows]
    columns = [
        key
        for key in dict.fromkeys(itertools.chain(*lines))
        if any(line.get(key) for line in lines)
    ]
    cells = [columns, [":--", *["--:"] * (len(columns) - 1)]]
    cells += [[line.get(key) or "-" for key in columns] for line in lines]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in cells)


def _times(
    runtime: tuple[str, str], latency: Sequence[Mapping[str, Any]], threads: int
) -> dict[str, str]:
    """Returns latencies by endpoint: with so many threads, or else as measured."""
    times = {}
    for entry in sorted(latency, key=lambda entry: entry["threads"] == threads):
        if (entry["runtime"], entry["quantization"]) == runtime:
            title = f"{entry['endpoint']}, {units.count(threads, 'thread')}"
            other = entry["threads"] != threads
            note = f", {units.count(entry['threads'], 'thread')}" if other else ""
            times[title] = _with_speed(entry, latency) + note
    return times


def _figures(file: Mapping[str, Any]) -> dict[str, str]:
    title = "SavedModel" if file["format"] == "saved_model" else f".{file['format']}"
    if file["format"] not in _RUNTIMES:  # ONNX: a file for each endpoint
        title = pathlib.PurePosixPath(file["path"]).name
    failed = "" if all(row["ok"] for row in file["rows"]) else " (fails)"
    return {
        "File": f"{title} {file['quantization']}{failed}",
        "Size": units.size(file.get("size_bytes")),
        "Largest difference": units.difference(_of_all(max, file, "difference")),
        "PSNR": units.decibel(_of_all(min, file, "psnr")),
        "SSIM": units.similarity(_of_all(min, file, "ssim")),
        "Partitions": units.plain(_of_all(max, file, "partitions")),
    }


def _of_all(choose: Callable[..., Any], file: Mapping[str, Any], name: str) -> Any:
    figures = [row[name] for row in file["rows"] if row.get(name) is not None]
    return choose(figures, default=None)


def _runtime_of(file: Mapping[str, Any]) -> tuple[str, str]:
    return _RUNTIMES.get(file["format"], file["format"]), file["quantization"]


def _with_speed(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    speed = units.speed(entry, entries)
    time = units.time(entry.get("median_ms")) or "cannot be run"
    return f"{time} ({speed})" if speed else time


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
