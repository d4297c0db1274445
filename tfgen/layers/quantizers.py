"""Quantisers: vectors to the nearest of finitely many, each with a number, its code.

Finite scalar quantisation (FSQ) rounds each number of a vector to one of a few levels;
all products of levels are the codes, and nothing is learned:

    bound(z) = (L - 1) / 2 * tanh(z + shift) - offset,     code vector = round(bound(z))

with an offset of 1/2 and the shift that keeps bound(0) = 0 for even L, 0 for odd.

Vector quantisation (VQ) takes the nearest row of a codebook. The rows follow the
vectors that choose them, as moving averages (`n` of how many, `m` of their sum):

    n <- decay n + (1 - decay) count,   m <- decay m + (1 - decay) sum,   row = m / n

A row that is hardly chosen is dead: it starts anew at a random vector of the batch.

Backwards both pass gradients through as if they were the identity (of `bound(z)` for
FSQ): the straight-through estimator.

References:
- [Mentzer et al., 2024](https://arxiv.org/abs/2309.15505), sec. 3.1 and app. A.1: FSQ.
- [van den Oord et al., 2017](https://arxiv.org/abs/1711.00937), eqs. 1 and 2, app. A.1.
- [Dhariwal et al., 2020](https://arxiv.org/abs/2005.00341), sec. 3.1: dead codes.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from tfgen import replicas
from tfgen.layers.float32 import Float32Layer
from tfgen.losses import get

_EPSILON = 1e-5


class Quantizer(keras.layers.Layer):
    """Base of the quantisers: `num_codes` vectors of `dim` numbers, in float32."""

    num_codes: int
    dim: int

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def vectors(self) -> tf.Tensor:
        """Returns all code vectors `(num_codes, dim)`."""
        raise NotImplementedError

    def encode(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the codes int32 `(...)` of features `(..., dim)`."""
        raise NotImplementedError

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the vectors `(..., dim)` of codes."""
        # Not tf.gather: a product with a matrix runs on the fast path of phones.
        return self.combine(tf.one_hot(codes, self.num_codes))

    def combine(self, one_hot: tf.Tensor) -> tf.Tensor:
        """Returns the vectors `(..., dim)` of codes as `(..., num_codes)`."""
        return tf.matmul(one_hot, self.vectors())

    def straight_through(
        self, features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the vectors of features, straight through, the codes, and a loss.

        The loss `(batch,)` is what draws features to their vectors.
        """
        raise NotImplementedError

    def update(self, features: tf.Tensor, codes: tf.Tensor, seed: tf.Tensor) -> None:
        """Moves code vectors, after a step, to the features of a batch."""


@keras.saving.register_keras_serializable(package="tfgen")
class FiniteScalarQuantizer(Quantizer):
    """Rounds each of `len(levels)` numbers to one of `levels[i]` values.

    Args:
        levels: Integers of at least 2, such as `(8, 5, 5, 5)`: 1,000 codes.
    """

    def __init__(self, levels: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = tuple(levels)
        if not self.levels or any(level < 2 for level in self.levels):
            raise ValueError(f"`levels` must be at least 2. Received: {levels}")
        self.dim = len(self.levels)
        self.num_codes = math.prod(self.levels)
        self.built = True
        # Digits of a code count from the first number on.
        self._basis = [math.prod(self.levels[:i]) for i in range(self.dim)]
        self._halves = [float(level // 2) for level in self.levels]
        self._reach = [(level - 1) * (1 + 1e-3) / 2 for level in self.levels]
        self._offsets = [0.5 if level % 2 == 0 else 0.0 for level in self.levels]
        pairs = zip(self._offsets, self._reach, strict=True)
        self._shifts = [math.atanh(offset / reach) for offset, reach in pairs]

    def bound(self, features: tf.Tensor) -> tf.Tensor:
        """Returns features in the range of their levels, before they are rounded."""
        features = tf.cast(features, tf.float32)
        return tf.tanh(features + self._shifts) * self._reach - self._offsets

    def vectors(self) -> tf.Tensor:
        """Returns all code vectors `(num_codes, dim)`, in [-1, 1]."""
        codes = tf.range(self.num_codes)[:, tf.newaxis]
        digits = tf.cast(codes // self._basis % self.levels, tf.float32)
        return (digits - self._halves) / self._halves

    def encode(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the codes int32 `(...)` of features `(..., dim)`."""
        digits = _round(self.bound(features)) + self._halves
        weights = tf.constant([[float(one)] for one in self._basis])
        return tf.cast(tf.squeeze(tf.matmul(digits, weights), -1) + 0.5, tf.int32)

    def straight_through(
        self, features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns vectors, straight through, codes, and a loss of 0."""
        bounded = self.bound(features)
        rounded = bounded + tf.stop_gradient(_round(bounded) - bounded)
        loss = tf.zeros(tf.shape(bounded)[0])
        return rounded / self._halves, self.encode(features), loss

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**_plain(super().get_config()), "levels": list(self.levels)}


@keras.saving.register_keras_serializable(package="tfgen")
class VectorQuantizer(Float32Layer, Quantizer):
    """Takes the nearest of `num_codes` vectors, which are moving averages.

    Args:
        num_codes: Integer.
        dim: Integer, size of a vector.
        decay: Float, of the moving averages.
        restart_below: Float: a code that fewer vectors of a batch choose, on average,
            starts anew; 0 for never.
    """

    def __init__(
        self,
        num_codes: int,
        dim: int,
        decay: float = 0.99,
        restart_below: float = 0.03,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_codes, self.dim = num_codes, dim
        self.decay, self.restart_below = decay, restart_below
        shape, spread = (num_codes, dim), keras.initializers.RandomNormal(stddev=1.0)
        held = {"trainable": False}
        self.codebook = self._weight("codebook", shape, spread, **held)
        # `restart_below` is far below 1: a code has some tens of steps to be chosen.
        self.counts = self._weight("counts", (num_codes,), "ones", **held)
        self.sums = self._weight("sums", shape, "zeros", **held)
        self.sums.assign(self.codebook)
        self.built = True

    def vectors(self) -> tf.Tensor:
        """Returns the codebook `(num_codes, dim)`."""
        return tf.convert_to_tensor(self.codebook)

    def encode(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the codes int32 `(...)` of the nearest vectors."""
        features, codebook = tf.cast(features, tf.float32), self.vectors()
        # The squared distance, but for what is the same for all codes.
        products = tf.matmul(features, codebook, transpose_b=True)
        distances = tf.reduce_sum(tf.square(codebook), axis=-1) - 2.0 * products
        return tf.argmin(distances, axis=-1, output_type=tf.int32)

    def straight_through(
        self, features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns vectors, straight through, codes, and their squared distances."""
        features = tf.cast(features, tf.float32)
        codes = self.encode(features)
        nearest = tf.stop_gradient(self.decode(codes))
        distances = tf.math.squared_difference(features, nearest)
        loss = tf.reduce_sum(distances, axis=list(range(1, len(features.shape))))
        return features + tf.stop_gradient(nearest - features), codes, loss

    def update(self, features: tf.Tensor, codes: tf.Tensor, seed: tf.Tensor) -> None:
        """Moves the averages; dead codes become random vectors of the batch."""
        features = tf.reshape(tf.cast(features, tf.float32), (-1, self.dim))
        one_hot = tf.one_hot(tf.reshape(codes, [-1]), self.num_codes)
        count = replicas.global_sum(tf.reduce_sum(one_hot, axis=0))
        total = replicas.global_sum(tf.matmul(one_hot, features, transpose_a=True))
        counts = self.decay * self.counts + (1.0 - self.decay) * count
        sums = self.decay * self.sums + (1.0 - self.decay) * total
        is_dead = counts < self.restart_below
        drawn = _draw_rows(features, self.num_codes, seed)
        counts = tf.where(is_dead, 1.0, counts)
        sums = tf.where(is_dead[:, tf.newaxis], drawn, sums)
        self.counts.assign(counts)
        self.sums.assign(sums)
        self.codebook.assign(sums / tf.maximum(counts, _EPSILON)[:, tf.newaxis])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = ("num_codes", "dim", "decay", "restart_below")
        own = {name: getattr(self, name) for name in names}
        return {**_plain(super().get_config()), **own}


def resolve_quantizer(
    quantizer: Any, levels: Any, num_codes: int, dim: int
) -> Quantizer:
    """Returns the quantiser of a name, `"fsq"` or `"vq"`, or an object as it is."""
    rows = {
        "fsq": lambda: FiniteScalarQuantizer(levels),
        "vq": lambda: VectorQuantizer(num_codes, dim),
    }
    return get("quantizer", quantizer, rows, Quantizer)


def _round(numbers: tf.Tensor) -> tf.Tensor:
    return tf.floor(numbers + 0.5)  # not tf.round, which not every runtime has


def _draw_rows(rows: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns random rows of the global batch, the same ones on every replica."""
    num_rows = tf.shape(rows)[0]
    start, total = replicas.global_rows(num_rows)
    places = tf.random.stateless_uniform(
        (count,), seed, 0, tf.maximum(total, 1), tf.int32, alg="philox"
    )
    is_here = tf.cast((places >= start) & (places < start + num_rows), tf.float32)
    padded = tf.concat([rows, tf.zeros((1, rows.shape[-1]))], axis=0)
    own = tf.gather(padded, tf.clip_by_value(places - start, 0, num_rows))
    return replicas.global_sum(own * is_here[:, tf.newaxis])


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    config.pop("autocast", None)
    return config
