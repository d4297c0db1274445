"""Where the images of a run lie in latent space: what several commands share."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tfgen.data import Factors, class_names
from tfgen.inference import Endpoints
from tfgen.metrics import factors_followed
from tfgen.training.run import Config, load_in_order

# From batches, and what is done with them, to the same batches, shown.
Track = Callable[[Iterable[Any], str], Iterable[Any]]


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


def encode_test_images(
    endpoints: Endpoints, run: str, num: int | None = None
) -> Encoding:
    """Encodes the first `num` test images of a run, or all."""
    return encode_images(endpoints, Config.read(run), "test", num)


def encode_images(
    endpoints: Endpoints,
    config: Config,
    split: str,
    num: int | None = None,
    track: Track = lambda batches, _: batches,
) -> Encoding:
    """Encodes the first `num` images of a split of a run's data, or all, in batches.

    Args:
        endpoints: Of the run's model.
        config: Of the run.
        split: Of its data.
        num: How many at most.
        track: As of `Subject`.

    Raises:
        UserError: The model does not encode images; or it wants labels, and the data
            has none.
    """
    endpoints.require("encode", "decode", why="it has no latents to move along")
    is_conditional = endpoints.labels(1) is not None
    has_classes = is_conditional or bool(class_names(config.data, config.data_dir))
    batches = load_in_order(config, split, num, labels=has_classes)
    parts, classes = [], []
    for batch in track(batches, f"encoding {split} images"):
        images, found = map(np.asarray, batch) if has_classes else (batch.numpy(), None)
        labels = found if is_conditional else None
        parts.append(endpoints.run("encode", images, labels))
        classes.append(found)
    outputs = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    latents = outputs["mean"] if "mean" in outputs else outputs["latents"]
    known = None if classes[0] is None else np.concatenate(classes)
    if hasattr(endpoints.model, "prior"):  # it says where latents lie
        kl = _kl_per_dim(outputs, endpoints.model.prior)
        matter = (kl, "nats", np.zeros_like(kl), np.ones_like(kl))
    else:
        stddev = latents.std(axis=0)
        matter = (stddev, "standard deviation", latents.mean(axis=0), stddev)
    labels = known if is_conditional else None
    return Encoding(latents, outputs.get("stddev"), known, labels, *matter)


def _kl_per_dim(outputs: dict[str, np.ndarray], prior: Any) -> np.ndarray:
    import tensorflow_probability as tfp

    posterior = tfp.distributions.Normal(outputs["mean"], outputs["stddev"])
    kl = tfp.distributions.kl_divergence(posterior, prior.distribution)
    return np.asarray(kl).mean(axis=0, dtype="float64")


def name_factors(latents: np.ndarray, factors: Factors) -> list[str]:
    """Returns for each latent variable ", follows <factor> (<share known of it>)".

    It follows none if the share is not clearly above that of other images' factors.

    Args:
        latents: `(n, latent_dim)`.
        factors: Of the same images.
    """
    kept = np.flatnonzero(np.ptp(factors.values, axis=0))  # of few images one may rest
    if not len(kept):
        return [", follows no factor"] * latents.shape[1]
    # Two variables and two factors are the least: the first of each comes once more.
    codes = np.hstack([latents, latents[:, :1]])
    values = factors.values[:, [*kept, kept[0]]]
    best, shares = factors_followed(codes, values)
    _, by_chance = factors_followed(codes, np.random.default_rng(0).permutation(values))
    return [
        f", follows {factors.names[kept[column]]} ({share:.2f})"
        if share > 2.0 * chance
        else ", follows no factor"
        for column, share, chance in zip(best, shares, by_chance, strict=True)
    ][:-1]
