"""Steps of pix2pix and CycleGAN against the papers' equations, written anew."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import tfgen
from tests import contracts
from tests.models import small
from tfgen.layers import NoiseDropout
from tfgen.models import cyclegan, pix2pix

SHAPE, BATCH = (4, 4, 2), 3
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(BATCH, *SHAPE)).astype("float32")
TARGETS = RNG.uniform(size=(BATCH, *SHAPE)).astype("float32")
LOSSES = ("non_saturating", "least_squares")
RATES = (0.2, 0.1)  # of generators, of discriminators


def pointwise_generator(channels=2, rate=0.0):
    """A perceptron of each pixel: two kernels, two biases."""
    inputs = images = keras.Input(SHAPE)
    features = keras.layers.Conv2D(5, 1, activation="tanh")(images)
    if rate:
        noise = keras.Input((4 * 4 * 5,), name="noise", optional=True)
        features = NoiseDropout(rate)([features, noise])
        inputs = [images, noise]
    outputs = keras.layers.Conv2D(channels, 1, activation="tanh")(features)
    return keras.Model(inputs, outputs)


def pointwise_discriminator(channels=2):
    images = keras.Input((*SHAPE[:2], channels))
    features = keras.layers.Conv2D(6, 1, activation="tanh")(images)
    return keras.Model(images, keras.layers.Conv2D(1, 1)(features))


def make_pix2pix(rate=0.0, rates=RATES, **kwargs):
    small.seeded()
    networks = pointwise_generator(rate=rate), pointwise_discriminator(4)
    model = tfgen.Pix2Pix(*networks, **{"seed": 0, **kwargs})
    model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)  # a few steps
    return model


def make_cyclegan(rates=RATES, **kwargs):
    small.seeded()
    networks = [pointwise_generator() for _ in "ab"]
    networks += [pointwise_discriminator() for _ in "ab"]
    model = tfgen.CycleGAN(*networks, **{"seed": 0, **kwargs})
    model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)  # a few steps
    return model


# ---- The networks and the losses, in NumPy -------------------------------------------


def generate(network, images, keep=1.0):
    kernel, bias, last_kernel, last_bias = network.get_weights()
    features = np.tanh(images @ kernel[0, 0] + bias) * keep
    return np.tanh(features @ last_kernel[0, 0] + last_bias)


def judge(network, images):
    kernel, bias, last_kernel, last_bias = network.get_weights()
    return np.tanh(images @ kernel[0, 0] + bias) @ last_kernel[0, 0] + last_bias


def generator_loss_by_numpy(loss, fake):
    if loss == "least_squares":
        return np.mean((fake - 1.0) ** 2)
    return -np.mean(scipy.special.log_expit(fake))


def discriminator_loss_by_numpy(loss, real, fake):
    if loss == "least_squares":
        return 0.5 * (np.mean((real - 1.0) ** 2) + np.mean(fake**2))
    log_real, log_fake = (scipy.special.log_expit(x) for x in (real, -fake))
    return -0.5 * (np.mean(log_real) + np.mean(log_fake))


def signed(images):
    return 2.0 * images.astype(float) - 1.0


def terms_of(model):
    terms = model.compute_terms(IMAGES, TARGETS, training=False)
    return {name: float(value) for name, value in terms.items()}


def assert_terms(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("loss", LOSSES)
def test_pix2pix_losses(loss):
    model = make_pix2pix(loss=loss, lambda_l1=30.0)
    images, targets = signed(IMAGES), signed(TARGETS)
    fake = generate(model.generator, images)
    real_logits, fake_logits = (
        judge(model.discriminator, np.concatenate([images, y], axis=-1))
        for y in (targets, fake)
    )
    adversarial = generator_loss_by_numpy(loss, fake_logits)
    l1 = np.mean(np.abs(targets - fake))
    expected = {
        "adversarial_loss": adversarial,
        "l1_loss": l1,
        "generator_loss": adversarial + 30.0 * l1,
        "discriminator_loss": discriminator_loss_by_numpy(
            loss, real_logits, fake_logits
        ),
    }
    assert_terms(terms_of(model), expected)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("lambda_identity", [0.0, 0.3])
def test_cyclegan_losses(loss, lambda_identity):
    model = make_cyclegan(loss=loss, lambda_cycle=7.0, lambda_identity=lambda_identity)
    a, b = signed(IMAGES), signed(TARGETS)
    to_b, to_a = model.generator_ab, model.generator_ba
    fake_b, fake_a = generate(to_b, a), generate(to_a, b)
    cycle = np.mean(np.abs(generate(to_a, fake_b) - a))
    cycle += np.mean(np.abs(generate(to_b, fake_a) - b))
    identity = np.mean(np.abs(generate(to_a, a) - a))
    identity += np.mean(np.abs(generate(to_b, b) - b))
    adversarial_ab = generator_loss_by_numpy(loss, judge(model.discriminator_b, fake_b))
    adversarial_ba = generator_loss_by_numpy(loss, judge(model.discriminator_a, fake_a))
    total = adversarial_ab + adversarial_ba + 7.0 * cycle
    total += 7.0 * lambda_identity * identity
    expected = {
        "generator_loss": total,
        "adversarial_ab_loss": adversarial_ab,
        "adversarial_ba_loss": adversarial_ba,
        "cycle_loss": cycle,
        "identity_loss": identity if lambda_identity else 0.0,
    }
    for name, real, fake in (("a", a, fake_a), ("b", b, fake_b)):
        network = getattr(model, f"discriminator_{name}")
        expected[f"discriminator_{name}_loss"] = discriminator_loss_by_numpy(
            loss, judge(network, real), judge(network, fake)
        )
    assert_terms(terms_of(model), expected)


# ---- A step against a plain one ------------------------------------------------------


def plain_losses(loss):
    """The papers' losses of the generator and the discriminator, by Keras."""
    if loss == "least_squares":
        distance = keras.losses.MeanSquaredError()
    else:
        distance = keras.losses.BinaryCrossentropy(from_logits=True)

    def of_generator(fake):
        return distance(tf.ones_like(fake), fake)

    def of_discriminator(real, fake):
        is_real = distance(tf.ones_like(real), real)
        return 0.5 * (is_real + distance(tf.zeros_like(fake), fake))

    return of_generator, of_discriminator


def descend(rate, gradients, variables):
    for gradient, variable in zip(gradients, variables, strict=True):
        variable.assign_sub(rate * gradient)


def plain_pix2pix_step(model, noise=None):
    """The reference's step, each network run as often as it is written."""
    of_generator, of_discriminator = plain_losses(model.loss)
    x, y = (tf.constant(signed(i), tf.float32) for i in (IMAGES, TARGETS))
    generator, discriminator = model.generator, model.discriminator

    def fake():
        return generator(x if noise is None else [x, tf.constant(noise)], training=True)

    with tf.GradientTape() as tape:
        real_logits = discriminator(tf.concat([x, y], -1))
        fake_logits = discriminator(tf.concat([x, tf.stop_gradient(fake())], -1))
        loss = of_discriminator(real_logits, fake_logits)
    variables = discriminator.trainable_variables
    descend(RATES[1], tape.gradient(loss, variables), variables)
    with tf.GradientTape() as tape:
        images = fake()
        loss = of_generator(discriminator(tf.concat([x, images], -1)))
        loss += model.lambda_l1 * tf.reduce_mean(tf.abs(images - y))
    variables = generator.trainable_variables
    descend(RATES[0], tape.gradient(loss, variables), variables)


def plain_cyclegan_step(model, draws, history):
    """The reference's step: one gradient of the summed loss, then two of D.

    `draws` `(batch, 4)` are of the history, `history` the two lists that it is kept in.
    """
    of_generator, of_discriminator = plain_losses(model.loss)
    a, b = (tf.constant(signed(i), tf.float32) for i in (IMAGES, TARGETS))
    to_b, to_a = model.generator_ab, model.generator_ba

    def distance(one, other):
        return tf.reduce_mean(tf.abs(one - other))

    with tf.GradientTape() as tape:
        fake_b, fake_a = to_b(a), to_a(b)
        kept = distance(to_a(fake_b), a) + distance(to_b(fake_a), b)
        same = distance(to_a(a), a) + distance(to_b(b), b)
        loss = of_generator(model.discriminator_b(fake_b))
        loss += of_generator(model.discriminator_a(fake_a))
        loss += model.lambda_cycle * (kept + model.lambda_identity * same)
    variables = to_b.trainable_variables + to_a.trainable_variables
    descend(RATES[0], tape.gradient(loss, variables), variables)
    for index, (network, real, fake) in enumerate(
        ((model.discriminator_a, a, fake_a), (model.discriminator_b, b, fake_b))
    ):
        seen = [
            from_history(history[index], model.pool_size, image, *row)
            for image, row in zip(fake, draws[:, 2 * index :], strict=True)
        ]
        with tf.GradientTape() as tape:
            loss = of_discriminator(network(real), network(tf.stack(seen)))
        variables = network.trainable_variables
        descend(RATES[1], tape.gradient(loss, variables), variables)


def from_history(stored, size, image, swap, slot, *_):
    if len(stored) < size:
        stored.append(image)
    elif size and swap > 0.5:
        index = int(slot * size)
        image, stored[index] = stored[index], image
    return image


def assert_same_weights(model, other, before):
    for one, two, old in zip(model.weights, other.weights, before, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6, err_msg=one.path)
        if one.trainable:
            assert np.abs(one - old).max() > 1e-5, one.path  # it moved


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_pix2pix_step(loss, rate, monkeypatch):
    noise = RNG.uniform(size=(BATCH, 4 * 4 * 5)).astype("float32") if rate else None
    if rate:
        monkeypatch.setattr(pix2pix, "uniform", lambda shape, seed: tf.constant(noise))
    model, other = (make_pix2pix(loss=loss, rate=rate) for _ in range(2))
    before = model.get_weights()
    model.train_step((IMAGES, TARGETS))
    plain_pix2pix_step(other, noise)
    assert_same_weights(model, other, before)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("lambda_identity", "pool_size"), [(0.5, 4), (0.0, 0)])
def test_cyclegan_step(loss, lambda_identity, pool_size, monkeypatch):
    """With a history several steps: it is filled, then exchanged."""
    num_steps = 4 if pool_size else 1
    draws = [RNG.uniform(size=(BATCH, 4)).astype("float32") for _ in range(num_steps)]
    given = iter(draws)
    monkeypatch.setattr(cyclegan, "uniform", lambda shape, seed: next(given))
    kwargs = {"lambda_identity": lambda_identity, "pool_size": pool_size}
    model, other = (make_cyclegan(loss=loss, **kwargs) for _ in range(2))
    before, history = model.get_weights(), ([], [])
    for step_draws in draws:
        model.train_step((IMAGES, TARGETS))
        plain_cyclegan_step(other, step_draws, history)
    if pool_size:
        for pool, stored in zip((model.pool_a, model.pool_b), history, strict=True):
            np.testing.assert_allclose(pool.images, stored, rtol=1e-4, atol=1e-6)
            pool.set_weights([np.zeros_like(w) for w in pool.get_weights()])
    trained = [v for v in model.weights if v.trainable]
    others = [v for v in other.weights if v.trainable]
    olds = [w for w, v in zip(before, model.weights, strict=True) if v.trainable]
    for one, two, old in zip(trained, others, olds, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6, err_msg=one.path)
        assert np.abs(one - old).max() > 1e-5, one.path


def test_the_cycle_term_reaches_both_generators():
    """The tutorials' gradient of each generator's own loss leaves the first out."""
    model = make_cyclegan(rates=(0.5, 0.0), lambda_identity=0.0)
    batch = {"real_a": tf.constant(signed(IMAGES), tf.float32)}
    batch["real_b"] = tf.constant(signed(TARGETS), tf.float32)
    with tf.GradientTape() as tape:
        cycled = model._fake(batch, training=True)["cycled_a"]
        loss = tf.reduce_mean(tf.abs(cycled - batch["real_a"]))
    gradients = tape.gradient(loss, model.generator_variables)
    assert all(np.abs(g).max() > 0 for g in gradients)


# ---- Each network runs once ----------------------------------------------------------


class Counter:
    """Counts the images that a network is run on, in a step."""

    def __init__(self, network, monkeypatch):
        self.images = 0
        call = network.call

        def counted(inputs, *args, **kwargs):
            self.images += inputs.shape[0]
            return call(inputs, *args, **kwargs)

        monkeypatch.setattr(network, "call", counted)


@pytest.mark.parametrize("lambda_identity", [0.0, 0.5])
def test_no_network_of_cyclegan_sees_an_image_twice(lambda_identity, monkeypatch):
    model = make_cyclegan(lambda_identity=lambda_identity)
    names = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
    counters = {name: Counter(getattr(model, name), monkeypatch) for name in names}
    model.train_step((IMAGES, TARGETS))
    # G: its own fakes, the way back and, if asked for, the identity. D: the generator's
    # fakes, then real ones and those of the history.
    passes = 3 if lambda_identity else 2
    assert counters["generator_ab"].images == counters["generator_ba"].images
    assert counters["generator_ab"].images == passes * BATCH
    assert counters["discriminator_a"].images == 3 * BATCH
    assert counters["discriminator_b"].images == 3 * BATCH


def test_the_generator_of_pix2pix_runs_once_a_step(monkeypatch):
    model = make_pix2pix()
    counter = Counter(model.generator, monkeypatch)
    model.train_step((IMAGES, TARGETS))
    assert counter.images == BATCH


# ---- Use -----------------------------------------------------------------------------


def test_cyclegan_translates_both_ways():
    model = make_cyclegan()
    for direction, network in (("ab", model.generator_ab), ("ba", model.generator_ba)):
        expected = 0.5 * generate(network, signed(IMAGES)) + 0.5
        found = model.translate(IMAGES, direction)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        served = model.signatures()[f"translate_{direction}"](images=IMAGES)
        np.testing.assert_allclose(served["images"], expected, atol=1e-6)
    np.testing.assert_allclose(model(IMAGES), model.translate(IMAGES, "ab"))
    with pytest.raises(ValueError, match="`direction` must be one of"):
        model.translate(IMAGES, "forth")


def test_dropout_is_off_at_inference_and_on_in_training():
    model = make_pix2pix(rate=0.5)
    expected = 0.5 * generate(model.generator, signed(IMAGES)) + 0.5
    np.testing.assert_allclose(model(IMAGES), expected, atol=1e-6)
    served = model.signatures()
    assert set(served) == {"translate"}
    np.testing.assert_allclose(
        served["translate"](IMAGES)["images"], expected, atol=1e-6
    )
    one, other = (model(IMAGES, training=True) for _ in range(2))
    assert np.abs(one - expected).max() > 1e-3
    assert np.abs(one - other).max() > 1e-3


def test_dropout_at_inference_is_an_input():
    """The same noise gives the same image: in Keras, by `translate`, by `sample`."""
    model = make_pix2pix(rate=0.5, dropout_at_inference=True)
    assert model.noise_dim == 4 * 4 * 5
    noise = RNG.uniform(size=(BATCH, model.noise_dim)).astype("float32")
    keep = (noise.reshape(BATCH, 4, 4, 5) >= 0.5) / 0.5
    expected = 0.5 * generate(model.generator, signed(IMAGES), keep) + 0.5
    np.testing.assert_allclose(model.translate(IMAGES, noise), expected, atol=1e-6)
    served = model.signatures()
    found = served["translate"](IMAGES, noise)["images"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    one, other = (model(IMAGES) for _ in range(2))
    assert np.abs(one - other).max() > 1e-3  # without noise it draws its own
    images = np.repeat(IMAGES[:1], 3, axis=0)
    sampled = served["sample"](images, tf.constant([4, 5, 4], tf.int64))["images"]
    np.testing.assert_array_equal(sampled[0], sampled[2])
    assert np.abs(sampled[0] - sampled[1]).max() > 1e-3


# ---- Batch normalisation -------------------------------------------------------------


def trained_translator(normalization):
    """A U-Net trained at batch 1, whose inference is compared with its training."""
    small.seeded()
    model = tfgen.Pix2Pix(
        tfgen.networks.build_unet_generator(
            (8, 8, 1), output_channels=1, filters=8, normalization=normalization
        ),
        tfgen.networks.build_patchgan_discriminator((8, 8, 2), filters=4, num_layers=1),
        seed=0,
    )
    adams = (keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in range(2))
    model.compile(*adams, jit_compile=False)
    return model


def inference_gap(model, images):
    trained = [model(image[None], training=True) for image in images]
    return np.abs(np.concatenate(trained) - model.translate(images)).max()


def fit_one_by_one(model, images):
    data = tf.data.Dataset.from_tensor_slices((images, 1.0 - images)).batch(1)
    model.fit(data, epochs=2, verbose=0)


def test_the_exported_image_is_the_trained_one_at_batch_1():
    """Instance normalisation is one function; batch normalisation at 1 is two.

    Seen: 1e-7 against 0.21.
    """
    images = small.images(12)
    model = trained_translator("instance")
    fit_one_by_one(model, images)
    assert inference_gap(model, images) < 1e-5
    with pytest.raises(tf.errors.InvalidArgumentError, match="use instance norm"):
        fit_one_by_one(contracts.eager(trained_translator("batch")), images)


@pytest.mark.large  # that it is refused is above
def test_what_batch_normalisation_at_batch_1_is_refused_for():
    model = trained_translator("batch")
    model._check_batch = lambda *_: None
    images = small.images(12)
    fit_one_by_one(model, images)
    assert inference_gap(model, images) > 0.05


def test_batch_normalisation_trains_on_larger_batches():
    images = small.images(12)
    data = tf.data.Dataset.from_tensor_slices((images, 1.0 - images)).batch(6)
    model = contracts.eager(trained_translator("batch"))
    history = model.fit(data, epochs=1, verbose=0).history
    assert np.isfinite(history["generator_loss"]).all()


# ---- Mistakes ------------------------------------------------------------------------


def test_data_without_targets_is_refused():
    for model in (make_pix2pix(), make_cyclegan()):
        with pytest.raises(ValueError, match=r"needs data of \(images.*, .*\)"):
            model.train_step(IMAGES)
        with pytest.raises(ValueError, match="takes no sample weights"):
            model.train_step((IMAGES, TARGETS, np.ones(BATCH)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_pix2pix(loss="hinge"), "`loss` must be one of"),
        (lambda: make_cyclegan(loss="hinge"), "`loss` must be one of"),
        (lambda: make_pix2pix(dropout_at_inference=True), "takes images alone"),
        (
            lambda: tfgen.Pix2Pix(pointwise_generator(), pointwise_discriminator(2)),
            "`discriminator` must have images of 4 channels.*: 2",
        ),
        (
            lambda: tfgen.CycleGAN(
                pointwise_generator(3),
                pointwise_generator(),
                pointwise_discriminator(),
                pointwise_discriminator(),
            ),
            "`generator_ab` must have images of 2 channels.*: 3",
        ),
        (
            lambda: tfgen.CycleGAN(
                pointwise_generator(),
                pointwise_generator(),
                pointwise_discriminator(),
                pointwise_discriminator(3),
            ),
            "`discriminator_b` must have images of 2 channels.*: 3",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- Moving averages -----------------------------------------------------------------


@pytest.mark.parametrize("make", [make_pix2pix, make_cyclegan])
def test_averages_follow_each_step_and_translate(make):
    """And the steps are those of a model without."""
    model, plain = make(ema_decay=0.8), make()
    start = {n: getattr(model, n).get_weights() for n in model.generators}
    for _ in range(2):
        before = {n: getattr(model, f"ema_{n}").get_weights() for n in start}
        for one in (model, plain):
            one.train_on_batch(IMAGES, TARGETS)
        for name, means in before.items():
            moved = getattr(model, name).get_weights()
            found = getattr(model, f"ema_{name}").get_weights()
            for one, mean, weight in zip(found, means, moved, strict=True):
                np.testing.assert_allclose(one, 0.8 * mean + 0.2 * weight, atol=1e-6)
    for name in (*model.generators, *model.discriminators):
        for one, other in zip(
            getattr(model, name).weights, getattr(plain, name).weights, strict=True
        ):
            np.testing.assert_array_equal(one, other)
    expected = generate(getattr(model, f"ema_{model.generators[0]}"), signed(IMAGES))
    for images in (model.translate(IMAGES), model(IMAGES), model.predict(IMAGES)):
        np.testing.assert_allclose(images, 0.5 * expected + 0.5, atol=1e-5)
    live = generate(getattr(model, model.generators[0]), signed(IMAGES))
    assert np.abs(live - expected).max() > 1e-3
    np.testing.assert_allclose(
        model(IMAGES, training=True), 0.5 * live + 0.5, atol=1e-5
    )
