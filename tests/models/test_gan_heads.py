"""A GAN whose discriminator tells codes or classes, and one with styles, as a whole."""

import math

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfgen
from tests.models import small
from tfgen.auxiliary import Codes
from tfgen.networks import build_style_generator
from tfgen.networks.conditioning import add_labels, add_output

SHAPE, LATENT_DIM, BATCH = (4, 4, 1), 8, 12
CODES = Codes((3,), 2, weight=0.5, continuous_weight=0.3)
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(BATCH, *SHAPE)).astype("float32")
LABELS = np.arange(BATCH, dtype="int32") % 3


def make_gan(num_outputs=None, rates=(0.2, 0.1), **kwargs):
    keras.utils.set_random_seed(0)
    latents = keras.Input((LATENT_DIM,), name="latents")
    features, inputs = add_labels(latents, latents, kwargs.get("num_classes"))
    features = keras.layers.Dense(math.prod(SHAPE), "tanh")(features)
    generator = keras.Model(inputs, keras.layers.Reshape(SHAPE)(features))
    images = keras.Input(SHAPE)
    features = keras.layers.Dense(6, "tanh")(keras.layers.Flatten()(images))
    logits = keras.layers.Dense(1)(features)
    outputs = add_output(logits, features, num_outputs)
    model = tfgen.GAN(generator, keras.Model(images, outputs), seed=0, **kwargs)
    model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
    return model


def make_style_gan(**kwargs):
    small.seeded()
    shape = small.IMAGE_SHAPE
    build = {"filters": 2, "style_dim": 4, "num_mapping_layers": 1}
    images = keras.Input(shape)
    logits = keras.layers.Dense(1)(keras.layers.Flatten()(images))
    generator = build_style_generator(LATENT_DIM, shape, **build)
    return tfgen.GAN(generator, keras.Model(images, logits), seed=0, **kwargs)


def softplus(x):
    return np.logaddexp(0.0, x).mean()


def log_q(outputs, latents):
    """`log Q(c|x)` by SciPy: of the category, and of both numbers."""
    outputs, latents = (np.asarray(x, "float64") for x in (outputs, latents))
    category = scipy.special.log_softmax(outputs[:, :3], axis=1) * latents[:, :3]
    scale = np.log1p(np.exp(outputs[:, 5:])) + 1e-3
    numbers = scipy.stats.norm(outputs[:, 3:5], scale).logpdf(latents[:, 3:5])
    return category.sum(), numbers.sum()


def test_codes_enter_both_losses():
    model = make_gan(7, auxiliary=CODES)
    batch = model._batch(IMAGES, training=False)
    latents = batch["latents"].numpy()
    assert sorted(set(latents[:, :3].ravel())) == [0.0, 1.0]
    fake = model.generator(latents)
    real_logits = model.discriminator(2.0 * IMAGES - 1.0)[0].numpy()
    fake_logits, outputs = (x.numpy() for x in model.discriminator(fake))
    category, numbers = (x / BATCH for x in log_q(outputs, latents))
    charge = -0.5 * category - 0.3 * numbers
    expected = {
        "generator_loss": softplus(-fake_logits) + charge,
        "discriminator_loss": softplus(-real_logits) + softplus(fake_logits) + charge,
        "mutual_information": category + numbers + math.log(3 * 2 * 2),
    }
    terms = model.compute_terms(IMAGES, training=False)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)
    # On the images alone: what the posterior says, where latents hold it.
    codes = model.recognize(0.5 * fake + 0.5).numpy()
    np.testing.assert_allclose(codes[:, 3:], outputs[:, 3:5], atol=1e-5)
    softmax = scipy.special.softmax(outputs[:, :3], axis=1)
    np.testing.assert_allclose(codes[:, :3], softmax, atol=1e-5)


def test_classes_enter_both_losses():
    model = make_gan(3, auxiliary="classes", num_classes=3)
    batch = model._batch(IMAGES, LABELS, training=False)
    fake = model.generator([batch["latents"], tf.constant(LABELS)])
    rows = np.arange(BATCH)
    real_logits, real_outputs = (x.numpy() for x in model.discriminator(2 * IMAGES - 1))
    fake_logits, fake_outputs = (x.numpy() for x in model.discriminator(fake))
    real_loss, fake_loss = (
        -scipy.special.log_softmax(x, axis=1)[rows, LABELS].mean()
        for x in (real_outputs, fake_outputs)
    )
    expected = {
        "generator_loss": softplus(-fake_logits) + fake_loss,
        "discriminator_loss": softplus(-real_logits)
        + softplus(fake_logits)
        + real_loss
        + fake_loss,
        "real_class_loss": real_loss,
        "fake_class_loss": fake_loss,
    }
    terms = model.compute_terms(IMAGES, LABELS, training=False)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        model.classify(IMAGES), scipy.special.softmax(real_outputs, axis=1), atol=1e-5
    )


def test_a_step_goes_down_both_losses():
    """The discriminator's second output is trained, and it leads the generator."""
    model, plain = make_gan(7, auxiliary=CODES), make_gan(7, auxiliary=CODES)
    batch = plain._batch(IMAGES, training=True)
    model.train_step(IMAGES)
    discriminator, generator = plain.discriminator, plain.generator
    for network, rate, judged in (
        (discriminator, 0.1, ("real", "fake")),
        (generator, 0.2, ("fake",)),
    ):
        with tf.GradientTape() as tape:
            fake = generator(batch["latents"])
            fake_logits, outputs = discriminator(fake)
            log_probs = [
                tf.reduce_mean(x) for x in CODES.log_probs(outputs, batch["latents"])
            ]
            loss = -0.5 * log_probs[0] - 0.3 * (log_probs[1] + log_probs[2])
            if "real" in judged:
                real_logits, _ = discriminator(batch["real"])
                loss += tf.reduce_mean(tf.nn.softplus(-real_logits))
                loss += tf.reduce_mean(tf.nn.softplus(fake_logits))
            else:
                loss += tf.reduce_mean(tf.nn.softplus(-fake_logits))
        variables = network.trainable_variables
        for variable, slope in zip(
            variables, tape.gradient(loss, variables), strict=True
        ):
            variable.assign_sub(rate * slope)
    for one, other in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_truncation_keeps_the_category():
    model = make_gan(7, auxiliary=CODES)
    noise = RNG.normal(size=(4, LATENT_DIM)).astype("float32")
    latents = model.draw_latents(noise).numpy()
    moved = model._truncated(tf.constant(latents), None, 0.25).numpy()
    np.testing.assert_array_equal(moved[:, :3], latents[:, :3])
    np.testing.assert_allclose(moved[:, 3:], 0.25 * latents[:, 3:], rtol=1e-6)


def test_samples_are_of_the_prior_of_codes():
    """Those of `sample` are what `generate` makes of `draw_latents`."""
    model = make_gan(7, auxiliary=CODES)
    seeds = tf.constant([3, 5], tf.int64)
    noise = tf.stack(
        [
            tfgen.models.draws.standard_normal((LATENT_DIM,), tf.stack([seed, 0]))
            for seed in tf.unstack(seeds)
        ]
    )
    expected = model.generate(model.draw_latents(noise))
    np.testing.assert_allclose(model.sample_of_seeds(seeds), expected, atol=1e-6)


def test_styles_are_truncated_and_pixels_have_noise():
    model = make_style_gan(ema_decay=0.5)
    assert model.pixel_noise_dim == 4 * 4 + 2 * 8 * 8
    model.compile(run_eagerly=True)
    model.fit(small.images(), verbose=0)
    (mean,) = [w for w in model.generator.weights if w.name == "mean"]
    assert np.abs(mean).max() > 0.0
    images = model.sample(3, seed=0).numpy()
    np.testing.assert_allclose(
        model.sample(3, seed=0, truncation=1.0), images, atol=1e-5
    )
    for network in (model.generator, model.ema_generator):
        for weight in network.weights:
            if weight.name == "scale":
                weight.assign(0.0)
    means = model.sample(3, seed=0, truncation=0.0).numpy()
    np.testing.assert_allclose(means[1:], means[:-1], atol=1e-6)
    plain = model.sample(3, seed=0)
    for weight in model.ema_generator.weights:
        if weight.name == "scale":
            weight.assign(1.0)
    assert np.abs(model.sample(3, seed=0) - plain).max() > 1e-3  # noise of the seeds
    latents = RNG.normal(size=(2, LATENT_DIM)).astype("float32")
    np.testing.assert_array_equal(model.generate(latents), model.generate(latents))


@pytest.mark.parametrize(
    ("num_outputs", "kwargs", "message"),
    [
        (None, {"auxiliary": CODES}, r"num_outputs=7. Received"),
        (6, {"auxiliary": CODES}, r"num_outputs=7. Received"),
        (7, {"auxiliary": Codes((9,), 0)}, "must take the 9 numbers of the codes"),
        (3, {"auxiliary": "classes"}, "needs `num_classes`"),
        (3, {"auxiliary": "labels"}, "`auxiliary` must be one of"),
        (3, {"num_classes": 3}, r"must take 2 input\(s\) with num_classes=3"),
    ],
)
def test_mistakes(num_outputs, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_gan(num_outputs, **kwargs)
    assert "\n" not in str(caught.value)
