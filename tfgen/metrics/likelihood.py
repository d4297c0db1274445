"""How likely images are under a model, in nats per image, and how unusual that is.

Estimates start from log importance weights of latents drawn from the posterior:

    log w_i = log p(x | z_i) + log p(z_i) - log q(z_i | x),      z_i ~ q(z | x)

    ELBO(x)  = E[ log w ]                       estimated by  1/k sum_i log w_i
    log p(x) >= E[ log( 1/k sum_i w_i ) ]       rises to log p(x) with k

Anomaly scores are higher for more unusual images:

    negative ELBO       -ELBO(x), above -log p(x)
    likelihood ratio    log p_0(x) - log p(x)
    with complexity     -L(x) - log p(x),      L(x): nats of x as a compressed file

A likelihood alone prefers what is simple: models of photographs give plain images, that
they never saw, a higher one than photographs. The ratio asks how much better the model
knows an image than a background model p_0 of its simple statistics does, such as one
trained on images with random pixels replaced, or a general compressor.

References:
- [Burda et al., 2016](https://arxiv.org/abs/1509.00519), theorem 1: the bound with k
  samples. They report log p(x) with k = 5000.
- [Theis et al., 2016](https://arxiv.org/abs/1511.01844), sec. 3.1: a density and the
  probability of 8-bit images.
- [Nalisnick et al., 2019](https://arxiv.org/abs/1810.09136): simple images are likely.
- [Ren et al., 2019](https://arxiv.org/abs/1906.02845): ratio to a background model.
- [Serra et al., 2020](https://arxiv.org/abs/1909.11480): ratio to a compressor.
"""

import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfgen.errors import import_sklearn


@dataclasses.dataclass(frozen=True)
class LikelihoodEstimate:
    """Estimates for each image, in nats: both arrays are float64 `(num_images,)`.

    Attributes:
        elbo: Monte Carlo ELBO.
        log_likelihood: Importance-weighted bound on log p(x), never below `elbo`.
    """

    elbo: np.ndarray
    log_likelihood: np.ndarray


class Roc(NamedTuple):
    """What `anomaly_roc` returns.

    Attributes:
        auc: Area under the curve: the probability that an anomaly has a higher score
            than a usual image (ties count half). 1 is best, 0.5 is a guess.
        false_positive_rate: Share of usual images at or above a threshold,
            `(num_thresholds,)`, rising from 0 to 1.
        true_positive_rate: Share of anomalies there, likewise.
    """

    auc: float
    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray


def importance_weighted_log_likelihood(log_weights: npt.ArrayLike) -> np.ndarray:
    """Returns `log(1/k sum_i w_i)`, the bound on log p(x): `(batch,)`, nats.

    Args:
        log_weights: `(num_samples, batch)`, nats.
    """
    log_weights = _checked(log_weights)
    return np.logaddexp.reduce(log_weights, axis=0) - math.log(len(log_weights))


def elbo(log_weights: npt.ArrayLike) -> np.ndarray:
    """Returns the Monte Carlo ELBO, the mean over samples: `(batch,)`, nats.

    Args:
        log_weights: `(num_samples, batch)`, nats.
    """
    return _checked(log_weights).mean(axis=0)


def estimate_log_likelihood(
    log_weights_fn: Callable[..., Any],
    images: npt.ArrayLike | Iterable[Any],
    num_samples: int = 5000,
    batch_size: int = 100,
    chunk_size: int = 100,
    seed: int = 0,
    labels: npt.ArrayLike | None = None,
) -> LikelihoodEstimate:
    """Estimates ELBO and log p(x) of every image, in bounded memory.

    No more than `batch_size * chunk_size` latents are decoded at once, and only running
    sums are kept. The same arguments give the same figures; another `batch_size` or
    `chunk_size` draws other noise, and so moves them within their Monte Carlo error.

    Args:
        log_weights_fn: `VAE.log_weights`, or a `tf.function` of it: takes images
            `(batch, ...)`, a number of samples, a seed int32 `(2,)` and, if `labels`
            are given, those of the batch; returns `(num_samples, batch)`, nats.
        images: `(num_images, ...)`, or an iterable of batches of images or of
            `(images, labels)`, such as a `tf.data.Dataset`: then not all are in memory.
        num_samples: Integer k, latents for each image.
        batch_size: Integer, images of an array at a time.
        chunk_size: Integer, latents for each image at a time.
        seed: Integer of 31 bits.
        labels: `(num_images,)` if the model is conditional and `images` an array.
    """
    if min(num_samples, batch_size, chunk_size) < 1:
        raise ValueError(
            "`num_samples`, `batch_size` and `chunk_size` must be at least 1. "
            f"Received: {num_samples}, {batch_size}, {chunk_size}"
        )
    chunks = range(0, num_samples, chunk_size)
    counts = [min(chunk_size, num_samples - start) for start in chunks]
    sums = [
        _sum_chunks(log_weights_fn, batch, counts, [seed, index])
        for index, batch in enumerate(_batches(images, labels, batch_size))
    ]
    if not sums:
        raise ValueError("There are no images to estimate the likelihood of.")
    log_weight_sums, log_sums = map(np.concatenate, zip(*sums, strict=True))
    log_likelihood = log_sums - math.log(num_samples)
    return LikelihoodEstimate(log_weight_sums / num_samples, log_likelihood)


def bits_per_dim(
    log_likelihood: npt.ArrayLike, num_dims: int, num_levels: int | None = None
) -> np.ndarray:
    """Returns `-log_likelihood` in bits per number of an image: lower is better.

    A density on [0, 1] is not a probability: it grows with the unit of a pixel, and its
    bits can be negative. A level of an image of `num_levels` levels is a bin of width
    `1 / num_levels`, of which the density, taken as constant over it, gives
    `log2(num_levels)` more bits. That makes figures comparable with those of models of
    8-bit images.

    Args:
        log_likelihood: Nats per image, any shape. A bound below log p(x) gives a bound
            above the bits.
        num_dims: Integer, height * width * channels.
        num_levels: Integer, such as 256, for a density of pixels in [0, 1]; `None` if
            the likelihood is a probability already (Bernoulli).
    """
    bits = -np.asarray(log_likelihood, np.float64) / (num_dims * math.log(2.0))
    return bits if num_levels is None else bits + math.log2(num_levels)


def likelihood_ratio(
    log_likelihood: npt.ArrayLike, background_log_likelihood: npt.ArrayLike
) -> np.ndarray:
    """Returns how much likelier the background model finds images: `(num_images,)`.

    Args:
        log_likelihood: Of images under the model, or a bound, nats `(num_images,)`.
        background_log_likelihood: The same under the background model, or
            `-complexity(images)`.
    """
    model = np.asarray(log_likelihood, np.float64)
    background = np.asarray(background_log_likelihood, np.float64)
    if model.ndim != 1 or model.shape != background.shape:
        raise ValueError(
            "Both likelihoods must be (num_images,). Received: "
            f"{model.shape} and {background.shape}"
        )
    return background - model


def complexity(images: npt.ArrayLike) -> np.ndarray:
    """Returns the length of each image as a PNG file, in nats: `(num_images,)`.

    It stands for minus the log-probability of an 8-bit image. The log of a density on
    [0, 1] is larger by log 256 per number, which is the same for all images of one size
    and so does not change a ROC.

    Args:
        images: `(num_images, height, width, channels)` float in [0, 1], of 1, 3 or 4
            channels.
    """
    images = np.asarray(images)
    floats = np.issubdtype(images.dtype, np.floating)
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or not floats:
        raise ValueError(
            "Images must be floats (num_images, height, width, 1, 3 or 4). Received: "
            f"{images.dtype} {images.shape}"
        )
    levels = np.round(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8)
    if images.shape[-1] == 1:
        levels = levels[..., 0]
    num_bytes = np.array([_count_bytes(image) for image in levels], np.float64)
    return 8.0 * math.log(2.0) * num_bytes


def anomaly_roc(scores: npt.ArrayLike, is_anomaly: npt.ArrayLike) -> Roc:
    """Measures how well scores tell anomalies from usual images.

    Args:
        scores: `(num_images,)`, higher for anomalies.
        is_anomaly: Booleans `(num_images,)`, of which some are true, some not.
    """
    scores, is_anomaly = np.asarray(scores, np.float64), np.asarray(is_anomaly)
    if scores.ndim != 1 or scores.shape != is_anomaly.shape:
        raise ValueError(
            "`scores` and `is_anomaly` must both be (num_images,). Received: "
            f"{scores.shape} and {is_anomaly.shape}"
        )
    if is_anomaly.dtype != bool or is_anomaly.all() or not is_anomaly.any():
        raise ValueError("`is_anomaly` must be boolean, true of some, not of all.")
    metrics = import_sklearn("metrics")
    false_positives, true_positives, _ = metrics.roc_curve(is_anomaly, scores)
    auc = float(metrics.auc(false_positives, true_positives))
    return Roc(auc, false_positives, true_positives)


def _batches(
    images: Any, labels: npt.ArrayLike | None, batch_size: int
) -> Iterator[list[np.ndarray]]:
    """Yields `[images]` or `[images, labels]` of a batch."""
    if not hasattr(images, "shape") and not isinstance(images, list):
        if labels is not None:
            raise ValueError("Batches must hold their labels: `labels` is for arrays.")
        for batch in images:
            arrays = batch if isinstance(batch, tuple | list) else (batch,)
            yield [np.asarray(array) for array in arrays]
        return
    images = np.asarray(images)
    data = [images] if labels is None else [images, np.asarray(labels)]
    if len(data[-1]) != len(images):
        raise ValueError(f"Received {len(images)} images and {len(data[-1])} labels.")
    for start in range(0, len(images), batch_size):
        yield [array[start : start + batch_size] for array in data]


def _sum_chunks(
    log_weights_fn: Callable[..., Any],
    batch: list[np.ndarray],
    counts: list[int],
    seed: list[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns sums over all samples of log w, and log of the sum of w: `(batch,)`."""
    images, *labels = batch
    log_weight_sum, log_sum = np.zeros(len(images)), np.full(len(images), -np.inf)
    for chunk, count in enumerate(counts):
        # A seed of its own for every call, or chunks would repeat each other's noise.
        pair = np.array([seed[0], seed[1] * len(counts) + chunk], np.int32)
        log_weights = _checked(log_weights_fn(images, count, pair, *labels))
        log_weight_sum = log_weight_sum + log_weights.sum(axis=0)
        log_sum = np.logaddexp(log_sum, np.logaddexp.reduce(log_weights, axis=0))
    return log_weight_sum, log_sum


def _checked(log_weights: npt.ArrayLike) -> np.ndarray:
    """Returns float64 `(num_samples, batch)`: sums of thousands need its digits."""
    array = np.asarray(log_weights, np.float64)
    if array.ndim != 2 or not len(array):
        raise ValueError(
            f"Log weights must be (num_samples, batch). Received: {array.shape}"
        )
    return array


def _count_bytes(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=9)
    return file.getbuffer().nbytes
