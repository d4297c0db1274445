"""Gradient penalties: what a discriminator is charged for the norm of its gradient.

A model takes the name of a row (`gradient_penalty="r1"`) or an object. One's own is a
subclass of `GradientPenalty` that is registered with
`keras.saving.register_keras_serializable()`.

With `D'` the gradient of the discriminator's logit in its image, `x` a real and `g` a
generated image, a penalty is of the norm of `D'` at points that it chooses:

    wgan_gp   E[(|D'(p)| - 1)^2]   p = u x + (1 - u) g,         u ~ Uniform(0, 1)
    r1        E[|D'(x)|^2] / 2
    r1_r2     E[|D'(x)|^2] / 2 + E[|D'(g)|^2] / 2
    dragan    E[(|D'(p)| - 1)^2]   p = x + 0.5 std(x) noise,    noise ~ Normal(0, I)

References:
- [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), eq. 3: `wgan_gp`.
- [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), eqs. 9 and 10: `r1`, and
  R2. [Huang et al., 2024](https://arxiv.org/abs/2501.05441), sec. 3: their sum. Its
  weight of 1 is tfgen's choice; the paper has one for each data set.
- [Kodali et al., 2017](https://arxiv.org/abs/1705.07215), sec. 2.3: `dragan`. Its noise
  is Normal(0, c I) as in the paper; c, the square of half the standard deviation of the
  batch's values, is tfgen's choice.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from tfgen import losses, replicas

Tensor = Any  # a tf.Tensor; NumPy arrays do too

_registered = keras.saving.register_keras_serializable(package="tfgen")


class GradientPenalty(losses.Configured):
    """Where the discriminator's gradient is taken, and what it is charged.

    `weight` is the paper's. `points` takes real and fake images, and uniform draws
    `(batch, num_draws)` in (0, 1), and returns `points_per_image * batch` images, whose
    labels are the batch's, repeated. `charge` takes their squared norms.
    """

    weight = 10.0
    points_per_image = 1

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

    def of_batch(
        self, judge: Callable, batch: Any, fake: Tensor, step: Tensor, interval: int
    ) -> Tensor:
        """Returns the penalty of `judge(images, labels)` for a batch of a model."""
        # Not within a condition, where replicas can't meet.
        points = self.points(batch["real"], fake, batch["penalty_draws"])
        labels = batch["labels"]
        if labels is not None:
            labels = tf.tile(labels, [self.points_per_image])
        return self(lambda images: judge(images, labels), points, step, interval)


class NoPenalty(GradientPenalty):
    """0: what `None` stands for."""

    weight = 0.0

    @override
    def of_batch(self, *args: Any, **kwargs: Any) -> Tensor:
        return tf.constant(0.0)


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
class R1R2Penalty(R1Penalty):
    """Norm 0 at real images and at fake ones: R1 + R2."""

    weight = 1.0
    points_per_image = 2

    @override
    def points(self, real: Tensor, fake: Tensor, draws: Tensor) -> Tensor:
        return tf.concat([real, fake], axis=0)

    @override
    def charge(self, squares: Tensor) -> Tensor:
        return tf.reduce_mean(squares)  # of twice the points: the halves' half-means


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
    "r1_r2": R1R2Penalty,
    "dragan": DraganPenalty,
}


def get(identifier: Any) -> GradientPenalty:
    """Returns the penalty of a name, or an object as it is; `None` is `NoPenalty`."""
    if identifier is None:
        return NoPenalty()
    arguments = (identifier, GRADIENT_PENALTIES, GradientPenalty)
    return losses.get("gradient_penalty", *arguments)


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
