"""Inputs that are made from their targets, so that pictures alone make pairs.

Each function takes an image `(height, width, channels)` float32 in [0, 1], a number and
a seed, and returns as large an image. Draws depend on the seed alone, which is that of
the image: `degrade` gives one to each by its number.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfgen.data.pixels import LUMA
from tfgen.data.seeds import fold_seed, stack_seed
from tfgen.degradations import Step

_HOLE = 0.5  # what is under a mask


def degrade(
    images: tf.Tensor, steps: Sequence[Step], seed: tf.Tensor, numbers: tf.Tensor
) -> tf.Tensor:
    """Degrades each image of a batch, by draws of its own.

    Args:
        images: `(batch, height, width, channels)`, uint8 or uint16.
        steps: As `tfgen.degradations.read_steps` returns them.
        seed: `(2,)` int64.
        numbers: `(batch,)` int64: images of the same number have the same draws.

    Returns:
        Images of the same shape and type, rounded to its levels.
    """
    most = images.dtype.max

    def work(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, number = row
        result = tf.cast(image, tf.float32) / most
        image_seed = fold_seed(seed, number)
        for index, step in enumerate(steps):
            step_seed = fold_seed(image_seed, index)
            result = _ROWS[step.name](result, step.number, step_seed)
        result = tf.round(most * tf.clip_by_value(result, 0.0, 1.0))
        return tf.ensure_shape(tf.cast(result, image.dtype), image.shape)

    spec = tf.TensorSpec(images.shape[1:], images.dtype)
    return tf.map_fn(work, (images, numbers), fn_output_signature=spec)


def find_holes(
    steps: Sequence[Step], shape: Sequence[int], seed: int, start: int, count: int
) -> np.ndarray | None:
    """Returns where masks lie on images of a fixed order, None without a mask.

    Args:
        steps: As in `degrade`.
        shape: `(height, width, ...)` of the images.
        seed: Integer, that the images were loaded with.
        start: Integer, the number of the first.
        count: Integer.

    Returns:
        Booleans `(count, height, width)`.
    """
    holes, numbers = None, tf.range(start, start + count, dtype=tf.int64)
    image_seeds = [fold_seed(order_seed(seed), number) for number in numbers]
    for index, step in enumerate(steps):
        if step.name == "mask":
            covered = [
                _hole(shape, step.number, fold_seed(image_seed, index))
                for image_seed in image_seeds
            ]
            covered = np.stack(covered)[..., 0]
            holes = covered if holes is None else holes | covered
    return holes


def order_seed(seed: int, epoch: tf.Tensor | int = 0) -> tf.Tensor:
    """Returns the seed `(2,)` of the draws of an epoch; 0 is that of a fixed order."""
    return fold_seed(stack_seed(seed, epoch), _STREAM)


_STREAM = -2  # keeps these draws apart from those of orders and of crops


def _gray(image: tf.Tensor, number: None, seed: tf.Tensor) -> tf.Tensor:
    """Returns the luma of colours, or the mean of other channels, in all of them."""
    channels = image.shape[-1]
    if channels in (3, 4):
        luma = tf.linalg.matvec(image[..., :3], LUMA)
        grey = tf.repeat(luma[..., tf.newaxis], 3, axis=-1)
        return tf.concat([grey, image[..., 3:]], axis=-1)
    return tf.repeat(tf.reduce_mean(image, axis=-1, keepdims=True), channels, axis=-1)


def _downscale(image: tf.Tensor, factor: int, seed: tf.Tensor) -> tf.Tensor:
    """Shrinks by an antialiased bicubic filter, and enlarges by a bicubic one."""
    size = image.shape[:2]
    small = [max(1, math.ceil(side / factor)) for side in size]
    resize = functools.partial(tf.image.resize, method="bicubic", antialias=True)
    return resize(tf.clip_by_value(resize(image, small), 0.0, 1.0), size)


def _mask(image: tf.Tensor, percent: int, seed: tf.Tensor) -> tf.Tensor:
    return tf.where(_hole(image.shape, percent, seed), _HOLE, image)


def _hole(shape: Sequence[int], percent: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns a rectangle of a share of the area, somewhere: `(height, width, 1)`."""
    share = math.sqrt(percent / 100)
    draws = tf.random.stateless_uniform([2], seed, alg="philox")
    covered = []
    for side, draw in zip(shape[:2], tf.unstack(draws), strict=True):
        length = max(1, round(share * side))
        start = tf.cast(draw * (side - length + 1), tf.int32)  # rounds down
        places = tf.range(side)
        covered.append((places >= start) & (places < start + length))
    rows, columns = covered
    return (rows[:, tf.newaxis] & columns)[..., tf.newaxis]


def _noise(image: tf.Tensor, stddev: float, seed: tf.Tensor) -> tf.Tensor:
    noise = tf.random.stateless_normal(image.shape, seed, alg="philox")
    return tf.clip_by_value(image + stddev / 255.0 * noise, 0.0, 1.0)


def _jpeg(image: tf.Tensor, quality: int, seed: tf.Tensor) -> tf.Tensor:
    return tf.image.adjust_jpeg_quality(image, quality)


def _blur(image: tf.Tensor, stddev: float, seed: tf.Tensor) -> tf.Tensor:
    """Blurs by a Gaussian, mirrored at the borders."""
    for axis in (0, 1):
        radius = min(math.ceil(3 * stddev), image.shape[axis])
        places = np.arange(-radius, radius + 1)
        kernel = np.exp(-0.5 * np.square(places / stddev))
        margins = [[radius, radius] if i == axis else [0, 0] for i in range(3)]
        padded = tf.pad(image, margins, "SYMMETRIC")
        length = image.shape[axis]
        parts = [
            weight * tf.gather(padded, tf.range(start, start + length), axis=axis)
            for start, weight in enumerate((kernel / kernel.sum()).astype(np.float32))
        ]
        image = tf.add_n(parts)
    return image


_ROWS = {
    "gray": _gray,
    "downscale": _downscale,
    "mask": _mask,
    "noise": _noise,
    "jpeg": _jpeg,
    "blur": _blur,
}
