"""Regions of codes: what is swapped, and draws against the prior's conditionals."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_contracts import make_vqvae
from tfgen.errors import UserError
from tfgen.latent import Region, read_region, swap_region, vary_region
from tfgen.layers import CausalTransformer

GRID, NUM_CODES = (2, 2), 3


class Tiny:
    """What `vary_region` takes of a model."""

    def __init__(self, num_classes=None, seed=2):
        keras.utils.set_random_seed(seed)
        self.prior = CausalTransformer(width=8, num_blocks=1, num_heads=2)
        self.prior.build_for(NUM_CODES, 4, num_classes)
        rng = np.random.default_rng(0)
        for weight in self.prior.weights:  # or it would hardly know what came before
            weight.assign(weight + 0.5 * rng.normal(size=weight.shape))


def exact(model, codes, places, label):
    """`p(region | rest)` by all codes that there may be, and the codes."""
    values = np.array([*itertools.product(range(NUM_CODES), repeat=len(places))])
    rows = np.tile(codes.reshape(1, -1), (len(values), 1))
    rows[:, places] = values
    labels = None if label is None else np.full(len(rows), label)
    log_probs = tf.nn.log_softmax(model.prior(rows, labels)).numpy().astype(float)
    total = np.take_along_axis(log_probs, rows[..., None], axis=-1).sum((1, 2))
    return values, np.exp(total) / np.exp(total).sum()


@pytest.mark.parametrize("label", [None, 1])
@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 2)])
def test_draws_are_of_the_region_given_the_rest(rows, label):
    """What comes after the region counts too: the first row sees the second."""
    model = Tiny(None if label is None else 2)
    region, codes = Region(rows, slice(0, 2)), np.array([[0, 2], [1, 1]])
    places = region.places(GRID)
    values, expected = exact(model, codes, places, label)
    options = {"label": label, "num_candidates": 60}
    drawn = vary_region(model, codes, region, 3000, seed=1, **options)
    kept = np.delete(drawn.reshape(-1, 4), places, axis=1)
    assert (kept == np.delete(codes.reshape(-1), places)).all()
    found = drawn.reshape(-1, 4)[:, places]
    shares = (found[:, None] == values).all(-1).mean(0)
    np.testing.assert_allclose(shares, expected, atol=0.04)
    alone = vary_region(model, codes, region, 3000, label=label, num_candidates=1)
    alone = (alone.reshape(-1, 4)[:, places][:, None] == values).all(-1).mean(0)
    if rows.start == 0:  # one candidate alone does not see what comes after
        assert np.abs(alone - expected).max() > 0.1


def test_draws_are_those_of_their_seed():
    model, region = Tiny(), Region(slice(0, 1), slice(0, 2))
    codes = np.zeros(GRID, int)
    one, same, other = (vary_region(model, codes, region, 20, s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_regions_are_swapped():
    codes, donors = np.zeros((2, 3, 3), int), np.arange(18).reshape(2, 3, 3)
    region = read_region("0:2, 1:3", (3, 3))
    assert region.places((3, 3)).tolist() == [1, 2, 4, 5]
    swapped = swap_region(codes, donors, region)
    assert swapped[1].tolist() == [[0, 10, 11], [0, 13, 14], [0, 0, 0]]
    assert swap_region(codes, donors[0], region)[1, 1].tolist() == [0, 4, 5]
    assert not codes.any()


@pytest.mark.parametrize("text", ["2:1,0:1", "0:4,0:1", "0:1", "a:b,0:1", "-1:2,0:1"])
def test_other_regions_are_refused(text):
    with pytest.raises(UserError, match="must be rows and columns of 3x3 codes"):
        read_region(text, (3, 3))


def test_there_is_no_draw_without_a_prior():
    model = make_vqvae()()
    model.prior = None
    with pytest.raises(UserError, match="VQVAE has no prior to vary codes by"):
        vary_region(model, np.zeros(GRID, int), Region(slice(1), slice(1)), 1)
