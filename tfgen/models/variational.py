"""What models with a posterior share: checks of their parts, and draws of latents.

Apart from what other models need, for TensorFlow Probability takes 0.1 GB.
"""

from typing import Any

import tensorflow as tf

from tfgen import distributions
from tfgen.models import checks, draws

Tensor = Any  # a tf.Tensor; NumPy arrays do too


def check(model: Any) -> None:
    """Raises a `ValueError` unless networks and parts of a VAE fit each other."""
    num_params = model.latent_posterior.num_params(model.latent_dim)
    checks.autoencoder(model, num_params, model.pixel_likelihood.params_per_channel)
    counts = ("num_importance_samples", "num_batches_of_samples")
    checks.at_least(1, **{name: getattr(model, name) for name in counts})
    parts = (model.latent_posterior, model.latent_prior, model.divergence)
    distributions.check_combination(*parts, model.num_importance_samples)


def draw(posterior: Any, num_samples: Any, seed: Tensor) -> Tensor:
    """Returns reparameterised samples `(num_samples, batch, latent_dim)`.

    Args:
        posterior: `tfd.Distribution` of `(batch, latent_dim)`.
        num_samples: Integer, or a scalar tensor.
        seed: Integer tensor or pair `(2,)`.
    """
    batch_size, latent_dim = posterior.batch_shape_tensor()[0], posterior.event_shape[0]
    shape = (num_samples, latent_dim)
    noise = draws.of_batch(draws.standard_normal, batch_size, shape, seed)
    return distributions.of_noise(posterior, tf.transpose(noise, (1, 0, 2)))


def infer(
    posterior: Any, prior: Any, num_samples: Any, seed: Tensor, training: bool
) -> distributions.Inferred:
    """Returns what a VAE's divergence is charged for, with draws of a step.

    Args:
        posterior, prior: `tfd.Distribution`s.
        num_samples: Integer, latents for each image.
        seed: Integer tensor or pair `(2,)`.
        training: Whether it is a step of training.
    """
    other_seed = draws.fold_in(seed, 1)

    def draw_prior() -> Tensor:
        shape = (distributions.noise_dim(prior),)
        batch_size = posterior.batch_shape_tensor()[0]
        noise = draws.of_batch(draws.standard_normal, batch_size, shape, other_seed)
        return distributions.of_noise(prior, noise)

    return distributions.Inferred(
        posterior,
        prior,
        draw(posterior, num_samples, seed),
        draw_prior=draw_prior,
        draw_noise=lambda shape: draws.standard_normal(shape, other_seed),
        training=training,
    )
