"""The prior over codes: no look ahead, cached keys, frequencies of samples."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.networks.lowering import check
from tfgen.layers import CausalTransformer
from tfgen.layers.causal_transformer import _inverse

NUM_CODES, NUM_PLACES = 5, 4
RNG = np.random.default_rng(0)
CODES = RNG.integers(0, NUM_CODES, (6, NUM_PLACES)).astype("int32")


def make(num_classes=None):
    keras.utils.set_random_seed(0)
    layer = CausalTransformer(width=8, num_blocks=2, num_heads=2)
    layer.build_for(NUM_CODES, NUM_PLACES, num_classes)
    for weight in layer.weights:  # biases too, and larger than they start
        weight.assign(0.5 * RNG.normal(size=weight.shape))
    return layer


def test_a_place_sees_those_before_it_alone():
    layer = make()
    logits = layer(CODES).numpy()
    for place in range(NUM_PLACES):
        other = CODES.copy()
        other[:, place] = (other[:, place] + 1) % NUM_CODES
        changed = np.abs(layer(other).numpy() - logits).max((0, 2)) > 1e-5
        assert changed.tolist() == [i > place for i in range(NUM_PLACES)]


@pytest.mark.parametrize("num_classes", [None, 3])
def test_samples_with_cached_keys_have_the_probabilities_of_one_pass(num_classes):
    layer = make(num_classes)
    labels = None if num_classes is None else np.arange(6, dtype="int32") % 3
    noise = RNG.uniform(size=(6, NUM_PLACES)).astype("float32")
    one_hot = layer.sample(noise, labels).numpy()
    np.testing.assert_array_equal(np.sort(one_hot)[..., -2:], [[[0, 1]] * 4] * 6)
    codes = one_hot.argmax(-1)
    probabilities = tf.nn.softmax(layer(codes, labels)).numpy()
    ends = np.cumsum(probabilities, axis=-1)
    expected = (noise[..., None] > ends[..., :-1]).sum(-1)
    np.testing.assert_array_equal(codes, expected)
    if num_classes:
        others = layer(codes, (labels + 1) % 3)
        assert np.abs(others - layer(codes, labels)).max() > 1e-3


def test_frequencies_of_draws_are_the_probabilities():
    logits = np.log([[0.5, 0.2, 0.0001, 0.2999]]).astype("float32")
    noise = (np.arange(10_000, dtype="float32")[:, None] + 0.5) / 10_000
    counts = _inverse(np.repeat(logits, 10_000, axis=0), noise).numpy().sum(0)
    np.testing.assert_allclose(counts, [5000, 2000, 1, 2999], atol=1)


def test_samples_run_on_the_edge_in_one_partition(tmp_path):
    layer = make()

    def sample(noise):
        return {"codes": layer.sample(noise)}

    check(sample, tmp_path / "prior.tflite", RNG, noise=(1, NUM_PLACES))


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match=r"multiple of num_heads=4\. Received: 10"):
        CausalTransformer(width=10)
