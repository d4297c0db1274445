"""The page of a report: `report.html`, made of `report.html.j2`."""

import base64
import dataclasses
import math
import pathlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from export.paths import is_inside
from export.report import wording
from export.report.templates import environment

_PNG = b"\x89PNG\r\n\x1a\n"
_LEAST_HEIGHT = 112  # on the page, in CSS pixels: smaller pictures are enlarged
_MOST_LINEAR = 30  # times the fastest: beyond, its bar is too short to be seen

# What an export may lack, in a folder made by hand.
_EXPORT = {
    "description": "",
    "licence": "",
    "latency": [],
    "pictures": [],
    "machine": {},
    "packages": {},
}
_ROW = ("difference", "tolerance", "psnr", "ssim", "floor_db", "partitions",
        "operations", "outside", "agreement", "problem")  # fmt: skip
_LATENCY = ("median_ms", "p95_ms", "runs", "problem")


def make_page(directory: pathlib.Path, report: Mapping[str, Any]) -> str:
    """Returns HTML; pictures are read from the directory and embedded."""
    sections = [
        _make_section(directory, complete(export), f"export-{index}")
        for index, export in enumerate(report["exports"])
    ]
    return environment("html").get_template("report.html.j2").render(sections=sections)


def complete(export: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an export with all that a template reads."""
    files = [
        {"size_bytes": None, "kept_float": [], **file}
        | {"rows": [{**dict.fromkeys(_ROW), **row} for row in file["rows"]]}
        for file in export["files"]
    ]
    full = {**_EXPORT, **export, "files": files}
    latency = [{**dict.fromkeys(_LATENCY), **entry} for entry in full["latency"]]
    return full | {"latency": latency}


def _make_section(
    directory: pathlib.Path, export: dict[str, Any], anchor: str
) -> dict[str, Any]:
    checks = [(file, row) for file in export["files"] for row in file["rows"]]
    latency = _by_endpoint(export["latency"])
    pictures = [
        {**picture, "embedded": _embed(directory, picture["path"])}
        for picture in export["pictures"]
    ]
    return {
        "anchor": anchor,
        "title": f"{export['name']}, version {export['version']}",
        "export": export,
        "checks": len(checks),
        "failed": [(file, row) for file, row in checks if not row["ok"]],
        "pictures": _with_inputs_first(_by_endpoint(pictures)),
        "latency": [(name, _Scale.of(each), each) for name, each in latency],
        "made": _describe_machine(export),
        "hashes": [item for file in export["files"] for item in file["sha256"].items()],
    }


def _by_endpoint(
    entries: Sequence[Mapping[str, Any]],
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    names = dict.fromkeys(entry["endpoint"] for entry in entries)
    return [(name, [e for e in entries if e["endpoint"] == name]) for name in names]


def _with_inputs_first(pictures: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Puts an endpoint first that turns images into images: it shows most."""
    return sorted(
        pictures,
        key=lambda item: not any(picture["label"] == "input" for picture in item[1]),
    )


def _embed(directory: pathlib.Path, path: str) -> dict[str, Any] | None:
    """Returns a picture as a part of the page; None if it is not a PNG file."""
    file = directory / path
    data = file.read_bytes() if is_inside(path) and file.is_file() else b""
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    factor = max(1, round(_LEAST_HEIGHT / max(height, 1)))
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return {"uri": uri, "width": width * factor, "height": height * factor}


@dataclasses.dataclass(frozen=True)
class _Scale:
    """Of bars: from `low` to `high` ms, logarithmic unless `low` is 0."""

    low: float
    high: float

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]]) -> "_Scale":
        keys = ("median_ms", "p95_ms")
        times = [entry[key] for entry in entries for key in keys if entry[key]]
        low, high = min(times, default=1.0), max(times, default=1.0)
        if high <= _MOST_LINEAR * low:
            return cls(0.0, high)
        # Below the fastest, so that its bar has a length.
        first = math.ceil(math.log10(low)) - 1
        return cls(10.0**first, 10.0 ** math.ceil(math.log10(high)))

    @property
    def words(self) -> str:
        if not self.low:
            return f"0 to {wording.time(self.high)}"
        return f"{self.low:g} to {self.high:g} ms, logarithmic"

    def place(self, ms: float) -> float:
        """Returns percent of the width."""
        if not self.low:
            return 100 * ms / self.high
        return 100 * math.log10(ms / self.low) / math.log10(self.high / self.low)


def _describe_machine(export: Mapping[str, Any]) -> list[str]:
    machine = export["machine"]
    cores = machine.get("cores")
    facts = [
        export.get("created"),
        machine.get("processor"),
        wording.count(cores, "core") if cores else None,
        machine.get("system"),
    ]
    return [fact for fact in facts if fact]
