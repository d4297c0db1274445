"""The further terms of pix2pix against the papers' equations, in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.models import small
from tfgen import losses
from tfgen.layers import NoiseDropout
from tfgen.models import pix2pix

SHAPE, BATCH = (4, 4, 2), 3
RNG = np.random.default_rng(0)
IMAGES, TARGETS = RNG.uniform(size=(2, BATCH, *SHAPE)).astype("float32")
NOISE, OTHER_NOISE = RNG.uniform(size=(2, BATCH, 4 * 4 * 5)).astype("float32")


def make_generator():
    images, noise = keras.Input(SHAPE), keras.Input((4 * 4 * 5,), name="noise")
    features = keras.layers.Conv2D(5, 1, activation="tanh")(images)
    features = NoiseDropout(0.5)([features, noise])
    outputs = keras.layers.Conv2D(2, 1, activation="tanh")(features)
    return keras.Model([images, noise], outputs)


def make_discriminator(with_features=True):
    """Of each pixel, and of means of 2x2 pixels."""
    pairs = keras.Input((4, 4, 4))
    scales = []
    for images in (pairs, keras.layers.AveragePooling2D(2)(pairs)):
        first = keras.layers.Conv2D(6, 1, activation="tanh")(images)
        second = keras.layers.Conv2D(3, 1, activation="tanh")(first)
        scales.append([first, second, keras.layers.Conv2D(1, 1)(second)])
    features, logits = [s[:-1] for s in scales], [s[-1] for s in scales]
    outputs = {"features": features, "logits": logits} if with_features else logits
    return keras.Model(pairs, outputs)


def make_model(with_features=True, rates=(0.2, 0.1), **kwargs):
    small.seeded()
    kwargs = {"dropout_at_inference": True, "seed": 0, **kwargs}
    networks = make_generator(), make_discriminator(with_features)
    model = tfgen.Pix2Pix(*networks, **kwargs)
    model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
    return model


def signed(images):
    return 2.0 * images.astype(float) - 1.0


# ---- The networks and the terms, in NumPy --------------------------------------------


def generate(network, images, noise):
    kernel, bias, last_kernel, last_bias = network.get_weights()
    features = np.tanh(images @ kernel[0, 0] + bias)
    features = features * (noise.reshape(features.shape) >= 0.5) / 0.5
    return np.tanh(features @ last_kernel[0, 0] + last_bias)


def judge(network, pairs):
    """Returns features and logits of each scale; weights come layer by layer."""
    scales, images = [], pairs
    for scale in range(2):
        if scale:
            images = images.reshape(BATCH, 2, 2, 2, 2, 4).mean(axis=(2, 4))
        outputs, features = [], images
        for depth in range(3):
            kernel, bias = own_weights(network, scale, depth)
            features = features @ kernel[0, 0] + bias
            features = features if depth == 2 else np.tanh(features)
            outputs.append(features)
        scales.append(outputs)
    return scales


def own_weights(network, scale, depth):
    """Weights of the convolution that makes an output of a scale."""
    output = network.outputs[4 + scale if depth == 2 else 2 * scale + depth]
    (layer,) = [x for x in network.layers if x.output is output]
    return layer.get_weights()


def give_draws(monkeypatch, *values):
    """Makes the model draw these, one after the other."""
    values = iter(tf.constant(x) for x in values)
    monkeypatch.setattr(
        pix2pix,
        "uniform",
        lambda shape, seed: next(values) if shape[1] else tf.zeros(shape),
    )


def softplus(x):
    return np.log1p(np.exp(x))


def test_all_terms(monkeypatch):
    """Two scales, features, a perceptual network, two draws of noise."""
    images = keras.Input(SHAPE)
    features = [keras.layers.Conv2D(n, 1, activation="tanh")(images) for n in (3, 4)]
    network = keras.Model(images, features)
    model = make_model(
        lambda_l1=30.0,
        lambda_feature_matching=7.0,
        perceptual=network,
        lambda_perceptual=3.0,
        lambda_diversity=0.5,
    )
    give_draws(monkeypatch, NOISE, OTHER_NOISE)
    terms = model.compute_terms(IMAGES, TARGETS, training=False)
    x, y = signed(IMAGES), signed(TARGETS)
    fake, other = (generate(model.generator, x, z) for z in (NOISE, OTHER_NOISE))
    reals, fakes = (
        judge(model.discriminator, np.concatenate([x, images], -1))
        for images in (y, fake)
    )
    adversarial = sum(np.mean(softplus(-logits)) for *_, logits in fakes)
    l1 = np.mean(np.abs(y - fake))
    matching = sum(
        np.mean(np.abs(one - two))
        for real, generated in zip(reals, fakes, strict=True)
        for one, two in zip(real[:-1], generated[:-1], strict=True)
    )
    perceptual = 0.0
    for layer in network.layers[1:]:
        kernel, bias = layer.get_weights()
        one, two = (np.tanh((i + 1) / 2 @ kernel[0, 0] + bias) for i in (y, fake))
        perceptual += np.mean((one - two) ** 2)
    ratios = np.abs(fake - other).mean(axis=(1, 2, 3))
    ratios /= np.abs(NOISE - OTHER_NOISE).mean(axis=1)
    expected = {
        "adversarial_loss": adversarial,
        "l1_loss": l1,
        "feature_matching_loss": matching,
        "perceptual_loss": perceptual,
        "diversity": ratios.mean(),
        "generator_loss": adversarial
        + 30.0 * l1
        + 7.0 * matching
        + 3.0 * perceptual
        - 0.5 * ratios.mean(),
        "discriminator_loss": 0.5
        * sum(
            np.mean(softplus(-real)) + np.mean(softplus(generated))
            for (*_, real), (*_, generated) in zip(reals, fakes, strict=True)
        ),
    }
    assert set(terms) == set(expected) == set(model.term_names)
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-5), name


def test_the_step_is_the_plain_one(monkeypatch):
    """Feature matching under the discriminator's new weights; real ones constant."""
    model, plain = (make_model(lambda_feature_matching=7.0) for _ in range(2))
    give_draws(monkeypatch, NOISE)
    model.train_step((IMAGES, TARGETS))
    x, y = (tf.constant(signed(i), tf.float32) for i in (IMAGES, TARGETS))
    with tf.GradientTape() as tape:
        fake = tf.stop_gradient(plain.generator([x, tf.constant(NOISE)]))
        pairs = [plain.discriminator(tf.concat([x, i], -1)) for i in (y, fake)]
        loss = tf.add_n(
            [
                0.5 * tf.reduce_mean(tf.nn.softplus(sign * logits))
                for outputs, sign in zip(pairs, (-1.0, 1.0), strict=True)
                for logits in outputs["logits"]
            ]
        )
    variables = plain.discriminator.trainable_variables
    plain.discriminator_optimizer.apply(tape.gradient(loss, variables), variables)
    reals = plain.discriminator(tf.concat([x, y], -1))
    with tf.GradientTape() as tape:
        fake = plain.generator([x, tf.constant(NOISE)])
        fakes = plain.discriminator(tf.concat([x, fake], -1))
        loss = 100.0 * tf.reduce_mean(tf.abs(fake - y))
        for logits in fakes["logits"]:
            loss += tf.reduce_mean(tf.nn.softplus(-logits))
        scales = zip(reals["features"], fakes["features"], strict=True)
        for real, generated in scales:
            for one, two in zip(real, generated, strict=True):
                loss += 7.0 * tf.reduce_mean(tf.abs(one - two))
    variables = plain.generator.trainable_variables
    plain.generator_optimizer.apply(tape.gradient(loss, variables), variables)
    for one, two in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6, err_msg=one.path)


def test_diversity_is_a_mean_over_images_and_bounded():
    one, other = np.zeros((2, 3)), np.array([[0.3, 0.0, 0.0], [1e3, 0.0, 0.0]])
    noise, other_noise = np.zeros((2, 2)), np.array([[0.2, 0.2], [0.1, 0.3]])
    value = losses.diversity(
        *(tf.constant(x, tf.float32) for x in (one, other, noise, other_noise))
    )
    assert float(value) == pytest.approx((0.1 / 0.2 + 10.0) / 2, rel=1e-5)


@pytest.mark.large
def test_noise_is_used_where_diversity_is_asked_for():
    """L1 alone would have one answer; the term moves two draws apart."""
    apart = {}
    for weight in (0.0, 1.0):
        model = make_model(lambda_l1=1.0, lambda_diversity=weight)
        for _ in range(40):
            model.train_step((IMAGES, TARGETS))
        seeds = tf.range(20, dtype=tf.int64)
        images = np.repeat(IMAGES[:1], 20, axis=0)
        apart[weight] = np.std(model.translate_by_seeds(images, seeds), axis=0).mean()
    assert apart[1.0] > 1.5 * apart[0.0]


def test_ms_ssim():
    generator = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 1)])
    images = RNG.uniform(size=(2, 12, 12, 1)).astype("float32")
    targets = np.square(images)
    generator.layers[0].kernel.assign(tf.ones((1, 1, 1, 1)))
    discriminator = keras.Sequential(
        [keras.Input((12, 12, 2)), keras.layers.Conv2D(1, 4)]
    )
    model = tfgen.Pix2Pix(generator, discriminator, perceptual="ms_ssim")
    translated = model.translate(images)
    # Images of 12 pixels have one scale: SSIM itself.
    similarity = tf.reduce_mean(tf.image.ssim(translated, targets, 1.0))
    terms = model.compute_terms(images, targets, training=False)
    assert float(terms["perceptual_loss"]) == pytest.approx(
        1 - float(similarity), rel=1e-4
    )


@pytest.mark.parametrize("augment", ["color,translation,cutout", "adaptive"])
def test_both_images_of_a_pair_are_augmented_alike(augment):
    model = make_model(augment=augment)
    if augment == "adaptive":
        model.augment_strength.assign(1.0)
    batch = model._batch(IMAGES, IMAGES, training=True)
    one, other = np.split(model._pair(batch, batch["targets"]), 2, axis=-1)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - batch["images"]).max() > 0.1
    again = model._batch(IMAGES, IMAGES, training=True)
    assert np.abs(one - model._pair(again, again["targets"])[..., :2]).max() > 0.1


def test_an_adaptive_strength_follows_the_mean_over_scales():
    model = make_model(augment=[tfgen.augmentation.Adaptive(num_images=10)])
    model.train_step((IMAGES, TARGETS))
    real = [tf.constant([1.0, 1.0]), tf.constant([1.0, -1.0])]
    assert float(model._real_signs(real, real)) == 0.5
    assert float(model.augment_strength) in (0.0, pytest.approx(0.3))


def test_one_scale_has_features_too(tmp_path):
    """Keras takes the one list out of a list: a dict keeps what it is."""
    discriminator = tfgen.networks.build_patchgan_discriminator(
        (4, 4, 4), filters=2, num_layers=0, with_features=True
    )
    model = tfgen.Pix2Pix(
        make_generator(),
        discriminator,
        lambda_feature_matching=1.0,
        dropout_at_inference=True,
    )
    model.compile(*map(keras.optimizers.SGD, (0.2, 0.1)))
    model.save(tmp_path / "model.keras")
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        terms = one.compute_terms(IMAGES, TARGETS, training=False)
        assert float(terms["feature_matching_loss"]) > 0


def test_scales_are_summed():
    model = make_model(with_features=False)
    outputs = model.discriminator(np.concatenate([IMAGES, TARGETS], -1))
    assert len(outputs) == 2
    expected = sum(np.mean(softplus(-logits)) for logits in outputs)
    assert float(model._generator_loss(outputs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lambda_feature_matching": -1.0}, "`lambda_feature_matching` must be at le"),
        (
            {"with_features": False, "lambda_feature_matching": 1.0},
            "with_features=True",
        ),
        ({"perceptual": "lpips"}, r"`perceptual` must be one of \('ms_ssim',\)"),
        (
            {"lambda_diversity": 1.0, "dropout_at_inference": False},
            "pass dropout_at_inference=True",
        ),
        ({"augment": "blur"}, "`augment` must name some of"),
    ],
)
def test_arguments_are_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_model(**arguments)
    assert "\n" not in str(caught.value)


def test_terms_of_weight_0_are_not_reported():
    assert "diversity" not in make_model().term_names
    assert "perceptual_loss" not in make_model(lambda_perceptual=3.0).term_names
