"""Draws are the same with XLA and without, for seeds of either sign."""

import numpy as np
import pytest
import tensorflow as tf

from tfgen.models import draws

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
