"""Precision against recall as latents are moved towards their mean."""

from typing import Any, NamedTuple

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import Subject

TRUNCATIONS = (0.4, 0.55, 0.7, 0.85)


class Point(NamedTuple):
    """A point of the curve: both shares in [0, 1]."""

    truncation: float
    precision: float
    recall: float


def measure_truncation(subject: Subject, scores: dict[str, Any]) -> Figures:
    """Measures truncated samples; `subject.truncation` is then the curve.

    Args:
        subject: A model that samples latents.
        scores: Precision and recall of its samples without truncation.
    """
    from tfgen.metrics import precision_recall

    reference, _ = subject.halves(len(subject.drawn_features))
    curve = [
        Point(t, *precision_recall(reference, subject.draw_features(t)))
        for t in TRUNCATIONS
    ]
    subject.truncation = [*curve, Point(1.0, scores["precision"], scores["recall"])]
    return [
        Figure(
            f"{name}_at_truncation_{point.truncation:g}",
            getattr(point, name),
            _MEANING if (name, point) == ("precision", curve[0]) else "",
        )
        for name in ("precision", "recall")
        for point in curve
    ]


_MEANING = (
    "of images whose latents are that times as far from their mean: typical ones for "
    "varied ones"
)
