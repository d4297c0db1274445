"""Divergences that compare a batch of latents as a whole with the prior.

References:
- [Chen et al., 2018](https://arxiv.org/abs/1802.04942), eq. 4 and app. C: `beta_tc`.
- [Kumar et al., 2018](https://arxiv.org/abs/1711.00848), eqs. 6 and 7: `dip`.
- [Tolstikhin et al., 2018](https://arxiv.org/abs/1711.01558), alg. 2, and
  [Zhao et al., 2019](https://arxiv.org/abs/1706.02262), eq. 6: `mmd`.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen import replicas
from tfgen.distributions.divergences import Divergence, Inferred

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")


@_registered
class BetaTC(Divergence):
    """The KL whose total correlation alone is weighted.

    Args:
        dataset_size: Integer, images in the training data: then stratified sampling
            (app. C.2) estimates `q(z)`; `None` takes the batch for the data, which
            moves the loss, but in large batches hardly its gradient.
    """

    needs_factorized = ("posterior",)

    def __init__(self, dataset_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_size = dataset_size

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        normal = inferred.posterior.distribution
        loc, scale = map(replicas.gather_rows, (normal.loc, normal.scale))
        latents = inferred.batch_latents()
        total = total_correlation(latents, loc, scale, self.dataset_size)
        return inferred.kl() + (weight - 1.0) * total

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dataset_size": self.dataset_size}


def total_correlation(
    latents: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor, dataset_size: int | None
) -> tf.Tensor:
    """Returns an estimate of KL( q(z) || prod_j q(z_j) ), `()`, nats.

    Args:
        latents: `(batch, latent_dim)`, a draw of each posterior.
        loc, scale: Of the posteriors, `(batch, latent_dim)`.
        dataset_size: As in `BetaTC`.
    """
    log_probs = tfd.Normal(loc, scale).log_prob(latents[:, tf.newaxis])
    log_shares = _log_shares(tf.shape(latents)[0], dataset_size)[..., tf.newaxis]
    log_joint = tf.reduce_logsumexp(
        log_shares[..., 0] + tf.reduce_sum(log_probs, axis=2), axis=1
    )
    log_marginals = tf.reduce_logsumexp(log_shares + log_probs, axis=1)
    return tf.reduce_mean(log_joint - tf.reduce_sum(log_marginals, axis=1))


def _log_shares(batch_size: tf.Tensor, dataset_size: int | None) -> tf.Tensor:
    """Returns of what share each posterior stands in for those of the data, logs.

    Row i is of latent i: its own posterior stands for itself alone, one other for what
    is missing of a whole, and the rest for an equal share each.
    """
    count = tf.cast(batch_size, tf.float32)
    if dataset_size is None:
        return tf.fill((batch_size, batch_size), -tf.math.log(count))
    size = tf.maximum(float(dataset_size), count)
    rest = tf.maximum(count - 1.0, 1.0)
    own = tf.eye(batch_size)
    next_one = tf.roll(own, 1, axis=1) * tf.cast(count > 1.0, tf.float32)
    shares = own / size + next_one * (size - rest) / (size * rest)
    shares += (1.0 - own - next_one) / rest
    return tf.math.log(tf.maximum(shares, 1e-30))


@_registered
class DIP(Divergence):
    """The KL, and how far the latents' covariance is from the identity's.

    Args:
        kind: 1 for the covariance of the posteriors' means, 2 for that of latents.
        off_diagonal, diagonal: Floats, weights of squared differences from 0 and 1.
    """

    needs_factorized = ("posterior",)

    def __init__(
        self,
        kind: int = 1,
        off_diagonal: float = 10.0,
        diagonal: float = 100.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in (1, 2):
            raise ValueError(f"`kind` must be 1 or 2. Received: {kind!r}")
        self.kind = kind
        self.off_diagonal, self.diagonal = off_diagonal, diagonal

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        normal = inferred.posterior.distribution
        covariance = tfp.stats.covariance(replicas.gather_rows(normal.loc))
        if self.kind == 2:
            variances = replicas.gather_rows(tf.square(normal.scale))
            covariance += tf.linalg.diag(tf.reduce_mean(variances, axis=0))
        on = tf.linalg.diag_part(covariance)
        off = tf.reduce_sum(tf.square(covariance)) - tf.reduce_sum(tf.square(on))
        penalty = self.off_diagonal * off
        penalty += self.diagonal * tf.reduce_sum(tf.square(on - 1.0))
        return weight * inferred.kl() + penalty

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"kind": self.kind, "off_diagonal": self.off_diagonal}
        return {**super().get_config(), **own, "diagonal": self.diagonal}


@_registered
class MMD(Divergence):
    """The maximum mean discrepancy of latents and draws of the prior, unbiased.

    With `kl_weight=0` it is the WAE's, else that of InfoVAE with `kl_weight` for its
    `1 - alpha` and `mmd_weight` for its `alpha + lambda - 1`.

    Args:
        kernel: `"rbf"`, exp(-|a - b|^2 / C), or `"imq"`, a sum of C s / (C s + |a -
            b|^2) over seven `s` from 0.1 to 10, with C = 2 latent_dim.
        kl_weight: Float.
        mmd_weight: Float; in nats, since the reconstruction loss is.
    """

    def __init__(
        self,
        kernel: str = "imq",
        kl_weight: float = 0.0,
        mmd_weight: float = 100.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kernel not in KERNELS:
            raise ValueError(
                f"`kernel` must be one of {tuple(KERNELS)}. Received: {kernel!r}"
            )
        self.kernel, self.mmd_weight = kernel, mmd_weight
        self.kl_weight = kl_weight
        self.trains_prior = kl_weight > 0.0

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        latents = inferred.batch_latents()
        drawn = replicas.gather_rows(inferred.draw_prior())
        total = self.mmd_weight * mmd(latents, drawn, self.kernel)
        if self.kl_weight:
            total += self.kl_weight * inferred.kl()
        return weight * total

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"kernel": self.kernel, "kl_weight": self.kl_weight}
        return {**super().get_config(), **own, "mmd_weight": self.mmd_weight}


def mmd(one: tf.Tensor, other: tf.Tensor, kernel: str) -> tf.Tensor:
    """Returns an unbiased estimate of the squared MMD of two samples, `()`.

    Args:
        one, other: `(batch, latent_dim)`.
        kernel: As in `MMD`.
    """
    k, scale = KERNELS[kernel], 2.0 * one.shape[-1]
    count = tf.cast(tf.shape(one)[0], tf.float32)
    pairs = count * tf.maximum(count - 1.0, 1.0)

    def within(values: tf.Tensor) -> tf.Tensor:
        similar = k(_squared_distances(values, values), scale)
        return (tf.reduce_sum(similar) - tf.linalg.trace(similar)) / pairs

    between = tf.reduce_mean(k(_squared_distances(one, other), scale))
    return within(one) + within(other) - 2.0 * between


def _rbf(squares: tf.Tensor, scale: float) -> tf.Tensor:
    return tf.exp(-squares / scale)


def _imq(squares: tf.Tensor, scale: float) -> tf.Tensor:
    scales = [scale * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
    return tf.add_n([c / (c + squares) for c in scales])


KERNELS: dict[str, Callable[[tf.Tensor, float], tf.Tensor]] = {
    "rbf": _rbf,
    "imq": _imq,
}


def _squared_distances(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    differences = one[:, tf.newaxis] - other
    return tf.reduce_sum(tf.square(differences), axis=-1)
