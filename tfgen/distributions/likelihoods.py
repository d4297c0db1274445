"""Likelihoods `p(x | z)`: what a decoder's outputs say about the pixels of an image.

A VAE takes the name of a row (`likelihood="gaussian"`) or an object
(`likelihood=Gaussian(scale=0.1)`). One's own is a subclass of `Likelihood` that is
registered with `keras.saving.register_keras_serializable()`; as a layer it may have
weights, which are trained and saved with the model.

References:
- [Rybkin et al., 2021](https://arxiv.org/abs/2006.13202), eq. 4: a learned scale.
- [Loaiza-Ganem & Cunningham, 2019](https://arxiv.org/abs/1907.06845), eq. 7:
  `continuous_bernoulli`.
- [Salimans et al., 2017](https://arxiv.org/abs/1701.05517), eqs. 1 and 2:
  `discretized_logistic` and `logistic_mixture`, here without channels that see others.
"""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions.part import LearnedScale, Part, positive

tfd, tfb = tfp.distributions, tfp.bijectors

_LEVELS = 256
_registered = keras.saving.register_keras_serializable(package="tfgen")


class Likelihood(Part):
    """A distribution of images, given a decoder's outputs.

    `is_density` says whether probabilities are densities of continuous pixels, in nats
    with regard to values in `[0, 1]`, or masses. `params_per_channel` is how many
    numbers the decoder returns for a channel of a pixel, those of the first kind for
    all channels before those of the second. Of one that is not `is_normalized` nobody
    knows what it sums to: there is no bound on log p(x).
    """

    is_density = True
    is_normalized = True
    params_per_channel = 1

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Returns `p(x | z)`: its event is an image, its batch what comes before.

        Args:
            outputs: float32 `(..., height, width, channels * params_per_channel)` of
                the decoder.
        """
        raise NotImplementedError


# ---- Of continuous pixels ------------------------------------------------------------


@_registered
class Bernoulli(Likelihood):
    """Pixels in `[0, 1]` as probabilities; the decoder returns their logits."""

    is_density = False

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        # A float one: by default TFP takes pixels for integers, and NumPy's lose their
        # fractions.
        pixels = tfd.Bernoulli(logits=outputs, dtype=tf.float32)
        return tfd.Independent(pixels, 3)


@_registered
class ContinuousBernoulli(Likelihood):
    """The Bernoulli likelihood as a density of pixels in `[0, 1]`, which sums to 1."""

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return tfd.Independent(tfd.ContinuousBernoulli(logits=outputs), 3)


@_registered
class Gaussian(LearnedScale, Likelihood):
    """Normal pixels; the decoder returns their means.

    Args:
        scale: Float, their standard deviation in pixel values; `None` learns one for
            all pixels.
    """

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return tfd.Independent(tfd.Normal(outputs, self.scale), 3)


@_registered
class PixelGaussian(Likelihood):
    """Normal pixels; the decoder returns means, and scales before a softplus."""

    params_per_channel = 2

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        loc, raw_scale = tf.split(outputs, 2, axis=-1)
        # A pixel that never varies would have any density: half a level is the least.
        scale = positive(raw_scale) + 0.5 / _LEVELS
        return tfd.Independent(tfd.Normal(loc, scale), 3)


@_registered
class Laplace(LearnedScale, Likelihood):
    """Laplace pixels; the decoder returns their medians: absolute errors.

    Args:
        scale: Float, their mean absolute deviation in pixel values; `None` learns one
            for all pixels.
    """

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return tfd.Independent(tfd.Laplace(outputs, self.scale), 3)


@_registered
class Beta(Likelihood):
    """Beta pixels; the decoder returns logits of their means, and raw concentrations.

    A level of 256 is taken for its middle, since the density of 0 and 1 may have no
    bound: the distribution is that of pixels from -0.5 / 255 to 1 + 0.5 / 255.
    """

    params_per_channel = 2

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        logits, raw = tf.split(outputs, 2, axis=-1)
        total, mean = positive(raw) + 1e-2, tf.sigmoid(logits)
        mean = tf.clip_by_value(mean, 1e-4, 1.0 - 1e-4)
        pixels = tfd.Beta(total * mean, total * (1.0 - mean))
        affine = tfb.Chain([tfb.Shift(-0.5 / 255.0), tfb.Scale(_LEVELS / 255.0)])
        return tfd.Independent(affine(pixels), 3)


# ---- Of 256 levels -------------------------------------------------------------------


class _Categorical(tfd.Categorical):
    """A categorical of numbers, which therefore has a mean."""

    def _mean(self) -> tf.Tensor:
        return tf.linalg.matvec(self.probs_parameter(), tf.range(float(_LEVELS)))


class _QuantizedLogistic(tfd.QuantizedDistribution):
    """A logistic, rounded to levels; its mean is that of the one that is only cut."""

    def _mean(self) -> tf.Tensor:
        logistic = self.distribution.distribution
        loc, scale = logistic.loc, logistic.scale
        below = tf.nn.softplus(loc / scale)
        above = tf.nn.softplus((loc - (_LEVELS - 1.0)) / scale)
        return scale * (below - above)


def _quantized_logistic(loc: tf.Tensor, raw_scale: tf.Tensor) -> tfd.Distribution:
    """Returns levels of a mean in [0, 1]; a tenth of a level is the least scale."""
    scale = 0.1 + 25.5 * tf.nn.softplus(raw_scale)
    # TFP's quantisation rounds up: level k is (k - 1, k].
    shifted = tfb.Shift(-0.5)(tfd.Logistic(255.0 * loc, scale))
    return _QuantizedLogistic(shifted, low=0.0, high=_LEVELS - 1.0)


def _of_levels(levels: tfd.Distribution) -> tfd.Distribution:
    """Returns the distribution of images in [0, 1] of one of levels 0 to 255.

    Pixels between two levels count for the nearer one.
    """
    scale = tfb.Inline(
        forward_fn=lambda level: level / 255.0,
        inverse_fn=lambda pixel: tf.round(255.0 * pixel),
        # Masses, not densities: they stay what they are.
        inverse_log_det_jacobian_fn=lambda pixel: tf.zeros([], tf.float32),
        forward_min_event_ndims=0,
        is_constant_jacobian=True,
        name="levels",
    )
    return tfd.Independent(scale(levels), 3)


@_registered
class Categorical(Likelihood):
    """256 levels, each with a probability of its own; the decoder returns logits."""

    is_density = False
    params_per_channel = _LEVELS

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        logits = tf.stack(tf.split(outputs, _LEVELS, axis=-1), axis=-1)
        return _of_levels(_Categorical(logits, dtype=tf.float32))


@_registered
class DiscretizedLogistic(Likelihood):
    """256 levels of a logistic; the decoder returns its mean in [0, 1], and raw scale.

    What lies below 0 or above 255 belongs to these levels.
    """

    is_density = False
    params_per_channel = 2

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return _of_levels(_quantized_logistic(*tf.split(outputs, 2, -1)))


@_registered
class LogisticMixture(Likelihood):
    """256 levels of a mixture of logistics, each channel alone.

    Args:
        num_components: Integer; the decoder returns a logit, a mean and a raw scale of
            each, in this order.
    """

    is_density = False

    def __init__(self, num_components: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_components = num_components
        self.params_per_channel = 3 * num_components

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        parts = tf.stack(tf.split(outputs, self.params_per_channel, axis=-1), axis=-1)
        logits, loc, raw_scale = tf.split(parts, 3, axis=-1)
        # Spread at first, or all components would be one.
        loc += tf.linspace(0.0, 1.0, self.num_components)
        return _of_levels(
            tfd.MixtureSameFamily(
                tfd.Categorical(logits),
                _quantized_logistic(loc, raw_scale),
            )
        )

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_components": self.num_components}
