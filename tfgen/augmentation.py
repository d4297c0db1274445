"""Differentiable augmentation: for GANs on small data, on real and fake images alike.

The discriminator sees only augmented images, so it can't learn the few real ones by
heart, and the gradient passes through the augmentation to the generator.

A model takes names (`augment="color,translation,cutout"`), an `Augmentation`, or a list
of them. One's own is a subclass that is registered with
`keras.saving.register_keras_serializable()`.

Reference: [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), sec. 3.2 and app. B.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from tfgen.losses import Configured

Tensor = Any  # a tf.Tensor; NumPy arrays do too

_SHIFT = 1 / 8  # of the size, at most, in each direction
_HOLE = 1 / 2  # of the size

_registered = keras.saving.register_keras_serializable(package="tfgen")


class Augmentation(Configured):
    """A function of images `(batch, height, width, channels)` in `[-1, 1]`.

    It is differentiable in the images, and random by uniform draws `(batch, num_draws)`
    in (0, 1) alone.
    """

    num_draws = 0
    is_adaptive = False  # whether it takes a strength in [0, 1], and moves it

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Returns augmented images."""
        raise NotImplementedError


@_registered
class Color(Augmentation):
    """Shifts brightness by up to 1/2; scales saturation by 0-2, contrast by 0.5-1.5."""

    num_draws = 3

    @override
    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        draws = tf.cast(draws[..., tf.newaxis, tf.newaxis, tf.newaxis], images.dtype)
        images += draws[:, 0] - 0.5
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + 2.0 * draws[:, 1] * (images - grey)
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        return mean + (0.5 + draws[:, 2]) * (images - mean)


@_registered
class Translation(Augmentation):
    """Moves each image by up to 1/8 of its size, with zeros (mid grey) behind it."""

    num_draws = 2

    @override
    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        for axis in (1, 2):
            size = images.shape[axis]
            reach = int(size * _SHIFT + 0.5)
            shift = tf.cast(tf.floor(draws[:, axis - 1] * (2 * reach + 1)), tf.int32)
            indices = tf.range(size) + shift[:, tf.newaxis]  # into the padded images
            padding = [[0, 0]] * 4
            padding[axis] = [reach, reach]
            padded = tf.pad(images, padding)
            images = tf.gather(padded, indices, axis=axis, batch_dims=1)
        return images


@_registered
class Cutout(Augmentation):
    """Blanks a square of half the size, which may reach over the edge."""

    num_draws = 2

    @override
    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        keep = tf.constant(False)
        for axis in (1, 2):
            size = images.shape[axis]
            hole = int(size * _HOLE + 0.5)
            centre = tf.floor(draws[:, axis - 1] * (size + 1 - hole % 2))
            start = centre[:, tf.newaxis] - hole // 2
            places = tf.range(size, dtype=tf.float32)[tf.newaxis]
            outside = (places < start) | (places >= start + hole)
            shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
            keep |= tf.reshape(outside, shape)
        return images * tf.cast(keep, images.dtype)


@_registered
class Adaptive(Augmentation):
    """Eight transformations, each of an image with the probability `strength`.

    Mirroring, translation by up to 1/8, rotation, scale, brightness, contrast,
    saturation, and a hole of half the size, as strong as in the paper. Pixels at the
    edge are repeated. Training begins at strength 0, where images are as they are; the
    strength rises while more than `target` of the real images' logits (as a mean of
    signs) are on the real side, and falls while fewer are.

    Args:
        target: Float, the mean sign.
        num_images: Integer, real images after which the strength can go from 0 to 1.

    Reference: [Karras et al., 2020](https://arxiv.org/abs/2006.06676), sec. 3 and
    app. B. Its 500,000 images are for trainings of 25 millions.
    """

    num_draws = 18
    is_adaptive = True

    def __init__(self, target: float = 0.6, num_images: int = 100_000) -> None:
        self.target, self.num_images = target, num_images

    @override
    def get_config(self) -> dict[str, Any]:
        return {"target": self.target, "num_images": self.num_images}

    def adapt(self, strength: Tensor, mean_sign: Tensor, count: Tensor) -> Tensor:
        """Returns the strength after a batch of `count` real images."""
        step = tf.cast(count, tf.float32) / self.num_images
        return tf.clip_by_value(
            strength + step * tf.sign(mean_sign - self.target), 0.0, 1.0
        )

    @override
    def __call__(self, images: Tensor, draws: Tensor, strength: Any = 1.0) -> Tensor:
        gates = tf.unstack(draws[:, :8] < strength, axis=1)
        uniform = tf.unstack(draws[:, 8:], axis=1)
        normal = [tf.math.ndtri(x) for x in uniform]

        def gated(index: int, value: Tensor, neutral: float) -> Tensor:
            return tf.where(gates[index], value, neutral)

        images = _transform(
            images,
            mirror=gated(0, tf.where(uniform[0] < 0.5, -1.0, 1.0), 1.0),
            shifts=[gated(1, 2.0 * _SHIFT * (u - 0.5), 0.0) for u in uniform[1:3]],
            angle=gated(2, 2.0 * math.pi * (uniform[3] - 0.5), 0.0),
            scale=gated(3, 2.0 ** (0.2 * normal[4]), 1.0),
        )
        brightness, contrast, saturation = (
            tf.reshape(value, (-1, 1, 1, 1))
            for value in (
                gated(4, 0.2 * normal[5], 0.0),
                gated(5, 2.0 ** (0.5 * normal[6]), 1.0),
                gated(6, 2.0 ** normal[7], 1.0),
            )
        )
        images = (images + brightness) * contrast
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + saturation * (images - grey)
        holed = Cutout()(images, tf.stack(uniform[8:], axis=1))
        return tf.where(tf.reshape(gates[7], (-1, 1, 1, 1)), holed, images)


def _transform(
    images: Tensor, mirror: Tensor, shifts: Sequence[Tensor], angle: Tensor, scale: Any
) -> Tensor:
    """Returns images turned, scaled, mirrored and moved: bilinear, differentiable.

    Args:
        images: `(batch, height, width, channels)`.
        mirror: 1, or -1 for images that are mirrored, `(batch,)`.
        shifts: Down and to the right, over the size, each `(batch,)`.
        angle: Anticlockwise, in radians, `(batch,)`.
        scale: Of the size, `(batch,)`.
    """
    height, width, channels = images.shape[1:]
    mirror, *shifts = (tf.reshape(x, (-1, 1, 1)) for x in (mirror, *shifts))
    cos, sin = (tf.reshape(f(angle) / scale, (-1, 1, 1)) for f in (tf.cos, tf.sin))
    down = tf.range(height, dtype=tf.float32)[:, tf.newaxis] - (height - 1) / 2
    right = tf.range(width, dtype=tf.float32) - (width - 1) / 2
    down -= height * shifts[0]
    right -= width * shifts[1]
    rows = cos * down + sin * right + (height - 1) / 2
    columns = mirror * (cos * right - sin * down) + (width - 1) / 2
    rows = tf.clip_by_value(rows, 0.0, height - 1.0)
    columns = tf.clip_by_value(columns, 0.0, width - 1.0)
    top, left = tf.floor(rows), tf.floor(columns)
    flat = tf.reshape(images, (-1, height * width, channels))

    def pixels(row: Tensor, column: Tensor) -> Tensor:
        places = tf.minimum(row, height - 1.0) * width + tf.minimum(column, width - 1.0)
        places = tf.reshape(tf.cast(places, tf.int32), (-1, height * width))
        gathered = tf.gather(flat, places, axis=1, batch_dims=1)
        return tf.reshape(gathered, (-1, height, width, channels))

    down, right = (x[..., tf.newaxis] for x in (rows - top, columns - left))
    upper = (1.0 - right) * pixels(top, left) + right * pixels(top, left + 1.0)
    lower = (1.0 - right) * pixels(top + 1.0, left)
    lower += right * pixels(top + 1.0, left + 1.0)
    return (1.0 - down) * upper + down * lower


AUGMENTATIONS = {
    "color": Color,
    "translation": Translation,
    "cutout": Cutout,
    "adaptive": Adaptive,
}


def get(augment: Any) -> list[Augmentation]:
    """Returns the augmentations that `augment` names or is, in order.

    Args:
        augment: Names such as `"color,translation"`, an `Augmentation`, a list of them,
            or `None` for none.

    Raises:
        ValueError: If a name is not known.
    """
    if isinstance(augment, str):
        names = [name.strip() for name in augment.split(",") if name.strip()]
        if unknown := set(names) - set(AUGMENTATIONS):
            raise ValueError(
                f"`augment` must name some of {sorted(AUGMENTATIONS)}, separated by "
                f"commas. Received: {sorted(unknown)}"
            )
        return [AUGMENTATIONS[name]() for name in names]
    if isinstance(augment, Augmentation):
        return [augment]
    augmentations = list(augment or [])
    if not all(isinstance(x, Augmentation) for x in augmentations):
        raise ValueError(
            f"`augment` must be names or Augmentation objects. Received: {augment!r}"
        )
    return augmentations


def count_draws(augmentations: Sequence[Augmentation]) -> int:
    """Returns how many uniform draws each image needs."""
    return sum(augmentation.num_draws for augmentation in augmentations)


def diff_augment(
    images: Tensor,
    augmentations: Sequence[Augmentation],
    draws: Tensor,
    strength: Any = None,
) -> Tensor:
    """Returns augmented images, differentiable in the images.

    Args:
        images: `(batch, height, width, channels)` in `[-1, 1]`.
        augmentations: What is done, in this order.
        draws: Uniform draws in (0, 1), `(batch, count_draws(augmentations))`.
        strength: In [0, 1], of those that are adaptive.
    """
    for augmentation in augmentations:
        count = augmentation.num_draws
        of_strength = [strength] if augmentation.is_adaptive else []
        images = augmentation(images, draws[:, :count], *of_strength)
        draws = draws[:, count:]
    return images
