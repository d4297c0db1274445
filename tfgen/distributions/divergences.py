"""Divergences: what a posterior is charged, in nats, for being another than the prior.

A VAE adds a divergence to its reconstruction loss. With `w` the model's `beta` (or what
`BetaWarmup` makes of it), `q(z)` the mean of the posteriors of a batch, and `z_j` a
latent variable:

    kl           w KL( q(z|x) || p(z) )
    free_bits    w sum_j max(nats, E[ KL_j ])
    capacity     w | KL - C |,   C rises from 0 to `nats` in `num_steps` steps
    beta_tc      KL + (w - 1) TC,   TC = KL( q(z) || prod_j q(z_j) ), by batches
    dip          w KL + off sum_{i != j} V_ij^2 + on sum_i (V_ii - 1)^2
                 I: V = Cov[ E[z|x] ]        II: V = Cov[z]
    mmd          w ( kl_weight KL + mmd_weight MMD^2( q(z), p(z) ) )
    factor       KL + w TC,   TC by a network that tells q(z) from prod_j q(z_j)
    adversarial  -w E[ log D(z) ],   D a network that tells p(z) from q(z)

Batches are those of all replicas together.

References:
- [Kingma et al., 2016](https://arxiv.org/abs/1606.04934), eq. 15: `free_bits`.
- [Burgess et al., 2018](https://arxiv.org/abs/1804.03599), eq. 8: `capacity`.
The other papers: batch_divergences.py and adversaries.py.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen import replicas
from tfgen.distributions.part import Part
from tfgen.distributions.reparameterization import moments

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")


class Inferred(NamedTuple):
    """What a divergence sees of a step.

    Attributes:
        posterior: `q(z | x)` of this replica's images.
        prior: `p(z)`, or `p(z | y)`.
        latents: Draws of the posterior `(num_samples, batch, latent_dim)`.
        draw_prior: Function that returns draws of the prior `(batch, latent_dim)`.
        draw_noise: Function of a shape that returns standard normal draws, the same
            on all replicas.
        training: Whether it is a step of training.
    """

    posterior: Any
    prior: Any
    latents: tf.Tensor
    draw_prior: Callable[[], tf.Tensor]
    draw_noise: Callable[[Any], tf.Tensor]
    training: bool

    def kl(self) -> tf.Tensor:
        """Returns the mean KL over the images, `()`."""
        return tf.reduce_mean(kl_divergence(self.posterior, self.prior, self.latents))

    def log_ratio(self) -> tf.Tensor:
        """Returns `log p(z) - log q(z | x)` of the latents, `(num_samples, batch)`."""
        return self.prior.log_prob(self.latents) - self.posterior.log_prob(self.latents)

    def batch_latents(self) -> tf.Tensor:
        """Returns one latent of every image of the batch, over all replicas."""
        return replicas.gather_rows(self.latents[0])


def kl_divergence(
    posterior: tfd.Distribution, prior: tfd.Distribution, latents: tf.Tensor
) -> tf.Tensor:
    """Returns KL(posterior || prior) of each image, `(batch,)`, nats.

    In closed form where TensorFlow Probability has one; else the mean over draws of the
    posterior, `(num_samples, batch, latent_dim)`.
    """
    is_full = isinstance(posterior, tfd.MultivariateNormalTriL)
    if is_full and isinstance(prior, tfd.Independent):
        prior = tfd.MultivariateNormalDiag(prior.mean(), prior.stddev())
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        log_ratio = posterior.log_prob(latents) - prior.log_prob(latents)
        return tf.reduce_mean(log_ratio, axis=0)


def kl_per_dim(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor:
    """Returns the KL of each latent variable `(batch, latent_dim)`, nats.

    Where posterior or prior are no independent normals, it is that of normals with
    their means and standard deviations.
    """
    one, other = tfd.Normal(*moments(posterior)), tfd.Normal(*moments(prior))
    return tfd.kl_divergence(one, other)


class Divergence(Part):
    """What a posterior is charged.

    `needs_factorized` names the parts that must be independent normals, `has_bound`
    says that it goes with importance samples, and `trains_prior` that its gradient
    reaches all weights of a prior.
    """

    needs_factorized: tuple[str, ...] = ()
    has_bound = False
    trains_prior = True

    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the reconstruction loss, `()`, nats.

        Args:
            inferred: Of a step.
            weight: float32 `()`, the model's `beta` at this step.
        """
        raise NotImplementedError


@_registered
class KL(Divergence):
    """The KL divergence: with weight 1, the loss is `-ELBO`."""

    has_bound = True

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        return weight * inferred.kl()


@_registered
class FreeBits(Divergence):
    """The KL, of which each latent variable has some nats for nothing.

    Args:
        nats: Float, below which a variable's mean KL over the batch is not charged.
    """

    needs_factorized = ("posterior", "prior")

    def __init__(self, nats: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nats = _at_least_0("nats", nats)

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        kl = kl_per_dim(inferred.posterior, inferred.prior)
        kl = _batch_mean(kl)
        return weight * tf.reduce_sum(tf.maximum(kl, self.nats))

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nats": self.nats}


@_registered
class Capacity(Divergence):
    """The distance of the KL from a capacity that rises in training.

    Args:
        nats: Float, the capacity in the end.
        num_steps: Integer, steps until then.
    """

    def __init__(
        self, nats: float = 25.0, num_steps: int = 10_000, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.nats = _at_least_0("nats", nats)
        self.num_steps = num_steps
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        progress = tf.cast(self.step.value, tf.float32) / self.num_steps
        capacity = self.nats * tf.minimum(progress, 1.0)
        if inferred.training:
            self.step.assign_add(1)
        kl = kl_divergence(inferred.posterior, inferred.prior, inferred.latents)
        return weight * tf.abs(_batch_mean(kl) - capacity)

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"nats": self.nats, "num_steps": self.num_steps}
        return {**super().get_config(), **own}


def _batch_mean(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean over the rows of all replicas."""
    mean = tf.reduce_mean(values, axis=0)
    return replicas.global_sum(replicas.weigh(mean, tf.shape(values)[0]))


def _at_least_0(name: str, value: float) -> float:
    if not (value >= 0.0 and math.isfinite(value)):
        raise ValueError(f"`{name}` must be at least 0. Received: {value}")
    return value
