"""Adversarial losses as (generator, discriminator) pairs.

A model takes the name of a row (`loss="hinge"`) or an object. One's own is a subclass
of `AdversarialLoss` that is registered with
`keras.saving.register_keras_serializable()`.

A loss takes unsquashed logits `(batch, ...)` and returns a float32 scalar, a mean over
all of them, that is minimised. With `D` the discriminator's logits, `x` a real and `g`
a generated image, and `s` the sigmoid:

    minimax         D: -E[log s(D(x))] - E[log(1 - s(D(g)))]    G:  E[log(1 - s(D(g)))]
    non_saturating  D: as minimax                               G: -E[log s(D(g))]
    least_squares   D: (E[(D(x) - 1)^2] + E[D(g)^2]) / 2        G:  E[(D(g) - 1)^2] / 2
    hinge           D: E[max(0, 1 - D(x))] + E[max(0, 1 + D(g))]   G: -E[D(g)]
    wasserstein     D: E[D(g)] - E[D(x)]                        G: -E[D(g)]
    relativistic    D: -E[log s(D(x) - D(g))]            G: -E[log s(D(g) - D(x))]

References:
- [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), eq. 1 and sec. 3: minimax,
  non-saturating.
- [Mao et al., 2017](https://arxiv.org/abs/1611.04076), eq. 9: least squares.
- [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), eqs. 16 and 17: hinge.
- [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), alg. 1: Wasserstein.
- [Jolicoeur-Martineau, 2019](https://arxiv.org/abs/1807.00734), eqs. 4 and 5, and
  [Huang et al., 2024](https://arxiv.org/abs/2501.05441), eq. 2: relativistic, of pairs.
"""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import Self, override

Tensor = Any  # a tf.Tensor; NumPy arrays do too

_MOST_DIVERSITY = 10.0
_LEAST_DISTANCE = 1e-6  # of two draws of noise

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

    `boundary` is the logit from which on an image counts as real. A loss that
    `is_relative` compares pairs: its `generator` takes fake and real logits.
    """

    boundary = 0.0
    is_relative = False

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Returns what the generator minimises."""
        raise NotImplementedError

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Returns what the discriminator minimises."""
        raise NotImplementedError

    def real_signs(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Returns the mean sign of real logits from the boundary on.

        At 1 the discriminator knows all real images, as it does where it has learnt
        them by heart ([Karras et al., 2020](https://arxiv.org/abs/2006.06676), eq. 1).
        """
        return tf.reduce_mean(tf.sign(real_logits - self.boundary))

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


@_registered
class Relativistic(AdversarialLoss):
    """Cross-entropies of differences: each real image against one fake image."""

    is_relative = True

    @override
    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        return _mean_softplus(real_logits - fake_logits)

    @override
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _mean_softplus(fake_logits - real_logits)

    @override
    def real_signs(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return tf.reduce_mean(tf.sign(real_logits - fake_logits))

    @override
    def accuracy(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return tf.reduce_mean(tf.cast(real_logits > fake_logits, tf.float32))


ADVERSARIAL_LOSSES = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
}


def l1(one: Tensor, other: Tensor) -> Tensor:
    """Returns the mean absolute difference: a cycle's, an identity's, a target's."""
    return tf.reduce_mean(tf.abs(one - other))


def feature_matching(real_features: Any, fake_features: Any) -> Tensor:
    """Returns how far features of fake images are from those of the real ones.

    The sum over layers of mean absolute differences. No gradient reaches the real ones.

    Args:
        real_features: List of `(batch, ...)`, a discriminator's of real images.
        fake_features: The same of fake images, one for each of these.

    Reference: [Wang et al., 2018](https://arxiv.org/abs/1711.11585), eq. 4.
    """
    pairs = zip(real_features, fake_features, strict=True)
    return tf.add_n([l1(tf.stop_gradient(real), fake) for real, fake in pairs])


def diversity(one: Tensor, other: Tensor, noise: Tensor, other_noise: Tensor) -> Tensor:
    """Returns how far two outputs for one input are apart, for the distance of noise.

    The mean over inputs of `min( |one - other| / |noise - other_noise|, 10 )`, with
    mean absolute differences. A generator raises it.

    Args:
        one, other: Outputs `(batch, ...)` of the same inputs.
        noise, other_noise: Their noise, `(batch, noise_dim)`.

    References:
    - [Mao et al., 2019](https://arxiv.org/abs/1903.05628), eq. 2: the ratio.
    - [Yang et al., 2019](https://arxiv.org/abs/1901.09024), eqs. 3 and 4: its bound.
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return tf.reduce_mean(tf.abs(x - y), axis=list(range(1, len(x.shape))))

    ratio = distance(one, other) / (distance(noise, other_noise) + _LEAST_DISTANCE)
    return tf.reduce_mean(tf.minimum(ratio, _MOST_DIVERSITY))


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Returns how little each patch is told from the others of its image, in nats.

    The mean of `-log( exp(q_i k_i / t) / sum_j exp(q_i k_j / t) )` over patches `i` and
    images, with products of vectors.

    Args:
        queries: `(batch, patches, dim)`, unit vectors of generated patches.
        keys: `(batch, patches, dim)`, unit vectors of the same places of the input.
        temperature: Float, `t`.

    Reference: [Park et al., 2020](https://arxiv.org/abs/2007.15651), eqs. 2 and 3.
    """
    logits = tf.matmul(queries, keys, transpose_b=True) / temperature
    own = tf.reduce_sum(queries * keys, axis=-1) / temperature
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=-1) - own)


def _mean_softplus(logits: Tensor) -> Tensor:
    return tf.reduce_mean(tf.nn.softplus(logits))  # -log s(-logits), without overflow


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
