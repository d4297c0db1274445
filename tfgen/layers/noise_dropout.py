"""Dropout whose noise is an input of the network.

The noise of pix2pix is dropout, in inference too. As an input it is the same in Keras,
in every exported file and on every replica:

    images = keras.Input((32, 32, 8))
    noise = keras.Input((24,), name="noise", optional=True)  # of all layers
    features = NoiseDropout(0.5, start=0)([images, noise])
"""

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgen")
class NoiseDropout(keras.layers.Layer):
    """Dropout by given uniform draws, the same whatever `training` is.

    Args:
        rate: Float in `[0, 1)`, the share of the features to drop.
        start: Integer, this layer's first column of the noise; it uses as many columns
            as it has features.

    Call arguments:
        inputs: Features `(batch, ...)` of a fixed size, and the network's noise
            `(batch, noise_dim)`: uniform draws in (0, 1), or `None` for no dropout.

    Returns:
        `features / (1 - rate)` where the draw is at least `rate`, else 0.
    """

    def __init__(self, rate, start=0, **kwargs):
        super().__init__(autocast=False, **kwargs)  # draws are compared in float32
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1). Received: {rate}")
        self.rate = rate
        self.start = start

    def call(self, inputs):
        features, noise = inputs
        if noise is None:
            return features
        shape = features.shape[1:]
        draws = noise[:, self.start : self.start + math.prod(shape)]
        # 1 from the rate on, else 0: a comparison would split the delegate of a phone.
        keep = 1.0 + tf.floor(tf.reshape(draws, (-1, *shape)) - self.rate)
        return features * tf.cast(keep / (1.0 - self.rate), features.dtype)

    def compute_output_spec(self, inputs):
        features, noise = inputs
        stop = self.start + math.prod(features.shape[1:])
        if noise.shape[-1] < stop:
            raise ValueError(
                f"The noise must have {stop} columns or more. Received: {noise.shape}"
            )
        return keras.KerasTensor(features.shape, features.dtype)

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "rate": self.rate, "start": self.start}
