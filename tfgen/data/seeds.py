"""Seeds and orders that are the same on every machine, and depend on nothing else."""

import tensorflow as tf


def permute(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shuffles along the first axis by a seed `(2,)` int64, on every machine alike."""
    return tf.random.experimental.stateless_shuffle(values, seed=seed, alg="philox")


def stack_seed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Returns the seed `(2,)` int64 of an epoch."""
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])


def fold_seed(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Returns another seed `(2,)` for each number, on every machine alike."""
    return tf.random.experimental.stateless_fold_in(seed, number, alg="philox")
