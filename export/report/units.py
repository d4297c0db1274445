"""Figures of a report in words, with their units; of what is not known: `""`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

REFERENCE = "SavedModel"  # the runtime that latencies are compared with


def size(size: int | None) -> str:
    """A size in bytes, kB or MB."""
    if size is None:
        return ""
    if size < 1000:
        return count(size, "byte")
    return f"{size / 1e6:.2f} MB" if size >= 10**6 else f"{three_digits(size / 1e3)} kB"


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
    return "" if value is None else f"{three_digits(value)} ms"


def plain(value: int | None) -> str:
    """A whole number."""
    return "" if value is None else str(value)


def three_digits(value: float) -> str:
    """A positive number, to three digits."""
    decimals = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{min(max(decimals, 0), 4)}f}"


def count(number: int, noun: str) -> str:
    """How many of what."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
    return f"{three_digits(nearest['median_ms'] / entry['median_ms'])}x"


def describe(spec: Mapping[str, Any]) -> str:
    """Returns a tensor in words: `float32 (batch, 28, 28, 1) in [0, 1]`."""
    sizes = ["any" if size is None else str(size) for size in spec["shape"]]
    if sizes and spec["shape"][0] is None:
        sizes[0] = "batch"
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    limits = f" in {spec['range']}" if spec.get("range") else ""
    return f"{spec['dtype']} {shape}{limits}"
