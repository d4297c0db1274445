"""The orientation of JPEG files, in TensorFlow operations.

Phones store a portrait lying, and say so in EXIF.
"""

from typing import Any

import tensorflow as tf

_ORIENTATION = 0x0112  # EXIF tag
_MOST_SEGMENTS = 64  # of a JPEG that are searched for EXIF; it stands first or second


def turn(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Shows stored pixels upright; EXIF counts the eight ways from 1."""

    def has(orientations: list[int]) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(orientations, tf.int64))

    def turn() -> tf.Tensor:
        order = tf.where(has([5, 6, 7, 8]), [1, 0, 2], [0, 1, 2])
        down = tf.where(has([3, 4, 7, 8]), -1, 1)
        across = tf.where(has([2, 3, 6, 7]), -1, 1)
        return tf.transpose(pixels, order)[::down, ::across]

    return tf.cond(orientation == 1, lambda: pixels, turn)


def orientation(file: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a JPEG, int64 scalar in 1..8; 1 if it has none."""
    data = tf.io.decode_raw(file, tf.uint8)

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        marks = number(data, at, 2) == 0xFFE1
        return marks & (number(data, at + 4, 4) == int.from_bytes(b"Exif", "big"))

    def is_other(at: tf.Tensor) -> tf.Tensor:
        marker = number(data, at, 2)
        is_extra = (marker >= 0xFFE0) & (marker <= 0xFFEF) | (marker == 0xFFFE)
        return is_extra & ~is_exif(at)

    (at,) = tf.while_loop(
        is_other,
        lambda at: (at + 2 + number(data, at + 2, 2),),
        (tf.constant(2, tf.int64),),
        maximum_iterations=_MOST_SEGMENTS,
    )
    one = tf.constant(1, tf.int64)
    return tf.cond(is_exif(at), lambda: _read_tag(data, at + 10), lambda: one)


def _read_tag(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Returns the orientation from the first directory of the TIFF data at `start`."""
    is_little = number(data, start, 2) == int.from_bytes(b"II", "big")

    def read(at: tf.Tensor, size: int) -> tf.Tensor:
        little = number(data, at, size, little=True)
        return tf.where(is_little, little, number(data, at, size))

    directory = start + read(start + 4, 4)
    entries = directory + 2 + 12 * tf.range(read(directory, 2))
    tags = tf.boolean_mask(entries, read(entries, 2) == _ORIENTATION)
    # A default after them, for there may be none.
    value = tf.concat([read(tags + 8, 2), [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def number(data: tf.Tensor, at: Any, size: int, little: bool = False) -> tf.Tensor:
    """Reads unsigned integers of `size` bytes at the places `at`, int64.

    Beyond the end the last byte repeats: what is damaged is read as something else,
    and raises nothing.
    """
    places = tf.cast(at, tf.int64)[..., tf.newaxis] + tf.range(size, dtype=tf.int64)
    places = tf.clip_by_value(places, 0, tf.size(data, tf.int64) - 1)
    weights = [256**i for i in (range(size) if little else reversed(range(size)))]
    values = tf.cast(tf.gather(data, places), tf.int64)
    return tf.reduce_sum(values * tf.constant(weights, tf.int64), -1)
