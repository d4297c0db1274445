"""Adversarial losses as (generator, discriminator) pairs, and gradient penalties.

Every function takes unsquashed logits `(batch, ...)` and returns a float32 scalar, a
mean over all of them, that is minimised. With `D` the discriminator's logits, `x` a
real and `g` a generated image, and `s` the sigmoid:

    minimax         D: -E[log s(D(x))] - E[log(1 - s(D(g)))]    G:  E[log(1 - s(D(g)))]
    non_saturating  D: as minimax                               G: -E[log s(D(g))]
    least_squares   D: (E[(D(x) - 1)^2] + E[D(g)^2]) / 2        G:  E[(D(g) - 1)^2] / 2
    hinge           D: E[max(0, 1 - D(x))] + E[max(0, 1 + D(g))]   G: -E[D(g)]
    wasserstein     D: E[D(g)] - E[D(x)]                        G: -E[D(g)]

References:
- [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), eq. 1 and sec. 3: minimax,
  non-saturating.
- [Mao et al., 2017](https://arxiv.org/abs/1611.04076), eq. 9: least squares.
- [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), eqs. 16 and 17: hinge.
- [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), alg. 1: Wasserstein.
- [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), eq. 3: `wgan_gp`.
- [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), eq. 9: `r1`.
- [Kodali et al., 2017](https://arxiv.org/abs/1705.07215), sec. 2.3: `dragan`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any  # a tf.Tensor; NumPy arrays do too


class AdversarialLoss(NamedTuple):
    """The generator's loss of fake logits, the discriminator's of real and fake.

    `boundary` is the logit from which on an image counts as real.
    """

    generator: Callable[[Tensor], Tensor]
    discriminator: Callable[[Tensor, Tensor], Tensor]
    boundary: float = 0.0


def _mean_softplus(logits: Tensor) -> Tensor:
    return tf.reduce_mean(tf.nn.softplus(logits))  # -log s(-logits), without overflow


def _cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)


def _least_squares(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    real = tf.reduce_mean(tf.square(real_logits - 1.0))
    return 0.5 * (real + tf.reduce_mean(tf.square(fake_logits)))


def _hinge(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    real = tf.reduce_mean(tf.nn.relu(1.0 - real_logits))
    return real + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def _wasserstein(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def _minus_mean(fake_logits: Tensor) -> Tensor:
    return -tf.reduce_mean(fake_logits)


ADVERSARIAL_LOSSES = {
    "minimax": AdversarialLoss(lambda fake: -_mean_softplus(fake), _cross_entropy),
    "non_saturating": AdversarialLoss(
        lambda fake: _mean_softplus(-fake), _cross_entropy
    ),
    "least_squares": AdversarialLoss(
        lambda fake: 0.5 * tf.reduce_mean(tf.square(fake - 1.0)), _least_squares, 0.5
    ),
    "hinge": AdversarialLoss(_minus_mean, _hinge),
    "wasserstein": AdversarialLoss(_minus_mean, _wasserstein),
}


def gradient_norms_squared(
    discriminate: Callable[[Tensor], Tensor], images: Tensor
) -> Tensor:
    """Returns `|d D / d image|^2` of each image: `(batch,)`, differentiable."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.cast(discriminate(images), tf.float32)
        # Summed over a patch discriminator's logits too; images do not share any.
        total = tf.reduce_sum(logits)
    gradients = tf.cast(tape.gradient(total, images), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=list(range(1, images.shape.rank)))


def lipschitz_penalty(squares: Tensor) -> Tensor:
    """`E[(|gradient| - 1)^2]` of squared norms `(batch,)`: WGAN-GP, DRAGAN."""
    # The square root has no gradient at 0; the constant moves the norm by < 1e-6.
    return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))


def zero_centred_penalty(squares: Tensor) -> Tensor:
    """`E[|gradient|^2] / 2` of squared norms `(batch,)`: R1."""
    return 0.5 * tf.reduce_mean(squares)


class GradientPenalty(NamedTuple):
    """Where the discriminator's gradient is taken, what it is charged, and how much."""

    points: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    charge: Callable[[Tensor], Tensor]
    weight: float


def _between(real: Tensor, fake: Tensor, uniform: Tensor, stddev: Tensor) -> Tensor:
    del stddev
    weight = uniform[:, :1]  # one a sample
    weight = tf.reshape(weight, [-1] + [1] * (real.shape.rank - 1))
    return weight * real + (1.0 - weight) * fake


def _real(real: Tensor, fake: Tensor, uniform: Tensor, stddev: Tensor) -> Tensor:
    del fake, uniform, stddev
    return real


def _around_real(real: Tensor, fake: Tensor, uniform: Tensor, stddev: Tensor) -> Tensor:
    del fake
    return real + 0.5 * stddev * tf.reshape(uniform, tf.shape(real))


# Each takes real and fake images, uniform draws `(batch, pixels)` in [0, 1), and the
# standard deviation of the real batch's values.
GRADIENT_PENALTIES = {
    "wgan_gp": GradientPenalty(_between, lipschitz_penalty, 10.0),
    "r1": GradientPenalty(_real, zero_centred_penalty, 10.0),
    "dragan": GradientPenalty(_around_real, lipschitz_penalty, 10.0),
}
