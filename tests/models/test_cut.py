"""CUT's terms by another route, its places, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.models import small
from tests.models.test_contracts import make_cut
from tfgen.losses import patch_nce
from tfgen.networks import build_patch_projector, build_resnet_generator


def test_patch_nce_is_the_cross_entropy_of_each_place():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(2, 3, 5, 4)).astype("float32")
    expected = []
    for query, key in zip(queries, keys, strict=True):
        for i, vector in enumerate(query):
            chances = np.exp([vector @ other / 0.5 for other in key])
            expected.append(-np.log(chances[i] / chances.sum()))
    value = patch_nce(queries, keys, 0.5)
    assert float(value) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize(("temperature", "value"), [(1e-3, 0.0), (1e6, np.log(5))])
def test_limits_of_patch_nce(temperature, value):
    """Places that differ are told apart; by a large temperature none is."""
    places = tf.eye(5, batch_shape=[2])
    assert float(patch_nce(places, places, temperature)) == pytest.approx(
        value, abs=1e-5
    )


def vectors_by_hand(model, images):
    """Of all places of each layer, by the weights: `(batch, places, units)`."""
    convolution = model.generator.layers[1]
    kernels = [d for d in model.projector.layers if isinstance(d, keras.layers.Dense)]
    layers = [images, np.asarray(convolution(images))]
    vectors = []
    for index, features in enumerate(layers):
        x = features.reshape(len(images), -1, features.shape[-1])
        for dense in kernels[index::2]:  # the first of both layers, then the second
            weight, bias = (np.asarray(w) for w in dense.weights)
            x = x @ weight + bias
            x = np.maximum(x, 0) if dense is kernels[index] else x
        vectors.append(x / np.linalg.norm(x, axis=-1, keepdims=True))
    return vectors


def test_terms_are_those_of_all_places():
    """With as many places as there are, it does not matter which are drawn."""
    model = make_cut()()
    model.num_patches = 64
    for weight in model.projector.weights:  # at first so small that all agree
        weight.assign(keras.random.normal(weight.shape, seed=1))
    images, targets = small.images(3), small.targets(3)
    terms = model.compute_terms(images, targets, training=False)
    a, b = 2 * images - 1, 2 * targets - 1
    for name, real in (("nce_loss", a), ("identity_nce_loss", b)):
        fake = np.asarray(model.generator(real))
        losses = []
        for query, key in zip(
            vectors_by_hand(model, fake), vectors_by_hand(model, real), strict=True
        ):
            logits = np.einsum("bik,bjk->bij", query, key) / 0.07
            own = np.einsum("bii->bi", logits)
            losses.append(np.mean(np.log(np.exp(logits).sum(-1)) - own))
        assert float(terms[name]) == pytest.approx(np.mean(losses), rel=1e-4)
    scores = [np.asarray(model.discriminator(x)) for x in (b, model.generator(a))]
    adversarial = np.mean((scores[1] - 1) ** 2)
    assert float(terms["adversarial_loss"]) == pytest.approx(adversarial, rel=1e-5)
    total = adversarial + float(terms["nce_loss"]) + float(terms["identity_nce_loss"])
    assert float(terms["generator_loss"]) == pytest.approx(total, rel=1e-5)
    judged = (np.mean((scores[0] - 1) ** 2) + np.mean(scores[1] ** 2)) / 2
    assert float(terms["discriminator_loss"]) == pytest.approx(judged, rel=1e-5)


def test_gradients_reach_features_through_the_translation_alone():
    """The generator that copies its input has the input's features as its own."""
    model = make_cut()()
    images = tf.constant(2 * small.images(2) - 1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        batch = {"seed": tf.constant([0, 1])}
        loss = model._nce(batch, images, tf.stop_gradient(images), False)
    assert tape.gradient(loss, images) is None


def test_layers_of_the_residual_generator_have_names():
    generator = build_resnet_generator((16, 16, 1), filters=2, num_blocks=2)
    layers = ("images", "down_1", "down_2", "block_1", "block_2")
    projector = build_patch_projector(generator, layers, units=16, initial_stddev=1.0)
    widths = [x.shape[-1] for x in projector.inputs]
    assert widths == [1, 4, 8, 8, 8]
    vectors = projector([keras.random.normal((2, 5, w), seed=w) for w in widths])
    for one in vectors:
        np.testing.assert_allclose(np.linalg.norm(one, axis=-1), 1.0, rtol=1e-5)
    with pytest.raises(ValueError, match="no layer block_3"):
        build_patch_projector(generator, ("block_3",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"temperature": 0.0}, "`temperature` must be above 0"),
        ({"num_patches": 0}, "num_patches"),
        ({"lambda_nce": -1.0}, "lambda_nce"),
    ],
)
def test_mistakes(arguments, words):
    model = make_cut()()
    networks = model.generator, model.discriminator, model.projector
    with pytest.raises(ValueError, match=words):
        tfgen.CUT(*networks, **arguments)
