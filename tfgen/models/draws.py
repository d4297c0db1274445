"""Random draws: the same on every device, with XLA or without, on any replicas."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfgen import replicas
from tfgen.models.philox import bits_of_seeds

Tensor = Any  # a tf.Tensor; NumPy arrays do too

_ALGORITHM = "philox"  # TensorFlow's own choice is another one under XLA


def _bits(shape: Any, seed: Tensor) -> Tensor:
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=_ALGORITHM
    )


def uniform(shape: Any, seed: Tensor, bits_of: Callable = _bits) -> Tensor:
    """Returns uniform draws in (0, 1), float32.

    TensorFlow's own draws of floats differ under XLA; its Philox bits do not.

    Args:
        shape: Integers, or scalar tensors.
        seed: Integer tensor or pair `(2,)`.
        bits_of: Function of the two that returns uint32.
    """
    bits = bits_of(shape, seed)
    top = tf.cast(tf.bitwise.right_shift(bits, tf.constant(9, tf.uint32)), tf.int32)
    return (tf.cast(top, tf.float32) + 0.5) * 2.0**-23  # exact, and never 0 or 1


def fold_in(seed: Tensor, number: int) -> Tensor:
    """Returns another seed `(2,)`, of a seed and a number."""
    return tf.random.fold_in(seed, number, alg=_ALGORITHM)


def standard_normal(shape: Any, seed: Tensor, bits_of: Callable = _bits) -> Tensor:
    """Returns standard normal draws, by the inverse of their distribution function."""
    return tf.math.ndtri(uniform(shape, seed, bits_of))


def of_batch(
    draw: Callable, batch_size: Tensor, event_shape: Sequence[int], seed: Tensor
) -> Tensor:
    """Returns this replica's rows `(batch_size, *event_shape)` of a batch's draws.

    Every replica draws for the global batch and keeps its rows, so that N replicas take
    the step that one takes.

    Args:
        draw: `standard_normal` or `uniform`.
        batch_size: int32 `()`, rows of this replica.
        event_shape: Of one row.
        seed: Integer tensor or pair `(2,)`.
    """
    if replicas.num_replicas() == 1:
        return draw((batch_size, *event_shape), seed)
    start, total = replicas.global_rows(batch_size)
    return draw((total, *event_shape), seed)[start : start + batch_size]


def of_columns(
    columns: dict[str, tuple[Callable, int]], batch_size: Tensor, seed: Tensor
) -> dict[str, Tensor]:
    """Returns independent draws `(batch_size, size)` by name, as in `of_batch`.

    Args:
        columns: Name -> `standard_normal` or `uniform`, and the size.
        batch_size: int32 `()`, rows of this replica.
        seed: Integer tensor or pair `(2,)`.
    """
    seeds = tf.unstack(tf.random.split(seed, len(columns), alg=_ALGORITHM))
    return {
        name: of_batch(draw, batch_size, (size,), own_seed)
        for (name, (draw, size)), own_seed in zip(columns.items(), seeds, strict=True)
    }


def of_seeds(draw: Callable, seeds: Tensor, event_shape: Sequence[int]) -> Tensor:
    """Returns draws `(batch, *event_shape)`, each of its own seed: int64 `(batch,)`.

    Those of a seed are what `draw` returns for `[seed, 0]`.

    Args:
        draw: `standard_normal` or `uniform`.
        seeds: int64 `(batch,)`.
        event_shape: Of one row.
    """
    return draw(event_shape, seeds, bits_of_seeds)
