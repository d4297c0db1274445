"""Generated images against real ones by all distances, beside real against real."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.metrics.coverage import density_coverage, precision_recall
from tfgen.metrics.features import extract_features
from tfgen.metrics.fidelity import (
    extrapolate_frechet_distance,
    frechet_distance,
    kernel_distance,
)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare_samples` returns.

    A Frechet distance of features other than Inception's is not an FID: name
    `feature_network` and `num_samples` beside the scores, which depend on both.

    Attributes:
        feature_network: Its name.
        num_samples: Integer, in each of the sets that are compared.
        scores: Of the generated images: `frechet_distance`; where there are enough
            samples, `frechet_distance_error` (standard error) and
            `frechet_distance_infinity`; `kernel_distance`, `kernel_distance_error`,
            `precision`, `recall`, `density`, `coverage`.
        floors: Of as many real images: what a perfect generator would get.
    """

    feature_network: str
    num_samples: int
    scores: dict[str, float]
    floors: dict[str, float]


def compare_samples(
    real_images: npt.ArrayLike | Iterable[Any],
    generated_images: npt.ArrayLike | Iterable[Any],
    feature_network: Callable[[Any], Any],
    seed: int = 0,
    batch_size: int = 100,
) -> Comparison:
    """Scores generated images, and real ones for comparison.

    The real images are divided at random. The generated images and the second half of
    the real ones are each compared with the first half, in equal numbers, so that a
    score and its floor have the same bias: pass twice as many real images as generated
    ones.

    Args:
        real_images: `(num_real, ...)` in [0, 1], or an iterable of batches.
        generated_images: Likewise.
        feature_network: As in `extract_features`. If the images are features already,
            pass the identity.
        seed: Integer, of the division.
        batch_size: As in `extract_features`.
    """
    rng = np.random.default_rng(seed)
    real = rng.permutation(extract_features(real_images, feature_network, batch_size))
    generated = extract_features(generated_images, feature_network, batch_size)
    count = min(len(real) // 2, len(generated))
    reference, other_real = real[:count], real[count : 2 * count]
    generated = rng.permutation(generated)[:count]
    return Comparison(
        _name(feature_network),
        count,
        scores=_score(reference, generated),
        floors=_score(reference, other_real),
    )


def _score(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    frechet = frechet_distance(real, generated)
    kernel = kernel_distance(real, generated)
    scores = {"frechet_distance": frechet.value}
    if len(real) >= 2 * (real.shape[1] + 1):
        scores["frechet_distance_error"] = frechet.standard_error
        infinity = extrapolate_frechet_distance(real, generated)
        scores["frechet_distance_infinity"] = infinity
    return {
        **scores,
        "kernel_distance": kernel.value,
        "kernel_distance_error": kernel.standard_error,
        **precision_recall(real, generated)._asdict(),
        **density_coverage(real, generated)._asdict(),
    }


def _name(network: Callable[[Any], Any]) -> str:
    """Returns the name of a Keras model, of a function, or of the class."""
    name = getattr(network, "name", None) or getattr(network, "__name__", None)
    return name or type(network).__name__
