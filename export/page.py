"""The page of a report: `report.html`, one file without scripts or links to the net."""

import base64
import html
import math
import pathlib
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import units

# ---- markup -------------------------------------------------------------

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


# ---- the page -----------------------------------------------------------

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


def make_page(directory: pathlib.Path, report: Mapping[str, Any]) -> str:
    """Returns HTML; pictures are read from the directory and embedded."""
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
    files = units.count(len(export["files"]), "file")
    if not checks:
        text = f"Nothing was compared with Keras: {files}, no checks."
        return _tag("p", text, class_="headline bad")
    if not failed:
        passed = units.count(len(checks), "check")
        text = f"All agree with Keras: {files}, {passed} passed."
        return _tag("p", "✓ ", text, class_="headline ok")
    lines = [
        f"{file['path']}, {row['endpoint'] or 'the whole file'}: {_problem(row)}"
        for file, row in failed
    ]
    text = f"Not all agree with Keras: {len(failed)} of {len(checks)} checks failed."
    return _tag("div", _tag("p", "✗ ", text, class_="headline bad"), _list(lines))


def _problem(row: Mapping[str, Any]) -> str:
    return row.get("problem") or "differs from Keras"


# ---- files × endpoints --------------------------------------------------

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
    facts = [file["format"], file["quantization"], units.size(file.get("size_bytes"))]
    kept = file.get("kept_float", [])
    summary = f"{units.count(len(kept), 'layer')} kept in higher precision"
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
    psnr = _limited(
        units.decibel(row.get("psnr")), "≥", units.decibel(row.get("floor_db"))
    )
    difference = units.difference(row.get("difference"))
    difference = _limited(difference, "≤", units.difference(row.get("tolerance")))
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
        units.similarity(row.get("ssim")),
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
        return units.plain(partitions)
    return f"{partitions} ({units.count(operations, 'operation')})"


def _outside(row: Mapping[str, Any]) -> str:
    outside = row.get("outside") or {}
    if not outside:
        return "" if row.get("partitions") is None else "none"
    return ", ".join(f"{count} {name}" for name, count in sorted(outside.items()))


def _agreement(agreement: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {units.difference(value)}"
        for name, value in agreement.items()
        if value is not None
    )


# ---- latency ------------------------------------------------------------

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
            f"{units.count(entry['threads'], 'thread')}",
            units.time(entry.get("median_ms")),
            units.time(entry.get("p95_ms")),
            units.speed(entry, entries),
            units.plain(entry.get("runs")),
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
        return lambda ms: 100 * ms / high, f"0 to {units.time(high)}"
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
    is_reference = entry["runtime"] == units.REFERENCE
    return _tag(
        "div",
        bar,
        tick,
        class_="track reference" if is_reference else "track",
        aria_hidden="true",  # the figures stand in the cells beside it
    )


# ---- pictures -----------------------------------------------------------

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


# ---- endpoints, machine, hashes -----------------------------------------


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
        _tag("div", _tag("code", name), f": {units.describe(spec)}")
        for name, spec in specs.items()
    ]
    return _tag("div", *lines)


def _machine(export: Mapping[str, Any]) -> _Html:
    machine = export.get("machine", {})
    cores = machine.get("cores")
    facts = [
        export.get("created"),
        machine.get("processor"),
        units.count(cores, "core") if cores else None,
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
    summary = f"SHA-256 of {units.count(len(rows), 'file')}"
    hashes = _tag("table", _head(["File", "SHA-256"]), _tag("tbody", *rows))
    return _tag("details", _tag("summary", summary), hashes)
