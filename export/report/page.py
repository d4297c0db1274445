"""The page of a report: `report.html`, one file without scripts or links to the net."""

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from export.report import units
from export.report.markup import (
    Html,
    bullets,
    document,
    join,
    png,
    table_head,
    table_row,
    tag,
)

# ---- the page -----------------------------------------------------------


def make_page(directory: pathlib.Path, report: Mapping[str, Any]) -> str:
    """Returns HTML; pictures are read from the directory and embedded."""
    exports = report["exports"]
    names = [f"{export['name']}, version {export['version']}" for export in exports]
    links = [tag("a", name, href=f"#export-{i}") for i, name in enumerate(names)]
    return document(
        f"Export report: {'; '.join(names)}",
        tag("h1", "Export report"),
        tag("nav", bullets(links)) if len(links) > 1 else "",
        "" if exports else tag("p", "Nothing was exported yet."),
        *[
            _make_section(directory, export, name, f"export-{i}")
            for i, (export, name) in enumerate(zip(exports, names, strict=True))
        ],
    )


def _make_section(
    directory: pathlib.Path, export: Mapping[str, Any], title: str, anchor: str
) -> Html:
    licence = export.get("licence")
    return tag(
        "section",
        tag("h2", title),
        _headline(export),
        tag("p", export["description"]) if export.get("description") else "",
        tag("p", "Data: ", licence, class_="note") if licence else "",
        _files(export["files"]),
        _latency(export.get("latency", [])),
        _pictures(directory, export.get("pictures", [])),
        _endpoints(export["endpoints"]),
        _machine(export),
        _hashes(export["files"]),
        id=anchor,
    )


def _headline(export: Mapping[str, Any]) -> Html:
    checks = [(file, row) for file in export["files"] for row in file["rows"]]
    failed = [(file, row) for file, row in checks if not row["ok"]]
    files = units.count(len(export["files"]), "file")
    if not checks:
        text = f"Nothing was compared with Keras: {files}, no checks."
        return tag("p", text, class_="headline bad")
    if not failed:
        passed = units.count(len(checks), "check")
        text = f"All agree with Keras: {files}, {passed} passed."
        return tag("p", "✓ ", text, class_="headline ok")
    lines = [
        f"{file['path']}, {row['endpoint'] or 'the whole file'}: {_problem(row)}"
        for file, row in failed
    ]
    text = f"Not all agree with Keras: {len(failed)} of {len(checks)} checks failed."
    return tag("div", tag("p", "✗ ", text, class_="headline bad"), bullets(lines))


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


def _files(files: Sequence[Mapping[str, Any]]) -> Html:
    bodies = [
        tag("tbody", _file_head(file), *[_file_row(row) for row in file["rows"]])
        for file in files
    ]
    return join(
        tag("h3", "Files and endpoints"),
        tag("table", table_head(_FILE_LABELS), *bodies),
        tag("p", _FILE_NOTE, class_="note"),
    )


def _file_head(file: Mapping[str, Any]) -> Html:
    facts = [file["format"], file["quantization"], units.size(file.get("size_bytes"))]
    kept = file.get("kept_float", [])
    summary = f"{units.count(len(kept), 'layer')} kept in higher precision"
    header = tag(
        "th",
        tag("code", file["path"]),
        f" · {' · '.join(fact for fact in facts if fact)}",
        tag("details", tag("summary", summary), ", ".join(kept)) if kept else "",
        colspan=len(_FILE_LABELS),
        scope="rowgroup",
    )
    return tag("tr", header)


def _file_row(row: Mapping[str, Any]) -> Html:
    psnr = _limited(
        units.decibel(row.get("psnr")), "≥", units.decibel(row.get("floor_db"))
    )
    difference = units.difference(row.get("difference"))
    difference = _limited(difference, "≤", units.difference(row.get("tolerance")))
    status = (
        tag("strong", "✓ agrees", class_="ok")
        if row["ok"]
        else join(tag("strong", "✗ fails", class_="bad"), f": {_problem(row)}")
    )
    cells = [
        tag("code", row["endpoint"]) if row["endpoint"] else "the whole file",
        status,
        difference,
        psnr,
        units.similarity(row.get("ssim")),
        _partitions(row),
        _outside(row),
        _agreement(row.get("agreement") or {}),
    ]
    return table_row(dict(zip(_FILE_LABELS, cells, strict=True)))


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


def _latency(entries: Sequence[Mapping[str, Any]]) -> Html:
    if not entries:
        return join(tag("h3", "Latency"), tag("p", "Not measured.", class_="note"))
    endpoints = dict.fromkeys(entry["endpoint"] for entry in entries)
    note = (
        "One image at a time (batch 1), on the machine below; the runtimes of an "
        "endpoint took turns in one run. Speed: how often a runtime answers while the "
        "SavedModel answers once, with as many threads where it was measured so. Bars "
        "are medians, the mark is the 95th percentile."
    )
    return join(
        tag("h3", "Latency"),
        tag("p", note, class_="note"),
        *[
            _latency_of(name, [e for e in entries if e["endpoint"] == name])
            for name in endpoints
        ],
    )


def _latency_of(endpoint: str, entries: Sequence[Mapping[str, Any]]) -> Html:
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
        rows.append(table_row(dict(zip(labels, cells, strict=True))))
    return join(
        tag("h4", tag("code", endpoint)),
        tag("table", table_head(labels), tag("tbody", *rows)),
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
    bar = tag("div", class_="bar", style=f"width:{place(entry['median_ms']):.1f}%")
    tick = ""
    if entry.get("p95_ms"):
        tick = tag("div", class_="tick", style=f"left:{place(entry['p95_ms']):.1f}%")
    is_reference = entry["runtime"] == units.REFERENCE
    return tag(
        "div",
        bar,
        tick,
        class_="track reference" if is_reference else "track",
        aria_hidden="true",  # the figures stand in the cells beside it
    )


# ---- pictures -----------------------------------------------------------


def _pictures(directory: pathlib.Path, pictures: Sequence[Mapping[str, Any]]) -> Html:
    if not pictures:
        return join()
    parts = [tag("h3", "Pictures")]
    for endpoint in dict.fromkeys(picture["endpoint"] for picture in pictures):
        figures = [
            _picture(directory, picture)
            for picture in pictures
            if picture["endpoint"] == endpoint
        ]
        parts.append(tag("h4", tag("code", endpoint)))
        parts.append(tag("div", *figures, class_="pictures"))
    return join(*parts)


def _picture(directory: pathlib.Path, picture: Mapping[str, Any]) -> Html:
    label, path = picture["label"], picture["path"]
    caption = tag("figcaption", label)
    file = (directory / path).resolve()
    inside = file.is_relative_to(directory.resolve()) and file.is_file()
    data = file.read_bytes() if inside else b""
    image = png(data, f"{picture['endpoint']}: {label}")
    if image is None:
        return tag("figure", tag("p", f"{path} is no PNG of this folder"), caption)
    return tag("figure", image, caption)


# ---- endpoints, machine, hashes -----------------------------------------


def _endpoints(endpoints: Mapping[str, Any]) -> Html:
    labels = ["Endpoint", "Inputs", "Outputs"]
    rows = []
    for name, endpoint in endpoints.items():
        cells = [
            tag("code", name),
            _tensors(endpoint["inputs"]),
            _tensors(endpoint["outputs"]),
        ]
        rows.append(table_row(dict(zip(labels, cells, strict=True))))
    return join(
        tag("h3", "Endpoints"),
        tag("table", table_head(labels), tag("tbody", *rows)),
    )


def _tensors(specs: Mapping[str, Any]) -> Html:
    lines = [
        tag("div", tag("code", name), f": {units.describe(spec)}")
        for name, spec in specs.items()
    ]
    return tag("div", *lines)


def _machine(export: Mapping[str, Any]) -> Html:
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
    return join(tag("h3", "Made"), *[tag("p", line) for line in lines if line])


def _hashes(files: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        table_row(
            {"File": tag("code", path), "SHA-256": tag("code", digest, class_="hash")}
        )
        for file in files
        for path, digest in file["sha256"].items()
    ]
    summary = f"SHA-256 of {units.count(len(rows), 'file')}"
    hashes = tag("table", table_head(["File", "SHA-256"]), tag("tbody", *rows))
    return tag("details", tag("summary", summary), hashes)
