"""Examples to batches: order, batching, scaling. Knows nothing of where they are from.

An example is a tuple of components. Those of uint8 and of uint16 are images and are
scaled to float32; the others (labels) pass unchanged. One image, a labelled image or a
pair of images therefore take the same path.

Random crops and mirror images are those that pix2pix and CycleGAN train on:
[Isola et al., 2017](https://arxiv.org/abs/1611.07004), app. 6.2;
[Zhu et al., 2017](https://arxiv.org/abs/1703.10593), app. 7.1.
"""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgen.data.degrade import degrade, order_seed
from tfgen.data.seeds import fold_seed, permute, stack_seed
from tfgen.degradations import Step

PARALLEL_CALLS = os.cpu_count() or 1
_PREFETCHED_BATCHES = 4
_LOOKS = 8  # batches that may be looked at before a pass counts as one
_ALIGNMENT = 64  # bytes: what TensorFlow needs to use memory in place
_DRAWS = 3  # of an augmentation: row, column, mirror
_STREAM = -1  # keeps its draws apart from those of the orders

# From an epoch's number (int64 scalar) to its batches, unscaled.
EpochFn = Callable[[tf.Tensor], tf.data.Dataset]


def batch_arrays(
    arrays: Sequence[np.ndarray],
    num_examples: int,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> EpochFn:
    """Batches of examples that lie in memory, gathered by permuted indices.

    Args:
        arrays: The components of all examples.
        num_examples: Integer, the examples of an epoch: where that is more than there
            are, they come again, in another order.
        batch_size: Integer, the examples of a batch.
        shuffle: Whether the order differs from epoch to epoch.
        seed: Integer seed of the orders.
    """
    size = len(arrays[0])
    tensors = tuple(map(_as_tensor, arrays))

    def stream(seed: tf.Tensor | None) -> tf.data.Dataset:
        indices = tf.range(size)
        if seed is not None:
            indices = permute(indices, seed)
        return tf.data.Dataset.from_tensor_slices(indices)

    def gather(indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(tf.gather(tensor, indices) for tensor in tensors)

    make_indices = batch_stream(stream, size, num_examples, batch_size, shuffle, seed)

    def make_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        return make_indices(epoch).map(gather, num_parallel_calls=PARALLEL_CALLS)

    return make_epoch


def batch_stream(
    stream: Callable[[tf.Tensor | None], tf.data.Dataset],
    size: int,
    num_examples: int,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> EpochFn:
    """Batches of examples read as they come.

    Args:
        stream: From a seed `(2,)` int64 to single examples in the order of that seed,
            or from None to the fixed order.
        size: Integer, the examples of the stream.
        num_examples, batch_size, shuffle, seed: As in `batch_arrays`.
    """

    def make_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        if size == num_examples:
            examples = stream(stack_seed(seed, epoch) if shuffle else None)
            return examples.batch(batch_size)
        if not shuffle:
            return stream(None).repeat().take(num_examples).batch(batch_size)

        def restart(count: tf.Tensor) -> tf.data.Dataset:
            return stream(fold_seed(stack_seed(seed, epoch), count))

        restarts = tf.data.Dataset.range(math.ceil(num_examples / size))
        examples = restarts.flat_map(tf.autograph.experimental.do_not_convert(restart))
        return examples.take(num_examples).batch(batch_size)

    return make_epoch


def zip_epochs(make_epochs: Sequence[EpochFn]) -> EpochFn:
    """Batches whose components are those of all, one after the other."""

    if len(make_epochs) == 1:
        return make_epochs[0]

    def join(*parts: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        return tuple(component for part in parts for component in part)

    def make_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.zip(*(make(epoch) for make in make_epochs)).map(join)

    return make_epoch


@tf.autograph.experimental.do_not_convert  # slow, and nothing here needs it
def repeat_epochs(
    make_epoch: EpochFn,
    num_examples: int,
    batch_size: int,
    value_range: tuple[float, float],
    initial_epoch: int,
) -> tf.data.Dataset:
    """A dataset whose k-th pass is the epoch `initial_epoch + k`, scaled.

    A pass counts once it has given out nine batches, or its last: who looks at the
    first ones, as `next(iter(dataset))` does, changes no order.
    """
    num_batches = math.ceil(num_examples / batch_size)
    with tf.device("CPU:0"):  # tf.data runs there; a variable may not move between
        next_epoch = tf.Variable(initial_epoch, dtype=tf.int64, trainable=False)

    def scale(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(scale_images(x, value_range) for x in batch)

    def give_out(index: tf.Tensor, batch: tuple) -> Any:
        is_pass = tf.equal(index + 1, min(_LOOKS + 1, num_batches))
        next_epoch.assign_add(tf.cast(is_pass, tf.int64))
        return batch if len(batch) > 1 else batch[0]

    batches = tf.data.Dataset.range(1).map(lambda _: next_epoch.read_value())
    # AutoGraph cannot read TFDS's wrapped methods and would warn about them.
    batches = batches.flat_map(tf.autograph.experimental.do_not_convert(make_epoch))
    batches = batches.map(scale, num_parallel_calls=PARALLEL_CALLS)
    # Counted after reading ahead: what nobody has taken does not count.
    batches = batches.prefetch(_PREFETCHED_BATCHES).enumerate().map(give_out)
    batches = batches.apply(tf.data.experimental.assert_cardinality(num_batches))
    return batches.with_options(dataset_options())


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
    make_epoch: EpochFn, augmentation: Augmentation, seed: int
) -> EpochFn:
    """Augments batches of images; the draws depend on seed, epoch and batch alone."""
    if augmentation.crop_size is None and not augmentation.mirror:
        return make_epoch

    def make_augmented(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = fold_seed(stack_seed(seed, epoch), _STREAM)

        def augment(index: tf.Tensor, images: tuple[tf.Tensor, ...]) -> tuple:
            batch_seed = fold_seed(epoch_seed, index)
            return augment_batch(images, augmentation, batch_seed)

        batches = make_epoch(epoch).enumerate()
        return batches.map(augment, num_parallel_calls=PARALLEL_CALLS)

    return make_augmented


def degrade_epochs(
    make_epoch: EpochFn,
    steps: Sequence[Step],
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> EpochFn:
    """Makes pairs of batches of images: an input that is degraded, and the image.

    The draws for an image depend on the seed and its number in the epoch; and on the
    epoch, if the order does.
    """

    def make_pairs(epoch: tf.Tensor) -> tf.data.Dataset:
        draws = order_seed(seed, epoch + 1 if shuffle else 0)

        def work(index: tf.Tensor, images: tuple[tf.Tensor]) -> tuple:
            (targets,) = images
            rows = tf.range(tf.shape(targets, tf.int64)[0])
            return degrade(targets, steps, draws, index * batch_size + rows), targets

        batches = make_epoch(epoch).enumerate()
        return batches.map(work, num_parallel_calls=PARALLEL_CALLS)

    return make_pairs


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


def scale_images(images: tf.Tensor, value_range: tuple[float, float]) -> tf.Tensor:
    """Maps uint8 and uint16 to float32 in `value_range`; leaves other tensors alone."""
    if images.dtype not in (tf.uint8, tf.uint16):
        return images
    low, high = value_range
    # Divided first: 255 / 255 is exactly 1, so no value leaves the range.
    return tf.cast(images, tf.float32) / images.dtype.max * (high - low) + low


def empty_images(shape: tuple[int, ...], depth: int = 8) -> np.ndarray:
    """Returns memory to fill, which `batch_arrays` then keeps without a copy.

    It is uint8, or uint16 for a depth of 16.
    """
    size = math.prod(shape) * depth // 8
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(f"uint{depth}").reshape(shape)


def _as_tensor(array: np.ndarray) -> tf.Tensor:
    """Returns a tensor in main memory: on a GPU a set would take the model's."""
    if array.dtype in (np.uint8, np.uint16) and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    with tf.device("CPU:0"):
        return tf.constant(array)


def dataset_options() -> tf.data.Options:
    """Reading that is deterministic, shared by batch, and whose passes end promptly."""
    options = tf.data.Options()
    options.deterministic = True
    # With autotuning on, deleting an iterator at the end of an epoch was seen to
    # block for seconds; parallelism is fixed above instead.
    options.autotune.enabled = False
    # Rewriting the graph of a data set copies the tensors that it holds: all images.
    options.experimental_optimization.apply_default_optimizations = False
    # Workers read the same batches, and each keeps its rows of them: shares of files
    # would be other batches than those of one process.
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    return options
