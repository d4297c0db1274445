"""Continuity and completeness: whether one can walk, and draw, in latent space."""

import math

import numpy as np

from tfgen.evaluation.figure import Figure, Figures, standard_error
from tfgen.evaluation.subject import NUM_NEIGHBORS, Subject

_NUM_PATHS, _NUM_STEPS = 100, 32
_MOST_IMAGES = 2000  # among which the nearest other image is looked for


def measure_latent_space(subject: Subject) -> Figures | None:
    """Measures whether one can walk, and draw, in latent space."""
    if not subject.encodes or not subject.suffices():
        return None
    return _measure_continuity(subject) + _measure_completeness(subject)


def _measure_continuity(subject: Subject) -> Figures:
    from tfgen.latent.walks import lerp
    from tfgen.metrics import continuity

    images, labels = subject.run.test_images(_MOST_IMAGES), subject.encoded.labels
    images = images[: len(subject.latents)]
    count = min(_NUM_PATHS, len(images) // 2)
    ends = subject.latents[: 2 * count]
    paths = lerp(ends[:count], ends[count:], np.linspace(0.0, 1.0, _NUM_STEPS + 1))
    # A conditional model keeps the class of where a path starts; it is asked in order.
    classes = iter([] if labels is None else labels[:count])

    def decode(path: np.ndarray) -> np.ndarray:
        label = next(classes, None)
        path_labels = None if label is None else np.full(len(path), label)
        return subject.endpoints.run("decode", path, path_labels)["images"]

    walked = continuity(decode, paths, images)
    where = f"{count} ways of {_NUM_STEPS} steps between latents of test images"
    error = standard_error(walked.steps.mean(axis=1))
    figures = [
        Figure(
            "continuity_step",
            walked.step,
            f"mean change of the decoded image a step, {where}; 1: as far as the "
            "nearest other image",
            error,
        ),
        Figure(
            "continuity_jump",
            walked.jump,
            "the largest step of a way",
            standard_error(walked.steps.max(axis=1)),
        ),
    ]
    if math.isfinite(walked.detour):  # the ends of some way differ
        meaning = (
            "length of the decoded way over the distance of its ends: 1 is straight"
        )
        figures.append(Figure("continuity_detour", walked.detour, meaning, floor=1.0))
    return figures


def _measure_completeness(subject: Subject) -> Figures:
    from tfgen.metrics import completeness

    drawn = subject.drawn_features
    count = min(len(drawn), len(subject.test_features) // 2)
    reference, real = subject.halves(count)
    values = completeness(drawn[:count], reference, lambda x: x, NUM_NEIGHBORS)
    floors = completeness(real, reference, lambda x: x, NUM_NEIGHBORS)
    prior = "the prior" if "sample" in subject.endpoints else "a normal fitted to it"
    meanings = (
        f"share of images decoded from draws of {prior} that lie among test images",
        "how densely test images lie around those",
        "share of the test images that have one of those near",
    )
    return [
        Figure(f"completeness_{name}", value, meaning, floor=floor)
        for name, value, floor, meaning in zip(
            values._fields, values, floors, meanings, strict=True
        )
    ]
