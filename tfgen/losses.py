"""Adversarial losses as (generator, discriminator) pairs, and gradient penalties.

A model takes the name of a row (`loss="hinge"`, `gradient_penalty="r1"`) or an object.
One's own is a subclass of `AdversarialLoss` or `GradientPenalty` that is registered
with `keras.saving.register_keras_serializable()`.

A loss takes unsquashed logits `(batch, ...)` and returns a float32 scalar, a mean over
all of them, that is minimised. With `D` the discriminator's logits, `x` a real and `g`
a generated image, and `s` the sigmoid:

    minimax         D: -E[log s(D(x))] - E[log(1 - s(D(g)))]    G:  E[log(1 - s(D(g)))]
    non_saturating  D: as minimax                               G: -E[log s(D(g))]
    least_squares   D: (E[(D(x) - 1)^2] + E[D(g)^2]) / 2        G:  E[(D(g) - 1)^2] / 2
    hinge           D: E[max(0, 1 - D(x))] + E[max(0, 1 + D(g))]   G: -E[D(g)]
    wasserstein     D: E[D(g)] - E[D(x)]                        G: -E[D(g)]

A penalty is of the norm of `D`'s gradient, at points that it chooses:

    wgan_gp   E[(|D'(p)| - 1)^2]   p = u x + (1 - u) g,         u ~ Uniform(0, 1)
    r1        E[|D'(p)|^2] / 2     p = x
    dragan    E[(|D'(p)| - 1)^2]   p = x + 0.5 std(x) noise,    noise ~ Normal(0, I)

References:
- [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), eq. 1 and sec. 3: minimax,
  non-saturating.
- [Mao et al., 2017](https://arxiv.org/abs/1611.04076), eq. 9: least squares.
- [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), eqs. 16 and 17: hinge.
- [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), alg. 1: Wasserstein.
- [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), eq. 3: `wgan_gp`.
- [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), eq. 9: `r1`.
- [Kodali et al., 2017](https://arxiv.org/abs/1705.07215), sec. 2.3: `dragan`. Its noise
  is Normal(0, c I) as in the paper; c, the square of half the standard deviation of the
  batch's values, is tfgen's choice.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from typing_extensions import Self, override

from tfgen import replicas

Tensor = Any  # a tf.Tensor; NumPy arrays do too

_registered = keras.saving.register_keras_serializable(package="tfgen")


class Configured:
    """What Keras needs to save an object that has no settings."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns the object of a configuration."""
        return cls(**config)


# ---- Adversarial losses --------------------------------------------------------------


class AdversarialLoss(Configured):
    """The generator's loss of fake logits, the discriminator's of real and fake.

    `boundary` is the logit from which on an image counts as real.
    """

    boundary = 0.0

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Returns what the generator minimises."""
        raise NotImplementedError

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Returns what the discriminator minimises."""
        raise NotImplementedError

    def accuracy(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Returns the share of logits on the right side of the boundary."""
        right = (real_logits > self.boundary, fake_logits < self.boundary)
        return tf.reduce_mean(tf.cast(tf.stack(right), tf.float32))


@_registered
class NonSaturating(AdversarialLoss):
    """Cross-entropies; the generator's does not vanish where `D` is sure."""

    @override
    def generator(self, fake_logits: Tensor) -> Tensor:
        return _mean_softplus(-fake_logits)

    @override
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)


@_registered
class Minimax(NonSaturating):
    """Cross-entropies; one value that `D` raises and `G` lowers."""

    @override
    def generator(self, fake_logits: Tensor) -> Tensor:
        return -_mean_softplus(fake_logits)


@_registered
class LeastSquares(AdversarialLoss):
    """Squared distances to 1 (real) and 0 (fake)."""

    boundary = 0.5

    @override
    def generator(self, fake_logits: Tensor) -> Tensor:
        return 0.5 * tf.reduce_mean(tf.square(fake_logits - 1.0))

    @override
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real = tf.reduce_mean(tf.square(real_logits - 1.0))
        return 0.5 * (real + tf.reduce_mean(tf.square(fake_logits)))


@_registered
class Wasserstein(AdversarialLoss):
    """Difference of means: a distance if `D` is 1-Lipschitz."""

    @override
    def generator(self, fake_logits: Tensor) -> Tensor:
        return -tf.reduce_mean(fake_logits)

    @override
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


@_registered
class Hinge(Wasserstein):
    """As Wasserstein, but `D` gains nothing beyond margins of 1 and -1."""

    @override
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real = tf.reduce_mean(tf.nn.relu(1.0 - real_logits))
        return real + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


ADVERSARIAL_LOSSES = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}


def _mean_softplus(logits: Tensor) -> Tensor:
    return tf.reduce_mean(tf.nn.softplus(logits))  # -log s(-logits), without overflow


# ---- Gradient penalties --------------------------------------------------------------


class GradientPenalty(Configured):
    """Where the discriminator's gradient is taken, and what it is charged.

    `weight` is the paper's. `points` takes real and fake images, and uniform draws
    `(batch, num_draws)` in (0, 1). `charge` takes squared norms `(batch,)`.
    """

    weight = 10.0

    def num_draws(self, image_shape: Sequence[int]) -> int:
        """Returns how many uniform draws an image needs."""
        return 1

    def points(self, real: Tensor, fake: Tensor, draws: Tensor) -> Tensor:
        """Returns images, shaped like the real ones, where the gradient is taken."""
        raise NotImplementedError

    def charge(self, squares: Tensor) -> Tensor:
        """Returns the penalty, unweighted."""
        # The square root has no gradient at 0; the constant moves the norm by < 1e-6.
        return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))

    def __call__(
        self, discriminate: Callable, points: Tensor, step: Tensor, interval: int
    ) -> Tensor:
        """Returns the unweighted penalty of a discriminator at points.

        It is 0 but for every `interval`-th step, where it counts `interval` times.
        """

        def compute() -> Tensor:
            return self.charge(gradient_norms_squared(discriminate, points))

        if interval == 1:
            return compute()
        # No variable, but a quotient, of an optimizer that accumulates gradients.
        is_due = tf.cast(tf.convert_to_tensor(step), tf.int32) % interval == 0
        return tf.cond(is_due, lambda: interval * compute(), lambda: 0.0)


@_registered
class WassersteinPenalty(GradientPenalty):
    """Norm 1 on lines between real and fake images: WGAN-GP."""

    @override
    def points(self, real: Tensor, fake: Tensor, draws: Tensor) -> Tensor:
        share = tf.reshape(draws[:, :1], [-1] + [1] * (real.shape.rank - 1))
        return share * real + (1.0 - share) * fake


@_registered
class R1Penalty(GradientPenalty):
    """Norm 0 at real images: R1."""

    @override
    def points(self, real: Tensor, fake: Tensor, draws: Tensor) -> Tensor:
        return real

    @override
    def charge(self, squares: Tensor) -> Tensor:
        return 0.5 * tf.reduce_mean(squares)


@_registered
class DraganPenalty(GradientPenalty):
    """Norm 1 around real images: DRAGAN."""

    @override
    def num_draws(self, image_shape: Sequence[int]) -> int:
        return math.prod(image_shape)

    @override
    def points(self, real: Tensor, fake: Tensor, draws: Tensor) -> Tensor:
        moments = tf.stack([tf.reduce_mean(real), tf.reduce_mean(real**2)])
        moments = replicas.global_sum(replicas.weigh(moments, tf.shape(real)[0]))
        stddev = tf.sqrt(tf.maximum(moments[1] - moments[0] ** 2, 0.0))
        noise = tf.math.ndtri(tf.reshape(draws, tf.shape(real)))
        return real + 0.5 * stddev * noise


GRADIENT_PENALTIES = {
    "wgan_gp": WassersteinPenalty,
    "r1": R1Penalty,
    "dragan": DraganPenalty,
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


# ---- Names ---------------------------------------------------------------------------


def get(argument: str, identifier: Any, table: dict[str, type], kind: type) -> Any:
    """Returns the object of a name in a table, or an object as it is.

    Args:
        argument: What the argument is called, for the error.
        identifier: A name, an object, or `None`, which is returned.
        table: Name -> class without settings.
        kind: Class of the objects.

    Raises:
        ValueError: If it is neither a name nor such an object.
    """
    if identifier is None or isinstance(identifier, kind):
        return identifier
    if isinstance(identifier, str) and identifier in table:
        return table[identifier]()
    raise ValueError(
        f"`{argument}` must be one of {tuple(table)} or a {kind.__name__}. Received: "
        f"{identifier!r}"
    )
