"""The report of an exported folder: `report.json` for programs, `report.html` to read.

A report is plain JSON, `{"format": 1, "exports": [...]}`, with one export for each
name and version in the folder. An export tells how far every endpoint of every file is
from Keras, how fast it is, and the SHA-256 of what was written. Sizes are in bytes,
latencies in ms at batch 1, PSNR in dB.
"""

import base64
import hashlib
import html
import itertools
import json
import math
import pathlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import golden
from ._staging import staging
from .errors import ExportError

FORMAT = 1
THREADS = 2  # of the latencies in `table`: what a phone spares

_JSON, _PAGE = "report.json", "report.html"
_RUNTIMES = {"saved_model": "SavedModel", "tflite": "LiteRT"}
_REFERENCE = _RUNTIMES["saved_model"]  # what latencies are compared with

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
    path = directory / _JSON
    if not path.exists():
        return {"format": FORMAT, "exports": []}
    try:
        report = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        _require(report, {"format": int}, "the report")
        if report["format"] == FORMAT:
            _check(report)
    except (OSError, ValueError, RecursionError) as error:
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
    page = _make_page(directory, report)
    with staging(directory / _JSON) as folder:
        (folder / _JSON).write_text(text + "\n", encoding="utf-8")
        (folder / _PAGE).write_text(page, encoding="utf-8")
        (folder / _PAGE).replace(directory / _PAGE)
        (folder / _JSON).replace(directory / _JSON)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _check(report: _Json) -> None:
    _require(report, {"exports": list}, "the report")
    for export in report["exports"]:
        _require(export, _EXPORT, "an export")
        for file in export["files"]:
            _require(file, _FILE, "a file")
            for row in file["rows"]:
                _require(row, _ROW, "a row")


def _require(value: Any, fields: Mapping[str, type], what: str) -> None:
    for name, kind in fields.items():
        if not isinstance(value, dict) or not isinstance(value.get(name), kind):
            raise ValueError(f"{what} needs '{name}', a {kind.__name__}")


# ---- hashes --------------------------------------------------------------------------


def hash_files(directory: pathlib.Path, path: str) -> dict[str, str]:
    """Returns the SHA-256 of a file, or of every file in a folder, in hexadecimal.

    Args:
        directory: The exported folder.
        path: Of a SavedModel's folder or of a file, relative to `directory`. The golden
            record beside a .tflite file is taken with it.

    Returns:
        Digests by path relative to `directory`, with slashes on every system.

    Raises:
        ExportError: There is no such file.
    """
    target = directory / path
    if not target.exists():
        raise ExportError(f"{target} does not exist: there is nothing to hash")
    files = {target} if target.is_file() else set(target.rglob("*"))
    files.add(golden.path_of(target))
    return {
        file.relative_to(directory).as_posix(): _hash(file)
        for file in sorted(files)
        if file.is_file()
    }


def verify_hashes(directory: pathlib.Path, report: Mapping[str, Any]) -> list[str]:
    """Returns a line for every file that is not as the report recorded it.

    That is a file that is missing, has changed, or is new in the folder of a
    SavedModel. The list is empty if all is well.
    """
    problems = []
    for export in report["exports"]:
        for file in export["files"]:
            problems += _verify(directory, file)
    return problems


def _verify(directory: pathlib.Path, file: Mapping[str, Any]) -> Iterator[str]:
    recorded, target = file["sha256"], directory / file["path"]
    found = hash_files(directory, file["path"]) if target.exists() else {}
    for path, digest in recorded.items():
        if path not in found:
            yield f"{path}: is missing"
        elif found[path] != digest:
            yield f"{path}: has changed since it was exported"
    for path in sorted(set(found) - set(recorded)):
        yield f"{path}: is new since the export"


def _hash(file: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(2**20):
            digest.update(block)
    return digest.hexdigest()


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
            title = f"{entry['endpoint']}, {_count(threads, 'thread')}"
            other = entry["threads"] != threads
            note = f", {_count(entry['threads'], 'thread')}" if other else ""
            times[title] = _with_speed(entry, latency) + note
    return times


def _figures(file: Mapping[str, Any]) -> dict[str, str]:
    title = "SavedModel" if file["format"] == "saved_model" else f".{file['format']}"
    if file["format"] not in _RUNTIMES:  # ONNX: a file for each endpoint
        title = pathlib.PurePosixPath(file["path"]).name
    failed = "" if all(row["ok"] for row in file["rows"]) else " (fails)"
    return {
        "File": f"{title} {file['quantization']}{failed}",
        "Size": _size(file.get("size_bytes")),
        "Largest difference": _difference(_of_all(max, file, "difference")),
        "PSNR": _decibel(_of_all(min, file, "psnr")),
        "SSIM": _similarity(_of_all(min, file, "ssim")),
        "Partitions": _plain(_of_all(max, file, "partitions")),
    }


def _of_all(choose: Callable[..., Any], file: Mapping[str, Any], name: str) -> Any:
    figures = [row[name] for row in file["rows"] if row.get(name) is not None]
    return choose(figures, default=None)


def _runtime_of(file: Mapping[str, Any]) -> tuple[str, str]:
    return _RUNTIMES.get(file["format"], file["format"]), file["quantization"]


def _with_speed(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    speed = _speed(entry, entries)
    time = _time(entry.get("median_ms")) or "cannot be run"
    return f"{time} ({speed})" if speed else time


def _speed(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """Returns how often the entry runs while the SavedModel runs once, such as 2.0x."""
    references = [
        other
        for other in entries
        if (other["endpoint"], other["runtime"]) == (entry["endpoint"], _REFERENCE)
        and other.get("median_ms")
    ]
    if not references or not entry.get("median_ms"):
        return ""
    # TensorFlow may take every core only: with as many threads where it was measured.
    nearest = min(references, key=lambda other: other["threads"] != entry["threads"])
    return f"{_three_digits(nearest['median_ms'] / entry['median_ms'])}x"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# ---- figures with their units: "" stands for one that is not known -------------------


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1000:
        return _count(size, "byte")
    return (
        f"{size / 1e6:.2f} MB" if size >= 10**6 else f"{_three_digits(size / 1e3)} kB"
    )


def _difference(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1e}" if 0 < value < 0.01 else f"{value:.3g}"


def _decibel(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} dB"


def _similarity(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _time(value: float | None) -> str:
    return "" if value is None else f"{_three_digits(value)} ms"


def _plain(value: int | None) -> str:
    return "" if value is None else str(value)


def _three_digits(value: float) -> str:
    decimals = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{min(max(decimals, 0), 4)}f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# ---- report.html: markup -------------------------------------------------------------

_VOID = {"meta", "img"}


class _Html(str):
    """Markup. Any other string is text, and is escaped wherever it is put in."""

    __slots__ = ()


def _tag(name: str, /, *children: Any, **attributes: Any) -> _Html:
    """Returns an element; `class_` and `data_label` stand for `class`, `data-label`."""
    marks = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return _Html(f"<{name}{marks}>")
    return _Html(f"<{name}{marks}>{_join(*children)}</{name}>")


def _join(*children: Any) -> _Html:
    return _Html(
        "".join(
            child if isinstance(child, _Html) else html.escape(str(child))
            for child in children
        )
    )


def _row(cells: Mapping[str, Any]) -> _Html:
    """A line of a table; on a narrow screen every cell shows its label."""
    shown = [
        _tag("td", cell, data_label=label)
        if cell
        else _tag("td", "-", class_="none", data_label=label)
        for label, cell in cells.items()
    ]
    return _tag("tr", *shown)


def _head(labels: Sequence[str]) -> _Html:
    headers = [_tag("th", label, scope="col") for label in labels]
    return _tag("thead", _tag("tr", *headers))


def _list(items: Sequence[Any]) -> _Html:
    return _tag("ul", *[_tag("li", item) for item in items])


# ---- report.html: the page -----------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d2127; --soft: #5a6370;
  --line: #d5dae1; --panel: #f4f6f8; --ok: #116329; --bad: #b3261e; --bar: #2f6fb5;
  --reference: #8a939f; --tick: #1d2127; }
@media (prefers-color-scheme: dark) { :root { --back: #15181d; --text: #e6e9ee;
  --soft: #a3acb8; --line: #353c46; --panel: #1f242b; --ok: #6fd08c; --bad: #ff9087;
  --bar: #5b9be0; --reference: #79828e; --tick: #e6e9ee; } }
* { box-sizing: border-box; }
body { max-width: 72rem; margin: 0 auto; padding: 1rem; color: var(--text);
  background: var(--back); font: 1rem/1.5 system-ui, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.35rem; margin-top: 2.5rem;
  border-top: 1px solid var(--line); padding-top: 1.5rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h4 { margin: 1.2rem 0 .4rem; }
a { color: var(--bar); } code { font-size: .9em; }
.headline { padding: .6rem .9rem; border-left: .3rem solid; font-weight: 600;
  background: var(--panel); }
.hash { overflow-wrap: anywhere; } strong { white-space: nowrap; }
.ok { color: var(--ok); } .bad { color: var(--bad); }
.note { color: var(--soft); font-size: .9rem; max-width: 48rem; }
table { width: 100%; border-collapse: collapse; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; }
tbody th { background: var(--panel); padding: .5rem .7rem; }
.track { position: relative; height: 1rem; min-width: 8rem; margin-top: .25rem;
  background: var(--panel); }
.bar { height: 100%; background: var(--bar); }
.reference .bar { background: var(--reference); }
.tick { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  margin-left: -1px; background: var(--tick); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 100%; } figcaption { color: var(--soft); }
img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; }
details { margin: .4rem 0; } summary { cursor: pointer; }
@media (max-width: 48rem) { thead { display: none; } table, tbody, tr, th, td {
  display: block; width: 100%; } tbody tr { padding: .4rem 0;
  border-bottom: 1px solid var(--line); } td { display: flex; border: 0;
  padding: .1rem .2rem; } td::before { content: attr(data-label); flex: 0 0 9.5rem;
  color: var(--soft); } td.none { display: none; }
  td > .track { flex: 1; min-width: 0; } }
@media print { details { display: block; } }
"""


def _make_page(directory: pathlib.Path, report: Mapping[str, Any]) -> str:
    exports = report["exports"]
    names = [f"{export['name']}, version {export['version']}" for export in exports]
    links = [_tag("a", name, href=f"#export-{i}") for i, name in enumerate(names)]
    head = _tag(
        "head",
        _tag("meta", charset="utf-8"),
        _tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _tag("title", "Export report: ", "; ".join(names)),
        _tag("style", _Html(_STYLE)),
    )
    body = _tag(
        "body",
        _tag("h1", "Export report"),
        _tag("nav", _list(links)) if len(links) > 1 else "",
        "" if exports else _tag("p", "Nothing was exported yet."),
        *[
            _make_section(directory, export, name, f"export-{i}")
            for i, (export, name) in enumerate(zip(exports, names, strict=True))
        ],
    )
    return f"<!DOCTYPE html>\n{_tag('html', head, body, lang='en')}\n"


def _make_section(
    directory: pathlib.Path, export: Mapping[str, Any], title: str, anchor: str
) -> _Html:
    licence = export.get("licence")
    return _tag(
        "section",
        _tag("h2", title),
        _headline(export),
        _tag("p", export["description"]) if export.get("description") else "",
        _tag("p", "Data: ", licence, class_="note") if licence else "",
        _files(export["files"]),
        _latency(export.get("latency", [])),
        _pictures(directory, export.get("pictures", [])),
        _endpoints(export["endpoints"]),
        _machine(export),
        _hashes(export["files"]),
        id=anchor,
    )


def _headline(export: Mapping[str, Any]) -> _Html:
    checks = [(file, row) for file in export["files"] for row in file["rows"]]
    failed = [(file, row) for file, row in checks if not row["ok"]]
    files = _count(len(export["files"]), "file")
    if not checks:
        text = f"Nothing was compared with Keras: {files}, no checks."
        return _tag("p", text, class_="headline bad")
    if not failed:
        text = f"All agree with Keras: {files}, {_count(len(checks), 'check')} passed."
        return _tag("p", "✓ ", text, class_="headline ok")
    lines = [
        f"{file['path']}, {row['endpoint'] or 'the whole file'}: {_problem(row)}"
        for file, row in failed
    ]
    text = f"Not all agree with Keras: {len(failed)} of {len(checks)} checks failed."
    return _tag("div", _tag("p", "✗ ", text, class_="headline bad"), _list(lines))


def _problem(row: Mapping[str, Any]) -> str:
    return row.get("problem") or "differs from Keras"


# ---- report.html: files × endpoints --------------------------------------------------

_FILE_LABELS = [
    "Endpoint",
    "Status",
    "Difference",
    "PSNR",
    "SSIM",
    "Partitions",
    "Outside the delegate",
    "Other runtimes",
]
_FILE_NOTE = """\
Difference: the largest absolute difference from Keras on the golden examples (images
lie in [0, 1]), and its limit. PSNR and SSIM: against Keras on images held out from
training, and the least PSNR asked for. Partitions: pieces that the XNNPACK delegate
took, 1 being the whole graph; outside are the operations that it left. Other runtimes:
the largest difference from the default one, of LiteRT's reference kernels and of its
CompiledModel.
"""


def _files(files: Sequence[Mapping[str, Any]]) -> _Html:
    bodies = [
        _tag("tbody", _file_head(file), *[_file_row(row) for row in file["rows"]])
        for file in files
    ]
    return _join(
        _tag("h3", "Files and endpoints"),
        _tag("table", _head(_FILE_LABELS), *bodies),
        _tag("p", _FILE_NOTE, class_="note"),
    )


def _file_head(file: Mapping[str, Any]) -> _Html:
    facts = [file["format"], file["quantization"], _size(file.get("size_bytes"))]
    kept = file.get("kept_float", [])
    summary = f"{_count(len(kept), 'layer')} kept in higher precision"
    header = _tag(
        "th",
        _tag("code", file["path"]),
        f" · {' · '.join(fact for fact in facts if fact)}",
        _tag("details", _tag("summary", summary), ", ".join(kept)) if kept else "",
        colspan=len(_FILE_LABELS),
        scope="rowgroup",
    )
    return _tag("tr", header)


def _file_row(row: Mapping[str, Any]) -> _Html:
    psnr = _limited(_decibel(row.get("psnr")), "≥", _decibel(row.get("floor_db")))
    difference = _difference(row.get("difference"))
    difference = _limited(difference, "≤", _difference(row.get("tolerance")))
    status = (
        _tag("strong", "✓ agrees", class_="ok")
        if row["ok"]
        else _join(_tag("strong", "✗ fails", class_="bad"), f": {_problem(row)}")
    )
    cells = [
        _tag("code", row["endpoint"]) if row["endpoint"] else "the whole file",
        status,
        difference,
        psnr,
        _similarity(row.get("ssim")),
        _partitions(row),
        _outside(row),
        _agreement(row.get("agreement") or {}),
    ]
    return _row(dict(zip(_FILE_LABELS, cells, strict=True)))


def _limited(figure: str, sign: str, limit: str) -> str:
    return f"{figure} ({sign}\u00a0{limit})" if figure and limit else figure


def _partitions(row: Mapping[str, Any]) -> str:
    partitions, operations = row.get("partitions"), row.get("operations")
    if partitions is None or operations is None:
        return _plain(partitions)
    return f"{partitions} ({_count(operations, 'operation')})"


def _outside(row: Mapping[str, Any]) -> str:
    outside = row.get("outside") or {}
    if not outside:
        return "" if row.get("partitions") is None else "none"
    return ", ".join(f"{count} {name}" for name, count in sorted(outside.items()))


def _agreement(agreement: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_difference(value)}"
        for name, value in agreement.items()
        if value is not None
    )


# ---- report.html: latency ------------------------------------------------------------

_MOST_LINEAR = 30  # times the fastest: beyond, its bar is too short to be seen


def _latency(entries: Sequence[Mapping[str, Any]]) -> _Html:
    if not entries:
        return _join(_tag("h3", "Latency"), _tag("p", "Not measured.", class_="note"))
    endpoints = dict.fromkeys(entry["endpoint"] for entry in entries)
    note = (
        "One image at a time (batch 1), on the machine below; the runtimes of an "
        "endpoint took turns in one run. Speed: how often a runtime answers while the "
        "SavedModel answers once, with as many threads where it was measured so. Bars "
        "are medians, the mark is the 95th percentile."
    )
    return _join(
        _tag("h3", "Latency"),
        _tag("p", note, class_="note"),
        *[
            _latency_of(name, [e for e in entries if e["endpoint"] == name])
            for name in endpoints
        ],
    )


def _latency_of(endpoint: str, entries: Sequence[Mapping[str, Any]]) -> _Html:
    place, scale = _make_scale(entries)
    labels = ["Runtime", "Median", "95th percentile", "Speed", "Runs", scale]
    rows = []
    for entry in entries:
        cells = [
            f"{entry['runtime']} {entry['quantization']}, "
            f"{_count(entry['threads'], 'thread')}",
            _time(entry.get("median_ms")),
            _time(entry.get("p95_ms")),
            _speed(entry, entries),
            _plain(entry.get("runs")),
            _bar(entry, place),
        ]
        rows.append(_row(dict(zip(labels, cells, strict=True))))
    return _join(
        _tag("h4", _tag("code", endpoint)),
        _tag("table", _head(labels), _tag("tbody", *rows)),
    )


def _make_scale(
    entries: Sequence[Mapping[str, Any]],
) -> tuple[Callable[[float], float], str]:
    """Returns a function from ms to percent of the width, and the scale in words."""
    times = [entry[key] for entry in entries for key in ("median_ms", "p95_ms")
             if entry.get(key)]  # fmt: skip
    low, high = min(times, default=1.0), max(times, default=1.0)
    if high <= _MOST_LINEAR * low:
        return lambda ms: 100 * ms / high, f"0 to {_time(high)}"
    first = math.ceil(math.log10(low)) - 1  # below the fastest, whose bar has a length
    last = math.ceil(math.log10(high))
    words = f"{10.0**first:g} to {10.0**last:g} ms, logarithmic"
    return lambda ms: 100 * (math.log10(ms) - first) / (last - first), words


def _bar(entry: Mapping[str, Any], place: Callable[[float], float]) -> Any:
    if not entry.get("median_ms"):
        return entry.get("problem", "")
    bar = _tag("div", class_="bar", style=f"width:{place(entry['median_ms']):.1f}%")
    tick = ""
    if entry.get("p95_ms"):
        tick = _tag("div", class_="tick", style=f"left:{place(entry['p95_ms']):.1f}%")
    is_reference = entry["runtime"] == _REFERENCE
    return _tag(
        "div",
        bar,
        tick,
        class_="track reference" if is_reference else "track",
        aria_hidden="true",  # the figures stand in the cells beside it
    )


# ---- report.html: pictures -----------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_LEAST_HEIGHT = 112  # on the page, in CSS pixels: smaller pictures are enlarged


def _pictures(directory: pathlib.Path, pictures: Sequence[Mapping[str, Any]]) -> _Html:
    if not pictures:
        return _join()
    parts = [_tag("h3", "Pictures")]
    for endpoint in dict.fromkeys(picture["endpoint"] for picture in pictures):
        figures = [
            _picture(directory, picture)
            for picture in pictures
            if picture["endpoint"] == endpoint
        ]
        parts.append(_tag("h4", _tag("code", endpoint)))
        parts.append(_tag("div", *figures, class_="pictures"))
    return _join(*parts)


def _picture(directory: pathlib.Path, picture: Mapping[str, Any]) -> _Html:
    label, path = picture["label"], picture["path"]
    caption = _tag("figcaption", label)
    file = (directory / path).resolve()
    inside = file.is_relative_to(directory.resolve()) and file.is_file()
    data = file.read_bytes() if inside else b""
    if not data.startswith(_PNG) or len(data) < 24:
        return _tag("figure", _tag("p", f"{path} is no PNG of this folder"), caption)
    width, height = struct.unpack(">II", data[16:24])
    factor = max(1, round(_LEAST_HEIGHT / max(height, 1)))
    image = _tag(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(data).decode()}",
        alt=f"{picture['endpoint']}: {label}",
        width=width * factor,
        height=height * factor,
    )
    return _tag("figure", image, caption)


# ---- report.html: endpoints, machine, hashes -----------------------------------------


def describe(spec: Mapping[str, Any]) -> str:
    """Returns a tensor in words: `float32 (batch, 28, 28, 1) in [0, 1]`."""
    sizes = ["any" if size is None else str(size) for size in spec["shape"]]
    if sizes and spec["shape"][0] is None:
        sizes[0] = "batch"
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    limits = f" in {spec['range']}" if spec.get("range") else ""
    return f"{spec['dtype']} {shape}{limits}"


def _endpoints(endpoints: Mapping[str, Any]) -> _Html:
    labels = ["Endpoint", "Inputs", "Outputs"]
    rows = []
    for name, endpoint in endpoints.items():
        cells = [
            _tag("code", name),
            _tensors(endpoint["inputs"]),
            _tensors(endpoint["outputs"]),
        ]
        rows.append(_row(dict(zip(labels, cells, strict=True))))
    return _join(
        _tag("h3", "Endpoints"),
        _tag("table", _head(labels), _tag("tbody", *rows)),
    )


def _tensors(specs: Mapping[str, Any]) -> _Html:
    lines = [
        _tag("div", _tag("code", name), f": {describe(spec)}")
        for name, spec in specs.items()
    ]
    return _tag("div", *lines)


def _machine(export: Mapping[str, Any]) -> _Html:
    machine = export.get("machine", {})
    cores = machine.get("cores")
    facts = [
        export.get("created"),
        machine.get("processor"),
        _count(cores, "core") if cores else None,
        machine.get("system"),
    ]
    packages = [f"{key} {value}" for key, value in export.get("packages", {}).items()]
    lines = [" · ".join(filter(None, facts)), " · ".join(packages)]
    return _join(_tag("h3", "Made"), *[_tag("p", line) for line in lines if line])


def _hashes(files: Sequence[Mapping[str, Any]]) -> _Html:
    rows = [
        _row(
            {"File": _tag("code", path), "SHA-256": _tag("code", digest, class_="hash")}
        )
        for file in files
        for path, digest in file["sha256"].items()
    ]
    summary = f"SHA-256 of {_count(len(rows), 'file')}"
    hashes = _tag("table", _head(["File", "SHA-256"]), _tag("tbody", *rows))
    return _tag("details", _tag("summary", summary), hashes)
