"""Where test images lie in latent space: what traverse and interpolate share."""

import dataclasses
from typing import Any

import numpy as np

from tfgen.cli.panels import Endpoints
from tfgen.cli.run import load_test_images


@dataclasses.dataclass
class Encoding:
    """Test images, their latents, and how much each latent variable matters.

    Args:
        images: `(n, height, width, channels)`.
        labels: Integers `(n,)`, or `None`.
        latents: `(n, latent_dim)`: the means of the posterior if there is one.
        importance: `(latent_dim,)`: KL to the prior in nats, or standard deviation.
        unit: What `importance` is, in words.
        centre: `(latent_dim,)` and `spread` `(latent_dim,)`: of the latents.
    """

    images: np.ndarray
    labels: np.ndarray | None
    latents: np.ndarray
    importance: np.ndarray
    unit: str
    centre: np.ndarray
    spread: np.ndarray


def encode_test_images(endpoints: Endpoints, run: str, num: int) -> Encoding:
    """Encodes `num` test images of a run."""
    endpoints.require("encode", "decode", why="it has no latents to move along")
    labelled = endpoints.labels(1) is not None
    test = load_test_images(run, num, labelled)
    images, labels = test if labelled else (test, None)
    outputs = endpoints.run("encode", images, labels)
    latents = outputs["mean"] if "mean" in outputs else outputs["latents"]
    return Encoding(
        images, labels, latents, *_importance(endpoints.model, images, labels, latents)
    )


def _importance(model: Any, images: Any, labels: Any, latents: np.ndarray) -> tuple:
    if hasattr(model, "kl_per_dim"):  # a prior says where latents lie
        kl = np.asarray(model.kl_per_dim(images, labels))
        return kl, "nats", np.zeros_like(kl), np.ones_like(kl)
    stddev = latents.std(axis=0)
    return stddev, "standard deviation", latents.mean(axis=0), stddev
