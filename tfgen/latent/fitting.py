"""A prior for a model that is trained: the density of the latents of its images.

Reference: [Ghosh et al., 2020](https://arxiv.org/abs/1903.12436), sec. 4: ex-post
density estimation, of autoencoders too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.errors import UserError, import_sklearn
from tfgen.files import replaced
from tfgen.latent.encoding import encode_images
from tfgen.progress import Progress, no_progress

KINDS = ("gaussian_mixture", "flow")
_BATCH_SIZE = 256


def fit_prior(
    run: Any,
    kind: str = "gaussian_mixture",
    *,
    num_components: int = 10,
    num_steps: int = 2000,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Any:
    """Fits a prior to the latents of a run's training images, and saves the model.

    `run.model` then draws images by it, an autoencoder too, and so do `tfgen sample`
    and its exports. A model that is conditional gets a prior for each class. Training
    that goes on starts from the checkpoints, which do not have this prior.

    Args:
        run: A `tfgen.Run` of an autoencoder or a VAE.
        kind: `"gaussian_mixture"`, by expectation-maximisation, or `"flow"`, coupling
            layers that are trained.
        num_components: Integer, of the mixture.
        num_steps: Integer, of the flow's training.
        seed: Integer.
        progress: Function `(iterable, description) -> iterable`.

    Returns:
        The model with its prior.

    Raises:
        UserError: The model has no latents, the run has no folder, or there is no such
            kind of prior.
    """
    if kind not in KINDS:
        raise UserError(f"`kind` must be one of {', '.join(KINDS)}. Received: {kind!r}")
    if not hasattr(run.model, "with_prior"):
        raise UserError(
            f"{type(run.model).__name__} has no latents that a prior could be of"
        )
    if not run.path.is_dir():
        raise UserError(
            f"{run.path} is no run directory, where a prior could be saved: train one"
        )
    encoding = encode_images(run.endpoints, run, "train", progress=progress)
    latents, rng = encoding.latents, np.random.default_rng(seed)
    if encoding.stddev is not None:  # the prior is of posteriors, not of their means
        latents = latents + encoding.stddev * rng.standard_normal(latents.shape)
    fit = _fit_mixture if kind == "gaussian_mixture" else _fit_flow
    size = num_components if kind == "gaussian_mixture" else num_steps
    model = fit(run.model, latents.astype("float32"), encoding.labels, size, seed)
    with replaced(run.path / "model.keras") as temporary:
        model.save(temporary)
    vars(run)["model"] = model
    vars(run).pop("endpoints", None)
    return model


def _fit_mixture(
    model: Any,
    latents: np.ndarray,
    labels: np.ndarray | None,
    num_components: int,
    seed: int,
) -> Any:
    """Returns the model with mixtures, one a class, of normals with covariances."""
    from tfgen.distributions import GaussianMixture, raw_triangles

    mixture = import_sklearn("mixture")
    num_classes = 1 if labels is None else model.num_classes
    weights: tuple[list[Any], ...] = ([], [], [])
    for label in range(num_classes):
        rows = latents if labels is None else latents[labels == label]
        if len(rows) < num_components:
            raise UserError(
                f"{len(rows)} images of class {label} are too few for a mixture of "
                f"{num_components}"
            )
        fitted = mixture.GaussianMixture(
            num_components, reg_covar=1e-5, random_state=seed
        ).fit(rows)
        values = (
            fitted.means_,
            raw_triangles(np.linalg.cholesky(fitted.covariances_)),
            np.log(np.maximum(fitted.weights_, 1e-12)),
        )
        for column, value in zip(weights, values, strict=True):
            column.append(value)
    model = model.with_prior(GaussianMixture(num_components, full_covariance=True))
    prior = model.latent_prior
    for weight, value in zip(
        (prior.loc, prior.raw_scale, prior.logits), weights, strict=True
    ):
        weight.assign(np.stack(value).astype("float32"))
    return model


def _fit_flow(
    model: Any,
    latents: np.ndarray,
    labels: np.ndarray | None,
    num_steps: int,
    seed: int,
) -> Any:
    """Returns the model with a flow, which sees the class if there are any."""
    import keras

    from tfgen.distributions import RealNVP

    keras.utils.set_random_seed(seed)
    model = model.with_prior(RealNVP())
    prior, rng = model.latent_prior, np.random.default_rng(seed)
    prior.centre_on(latents)
    step = _make_step(prior, num_steps)
    for _ in range(num_steps):
        rows = rng.integers(len(latents), size=_BATCH_SIZE)
        step(latents[rows], None if labels is None else labels[rows].astype("int32"))
    return model


def _make_step(prior: Any, num_steps: int) -> Callable[[Any, Any], None]:
    import keras
    import tensorflow as tf

    rate = keras.optimizers.schedules.CosineDecay(1e-3, num_steps)
    optimizer = keras.optimizers.Adam(rate)
    weights = [weight for weight in prior.weights if weight.dtype == "float32"]
    optimizer.build(weights)

    @tf.function
    def step(latents: Any, labels: Any) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            loss = -tf.reduce_mean(prior.distribution(labels).log_prob(latents))
        optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)

    return step
