"""Examples to batches: order, batching, scaling. Knows nothing of where they are from.

An example is a tuple of components. uint8 components are images and are scaled to
float32; the others (labels) pass unchanged. One image, a labelled image or a pair of
images therefore take the same path.
"""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

PARALLEL_CALLS = os.cpu_count() or 1
_PREFETCHED_BATCHES = 4

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
    with tf.device("CPU:0"):  # on a GPU the whole set would take the model's memory
        tensors = tuple(tf.constant(array) for array in arrays)

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
        num_examples: As of `batch_arrays`.
        batch_size: As of `batch_arrays`.
        shuffle: As of `batch_arrays`.
        seed: As of `batch_arrays`.
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

    A pass counts from the moment its first batch is asked for.
    """
    with tf.device("CPU:0"):  # tf.data runs there; a variable may not move between
        next_epoch = tf.Variable(initial_epoch, dtype=tf.int64, trainable=False)

    def count(_: tf.Tensor) -> tf.Tensor:
        return next_epoch.assign_add(1) - 1

    def scale(*components: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        scaled = tuple(scale_images(part, value_range) for part in components)
        return scaled if len(scaled) > 1 else scaled[0]

    batches = tf.data.Dataset.range(1).map(count)
    # AutoGraph cannot read TFDS's wrapped methods and would warn about them.
    batches = batches.flat_map(tf.autograph.experimental.do_not_convert(make_epoch))
    batches = batches.map(scale, num_parallel_calls=PARALLEL_CALLS)
    num_batches = math.ceil(num_examples / batch_size)
    batches = batches.apply(tf.data.experimental.assert_cardinality(num_batches))
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(dataset_options())


def scale_images(images: tf.Tensor, value_range: tuple[float, float]) -> tf.Tensor:
    """Maps uint8 images to float32 in `value_range`; leaves other tensors alone."""
    if images.dtype != tf.uint8:
        return images
    low, high = value_range
    # Divided first: 255 / 255 is exactly 1, so no value leaves the range.
    return tf.cast(images, tf.float32) / 255.0 * (high - low) + low


def permute(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shuffles along the first axis by a seed `(2,)` int64, on every machine alike."""
    return tf.random.experimental.stateless_shuffle(values, seed=seed, alg="philox")


def stack_seed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Returns the seed `(2,)` int64 of an epoch."""
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])


def fold_seed(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Returns another seed `(2,)` for each number, on every machine alike."""
    return tf.random.experimental.stateless_fold_in(seed, number, alg="philox")


def dataset_options() -> tf.data.Options:
    """Reading that is deterministic, shared by batch, and whose passes end promptly."""
    options = tf.data.Options()
    options.deterministic = True
    # With autotuning on, deleting an iterator at the end of an epoch was seen to
    # block for seconds; parallelism is fixed above instead.
    options.autotune.enabled = False
    # Workers read the same batches, and each keeps its rows of them: shares of files
    # would be other batches than those of one process.
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    return options
