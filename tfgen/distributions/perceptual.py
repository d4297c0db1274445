"""Likelihoods that see more than pixels: structure, and features of a network.

    log p(x | z) = log Normal(x; m, scale) - weight * num_pixel_values * distance(x, m)

of the decoder's means `m`. The distance is 1 - MS-SSIM, or of features. The constant
that would make it sum to 1 is not known: bounds are comparable among themselves alone.

References:
- [Snell et al., 2017](https://arxiv.org/abs/1511.06409), sec. 3: MS-SSIM as a loss.
- [Wang et al., 2003](https://doi.org/10.1109/ACSSC.2003.1292216), eq. 7: MS-SSIM.
- [Hou et al., 2017](https://arxiv.org/abs/1610.00291), eq. 2: features.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions.likelihoods import Gaussian

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the paper
_WINDOW, _STDDEV = 11, 1.5  # pixels
_C1, _C2 = 0.01**2, 0.03**2
_LEAST = 1e-6  # a power of 0 has no gradient


class _Energy(tfd.Distribution):
    """A distribution whose density is charged for a distance to its mean."""

    def __init__(self, pixels: Any, distance: Callable, name: str = "Energy") -> None:
        self._pixels, self._distance = pixels, distance
        super().__init__(
            dtype=pixels.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            name=name,
        )

    def _log_prob(self, images: tf.Tensor) -> tf.Tensor:
        log_prob, means = self._pixels.log_prob(images), self._pixels.mean()
        images = tf.broadcast_to(tf.cast(images, tf.float32), tf.shape(means))
        shape = tf.concat([[-1], tf.shape(means)[-3:]], axis=0)
        distance = self._distance(tf.reshape(images, shape), tf.reshape(means, shape))
        return log_prob - tf.reshape(distance, tf.shape(log_prob))

    def _mean(self) -> tf.Tensor:
        return self._pixels.mean()

    def _batch_shape(self) -> tf.TensorShape:
        return self._pixels.batch_shape

    def _event_shape(self) -> tf.TensorShape:
        return self._pixels.event_shape


class _Charged(Gaussian):
    """Base: a subclass defines `distance(images, means)`, `(batch,)`."""

    def __init__(
        self, weight: float = 1.0, scale: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(scale=scale, **kwargs)
        self.weight_of_distance = weight

    def distance(self, images: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
        """Returns how far images are from means: float32 `(batch,)`."""
        raise NotImplementedError

    @override
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        num_values = outputs.shape[-1] * outputs.shape[-2] * outputs.shape[-3]
        weight = self.weight_of_distance * num_values

        def charge(images: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
            return weight * self.distance(images, means)

        return _Energy(super().distribution(outputs), charge)

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight_of_distance}


@_registered
class MultiScaleSimilarity(_Charged):
    """Normal pixels, charged for 1 - MS-SSIM: contrast and structure at all scales.

    Args:
        weight: Float, nats for each pixel value of images without any likeness.
        scale: As in `Gaussian`.
    """

    @override
    def distance(self, images: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
        return 1.0 - ms_ssim(images, means)


@_registered
class Perceptual(_Charged):
    """Normal pixels, charged for squared differences of a network's features.

    Args:
        network: Built `keras.Model` from images in [0, 1] to features, one output or
            several. It is not trained, and saved with the model.
        weight: Float, of their mean square, summed over outputs.
        scale: As in `Gaussian`.
    """

    def __init__(
        self,
        network: keras.Model,
        weight: float = 1.0,
        scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight=weight, scale=scale, **kwargs)
        self.network = network
        network.trainable = False

    @override
    def distance(self, images: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
        total = tf.zeros(tf.shape(images)[0])
        features = (tf.nest.flatten(self.network(x)) for x in (images, means))
        for one, other in zip(*features, strict=True):
            square = tf.math.squared_difference(one, other)
            axes = list(range(1, len(square.shape)))
            total += tf.reduce_mean(tf.cast(square, tf.float32), axis=axes)
        return total

    @override
    def get_config(self) -> dict[str, Any]:
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Perceptual":
        """Returns the likelihood of a configuration."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


def ms_ssim(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the multi-scale structural similarity of images: `(batch,)`, at most 1.

    Its scales are as many of the paper's five as the image has windows of 11 pixels
    for, their weights divided by their sum: 2 at 28 pixels, 3 at 64, 5 from 176.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        others: Likewise.
    """
    side = min(images.shape[1:3])
    if side < _WINDOW:
        raise ValueError(
            f"MS-SSIM needs images of {_WINDOW} pixels or more. Received: "
            f"{tuple(images.shape[1:])}"
        )
    num_scales = min((side // _WINDOW).bit_length(), len(_SCALE_WEIGHTS))
    weights = _SCALE_WEIGHTS[:num_scales]
    powers = [weight / sum(weights) for weight in weights]
    product = 1.0
    for index, power in enumerate(powers):
        if index:
            images, others = (
                tf.nn.avg_pool2d(x, 2, 2, "VALID") for x in (images, others)
            )
        luminance, structure = _compare(images, others)
        is_last = index == num_scales - 1
        value = luminance * structure if is_last else structure
        value = tf.reduce_mean(value, axis=(1, 2))
        product *= tf.maximum(value, _LEAST) ** power
    return tf.reduce_mean(product, axis=-1)


def _compare(images: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns maps of likeness: of luminance, and of contrast and structure."""
    mean, other_mean = _blur(images), _blur(others)
    both = mean * other_mean
    squares = mean**2 + other_mean**2
    covariance = _blur(images * others) - both
    variances = _blur(images**2 + others**2) - squares
    luminance = (2.0 * both + _C1) / (squares + _C1)
    return luminance, (2.0 * covariance + _C2) / (variances + _C2)


def _blur(images: tf.Tensor) -> tf.Tensor:
    places = tf.range(_WINDOW, dtype=tf.float32) - (_WINDOW - 1) / 2
    kernel = tf.nn.softmax(-0.5 * (places / _STDDEV) ** 2)
    for shape in ((_WINDOW, 1, 1, 1), (1, _WINDOW, 1, 1)):
        filters = tf.tile(tf.reshape(kernel, shape), (1, 1, images.shape[-1], 1))
        images = tf.nn.depthwise_conv2d(images, filters, [1, 1, 1, 1], "VALID")
    return images
