"""Images brought to a size, in TensorFlow operations, as Pillow does it."""

from typing import Any

import tensorflow as tf


def _crop(pixels: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Crops the centre to the aspect, and resizes it."""
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scale = tf.reduce_max([height, width] / size)
    starts = (size * scale - [height, width]) / 2
    return _resample(pixels, [height, width], tf.stack([scale, scale]), starts)


def _stretch(pixels: tf.Tensor, height: Any, width: Any) -> tf.Tensor:
    """Resizes each side by itself."""
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scales = tf.cast([height, width], tf.float32) / size
    return _resample(pixels, [height, width], scales, tf.zeros(2))


def _pad(pixels: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Fits the whole into the middle of zeros, as `tfgen.data.pixels` does."""
    size, limits = (
        tf.cast(tf.shape(pixels)[:2], tf.float64),
        tf.constant([height, width], tf.float64),
    )
    inner = tf.round(tf.reduce_min(limits / size) * size)
    inner = tf.cast(tf.clip_by_value(inner, 1.0, limits), tf.int32)
    before = ([height, width] - inner) // 2
    after = [height, width] - inner - before
    margins = [*tf.unstack(tf.stack([before, after], axis=1)), [0, 0]]
    return tf.pad(_stretch(pixels, inner[0], inner[1]), margins)


def _resample(
    pixels: tf.Tensor, size: Any, scales: tf.Tensor, starts: tf.Tensor
) -> tf.Tensor:
    """Samples columns, then rows, as Pillow does it: of 8 bits, 8 in between."""
    pixels = tf.transpose(pixels, [1, 0, 2])
    pixels = _resample_rows(pixels, size[1], scales[1], starts[1])
    pixels = tf.transpose(pixels, [1, 0, 2])
    return _resample_rows(pixels, size[0], scales[0], starts[0])


def _resample_rows(
    pixels: tf.Tensor, num_rows: Any, scale: tf.Tensor, start: tf.Tensor
) -> tf.Tensor:
    """Samples with the kernel of Pillow's BICUBIC, which widens where it shrinks."""
    resampled = tf.raw_ops.ScaleAndTranslate(
        images=pixels[tf.newaxis],
        size=tf.stack([num_rows, tf.shape(pixels)[1]]),
        scale=tf.stack([scale, 1.0]),
        translation=tf.stack([-start, 0.0]),
        kernel_type="keyscubic",
        antialias=True,
    )
    if pixels.dtype != tf.uint8:
        return resampled[0]
    rounded = tf.round(tf.clip_by_value(resampled[0], 0.0, 255.0))
    return tf.cast(rounded, tf.uint8)


RESIZES = {"crop": _crop, "pad": _pad, "stretch": _stretch}
