"""Random crops and mirror images, as pix2pix and CycleGAN train on.

References: [Isola et al., 2017](https://arxiv.org/abs/1611.07004), app. 6.2;
[Zhu et al., 2017](https://arxiv.org/abs/1703.10593), app. 7.1.
"""

from typing import NamedTuple

import tensorflow as tf

from tfgen.data import pipeline

_DRAWS = 3  # row, column, mirror
_STREAM = -1  # keeps the draws apart from those of the orders


class Augmentation(NamedTuple):
    """What is drawn for each example.

    Attributes:
        crop_size: `(height, width)` of a crop at a random place; None for no crop.
        mirror: Whether every other image, at random, is mirrored left to right.
        joint: Whether the images of an example share the draws, as pairs must.
    """

    crop_size: tuple[int, int] | None = None
    mirror: bool = False
    joint: bool = True


def augment_epochs(
    make_epoch: pipeline.EpochFn, augmentation: Augmentation, seed: int
) -> pipeline.EpochFn:
    """Augments batches of images; the draws depend on seed, epoch and batch alone."""
    if augmentation.crop_size is None and not augmentation.mirror:
        return make_epoch

    def make_augmented(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = pipeline.fold_seed(pipeline.stack_seed(seed, epoch), _STREAM)

        def augment(index: tf.Tensor, images: tuple[tf.Tensor, ...]) -> tuple:
            batch_seed = pipeline.fold_seed(epoch_seed, index)
            return augment_batch(images, augmentation, batch_seed)

        batches = make_epoch(epoch).enumerate()
        return batches.map(augment, num_parallel_calls=pipeline.PARALLEL_CALLS)

    return make_augmented


def augment_batch(
    images: tuple[tf.Tensor, ...], augmentation: Augmentation, seed: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Augments the images of each example of a batch.

    Args:
        images: `(batch, height, width, channels)`, each of the same shape.
        augmentation: What to draw.
        seed: `(2,)` int64.
    """
    num_draws = 1 if augmentation.joint else len(images)
    shape = [num_draws, tf.shape(images[0])[0], _DRAWS]
    draws = tf.random.stateless_uniform(shape, seed, alg="philox")
    return tuple(
        _crop_and_mirror(part, augmentation, draws[i % num_draws])
        for i, part in enumerate(images)
    )


def _crop_and_mirror(
    images: tf.Tensor, augmentation: Augmentation, draws: tf.Tensor
) -> tf.Tensor:
    """Crops and mirrors each image by its draws `(batch, 3)` in [0, 1)."""
    size = tuple(images.shape[1:3])
    crop = augmentation.crop_size or size
    offsets = tf.cast([size[i] - crop[i] + 1 for i in (0, 1)], tf.float32)
    offsets = tf.cast(draws[:, :2] * offsets, tf.int32)  # rounds down
    rows = tf.range(crop[0]) + offsets[:, :1]
    columns = tf.range(crop[1]) + offsets[:, 1:]
    if augmentation.mirror:
        columns = tf.where(draws[:, 2:] < 0.5, columns[:, ::-1], columns)
    if crop[0] < size[0]:
        images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
