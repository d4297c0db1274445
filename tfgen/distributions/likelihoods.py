"""Likelihoods `p(x | z)`: what a decoder's outputs say about the pixels of an image.

A VAE takes the name of a row (`likelihood="gaussian"`) or an object
(`likelihood=Gaussian(scale=0.1)`). One's own is a subclass of `Likelihood` that is
registered with `keras.saving.register_keras_serializable()`; as a layer it may have
weights, which are trained and saved with the model.
"""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions.posteriors import MIN_SCALE

tfd = tfp.distributions


class Likelihood(keras.layers.Layer):
    """A distribution of images, given a decoder's outputs.

    `is_density` says whether probabilities are densities of continuous pixels, in nats
    with regard to values in `[0, 1]`, or masses.
    """

    is_density = True

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or type(self).__name__.lower(), **kwargs)
        self.built = True

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Returns `p(x | z)`: its event is an image, its batch what comes before.

        Args:
            outputs: float32 `(..., height, width, channels)` of the decoder.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfgen")
class Bernoulli(Likelihood):
    """Pixels in `[0, 1]` as probabilities; the decoder returns their logits."""

    is_density = False

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        # A float one: by default TFP takes pixels for integers, and NumPy's lose their
        # fractions.
        pixels = tfd.Bernoulli(logits=outputs, dtype=tf.float32)
        return tfd.Independent(pixels, 3)


@keras.saving.register_keras_serializable(package="tfgen")
class Gaussian(Likelihood):
    """Normal pixels; the decoder returns their means.

    Args:
        scale: Float, their standard deviation in pixel values; `None` learns one for
            all pixels.

    Reference: [Rybkin et al., 2021](https://arxiv.org/abs/2006.13202), eq. 4: a learned
    scale.
    """

    def __init__(self, scale: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if scale is not None and not scale > 0.0:
            raise ValueError(f"`scale` must be above 0. Received: {scale}")
        self.fixed_scale = scale
        if scale is None:
            self.raw_scale = self.add_weight(
                shape=(),
                initializer="zeros",
                dtype="float32",
                autocast=False,  # mixed precision would round it
                name="raw_scale",
            )

    @property
    def scale(self) -> tf.Tensor:
        """Standard deviation `()` in pixel values, a tensor."""
        if self.fixed_scale is not None:
            return tf.constant(self.fixed_scale, tf.float32)
        return tf.nn.softplus(self.raw_scale.value) + MIN_SCALE

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return tfd.Independent(tfd.Normal(outputs, self.scale), 3)

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.fixed_scale}


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}
