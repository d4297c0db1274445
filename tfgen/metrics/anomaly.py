"""How unusual an image is to a model: one score an image, higher is more unusual.

    negative ELBO       -ELBO(x), above -log p(x)
    likelihood ratio    log p_0(x) - log p(x)
    with complexity     -L(x) - log p(x),      L(x): nats of x as a compressed file

A likelihood alone prefers what is simple: models of photographs give plain images, that
they never saw, a higher one than photographs. The ratio asks how much better the model
knows an image than what knows its simple statistics only: a background model p_0, such
as one trained on images with random pixels replaced, or a general compressor.

References:
- [Nalisnick et al., 2019](https://arxiv.org/abs/1810.09136): the failure.
- [Ren et al., 2019](https://arxiv.org/abs/1906.02845): ratio to a background model.
- [Serra et al., 2020](https://arxiv.org/abs/1909.11480): ratio to a compressor.
"""

import io
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfgen.errors import import_sklearn
from tfgen.metrics.likelihood import elbo


class Roc(NamedTuple):
    """What `anomaly_roc` returns.

    Attributes:
        auc: Area under the curve: the chance that an anomaly has a higher score than a
            usual image (half where equal). 1 is best, 0.5 is a guess.
        false_positive_rate: Share of usual images at or above a threshold,
            `(num_thresholds,)`, rising from 0 to 1.
        true_positive_rate: Share of anomalies there, likewise.
    """

    auc: float
    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray


def negative_elbo(log_weights: npt.ArrayLike) -> np.ndarray:
    """Returns -ELBO of each image, in nats: float64 `(num_images,)`.

    Args:
        log_weights: As of `elbo`.
    """
    return -elbo(log_weights)


def likelihood_ratio(
    log_likelihood: npt.ArrayLike, background_log_likelihood: npt.ArrayLike
) -> np.ndarray:
    """Returns how much likelier images are to the background: `(num_images,)`, nats.

    Args:
        log_likelihood: Of images under the model, or a bound, nats `(num_images,)`.
        background_log_likelihood: Likewise under the background model; or
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

    It stands for minus the log-probability of an image of 8 bits. The log of a density
    on [0, 1] is larger by log 256 a number, for all images of one size alike: that
    changes no ROC.

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


def _count_bytes(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=9)
    return file.getbuffer().nbytes
