"""Differentiable augmentation: for GANs on small data, on real and fake images alike.

The discriminator sees only augmented images, so it can't learn the few real ones by
heart, and the gradient passes through the augmentation to the generator.

A model takes names (`augment="color,translation,cutout"`), an `Augmentation`, or a list
of them. One's own is a subclass that is registered with
`keras.saving.register_keras_serializable()`.

Reference: [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), sec. 3.2 and app. B.
"""

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


AUGMENTATIONS = {"color": Color, "translation": Translation, "cutout": Cutout}


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
    images: Tensor, augmentations: Sequence[Augmentation], draws: Tensor
) -> Tensor:
    """Returns augmented images, differentiable in the images.

    Args:
        images: `(batch, height, width, channels)` in `[-1, 1]`.
        augmentations: What is done, in this order.
        draws: Uniform draws in (0, 1), `(batch, count_draws(augmentations))`.
    """
    for augmentation in augmentations:
        count = augmentation.num_draws
        images = augmentation(images, draws[:, :count])
        draws = draws[:, count:]
    return images
