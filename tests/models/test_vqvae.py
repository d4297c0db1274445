"""VQVAE: its objective by hand, frequencies of codes, phases, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.models import small
from tests.models.test_contracts import make_vqvae
from tfgen.errors import UserError
from tfgen.inference import Endpoints, sample
from tfgen.networks import build_resnet_decoder, build_resnet_encoder
from tfgen.training.initial_weights import freeze, layers_by_name

IMAGES = small.images()


@pytest.fixture(scope="module")
def model():
    return make_vqvae(quantizer="vq", dim=3)()


def test_the_objective_by_hand(model):
    features = model.encoder(IMAGES).numpy()
    codebook = model.quantizer.codebook.numpy()
    distances = ((features[..., None, :] - codebook) ** 2).sum(-1)
    codes = distances.argmin(-1)
    terms = model.compute_terms(IMAGES, training=False)
    means = model.decoder(codebook[codes]).numpy()
    scale = float(model.pixel_likelihood.scale)
    density = -0.5 * ((IMAGES - means) / scale) ** 2 - np.log(
        scale * np.sqrt(2 * np.pi)
    )
    logits = tf.nn.log_softmax(model.prior(codes)).numpy().reshape(20, 2, 2, 6)
    expected = {
        "reconstruction_loss": -density.sum((1, 2, 3)).mean(),
        "commitment_loss": distances.min(-1).sum((1, 2)).mean(),
        "prior_loss": -(logits * np.eye(6)[codes]).sum((1, 2, 3)).mean(),
    }
    shares = np.bincount(codes.ravel(), minlength=6) / codes.size
    used = shares[shares > 0]
    expected["code_use"] = len(used) / 6
    expected["perplexity"] = np.exp(-(used * np.log(used)).sum())
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)
    loss = expected["reconstruction_loss"] + expected["prior_loss"]
    loss += 0.25 * expected["commitment_loss"]
    np.testing.assert_allclose(terms["loss"], loss, rtol=1e-4)
    np.testing.assert_array_equal(model.encode(IMAGES), codes)
    np.testing.assert_allclose(model.reconstruct(IMAGES), model(IMAGES), atol=1e-5)


def test_the_prior_changes_nothing_else(model):
    """Its gradient ends at the codes."""
    with tf.GradientTape() as tape:
        loss = model.compute_terms(IMAGES, training=False)["prior_loss"]
    gradients = tape.gradient(loss, model.trainable_variables)
    own = {id(v) for v in model.prior.trainable_variables}
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert (gradient is not None) == (id(variable) in own), variable.path


def test_a_second_phase_trains_the_prior_alone():
    model = make_vqvae(quantizer="vq", dim=3)()
    assert {"quantizer", "prior"} <= set(layers_by_name(model))
    freeze(model, ["encoder/*", "decoder/*", "quantizer"])
    kept = {id(v): v.numpy() for v in model.weights}
    model.fit(IMAGES, batch_size=10, verbose=0)
    for layer in (*model.encoder.layers, *model.decoder.layers, model.quantizer):
        for variable in layer.weights:
            np.testing.assert_array_equal(variable, kept[id(variable)])
    before = kept[id(model.prior.positions)]
    assert not np.array_equal(before, model.prior.positions)


def test_codes_are_not_latents(model):
    endpoints = Endpoints(model)
    assert not endpoints.has_latents
    with pytest.raises(UserError, match="discrete codes in place of latents"):
        endpoints.require("encode", "decode", why="")
    images = endpoints.sample(3, seed=0)
    np.testing.assert_allclose(images, endpoints.sample(3, seed=0))
    assert images.shape == (3, *small.IMAGE_SHAPE)
    with pytest.raises(UserError, match="leave the truncation out"):
        sample(endpoints, 3, truncation=0.5)
    with pytest.raises(ValueError, match="leave `truncation` out"):
        model.sample(3, truncation=0.5)
    labels = np.zeros(20, "int32")  # which `reconstruct` does not take
    assert len(endpoints.run("reconstruct", IMAGES, labels)["images"]) == 20


@pytest.mark.parametrize("quantizer", ["vq", "fsq"])
def test_codes_that_are_of_no_vector_are_refused(model, quantizer):
    """In Python and served; one-hot codes of theirs would be zeros."""
    if quantizer == "fsq":  # whose number of codes is not `num_codes`
        model = tfgen.VQVAE(*networks(2), levels=(2, 3))
    decode = model.signatures()["decode"]
    assert model.decode(np.full((1, 2, 2), 5)).shape == (1, *small.IMAGE_SHAPE)
    for codes in ([[[0, 6], [0, 0]]], [[[0, 0], [-1, 0]]]):
        with pytest.raises(ValueError, match=r"^`codes` must be .*num_codes=6\)"):
            model.decode(codes)
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_codes=6"):
            decode(tf.constant(codes))
    with pytest.raises(ValueError, match=r"must be integers\. Received: float32"):
        model.decode(np.zeros((1, 2, 2), "float32"))


def test_without_a_prior_there_are_no_samples():
    model = tfgen.VQVAE(*networks(2), levels=(4, 3))
    assert set(model.signatures()) == {"reconstruct", "encode", "decode"}
    with pytest.raises(ValueError, match="needs a prior"):
        model.sample(2)


def networks(dim, grid=2):
    shape = small.IMAGE_SHAPE
    return (
        build_resnet_encoder(shape, (grid, grid, dim), filters=2),
        build_resnet_decoder((2, 2, dim), shape, filters=2),
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3,), {}, r"must return, and `decoder` take, \(rows, columns, 2\)"),
        ((2, 4), {}, r"Received: \(4, 4, 2\) and \(2, 2, 2\)"),
        ((2,), {"quantizer": "lfq"}, r"must be one of \('fsq', 'vq'\)"),
        ((2,), {"commitment": -1.0}, "`commitment` must be at least 0"),
        ((2,), {"prior": "pixelcnn"}, r"must be one of \('transformer',\)"),
    ],
)
def test_mistakes_are_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        tfgen.VQVAE(*networks(*arguments), levels=(4, 3), **options)


def test_codes_are_learned():
    """Reconstruction gets better, and several codes are used."""
    model = make_vqvae(quantizer="vq", dim=3)()
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(IMAGES, epochs=30, batch_size=20, verbose=0).history
    assert history["reconstruction_loss"][-1] < history["reconstruction_loss"][0] - 10
    assert history["perplexity"][-1] > 1.5
