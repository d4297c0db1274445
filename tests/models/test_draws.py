"""Draws are the same with XLA and without, for seeds of either sign."""

import numpy as np
import pytest
import tensorflow as tf

from tfgen.models import draws
from tfgen.models.philox import bits_of_seeds

COLUMNS = {"a": (draws.uniform, 3), "b": (draws.standard_normal, 2)}


def draw(seed):
    other = draws.fold_in(seed, 1)
    return draws.of_columns(COLUMNS, 4, seed), draws.of_columns(COLUMNS, 4, other)


@pytest.mark.parametrize("seed", [[0, 0], [-5, 7], [123456789, 3]])
def test_xla_draws_the_same(seed):
    seed = tf.constant(seed)
    plain = tf.nest.flatten(draw(seed))
    compiled = tf.nest.flatten(tf.function(draw, jit_compile=True)(seed))
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    first, *rest = plain[0::2]
    assert all(np.abs(first - other).max() > 0.01 for other in rest)


SEEDS = np.array([0, 1, -1, 7 * 2**32 + 5, 2**63 - 1, -(2**63)])


@pytest.mark.parametrize("shape", [(1,), (4,), (7,), (3, 5, 2)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_bits_of_many_seeds_are_those_of_each(shape, jit_compile):
    function = tf.function(
        lambda seeds: bits_of_seeds(shape, seeds), jit_compile=jit_compile
    )
    drawn = function(tf.constant(SEEDS))
    for seed, bits in zip(SEEDS, drawn, strict=True):
        alone = tf.random.stateless_uniform(
            shape, [seed, 0], minval=None, maxval=None, dtype=tf.uint32, alg="philox"
        )
        np.testing.assert_array_equal(bits, alone)


@pytest.mark.parametrize("kind", [draws.uniform, draws.standard_normal])
def test_draws_of_many_seeds_are_those_of_each(kind):
    drawn = draws.of_seeds(kind, tf.constant(SEEDS), (6,))
    for seed, row in zip(SEEDS, drawn, strict=True):
        # The last bit of a vector's elements may differ from that of its rest.
        np.testing.assert_allclose(row, kind((6,), [seed, 0]), rtol=1e-6)


def test_draws_of_no_seed():
    assert draws.of_seeds(draws.uniform, tf.zeros(0, tf.int64), (6,)).shape == (0, 6)
