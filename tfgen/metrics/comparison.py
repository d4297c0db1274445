"""Generated against real images by all measures, beside real against real."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.metrics.features import extract_features
from tfgen.metrics.fidelity import (
    extrapolate_frechet_distance,
    frechet_distance,
    kernel_distance,
)
from tfgen.metrics.nearest import density_coverage, precision_recall

_NUM_RESAMPLES = 20


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare_samples` returns.

    A Frechet distance of other features than Inception's is no FID: name
    `feature_network` and `num_samples` beside the scores, which depend on both.

    Attributes:
        feature_network: Its name.
        num_samples: Integer, in each of the sets that are compared.
        scores: Of the generated images: `frechet_distance`, where there are samples
            enough `frechet_distance_error` (standard error, by the bootstrap) and
            `frechet_distance_infinity`, then `kernel_distance`,
            `kernel_distance_error`, `precision`, `recall`, `density`, `coverage`.
        floors: The same of real images, as many: what a perfect generator would get.
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

    The real images are divided at random. One half is what both the generated images
    and the other half are compared with, in equal numbers, so that a score and its
    floor have the same bias: give twice as many real images as generated ones.

    Args:
        real_images: `(num_real, ...)` in [0, 1], or an iterable of batches.
        generated_images: Likewise.
        feature_network: As of `extract_features`. A function of features instead of
            images may return them as they are.
        seed: Integer, of the division.
        batch_size: As of `extract_features`.
    """
    rng = np.random.default_rng(seed)
    real = rng.permutation(extract_features(real_images, feature_network, batch_size))
    generated = extract_features(generated_images, feature_network, batch_size)
    count = min(len(real) // 2, len(generated))
    reference, others = real[:count], real[count : 2 * count]
    generated = rng.permutation(generated)[:count]
    return Comparison(
        _name(feature_network),
        count,
        scores=_score(reference, generated),
        floors=_score(reference, others),
    )


def _score(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    kernel = kernel_distance(real, generated)
    found = {"frechet_distance": frechet_distance(real, generated)}
    if len(real) >= 2 * (real.shape[1] + 1):
        found["frechet_distance_error"] = _bootstrap_error(real, generated)
        infinite = extrapolate_frechet_distance(real, generated)
        found["frechet_distance_infinity"] = infinite
    return {
        **found,
        "kernel_distance": kernel.value,
        "kernel_distance_error": kernel.standard_error,
        **precision_recall(real, generated)._asdict(),
        **density_coverage(real, generated)._asdict(),
    }


def _bootstrap_error(real: np.ndarray, generated: np.ndarray) -> float:
    """Returns the deviation of the Frechet distance over resampled sets."""
    rng = np.random.default_rng(0)

    def resample(samples: np.ndarray) -> np.ndarray:
        return samples[rng.integers(len(samples), size=len(samples))]

    distances = [
        frechet_distance(resample(real), resample(generated))
        for _ in range(_NUM_RESAMPLES)
    ]
    return float(np.std(distances, ddof=1))


def _name(network: Callable[[Any], Any]) -> str:
    """Returns a Keras model's name, a function's, or that of the class."""
    name = getattr(network, "name", None) or getattr(network, "__name__", None)
    return name or type(network).__name__
