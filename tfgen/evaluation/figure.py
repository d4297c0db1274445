"""A figure: a number, what it is, its error and what to read it beside."""

import math
from typing import Any, NamedTuple

import numpy as np


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
        name: Its key in `metrics.json`.
        value: A number, or a word.
        meaning: What it is, and its unit.
        error: Standard error of the value, where one is known.
        floor: What real images, or chance, would get: what to read the value beside.
    """

    name: str
    value: Any
    meaning: str
    error: float | None = None
    floor: float | None = None


Figures = list[Figure]


def format_figure(value: Any, error: float | None = None) -> str:
    """Returns a value as text, with its standard error; "" for None."""
    if value is None:
        return ""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text if error is None else f"{text} ± {error:.4f}"


def standard_error(values: np.ndarray) -> float | None:
    """Returns the standard error of the mean of values `(n,)`; None of one value."""
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))


def finite(value: Any) -> Any:
    """Returns the value; None for infinity and NaN, which JSON lacks."""
    is_number = isinstance(value, float)
    return None if is_number and not math.isfinite(value) else value
