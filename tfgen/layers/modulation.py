"""What a style generator is made of: a style scales each convolution's features.

    w'_ijk = s_i w_ijk,   w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + 1e-8)

for an example's style `s`, its input channels `i`, output channels `j` and places `k`
of the kernel. Scaling kernels by example is scaling features: with one kernel for all
examples, the same result is `d_j conv(s_i x_i, w)`, where `d` is the root's inverse.

Reference: [Karras et al., 2020](https://arxiv.org/abs/1912.04958), eqs. 1 to 3.
"""

import math

import keras
import tensorflow as tf

from tfgen import replicas
from tfgen.layers.float32 import Float32Layer

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="tfgen")
class ModulatedConv2D(Float32Layer):
    """Convolution of stride 1 whose input channels are scaled by each example's style.

    Args:
        filters: Integer, channels of the result.
        kernel_size: Integer.
        demodulate: Whether results are scaled to the variance of the features, were
            these independent.
        gain: Float that results are multiplied by, before the bias: `sqrt(2)` makes up
            for what a leaky ReLU takes.

    Call arguments:
        inputs: Features `(batch, height, width, channels)`, or `(1, ...)` for the same
            of all examples, and styles `(batch, channels)`.
    """

    def __init__(self, filters, kernel_size=3, demodulate=True, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate
        self.gain = gain

    def build(self, input_shape):
        channels = input_shape[0][-1]
        shape = (self.kernel_size, self.kernel_size, channels, self.filters)
        self.kernel = self._weight("kernel", shape, "glorot_uniform")
        self.bias = self._weight("bias", (self.filters,), "zeros")

    def call(self, inputs):
        features, styles = inputs
        kernel = tf.convert_to_tensor(self.kernel)
        scales = tf.reshape(styles, (-1, 1, 1, styles.shape[-1]))
        used = tf.cast(kernel, features.dtype)
        outputs = tf.nn.conv2d(features * scales, used, strides=1, padding="SAME")
        if self.demodulate:
            squares = tf.reduce_sum(tf.square(kernel), axis=(0, 1))
            # In float32: squares soon leave the range of half precision.
            energy = tf.matmul(tf.square(tf.cast(styles, tf.float32)), squares)
            # Not tf.math.rsqrt, whose last bit depends on the place in the batch.
            factors = self.gain / tf.sqrt(energy + _EPSILON)
            factors = tf.reshape(factors, (-1, 1, 1, self.filters))
            outputs = outputs * tf.cast(factors, outputs.dtype)
        elif self.gain != 1.0:
            outputs = outputs * self.gain
        return outputs + tf.cast(self.bias, outputs.dtype)

    def compute_output_spec(self, inputs):
        features, styles = inputs
        if styles.shape[-1] != features.shape[-1]:
            raise ValueError(
                "A style must have a number a channel. Received: styles "
                f"{tuple(styles.shape)} of features {tuple(features.shape)}"
            )
        shape = (styles.shape[0], *features.shape[1:3], self.filters)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        names = ("filters", "kernel_size", "demodulate", "gain")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


@keras.saving.register_keras_serializable(package="tfgen")
class LearnedConstant(Float32Layer):
    """Features that are learned, the same for all examples.

    Args:
        shape: Of one example.

    Call arguments:
        inputs: Any tensor; it is only what connects the layer.

    Returns:
        The features, `(1, *shape)`.
    """

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape):
        self.constant = self._weight("constant", self.shape, "random_normal")
        self.constant.assign(self.constant / 0.05)  # of standard deviation 1

    def call(self, inputs):
        return tf.cast(self.constant, self.compute_dtype)[tf.newaxis]

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((1, *self.shape), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}


@keras.saving.register_keras_serializable(package="tfgen")
class PixelNoise(Float32Layer):
    """Adds given normal draws, one a pixel, times a weight that starts at 0.

    Args:
        start: Integer, this layer's first column of the noise; it uses as many columns
            as its features have pixels.

    Call arguments:
        inputs: Features `(batch, height, width, channels)`, and the network's noise
            `(batch, noise_dim)`: standard normal draws, or `None` for none.
    """

    def __init__(self, start=0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.scale = self._weight("scale", (), "zeros")

    def call(self, inputs):
        features, noise = inputs
        if noise is None:
            return features
        shape = (*features.shape[1:3], 1)
        draws = noise[:, self.start : self.start + math.prod(shape)]
        scale = tf.cast(self.scale, features.dtype)
        return features + scale * tf.cast(tf.reshape(draws, (-1, *shape)), scale.dtype)

    def compute_output_spec(self, inputs):
        features, noise = inputs
        stop = self.start + math.prod(features.shape[1:3])
        if noise is not None and noise.shape[-1] < stop:
            raise ValueError(
                f"The noise must have {stop} columns or more. Received: {noise.shape}"
            )
        return keras.KerasTensor(features.shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@keras.saving.register_keras_serializable(package="tfgen")
class StyleTruncation(Float32Layer):
    """Moves styles towards their mean, a moving average of those seen in training.

        w' = mean + truncation (w - mean)

    Args:
        decay: Float, of the moving average.

    Call arguments:
        inputs: Styles `(batch, dim)`, and truncations `(batch, 1)`, or `None` for 1.
        training: Whether the mean moves.

    Reference: [Karras et al., 2019](https://arxiv.org/abs/1812.04948), app. B.
    """

    def __init__(self, decay=0.995, **kwargs):
        super().__init__(**kwargs)
        self.decay = decay

    def build(self, input_shape):
        self.mean = self._weight(
            "mean",
            (input_shape[0][-1],),
            "zeros",
            trainable=False,
            aggregation="only_first_replica",  # replicas write the same value
        )

    def call(self, inputs, training=False):
        styles, truncation = inputs
        mean = tf.convert_to_tensor(self.mean)
        if training:
            seen = tf.cast(tf.stop_gradient(styles), tf.float32)
            rows = tf.shape(seen)[0]
            # A replica may have no rows, whose mean is NaN.
            seen = tf.math.divide_no_nan(
                tf.reduce_sum(seen, axis=0), tf.cast(rows, tf.float32)
            )
            seen = replicas.global_sum(replicas.weigh(seen, rows))
            self.mean.assign(mean + (1.0 - self.decay) * (seen - mean))
        if truncation is None:
            return styles
        mean = tf.cast(mean, styles.dtype)
        return mean + tf.cast(truncation, styles.dtype) * (styles - mean)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs[0].shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}
