"""A model's endpoints on arrays, in one call."""

from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.inference.endpoints import Endpoints, as_endpoints


def sample(
    model: Any,
    num: int,
    seed: int = 0,
    labels: np.ndarray | None = None,
    truncation: float | None = None,
) -> np.ndarray:
    """Returns `num` images drawn from a model, `(num, height, width, channels)`.

    Image i is what the served `sample` makes of `seed * 2**32 + i`.

    Args:
        model: A model with the endpoint `sample`, or its `Endpoints`.
        num: Integer.
        seed: Integer in [0, 2**31).
        labels: Integers `(num,)` for a conditional model; by default the classes in
            turn.
        truncation: Float in [0, 1]: latents are moved towards their mean `m`, to `m +
            truncation (z - m)`. None for none.

    Raises:
        UserError: The model draws no images, a label is not one of its classes, or the
            truncation is out of range, or of a model of codes.
    """
    endpoints = as_endpoints(model)
    require_prior(endpoints)
    check_labels(endpoints, labels, num)
    check_truncation(endpoints, truncation)
    return endpoints.sample(num, seed, labels, truncation=truncation)


def require_prior(endpoints: Endpoints) -> None:
    """Raises a UserError unless the model draws images from its prior.

    A model that translates may have an endpoint `sample` too, which takes an image.
    """
    if "translate" in endpoints or "translate_ab" in endpoints:
        kind = type(endpoints.model).__name__
        raise UserError(f"{kind} has no prior to draw from: it translates images")
    why = "nothing says where its latents lie: tfgen fit-prior, or train a VAE"
    endpoints.require("sample", why=why)


def check_truncation(endpoints: Endpoints, truncation: float | None) -> None:
    """Raises a UserError unless latents can be moved so far towards their mean."""
    if truncation is None:
        return
    if not 0.0 <= truncation <= 1.0:
        raise UserError(f"truncation {truncation:g}: it must be from 0 to 1")
    if not endpoints.model.can_truncate:
        raise UserError(
            f"{type(endpoints.model).__name__} draws discrete codes, which have no "
            "mean to move towards: leave the truncation out"
        )


def check_labels(endpoints: Endpoints, labels: np.ndarray | None, num: int) -> None:
    """Raises a UserError unless `labels` are `num` classes that the model has."""
    if labels is None:
        return
    num_classes = getattr(endpoints.model, "num_classes", None)
    if num_classes is None:
        raise UserError("labels were given, and the model has no classes")
    labels = np.asarray(labels)
    if labels.shape != (num,):
        raise UserError(
            f"labels must have the shape ({num},): one an image. They have "
            f"{labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise UserError(
            f"the model has {num_classes} classes, 0 to {num_classes - 1}. Labels are "
            f"{labels.min()} to {labels.max()}"
        )


def reconstruct(
    model: Any, images: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Returns images `(n, height, width, channels)` in [0, 1], encoded and decoded.

    Args:
        model: A model with the endpoint `reconstruct`, or its `Endpoints`.
        images: `(n, height, width, channels)` in [0, 1].
        labels: Integers `(n,)`, for a conditional model.
    """
    endpoints = as_endpoints(model)
    endpoints.require("reconstruct", why="it does not encode images")
    return endpoints.run("reconstruct", images, labels)["images"]


def encode(
    model: Any, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Returns what the endpoint `encode` does, each `(n, latent_dim)`.

    Returns:
        `mean` and `stddev` of a VAE's posterior, or `latents` of an autoencoder.
    """
    endpoints = as_endpoints(model)
    endpoints.require("encode", why="it does not encode images")
    return endpoints.run("encode", images, labels)


def decode(
    model: Any, latents: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Returns the images of latents `(n, latent_dim)`, in [0, 1].

    Args:
        model: A model with the endpoint `decode`, or `generate` (a GAN), or its
            `Endpoints`.
        latents: `(n, latent_dim)`.
        labels: Integers `(n,)`, for a conditional model.
    """
    endpoints = as_endpoints(model)
    name = "generate" if "generate" in endpoints else "decode"
    endpoints.require(name, why="it has no latents")
    return endpoints.run(name, latents, labels)["images"]
