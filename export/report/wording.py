"""Figures of a report in words, with their units; of what is not known: `""`.

All of them are filters of the templates; see `export.report.templates`.
"""

import math
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

REFERENCE = "SavedModel"  # the runtime that latencies are compared with
RUNTIMES = {"saved_model": REFERENCE, "tflite": "LiteRT"}


def size(value: int | None) -> str:
    """A size in bytes, kB or MB."""
    if value is None:
        return ""
    if value < 1000:
        return count(value, "byte")
    return f"{value / 1e6:.2f} MB" if value >= 10**6 else f"{digits(value / 1e3)} kB"


def difference(value: float | None) -> str:
    """A difference, small ones with their power of ten."""
    if value is None:
        return ""
    return f"{value:.1e}" if 0 < value < 0.01 else f"{value:.3g}"


def decibel(value: float | None) -> str:
    """A ratio in dB."""
    return "" if value is None else f"{value:.1f} dB"


def similarity(value: float | None) -> str:
    """An SSIM."""
    return "" if value is None else f"{value:.4f}"


def time(value: float | None) -> str:
    """A time in ms."""
    return "" if value is None else f"{digits(value)} ms"


def digits(value: float) -> str:
    """A positive number, to three digits."""
    decimals = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{min(max(decimals, 0), 4)}f}"


def count(number: int, noun: str) -> str:
    """How many of what."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def limited(figure: str, sign: str, limit: str) -> str:
    """A figure and its limit: `38.2 dB (≥ 35.0 dB)`."""
    return f"{figure} ({sign}\u00a0{limit})" if figure and limit else figure


def speed(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """Returns how often the entry runs while the SavedModel runs once, such as 2.0x."""
    references = [
        other
        for other in entries
        if (other["endpoint"], other["runtime"]) == (entry["endpoint"], REFERENCE)
        and other.get("median_ms")
    ]
    if not references or not entry.get("median_ms"):
        return ""
    # TensorFlow may take every core only: with as many threads where it was measured.
    nearest = min(references, key=lambda other: other["threads"] != entry["threads"])
    return f"{digits(nearest['median_ms'] / entry['median_ms'])}x"


def tensor(spec: Mapping[str, Any]) -> str:
    """Returns a tensor in words: `float32 (batch, 28, 28, 1) in [0, 1]`."""
    sizes = ["any" if size is None else str(size) for size in spec["shape"]]
    if sizes and spec["shape"][0] is None:
        sizes[0] = "batch"
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    limits = f" in {spec['range']}" if spec.get("range") else ""
    return " ".join(f"{spec['dtype']} {shape}{limits}".split())


def problem(row: Mapping[str, Any]) -> str:
    """Returns what is wrong with an endpoint of a file."""
    return row.get("problem") or "differs from Keras"


def title(file: Mapping[str, Any]) -> str:
    """Returns what a file is: `SavedModel`, `.tflite int8`, or an ONNX file's name."""
    if file["format"] == "saved_model":
        return "SavedModel"
    if file["format"] == "tflite":
        return f".tflite {file['quantization']}"
    return pathlib.PurePosixPath(file["path"]).name  # ONNX: a file for each endpoint


def worst(file: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Returns the row with the largest `difference`, or the least of another figure."""
    rows = [row for row in file["rows"] if row.get(name) is not None]
    choose = max if name == "difference" else min
    return choose(rows, key=lambda row: row[name], default=None)


def times(
    file: Mapping[str, Any], latency: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yields the median latency of each endpoint of a file: `decode 3.00 ms (4.00x)`.

    With the most threads that it was measured with; in brackets, the speed relative to
    the SavedModel.
    """
    runtime = (RUNTIMES.get(file["format"]), file["quantization"])
    entries = {
        entry["endpoint"]: entry
        for entry in sorted(latency, key=lambda entry: entry["threads"])
        if (entry["runtime"], entry["quantization"]) == runtime
    }
    for name, entry in entries.items():
        if median := time(entry.get("median_ms")):
            relative = speed(entry, latency)
            note = f" ({relative})" if relative and runtime[0] != REFERENCE else ""
            yield f"{name} {median}{note}"


def sentence(file: Mapping[str, Any]) -> str:
    """Returns the figure that matters most of a file, beside its floor."""
    if not file["rows"]:
        return "was not compared with Keras."
    if failed := [row for row in file["rows"] if not row["ok"]]:
        name = failed[0]["endpoint"]
        return f"fails: {name + ': ' if name else ''}{problem(failed[0])}."
    row = worst(file, "psnr")
    if row and row.get("floor_db") is not None:
        alike = similarity(row.get("ssim"))
        return (
            f"{decibel(row['psnr'])} PSNR against Keras at worst ({row['endpoint']}), "
            f"where {decibel(row['floor_db'])} is the floor"
            f"{f'; SSIM {alike}' if alike else ''}."
        )
    if not (row := worst(file, "difference")):
        return "agrees with Keras."
    limit = difference(row.get("tolerance"))
    if row["difference"] == 0:
        return "the same numbers as Keras."
    return (
        f"{difference(row['difference'])} from Keras at most ({row['endpoint']})"
        f"{f', where {limit} is allowed' if limit else ''}."
    )


def unbroken(text: str) -> Markup:
    """Returns text in HTML in which no line breaks within a number such as 1.0e-05."""
    number = r'<span class="figure">\g<0></span>'
    return Markup(re.sub(r"\d[\d.]*e-\d+", number, str(escape(text))))
