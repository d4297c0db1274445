"""The figures of an evaluation as text, line by line: for a terminal and for a page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tfgen.degradations import has_step
from tfgen.evaluation.figure import format_figure
from tfgen.evaluation.translation import MEANING, ROWS


class Line(NamedTuple):
    """A figure; `beside` holds those of other models."""

    name: str
    value: str
    floor: str
    beside: list[str]
    meaning: str


def group_tables(
    evaluation: Any, beside: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Line]]:
    """Returns title of a group -> its lines; `beside`: name -> `as_dict()`."""
    return {
        group.replace("_", " ").capitalize(): [
            Line(
                figure.name,
                format_figure(figure.value, figure.error),
                format_figure(figure.floor),
                [format_figure(other.get(figure.name)) for other in beside.values()],
                figure.meaning,
            )
            for figure in figures
        ]
        for group, figures in evaluation.figures.items()
    }


def translation_tables(evaluation: Any) -> dict[str, list[tuple[str, list[str]]]]:
    """Returns "a to b" -> lines: what is compared, and its figures by `MEANING`."""
    return {
        " to ".join(direction): [
            (
                _label(row, evaluation.subject.config.degrade),
                [
                    format_figure(figures.get(name), figures.get(f"{name}_error"))
                    for name in MEANING
                ],
            )
            for row, figures in rows.items()
        ]
        for direction, rows in (evaluation.translation or {}).items()
    }


def _label(row: str, degrade: str | None) -> str:
    if row == "copy" and has_step(degrade, "downscale"):
        return f"{ROWS[row]}: bicubic interpolation"
    return ROWS[row]
