"""What likelihoods, posteriors, priors and divergences have in common."""

import math
import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

RAW_1 = math.log(math.expm1(1.0))  # about what `positive` makes 1 of
MIN_SCALE = 1e-4  # keeps log(scale) finite if a scale collapses
# Where a learned scale of pixels starts: images in [0, 1] end near it. From 1, a rate
# of 1e-3 takes thousands of steps to come down, and latents fall out of use meanwhile.
FIRST_PIXEL_SCALE = 0.1


class Part(keras.layers.Layer):
    """One of the four parts of a VAE: a layer that makes distributions.

    Its weights are trained and saved with the model. One's own is a subclass that is
    registered with `keras.saving.register_keras_serializable()`.
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__)
        super().__init__(name=name or words.lower(), **kwargs)
        self.built = True
        self.latent_dim: int | None = None

    def build_for(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        num_classes: int | None = None,
    ) -> None:
        """Makes the weights, if there are any: the model calls it once.

        Args:
            latent_dim: Integer, size of a latent.
            image_shape: `(height, width, channels)`.
            num_classes: Integer of a conditional model.
        """
        if self.latent_dim is None:
            self.latent_dim, self.num_classes = latent_dim, num_classes
            self.make_weights(tuple(image_shape))
        elif (self.latent_dim, self.num_classes) != (latent_dim, num_classes):
            raise ValueError(
                f"{self.name} is that of a model with {self.latent_dim} latents and "
                f"num_classes={self.num_classes}. Received: {latent_dim} and "
                f"{num_classes}"
            )

    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        """Makes weights; `latent_dim` and `num_classes` are known."""

    def weight(self, name: str, shape: Sequence[int], initializer: Any) -> Any:
        """Returns a new float32 weight, which mixed precision does not round.

        Args:
            name, shape: Of the weight.
            initializer: As in Keras, or the float that all numbers are.
        """
        if isinstance(initializer, float):
            initializer = keras.initializers.Constant(initializer)
        return self.add_weight(
            shape=tuple(shape),
            initializer=initializer,
            dtype="float32",
            autocast=False,
            name=name,
        )


class LearnedScale(Part):
    """A part with one scale of all numbers, given or learned."""

    def __init__(self, scale: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if scale is not None and not scale > 0.0:
            raise ValueError(f"`scale` must be above 0. Received: {scale}")
        self.fixed_scale = scale
        if scale is None:
            start = float(raw_positive(np.array(FIRST_PIXEL_SCALE)))
            self.raw_scale = self.weight("raw_scale", (), start)

    @property
    def scale(self) -> tf.Tensor:
        """The scale `()` in pixel values, a tensor."""
        if self.fixed_scale is not None:
            return tf.constant(self.fixed_scale, tf.float32)
        return positive(self.raw_scale.value)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "scale": self.fixed_scale}


def positive(raw: tf.Tensor) -> tf.Tensor:
    """Returns scales of unbounded numbers."""
    return tf.nn.softplus(raw) + MIN_SCALE


def raw_positive(scales: np.ndarray) -> np.ndarray:
    """Returns what `positive` makes scales of, at least 1e-9 above its least."""
    return np.log(np.expm1(np.maximum(scales - MIN_SCALE, 1e-9)))
