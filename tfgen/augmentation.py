"""Differentiable augmentation: for GANs on small data, on real and fake images alike.

The discriminator sees only augmented images, so it can't learn the few real ones by
heart, and the gradient passes through the augmentation to the generator.

Reference: [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), sec. 3.2 and app. B.
"""

import tensorflow as tf

_SHIFT = 1 / 8  # of the size, at most, in each direction
_HOLE = 1 / 2  # of the size


def _translate(images, draws):
    """Moves each image by up to 1/8 of its size, with zeros (mid grey) behind it."""
    for axis in (1, 2):
        size = images.shape[axis]
        reach = int(size * _SHIFT + 0.5)
        shift = tf.cast(tf.floor(draws[:, axis - 1] * (2 * reach + 1)), tf.int32)
        indices = tf.range(size) + shift[:, tf.newaxis]  # into the padded images
        padding = [[0, 0]] * 4
        padding[axis] = [reach, reach]
        images = tf.gather(tf.pad(images, padding), indices, axis=axis, batch_dims=1)
    return images


def _cut_out(images, draws):
    """Blanks a square of half the size, which may reach over the edge."""
    keep = tf.constant(False)
    for axis in (1, 2):
        size = images.shape[axis]
        hole = int(size * _HOLE + 0.5)
        centre = tf.floor(draws[:, axis - 1] * (size + 1 - hole % 2))[:, tf.newaxis]
        start = centre - hole // 2
        places = tf.range(size, dtype=tf.float32)[tf.newaxis]
        outside = (places < start) | (places >= start + hole)
        shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
        keep |= tf.reshape(outside, shape)
    return images * tf.cast(keep, images.dtype)


def _color(images, draws):
    """Shifts brightness by up to 1/2; scales saturation by 0-2, contrast by 0.5-1.5.

    The values are of images in `[-1, 1]`.
    """
    draws = tf.cast(draws[..., tf.newaxis, tf.newaxis, tf.newaxis], images.dtype)
    images += draws[:, 0] - 0.5
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + 2.0 * draws[:, 1] * (images - grey)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (0.5 + draws[:, 2]) * (images - mean)


# Name -> (function of images and draws, how many draws an image needs).
AUGMENTATIONS = {"color": (_color, 3), "translation": (_translate, 2)}
AUGMENTATIONS["cutout"] = (_cut_out, 2)


def augmentation_names(augment):
    """Returns the names in `augment`, such as `"color,translation,cutout"`.

    Raises:
        ValueError: If a name is not known.
    """
    names = [name.strip() for name in (augment or "").split(",") if name.strip()]
    if unknown := set(names) - set(AUGMENTATIONS):
        raise ValueError(
            f"`augment` must name some of {sorted(AUGMENTATIONS)}, separated by "
            f"commas. Received: {sorted(unknown)}"
        )
    return names


def count_draws(names):
    """Returns how many uniform draws each image needs."""
    return sum(AUGMENTATIONS[name][1] for name in names)


def diff_augment(images, names, draws):
    """Returns augmented images, differentiable in the images.

    Args:
        images: `(batch, height, width, channels)` in `[-1, 1]`.
        names: Augmentations, in the order in which they are applied.
        draws: Uniform draws in (0, 1), `(batch, count_draws(names))`.
    """
    for name in names:
        function, count = AUGMENTATIONS[name]
        images = function(images, draws[:, :count])
        draws = draws[:, count:]
    return images
