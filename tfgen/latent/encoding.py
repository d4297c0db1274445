"""Where the images of a run lie in latent space."""

import dataclasses
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.inference import Endpoints
from tfgen.progress import Progress, no_progress


@dataclasses.dataclass
class Encoding:
    """The latents of images, and how much each latent variable matters.

    Args:
        latents: `(n, latent_dim)`: the means of the posterior if there is one.
        stddev: Of the posterior, `(n, latent_dim)`, or `None`.
        classes: Integers `(n,)`, or `None` where the data has none.
        labels: `classes` if the model takes them, or `None`.
        importance: `(latent_dim,)`: KL to the prior in nats, or standard deviation.
        unit: What `importance` is, in words.
        centre: `(latent_dim,)` and `spread` `(latent_dim,)`: of the latents.
    """

    latents: np.ndarray
    stddev: np.ndarray | None
    classes: np.ndarray | None
    labels: np.ndarray | None
    importance: np.ndarray
    unit: str
    centre: np.ndarray
    spread: np.ndarray


def encode_images(
    endpoints: Endpoints,
    run: Any,
    split: str,
    num: int | None = None,
    progress: Progress = no_progress,
) -> Encoding:
    """Encodes the first `num` images of a split of a run's data, or all, in batches.

    Args:
        endpoints: Of the run's model.
        run: A `tfgen.Run`.
        split: `"train"` or `"test"`.
        num: Integer, images at most.
        progress: Function `(iterable, description) -> iterable`.

    Raises:
        UserError: The model does not encode images; or it wants labels, and the data
            have none.
    """
    require_latents(endpoints)
    is_conditional = endpoints.takes_labels
    has_classes = is_conditional or bool(run.class_names)
    batches = run.in_order(split, num, labels=has_classes)
    outputs, classes = [], []
    for batch in progress(batches, f"encoding {split} images"):
        images, labels = batch if has_classes else (batch, None)
        if labels is not None:
            classes.append(np.asarray(labels))
        conditions = classes[-1] if is_conditional else None
        outputs.append(locate(endpoints, np.asarray(images), conditions))
    if not outputs:
        raise UserError(f"the {split} split has no images")
    arrays = {name: np.concatenate([x[name] for x in outputs]) for name in outputs[0]}
    known_classes = np.concatenate(classes) if classes else None
    labels = known_classes if is_conditional else None
    return make_encoding(arrays, endpoints.model, known_classes, labels)


def require_latents(endpoints: Endpoints) -> None:
    """Raises a UserError unless images have latents that can be moved and decoded."""
    if "generate" not in endpoints:
        endpoints.require("encode", "decode", why="it has no latents to move along")


def locate(
    endpoints: Endpoints, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Returns what the endpoint `encode` returns; a GAN is inverted in its place."""
    if "encode" in endpoints:
        return endpoints.run("encode", images, labels)
    from tfgen.latent.inversion import invert

    return {"latents": invert(endpoints.model, images, labels).latents}


def make_encoding(
    outputs: dict[str, np.ndarray],
    model: Any,
    classes: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> Encoding:
    """Returns the `Encoding` of what the endpoint `encode` returned."""
    latents = outputs["mean"] if "mean" in outputs else outputs["latents"]
    stddev = outputs.get("stddev")
    if stddev is not None:  # the prior says where latents lie
        means, stddevs = _prior_moments(model, labels)
        importance = _kl_per_dim(latents, stddev, means, stddevs)
        centre, spread = means.mean(axis=0), stddevs.mean(axis=0)
        unit = "nats"
    elif hasattr(model, "generate"):  # a GAN's prior is standard normal
        importance, unit = latents.std(axis=0), "std. dev."
        centre, spread = np.zeros_like(importance), np.ones_like(importance)
    else:
        importance = spread = latents.std(axis=0)
        centre, unit = latents.mean(axis=0), "std. dev."
    return Encoding(latents, stddev, classes, labels, importance, unit, centre, spread)


def _prior_moments(model: Any, labels: np.ndarray | None) -> list[np.ndarray]:
    """Returns the prior's means and standard deviations, `(1 or n, latent_dim)`."""
    from tfgen.distributions import moments

    return [np.atleast_2d(np.asarray(x)) for x in moments(model.prior(labels))]


def _kl_per_dim(
    means: np.ndarray,
    stddevs: np.ndarray,
    prior_means: np.ndarray,
    prior_stddevs: np.ndarray,
) -> np.ndarray:
    import tensorflow_probability as tfp

    tfd = tfp.distributions
    prior = tfd.Normal(prior_means, prior_stddevs)
    kl = tfd.kl_divergence(tfd.Normal(means, stddevs), prior)
    return np.asarray(kl).mean(axis=0, dtype="float64")
