"""Reflection padding in operations that LiteRT delegates.

`tf.pad(mode="REFLECT")` becomes MIRROR_PAD in a .tflite file, which XNNPACK does not
run; it runs slices and concatenation.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgen")
class ReflectionPadding2D(keras.layers.Layer):
    """Mirrors images at their edges, without repeating the edge: `cb|abcd|cb`.

    Args:
        padding: Integer, rows and columns to add on each side; less than the height and
            the width.

    Call arguments:
        inputs: `(batch, height, width, channels)`.

    Returns:
        `(batch, height + 2 * padding, width + 2 * padding, channels)`.
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 1:
            raise ValueError(
                f"`padding` must be an integer of at least 1. Received: {padding!r}"
            )
        self.padding = padding
        self.input_spec = keras.InputSpec(ndim=4)

    def build(self, input_shape):
        self._check(input_shape[1:3])

    def call(self, inputs):
        self._check(inputs.shape[1:3])
        if None in inputs.shape[1:3]:
            return tf.pad(inputs, self._paddings(), "REFLECT")
        return self._reflect(inputs)

    @tf.custom_gradient
    def _reflect(self, inputs):
        def gradient(upstream):
            # The gradient of slices adds zero-padded grids: forward and backward take
            # up to twice as long as with `tf.pad`.
            return tf.raw_ops.MirrorPadGrad(
                input=upstream, paddings=self._paddings(), mode="REFLECT"
            )

        return _mirror(_mirror(inputs, self.padding, 1), self.padding, 2), gradient

    def _paddings(self):
        return [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]

    def _check(self, sizes):
        if any(size is not None and size <= self.padding for size in sizes):
            raise ValueError(
                "`padding` must be less than height and width to reflect them. "
                f"Received: padding={self.padding} for {tuple(sizes)}"
            )

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        sizes = [None if size is None else size + 2 * self.padding for size in sizes]
        return (batch, *sizes, channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


def _mirror(images, padding, axis):
    """Returns images with `padding` mirrored slices before and after them."""

    def one(index):
        return images[(slice(None),) * axis + (slice(index, index + 1),)]

    last = images.shape[axis] - 1
    before = [one(index) for index in range(padding, 0, -1)]
    after = [one(last - index) for index in range(1, padding + 1)]
    # In two steps: XNNPACK takes at most 5 tensors in one concatenation.
    sides = [tf.concat(slices, axis) for slices in (before, after)]
    return tf.concat([sides[0], images, sides[1]], axis)
