"""What inputs are made from their targets by: names and numbers, as in "gray,noise25".

The pixels are those of `tfgen.data.degrade`. Nothing heavy is imported to read a name.
"""

import re
from typing import NamedTuple

from tfgen.errors import UserError


class _Row(NamedTuple):
    """A degradation: what its number is, by default and at most."""

    number: float | None
    least: float = 0.0
    most: float = 0.0
    is_whole: bool = True
    meaning: str = ""


ROWS = {
    "gray": _Row(None),
    "downscale": _Row(4, 2, 64, meaning="times smaller, and enlarged again"),
    "mask": _Row(25, 1, 90, meaning="per cent of the area is a grey rectangle"),
    "noise": _Row(25, 1, 255, False, "standard deviation of the noise, of 255"),
    "jpeg": _Row(10, 1, 100, meaning="quality of JPEG"),
    "blur": _Row(2, 0.1, 64, False, "pixels, standard deviation of the blur"),
}
EXAMPLE = "gray|downscale4|mask25|noise25|jpeg10|blur2"


class Step(NamedTuple):
    """A degradation with its number, None where it has none."""

    name: str
    number: float | None


def read_steps(text: str) -> tuple[Step, ...]:
    """Returns the degradations that a text names, in their order.

    Args:
        text: Names with their numbers, or without for the usual ones, joined by commas:
            `"gray"`, `"downscale4"`, `"blur1.5,noise"`.

    Raises:
        UserError: A name is unknown, or a number out of range.
    """
    if not isinstance(text, str):
        raise UserError(f"degrade must be some of {EXAMPLE}. Received: {text!r}")
    return tuple(_read_step(word.strip()) for word in text.split(","))


def _read_step(word: str) -> Step:
    match = re.fullmatch(r"([a-z]+)(\d{1,4}(?:\.\d{1,4})?)?", word)
    row = ROWS.get(match[1]) if match else None
    if row is None or (row.number is None and match[2]):
        raise UserError(
            f"degrade must be some of {EXAMPLE}, joined by commas. Received: {word!r}"
        )
    number = row.number if match[2] is None else float(match[2])
    if number is None:
        return Step(match[1], None)
    if not row.least <= number <= row.most or (row.is_whole and number % 1):
        kind = "an integer" if row.is_whole else "a number"
        raise UserError(
            f"the number of degrade={match[1]} must be {kind} from {row.least:g} to "
            f"{row.most:g} ({row.meaning}). Received: {word!r}"
        )
    return Step(match[1], int(number) if row.is_whole else number)


def has_step(text: str | None, name: str) -> bool:
    """Returns whether a degradation is among those that a text names."""
    return text is not None and name in {step.name for step in read_steps(text)}
