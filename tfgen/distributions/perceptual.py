"""Likelihoods that see more than pixels: structure, and features of a network.

    log p(x | z) = log Normal(x; m, scale) - weight * num_pixel_values * distance(x, m)

of the decoder's means `m`. The distance is 1 - MS-SSIM, or of features. The constant
that would make it sum to 1 is not known: bounds are comparable among themselves alone.

References:
- [Snell et al., 2017](https://arxiv.org/abs/1511.06409), sec. 3: MS-SSIM as a loss.
- [Hou et al., 2017](https://arxiv.org/abs/1610.00291), eq. 2: features.
- [He et al., 2016](https://arxiv.org/abs/1606.04801): features of random weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions.likelihoods import Gaussian
from tfgen.distributions.similarity import ms_ssim

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")
_RANDOM_CHANNELS = (16, 32, 64)


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

    is_normalized = False

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
            several. It is not trained, and saved with the model. `None` for
            `random_features`, which see texture and edges and not what is shown.
        weight: Float, of their mean square, summed over outputs.
        scale: As in `Gaussian`.
    """

    def __init__(
        self,
        network: keras.Model | None = None,
        weight: float = 1.0,
        scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight=weight, scale=scale, **kwargs)
        self.network, self.has_own_network = network, network is not None
        if network is not None:
            network.trainable = False

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        if self.network is None:
            self.network = random_features(image_shape)
        taken = tuple(self.network.inputs[0].shape[1:])
        if not tf.TensorShape(taken).is_compatible_with(image_shape):
            raise ValueError(
                f"`network` must take images {image_shape}. Received: {taken}"
            )

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
        own = self.network if self.has_own_network else None
        network = keras.saving.serialize_keras_object(own)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Perceptual":
        """Returns the likelihood of a configuration."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


def random_features(image_shape: Sequence[int], seed: int = 0) -> keras.Model:
    """Returns a network of three stages that was never trained, float32.

    Each is a convolution 3x3 with stride 2 (but the first) and ReLU, of normal kernels
    whose variance keeps the scale of pixels; its outputs are those of all stages.

    Args:
        image_shape: `(height, width, channels)`; images are in [0, 1].
        seed: Integer, of the kernels, which are the same on every machine.
    """
    rng, kernels, stages = np.random.default_rng(seed), [], []
    images = keras.Input(tuple(image_shape), name="images")
    hidden = keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32")(images)
    for stage, channels in enumerate(_RANDOM_CHANNELS):
        shape = (3, 3, hidden.shape[-1], channels)
        scale = np.sqrt(2.0 / np.prod(shape[:3]))
        kernels.append((scale * rng.standard_normal(shape)).astype("float32"))
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=2 if stage else 1,
            padding="same",
            activation="relu",
            use_bias=False,
            dtype="float32",
        )(hidden)
        stages.append(hidden)
    network = keras.Model(images, stages, name="random_features")
    network.set_weights(kernels)
    network.trainable = False
    return network
