"""TensorFlow's Philox bits of many seeds at once: one graph, in place of a loop.

`tf.random.stateless_uniform` takes one seed a call. A loop over the seeds of a batch
starts its operations again for each of them, which a small decoder waits for.

    counter, key  ->  Philox of 10 rounds  ->  4 x 32 bits

    (k, c) = Philox(counter=(seed, 0), key=constants)       the key and the stream
    bits 4 i to 4 i + 3 = Philox(counter=(i, c), key=k)

Reference: [Salmon et al., 2011](https://doi.org/10.1145/2063384.2063405), sec. 3.3 and
table 2; the first line is `GenerateKey` of TensorFlow's stateless operations.
"""

import functools
from typing import Any

import tensorflow as tf

_ROUNDS = 10
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_SEED_KEY = 0x3EC8F720, 0x02461E29  # of TensorFlow


def bits_of_seeds(shape: Any, seeds: Any) -> tf.Tensor:
    """Returns 32 random bits an element, those that TensorFlow draws of each seed.

    Args:
        shape: Integers, of what is drawn of one seed.
        seeds: int64 `(batch,)`; stands for the pair `(seed, 0)`.

    Returns:
        uint32 `(batch, *shape)`.
    """
    size = functools.reduce(lambda one, other: one * other, shape, 1)
    blocks = tf.bitcast(tf.range(-(-size // 4), dtype=tf.int64), tf.uint64)
    seeds = tf.bitcast(tf.convert_to_tensor(seeds), tf.uint64)[:, tf.newaxis]
    zero = tf.constant(0, tf.uint64)
    seed_key = [tf.constant(word, tf.uint64) for word in _SEED_KEY]
    *key, low, high = _philox([*_halves(seeds), zero, zero], seed_key)
    words = _philox([*_halves(blocks), low, high], key)
    bits = tf.reshape(tf.stack(words, axis=-1), (tf.shape(seeds)[0], -1))
    return tf.reshape(tf.cast(bits[:, :size], tf.uint32), (-1, *shape))


def _philox(counter: list[Any], key: list[Any]) -> list[Any]:
    """Returns four words for the four of a counter; words are below 2**32, as uint64.

    They are broadcast against each other.
    """
    first, second = (tf.constant(value, tf.uint64) for value in _MULTIPLIERS)
    steps = [tf.constant(value, tf.uint64) for value in _KEY_STEPS]
    xor = tf.bitwise.bitwise_xor
    a, b, c, d = counter
    for _ in range(_ROUNDS):
        (low_a, high_a), (low_c, high_c) = _halves(a * first), _halves(c * second)
        a, b = xor(xor(high_c, b), key[0]), low_c
        c, d = xor(xor(high_a, d), key[1]), low_a
        key = [_halves(k + step)[0] for k, step in zip(key, steps, strict=True)]
    return [a, b, c, d]


def _halves(numbers: Any) -> tuple[Any, Any]:
    """Returns the low and the high 32 bits."""
    low = tf.bitwise.bitwise_and(numbers, tf.constant(0xFFFFFFFF, tf.uint64))
    return low, tf.bitwise.right_shift(numbers, tf.constant(32, tf.uint64))
