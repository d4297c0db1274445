"""Replicas of a model that take a step together, and their shares of the batch.

A replica's rows follow those of the replicas before it, and it may have fewer, or none.
All replicas must call these functions, and outside of conditions.
"""

from typing import Any

import tensorflow as tf

Tensor = Any  # a tf.Tensor; NumPy arrays do too


def num_replicas() -> int:
    """Returns how many replicas take this step together; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def global_sum(value: Tensor) -> Tensor:
    """Returns the sum of a value over all replicas."""
    if num_replicas() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(value))


def global_rows(num_rows: Tensor) -> tuple[Tensor, Tensor]:
    """Returns where this replica's rows begin in the global batch, and its size.

    Args:
        num_rows: int32 `()`, how many rows this replica has.
    """
    if num_replicas() == 1:
        return 0, num_rows
    place = tf.distribute.get_replica_context().replica_id_in_sync_group
    own = tf.one_hot(place, num_replicas()) * tf.cast(num_rows, tf.float32)
    sizes = tf.cast(global_sum(own), tf.int32)
    return tf.reduce_sum(sizes[:place]), tf.reduce_sum(sizes)


def weigh(mean: Tensor, num_rows: Tensor) -> Tensor:
    """Returns a mean over this replica's rows times its share of the global batch.

    Summed over the replicas, that is the mean over the batch.
    """
    if num_replicas() == 1:
        return mean
    _, total = global_rows(num_rows)
    # The mean over no rows is NaN.
    return tf.math.multiply_no_nan(mean, tf.cast(num_rows / total, mean.dtype))


def gather_rows(value: Tensor) -> Tensor:
    """Returns the rows `(batch, ...)` of all replicas in one tensor, differentiable.

    What all replicas make of it alike, weighed by `weigh`, has the gradient that one
    replica with the whole batch would have.
    """
    if num_replicas() == 1:
        return value
    count = tf.shape(value)[0]
    start, total = global_rows(count)
    paddings = [[start, total - start - count]] + [[0, 0]] * (value.shape.rank - 1)
    return global_sum(tf.pad(value, paddings))
