"""Batches of images: how they are divided, and the range of their values."""

import tensorflow as tf


def divide(batch, count):
    """Returns a batch as `count` batches, of every `count`-th row; none is empty.

    Args:
        batch: Dict of tensors `(batch, ...)`, or `None`s, with images as `"real"`.
        count: Integer.
    """
    if count == 1:
        return [batch]
    size = tf.shape(batch["real"])[0]
    starts = count * tf.range(-(-size // count))
    rows = [(first + starts) % size for first in range(count)]
    return [
        {k: v if v is None else tf.gather(v, r) for k, v in batch.items()} for r in rows
    ]


def to_signed(images):
    """Maps images in `[0, 1]` to float32 in `[-1, 1]`."""
    return 2.0 * tf.cast(images, tf.float32) - 1.0


def to_unit(images):
    """Maps images in `[-1, 1]` to `[0, 1]`."""
    return tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0)
