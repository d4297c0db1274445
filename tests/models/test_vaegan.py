"""VAEGAN: its losses in NumPy, and which weights see which of them."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfgen
from tests.models import small
from tfgen.distributions import GaussianMixture

SHAPE, LATENT_DIM, BATCH = (2, 2, 1), 2, 3
IMAGES = np.random.default_rng(0).uniform(size=(BATCH, *SHAPE)).astype("float32")
SCALE = 0.7


def make_discriminator(num_stages=2):
    images = keras.Input(SHAPE)
    features = keras.layers.Flatten()(images)
    stages = []
    for units in range(3, 3 + num_stages):
        features = keras.layers.Dense(units, activation="tanh")(features)
        stages.append(features)
    logits = keras.layers.Dense(1)(features)
    return keras.Model(images, {"features": [stages], "logits": [logits]})


def make_model(rates=(0.0, 0.0), **kwargs):
    small.seeded()
    images, latents = keras.Input(SHAPE), keras.Input((LATENT_DIM,))
    encoded = keras.layers.Dense(2 * LATENT_DIM)(keras.layers.Flatten()(images))
    decoded = keras.layers.Reshape(SHAPE)(keras.layers.Dense(4)(latents))
    model = tfgen.VAEGAN(
        keras.Model(images, encoded),
        keras.Model(latents, decoded),
        make_discriminator(),
        **{"seed": 0, "feature_scale": SCALE, "beta": 0.5, **kwargs},
    )
    model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
    return model


# ---- The terms, in NumPy -------------------------------------------------------------


def judge(network, images, stage):
    """Logits, and the features of a stage, of images in [0, 1]."""
    features, stages = (2.0 * images - 1.0).reshape(len(images), -1), []
    *pairs, last = np.array_split(np.array(network.get_weights(), object), 3)
    for kernel, bias in pairs:
        features = np.tanh(features @ kernel + bias)
        stages.append(features)
    return features @ last[0] + last[1], stages[stage]


def terms_of(model, latents, drawn, stage):
    kernel, bias = model.encoder.get_weights()
    loc, raw = np.split(IMAGES.reshape(BATCH, -1) @ kernel + bias, 2, axis=1)
    variance = (np.log1p(np.exp(raw)) + 1e-4) ** 2
    kl = 0.5 * (loc**2 + variance - 1.0 - np.log(variance)).sum(axis=1).mean()
    kernel, bias = model.decoder.get_weights()
    decoded = [scipy.special.expit(z @ kernel + bias) for z in (latents, drawn)]
    real, *fakes = (judge(model.discriminator, x, stage) for x in (IMAGES, *decoded))
    log_probs = scipy.stats.norm(fakes[0][1], SCALE).logpdf(real[1])
    logits = np.concatenate([logits for logits, _ in fakes])
    softplus = scipy.special.softplus
    terms = {
        "reconstruction_loss": -log_probs.sum(axis=1).mean(),
        "kl_loss": kl,
        "adversarial_loss": softplus(-logits).mean(),
        "discriminator_loss": softplus(-real[0]).mean() + softplus(logits).mean(),
        "real_logits": real[0].mean(),
        "fake_logits": logits.mean(),
    }
    return terms | {
        "generator_loss": terms["reconstruction_loss"]
        + 0.5 * kl
        + 3.0 * terms["adversarial_loss"]
    }


@pytest.mark.parametrize("stage", [0, -1])
def test_terms_are_those_of_numpy(stage):
    model = make_model(adversarial_weight=3.0, feature_stage=stage)
    inferred = model._infer(IMAGES, None, 1, model._step_seed(False))
    latents = inferred.latents[0].numpy(), inferred.draw_prior().numpy()
    terms = model.compute_terms(IMAGES, training=False)
    for name, expected in terms_of(model, *latents, stage).items():
        assert float(terms[name]) == pytest.approx(expected, rel=1e-5), name


# ---- Who learns from what ------------------------------------------------------------


def gradients(variables, **kwargs):
    """Of the generator's loss, for weights of parts by name."""
    model = make_model(prior=GaussianMixture(2), **kwargs)
    with tf.GradientTape() as tape:
        loss = model.compute_terms(IMAGES, training=True)["generator_loss"]
    return tape.gradient(loss, getattr(model, variables).trainable_variables)


@pytest.mark.parametrize("part", ["encoder", "latent_prior"])
def test_encoder_and_prior_see_no_adversarial_loss(part):
    one, other = (gradients(part, adversarial_weight=w) for w in (0.0, 9.0))
    for x, y in zip(one, other, strict=True):
        assert np.abs(x).max() > 0.0
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7)


def test_the_decoder_sees_it_by_its_weight():
    zero, one, two = (gradients("decoder", adversarial_weight=w) for w in (0, 1, 2))
    for x, y, z in zip(zero, one, two, strict=True):
        assert np.abs(y - x).max() > 1e-4
        np.testing.assert_allclose(z - y, y - x, rtol=1e-3, atol=1e-5)


def test_a_step_moves_each_by_its_own_loss():
    model = make_model((0.1, 0.2), adversarial_weight=3.0)
    twin = make_model(adversarial_weight=3.0)
    inputs = twin._batch(IMAGES, training=True)
    before = [v.numpy() for v in twin.discriminator_variables]
    with tf.GradientTape() as tape:
        fake = twin._fake(inputs, True)
        loss = twin.discriminator_terms(inputs, fake, True)["discriminator_loss"]
    gradient = tape.gradient(loss, twin.discriminator_variables)
    model.train_step(IMAGES)
    moved = [v.numpy() for v in model.discriminator_variables]
    for new, old, slope in zip(moved, before, gradient, strict=True):
        np.testing.assert_allclose(new, old - 0.2 * slope, rtol=1e-5, atol=1e-6)
    # The generator is judged by the discriminator's new weights.
    for variable, value in zip(twin.discriminator_variables, moved, strict=True):
        variable.assign(value)
    before = [v.numpy() for v in twin.generator_variables]
    with tf.GradientTape() as tape:
        fake = twin._fake(inputs, True)
        loss = twin.generator_terms(inputs, fake, True)["generator_loss"]
    gradient = tape.gradient(loss, twin.generator_variables)
    for new, old, slope in zip(
        model.generator_variables, before, gradient, strict=True
    ):
        np.testing.assert_allclose(new, old - 0.1 * slope, rtol=1e-5, atol=1e-6)


# ---- What does not fit ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"adversarial_weight": -1.0}, "`adversarial_weight` must be at least 0"),
        ({"feature_scale": 0.0}, r"`feature_scale` must be above 0\. Received: 0"),
        ({"feature_stage": 2}, r"features of stage 2.*with_features=True"),
        ({"loss": "none"}, "`loss` must be"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_model(**kwargs)


def test_other_discriminators_are_refused():
    model, images = make_model(), keras.Input(SHAPE)
    networks = model.encoder, model.decoder
    plain = keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(images)))
    with pytest.raises(ValueError, match="must return the features"):
        tfgen.VAEGAN(*networks, plain)
    large = tfgen.networks.build_dcgan_discriminator((8, 8, 1), with_features=True)
    with pytest.raises(ValueError, match=r"images shaped like.*\(2, 2, 1\)"):
        tfgen.VAEGAN(*networks, large)


def test_dcgan_discriminator_returns_its_stages():
    build = tfgen.networks.build_dcgan_discriminator
    network = build((16, 16, 1), filters=2, with_features=True, num_classes=3)
    images, labels = np.zeros((4, 16, 16, 1), "float32"), np.arange(4) % 3
    outputs = network([images, labels])
    ((first, last),) = outputs["features"]
    assert (first.shape, last.shape) == ((4, 8, 8, 2), (4, 4, 4, 4))
    assert outputs["logits"][0].shape == (4, 1)
    with pytest.raises(ValueError, match="without `num_outputs`"):
        build((16, 16, 1), with_features=True, num_outputs=2)
