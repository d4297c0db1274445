"""The GAN's step against a plain one, its average, diagnostics, the ring of eight."""

import functools
import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfgen
from tests import contracts
from tests.contracts import dataset, optimizers
from tfgen import augmentation
from tfgen.augmentation import diff_augment
from tfgen.callbacks import ModeCoverage
from tfgen.metrics import mode_coverage
from tfgen.models import averages, gan
from tfgen.models.batches import divide
from tfgen.networks.conditioning import add_labels, project_labels

SHAPE, LATENT_DIM, BATCH = (4, 4, 2), 3, 12
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(BATCH, *SHAPE)).astype("float32")
LABELS = np.arange(BATCH, dtype="int32") % 3
RATES = (0.2, 0.1)  # of the generator, of the discriminator
AUGMENT = "color,translation,cutout"


def make_generator(num_classes=None, batch_norm=False, shape=SHAPE):
    latents = keras.Input((LATENT_DIM,))
    features, inputs = add_labels(latents, latents, num_classes)
    features = keras.layers.Dense(8)(features)
    if batch_norm:
        features = keras.layers.BatchNormalization()(features)
    features = keras.layers.LeakyReLU()(features)
    features = keras.layers.Dense(math.prod(shape), "tanh")(features)
    return keras.Model(inputs, keras.layers.Reshape(shape)(features))


def make_discriminator(num_classes=None, batch_norm=False, shape=SHAPE):
    images = keras.Input(shape)
    features = keras.layers.Dense(8)(keras.layers.Flatten()(images))
    if batch_norm:
        features = keras.layers.BatchNormalization()(features)
    features = keras.layers.Activation("softplus")(features)  # smooth for penalties
    logits = keras.layers.Dense(1)(features)
    logits, inputs = project_labels(logits, features, images, num_classes)
    return keras.Model(inputs, logits)


def make_gan(batch_norm=False, rates=RATES, **kwargs):
    keras.utils.set_random_seed(0)
    build = {"num_classes": kwargs.get("num_classes"), "batch_norm": batch_norm}
    networks = (make_generator(**build), make_discriminator(**build))
    model = tfgen.GAN(*networks, **{"seed": 0, **kwargs})
    generator_rate, discriminator_rate = rates
    model.compile(
        generator_optimizer=keras.optimizers.SGD(generator_rate),
        discriminator_optimizer=keras.optimizers.SGD(discriminator_rate),
        run_eagerly=True,  # a few steps each
    )
    return model


def weights_of(model):
    return [w.numpy() for w in model.weights]


def distance(weights, others):
    """Largest difference."""
    return max(abs(a - b).max() for a, b in zip(weights, others, strict=True))


class Draws:
    """Replaces the model's draws by known ones, kept in the order of the calls."""

    def __init__(self, monkeypatch):
        self.latents, self.uniforms = [], []
        rng = np.random.default_rng(1)
        self._keep(monkeypatch, "standard_normal", self.latents, rng.normal)
        self._keep(monkeypatch, "uniform", self.uniforms, rng.uniform)

    @staticmethod
    def _keep(monkeypatch, name, kept, draw):
        def keep(shape, seed):
            kept.append(draw(size=[int(n) for n in shape]).astype("float32"))
            return tf.constant(kept[-1])

        monkeypatch.setattr(gan, name, keep)


# ---- A plain step, as a tutorial writes it -------------------------------------------


def cross_entropy(target):
    return lambda logits: tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(target * tf.ones_like(logits), logits)
    )


# Name -> losses of real and of fake for the discriminator, of fake for the generator.
PLAIN_LOSSES = {
    "minimax": (
        cross_entropy(1.0),
        cross_entropy(0.0),
        lambda x: -cross_entropy(0.0)(x),
    ),
    "non_saturating": (cross_entropy(1.0), cross_entropy(0.0), cross_entropy(1.0)),
    "least_squares": (
        lambda x: tf.reduce_mean((x - 1.0) ** 2) / 2.0,
        lambda x: tf.reduce_mean(x**2) / 2.0,
        lambda x: tf.reduce_mean((x - 1.0) ** 2) / 2.0,
    ),
    "hinge": (
        lambda x: tf.reduce_mean(tf.maximum(0.0, 1.0 - x)),
        lambda x: tf.reduce_mean(tf.maximum(0.0, 1.0 + x)),
        lambda x: -tf.reduce_mean(x),
    ),
    "wasserstein": (
        lambda x: -tf.reduce_mean(x),
        lambda x: tf.reduce_mean(x),
        lambda x: -tf.reduce_mean(x),
    ),
}


def plain_loss(name, real_logits, fake_logits, of_generator=False):
    if name == "relativistic":
        sign = 1.0 if of_generator else -1.0
        return cross_entropy(1.0)(sign * (fake_logits - real_logits))
    real_loss, fake_loss, generator_loss = PLAIN_LOSSES[name]
    if of_generator:
        return generator_loss(fake_logits)
    return real_loss(real_logits) + fake_loss(fake_logits)


def plain_penalty(name, judge, real, fake, uniform):
    """Unweighted, from the papers."""
    if name == "r1_r2":
        r1 = functools.partial(plain_penalty, "r1", judge, uniform=uniform, fake=None)
        return r1(real=real) + r1(real=fake)
    points = {
        "wgan_gp": lambda: uniform[:, :1, None, None] * (real - fake) + fake,
        "r1": lambda: real,
        "dragan": lambda: (
            real
            + 0.5 * np.std(real) * scipy.stats.norm.ppf(uniform).reshape(real.shape)
        ),
    }[name]()
    points = tf.Variable(points, dtype=tf.float32)
    with tf.GradientTape() as tape:
        logits = judge(points)
    gradients = tf.reshape(tape.gradient(logits, points), (len(real), -1))
    if name == "r1":
        return tf.reduce_mean(tf.reduce_sum(gradients**2, axis=1)) / 2.0
    return tf.reduce_mean((tf.norm(gradients, axis=1) - 1.0) ** 2)


def descend(network, rate, tape, loss):
    variables = network.trainable_variables
    for variable, g in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * tf.convert_to_tensor(g))  # dense, of embeddings


def plain_step(model, draws, step, images, labels, joined=False):
    """One step on the model's networks: everything is run apart, and twice if need be.

    Args:
        step: Integer, the index of the step among `draws`.
        joined: Whether the discriminator sees real and fake images in one call.
    """
    generator, discriminator = model.generator, model.discriminator
    n = model.discriminator_steps
    latents = draws.latents[step]
    uniform, *augmenting = draws.uniforms[4 * step : 4 * step + 4]
    augmentations = augmentation.get(model.augment)

    for part in range(n):
        rows = slice(part, None, n)
        y = None if labels is None else labels[rows]
        real = 2.0 * images[rows] - 1.0
        judge = functools.partial(run, discriminator, labels=y)
        # The generator runs again for its own step; its statistics count one run.
        kept = [v.numpy() for v in generator.non_trainable_variables]
        fake = run(generator, latents[rows], y).numpy()
        if part == n - 1:
            for variable, value in zip(
                generator.non_trainable_variables, kept, strict=True
            ):
                variable.assign(value)
        real_seen = diff_augment(real, augmentations, augmenting[0][rows])
        fake_seen = diff_augment(fake, augmentations, augmenting[1][rows])
        with tf.GradientTape() as tape:
            if joined:
                both = tf.concat([real_seen, fake_seen], axis=0)
                real_logits, fake_logits = tf.split(judge(both), 2)
            else:
                real_logits, fake_logits = judge(real_seen), judge(fake_seen)
            loss = plain_loss(model.loss, real_logits, fake_logits)
            if model.gradient_penalty is not None:
                loss += (model.penalty_weight or 10.0) * plain_penalty(
                    model.gradient_penalty, judge, real, fake, uniform[rows]
                )
        descend(discriminator, RATES[1], tape, loss)
    with tf.GradientTape() as tape:
        fake = run(generator, latents[rows], y)
        fake = diff_augment(fake, augmentations, augmenting[2][rows])
        is_paired = model.loss == "relativistic"
        real_logits = judge(real_seen) if is_paired else None
        loss = plain_loss(model.loss, real_logits, judge(fake), of_generator=True)
    descend(generator, RATES[0], tape, loss)


def run(network, inputs, labels):
    inputs = tf.convert_to_tensor(inputs)
    inputs = inputs if labels is None else [inputs, tf.constant(labels)]
    return network(inputs, training=True)


CASES = {
    **{name: {"loss": name} for name in PLAIN_LOSSES},
    "two_steps": {"discriminator_steps": 2},
    "three_steps": {"discriminator_steps": 3, "loss": "hinge"},
    "wgan_gp": {"gradient_penalty": "wgan_gp", "loss": "wasserstein"},
    "r1": {"gradient_penalty": "r1", "penalty_weight": 3.0},
    "dragan": {"gradient_penalty": "dragan"},
    "relativistic": {"loss": "relativistic", "augment": AUGMENT},
    "conditional_relativistic_r1_r2": {
        "loss": "relativistic",
        "gradient_penalty": "r1_r2",
        "penalty_weight": 0.5,
        "num_classes": 3,
        "discriminator_steps": 2,
    },
    "wgan_gp_two_steps": {
        "gradient_penalty": "wgan_gp",
        "loss": "wasserstein",
        "discriminator_steps": 2,
    },
    "dragan_two_steps": {"gradient_penalty": "dragan", "discriminator_steps": 2},
    "batch_norm": {"batch_norm": True},
    "batch_norm_two_steps": {"batch_norm": True, "discriminator_steps": 2},
    "conditional": {"num_classes": 3},
    "conditional_two_steps": {
        "num_classes": 3,
        "discriminator_steps": 2,
        "gradient_penalty": "r1",
    },
    "augmented": {"augment": AUGMENT},
    "augmented_two_steps": {"augment": AUGMENT, "discriminator_steps": 2},
    "averaged": {"ema_decay": 0.9},
}


@pytest.mark.parametrize("name", CASES)
def test_savings_leave_the_algorithm_equal(name, monkeypatch):
    """Two steps: one generator run and one discriminator call move as plain ones do."""
    draws = Draws(monkeypatch)
    model, plain = make_gan(**CASES[name]), make_gan(**CASES[name])
    labels = LABELS if model.num_classes else None
    data = IMAGES if labels is None else (IMAGES, labels)
    for step in range(2):
        networks = ("generator", "discriminator")
        before = {name: weights_of(getattr(model, name)) for name in networks}
        model.train_step(data)
        plain_step(plain, draws, step, IMAGES, labels)
        for network in networks:
            found, expected = (weights_of(getattr(m, network)) for m in (model, plain))
            assert distance(found, expected) < 1e-6
            assert distance(found, before[network]) > 1e-3


def test_batch_normalised_discriminator_sees_real_and_fake_apart(monkeypatch):
    """One call on both would move its weights elsewhere."""
    draws = Draws(monkeypatch)
    model, joined = make_gan(batch_norm=True), make_gan(batch_norm=True)
    model.train_step(IMAGES)
    plain_step(joined, draws, 0, IMAGES, None, joined=True)
    found, mixed = (weights_of(m.discriminator) for m in (model, joined))
    assert distance(found, mixed) > 1e-2


def count_calls(model, name):
    network = getattr(model, name)
    calls, call = [], network.call

    def counted(*args, **kwargs):
        calls.append(args)
        return call(*args, **kwargs)

    network.call = counted
    return calls


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, (1, 2)),
        ({"discriminator_steps": 3}, (3, 4)),
        ({"gradient_penalty": "r1"}, (1, 3)),
        ({"batch_norm": True}, (1, 3)),
    ],
)
def test_networks_run_no_more_often_than_needed(kwargs, expected):
    model = make_gan(**kwargs)
    calls = [count_calls(model, name) for name in ("generator", "discriminator")]
    model.train_step(IMAGES)
    assert tuple(len(c) for c in calls) == expected


def test_draws_of_a_step_are_uniform_and_normal_and_new():
    """WGAN-GP's weight is one for each image, DRAGAN's noise one for each pixel."""
    images = np.zeros((4000, 1, 1, 1), "float32")
    for penalty, columns in (("wgan_gp", 1), ("dragan", 32)):
        model = make_gan(gradient_penalty=penalty)
        one, other = (model._batch(images, None, training=True) for _ in range(2))
        assert one["penalty_draws"].shape == (4000, columns)
        for name, cdf in (("penalty_draws", "uniform"), ("latents", "norm")):
            values = [np.ravel(draw[name]) for draw in (one, other)]
            assert scipy.stats.kstest(values[0], cdf).pvalue > 0.01
            assert abs(np.corrcoef(*values)[0, 1]) < 0.05
    rows = np.corrcoef(np.transpose(one["penalty_draws"]))
    assert abs(rows - np.eye(32)).max() < 0.1


# ---- Several discriminator steps -----------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 12])
def test_discriminator_steps_share_the_batch(steps):
    batch = {"real": tf.range(BATCH), "labels": None}
    shares = [share["real"].numpy() for share in divide(batch, steps)]
    assert {len(share) for share in shares} == {BATCH // steps}
    assert sorted(np.concatenate(shares)) == list(range(BATCH))


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_small_batches_leave_no_step_without_images(size):
    batch = {"real": tf.range(size), "labels": None}
    shares = [share["real"].numpy() for share in divide(batch, 4)]
    assert min(len(share) for share in shares) >= 1
    assert set(np.concatenate(shares)) == set(range(size))


@pytest.mark.parametrize("size", [1, 5])
def test_small_batches_train(size):
    model = make_gan(discriminator_steps=4, gradient_penalty="r1")
    history = model.fit(dataset(IMAGES[:size]), verbose=0).history
    assert np.isfinite([values[0] for values in history.values()]).all()
    assert all(np.isfinite(w).all() for w in weights_of(model))


def test_fit_counts_the_generator_s_steps():
    model = make_gan(discriminator_steps=3)
    model.fit(dataset(IMAGES, batch_size=6), epochs=2, verbose=0)
    assert int(model.generator_optimizer.iterations) == 4
    assert int(model.discriminator_optimizer.iterations) == 12


# ---- Moving average ------------------------------------------------------------------


def test_average_after_k_updates_is_the_closed_form():
    """Towards constant weights `c`: `c + decay^k (start - c)`."""
    model = make_gan(ema_decay=0.8, batch_norm=True)
    start = weights_of(model.ema_generator)
    aims = [RNG.normal(size=w.shape).astype("float32") for w in start]
    model.generator.set_weights(aims)
    for _ in range(5):
        averages.update(model.ema_generator, model.generator, 0.8)
    weights, means = model.generator.weights, model.ema_generator.weights
    for weight, average, s, c in zip(weights, means, start, aims, strict=True):
        left = 0.8**5 if weight.trainable else 0.0  # batch statistics are copied
        np.testing.assert_allclose(average, c + left * (s - c), rtol=1e-5, atol=1e-6)
    assert sum(not w.trainable for w in model.generator.weights) == 2


def test_average_follows_every_step_of_the_generator():
    model = make_gan(ema_decay=0.5, discriminator_steps=2)
    average = model.ema_generator.get_weights()
    for _ in range(3):
        model.train_on_batch(IMAGES)
        weights = model.generator.get_weights()
        average = [0.5 * a + 0.5 * w for a, w in zip(average, weights, strict=True)]
    for found, expected in zip(model.ema_generator.weights, average, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_average_makes_the_samples_and_not_the_training():
    model, plain = make_gan(ema_decay=0.9), make_gan()
    black = [np.zeros_like(w) for w in model.ema_generator.get_weights()]
    black[-1] -= 10.0  # tanh: -1
    model.ema_generator.set_weights(black)
    latents = RNG.normal(size=(2, LATENT_DIM)).astype("float32")
    endpoints = model.signatures()
    for images in (
        model.sample(2, seed=0),
        model.generate(latents),
        model(latents),
        model.predict(latents, verbose=0),
        endpoints["generate"](tf.constant(latents))["images"],
        endpoints["sample"](tf.constant([3, 4], tf.int64))["images"],
    ):
        np.testing.assert_allclose(images, np.zeros((2, *SHAPE)), atol=1e-6)
    trained = model(latents, training=True)
    np.testing.assert_array_equal(trained, plain.generate(latents))
    for m in (model, plain):
        m.train_on_batch(IMAGES)
    assert distance(weights_of(model.generator), weights_of(plain.generator)) == 0.0


def test_average_and_both_optimizers_are_saved(tmp_path):
    model = make_gan(ema_decay=0.9)
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-2),
        discriminator_optimizer=keras.optimizers.RMSprop(2e-2),
        run_eagerly=True,
    )
    model.fit(dataset(IMAGES, batch_size=4), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = tfgen.load(tmp_path / "model.keras")
    averages = (weights_of(m.ema_generator) for m in (model, loaded))
    assert distance(*averages) == 0.0
    np.testing.assert_array_equal(model.sample(3, seed=0), loaded.sample(3, seed=0))
    for name, kind in (("generator", "Adam"), ("discriminator", "RMSprop")):
        one, other = (getattr(m, f"{name}_optimizer") for m in (model, loaded))
        assert type(other).__name__ == kind
        assert int(other.iterations) == 3
        for slot, restored in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(slot, restored)
        assert any(np.abs(v).max() > 0 for v in other.variables[2:])


def test_compile_needs_no_arguments():
    model = make_gan()
    model.compile()
    assert {type(o).__name__ for o in optimizers(model)} == {"Adam"}
    assert model.generator_optimizer is not model.discriminator_optimizer
    contracts.eager(model).fit(dataset(IMAGES), verbose=0)


# ---- Lazy penalty --------------------------------------------------------------------


def test_lazy_penalty_enters_every_nth_step_with_n_times_the_weight(monkeypatch):
    draws = Draws(monkeypatch)
    kwargs = {"gradient_penalty": "r1", "penalty_weight": 0.5}
    model = make_gan(penalty_interval=3, **kwargs)
    plain = make_gan(gradient_penalty="r1", penalty_weight=1.5)
    without = make_gan()
    for step in range(4):
        model.train_step(IMAGES)
        source = plain if step % 3 == 0 else without
        plain_step(source, draws, step, IMAGES, None)
        assert distance(weights_of(model), weights_of(source)) < 1e-6
        assert distance(weights_of(plain), weights_of(without)) > 1e-3
        for other in (plain, without):
            other.set_weights(model.get_weights())


@pytest.mark.parametrize("steps", [1, 2])
def test_reported_lazy_penalty_is_unbiased(steps):
    """With rates of 0 the penalty of R1 stays; so must its mean over the interval."""
    kwargs = {"gradient_penalty": "r1", "rates": (0.0, 0.0)}
    always = make_gan(**kwargs)
    lazy = make_gan(penalty_interval=3, discriminator_steps=steps, **kwargs)
    data = dataset(np.tile(IMAGES[:1], (6, 1, 1, 1)), batch_size=2)
    lazy.run_eagerly = False  # the step that has the penalty is chosen within a graph
    expected = always.fit(data, verbose=0).history["gradient_penalty"][0]
    found = lazy.fit(data, verbose=0).history["gradient_penalty"][0]
    assert found == pytest.approx(expected, rel=1e-5)
    assert expected > 1e-3
    evaluated = lazy.evaluate(data, return_dict=True, verbose=0)
    assert evaluated["gradient_penalty"] == pytest.approx(expected, rel=1e-5)


# ---- Augmentation --------------------------------------------------------------------


def test_augmentation_is_of_all_that_the_discriminator_sees_with_own_draws(monkeypatch):
    draws, seen = Draws(monkeypatch), []

    class Recorder(augmentation.Augmentation):
        num_draws = 5

        def __call__(self, images, draws):
            seen.append((np.asarray(images), np.asarray(draws)))
            return images

    make_gan(augment=[Recorder()]).train_step(IMAGES)
    real, fake, judged = (images for images, _ in seen)
    np.testing.assert_allclose(real, 2 * IMAGES - 1, atol=1e-6)
    np.testing.assert_array_equal(fake, judged)
    for (_, used), drawn in zip(seen, draws.uniforms[1:], strict=True):
        np.testing.assert_array_equal(used, drawn)
        assert used.shape == (BATCH, 5)


def test_adaptive_strength_follows_the_real_images(tmp_path):
    """It moves by a batch over `num_images` a step, is reported, and is saved."""
    adaptive = augmentation.Adaptive(target=-2.0, num_images=10 * BATCH)  # always up
    model = make_gan(augment=adaptive, rates=(0.0, 0.0), discriminator_steps=2)
    history = model.fit(dataset(IMAGES, batch_size=BATCH), epochs=3, verbose=0)
    np.testing.assert_allclose(history.history["augment_strength"], [0, 0.1, 0.2])
    model.save(tmp_path / "model.keras")
    loaded = tfgen.load(tmp_path / "model.keras")
    assert float(loaded.augment_strength) == pytest.approx(0.3)
    assert loaded.get_config()["augment"] == model.get_config()["augment"]
    evaluated = model.evaluate(dataset(IMAGES), return_dict=True, verbose=0)
    assert evaluated["augment_strength"] == pytest.approx(0.3)
    assert float(model.augment_strength) == pytest.approx(0.3)


def test_samples_are_not_augmented():
    np.testing.assert_array_equal(
        make_gan(augment=AUGMENT).sample(4, seed=0), make_gan().sample(4, seed=0)
    )


# ---- Diagnostics ---------------------------------------------------------------------


def linear_gan(**kwargs):
    """One pixel: `D(x) = 2 x + 0.25` and `G(z) = z_1 - z_2`."""
    latents, images = keras.Input((2,)), keras.Input((1, 1, 1))
    pixel = keras.layers.Dense(1, use_bias=False)(latents)
    generator = keras.Model(latents, keras.layers.Reshape((1, 1, 1))(pixel))
    generator.set_weights([np.array([[1.0], [-1.0]])])
    logits = keras.layers.Dense(1)(keras.layers.Flatten()(images))
    discriminator = keras.Model(images, logits)
    discriminator.set_weights([np.array([[2.0]]), np.array([0.25])])
    model = tfgen.GAN(generator, discriminator, seed=0, **kwargs)
    model.compile()
    return model


@pytest.mark.parametrize(
    ("loss", "boundary"), [("hinge", 0.0), ("wasserstein", 0.0), ("least_squares", 0.5)]
)
def test_diagnostics_are_the_hand_values(loss, boundary, monkeypatch):
    draws = Draws(monkeypatch)
    model = linear_gan(loss=loss, gradient_penalty="r1", penalty_weight=0.1)
    pixels = np.array([0.1, 0.45, 0.5, 0.55, 0.9, 1.0])  # three logits in [0, 0.5]
    terms = model.compute_terms(
        pixels.reshape(6, 1, 1, 1).astype("float32"), None, training=False
    )
    real = 2 * (2 * pixels - 1) + 0.25
    fake = 2.0 * (draws.latents[0][:, 0] - draws.latents[0][:, 1]) + 0.25
    right = np.concatenate([real > boundary, fake < boundary])
    real, fake = real.astype("float32"), fake.astype("float32")
    assert 0 < right.mean() < 1
    real_loss, fake_loss, generator_loss = PLAIN_LOSSES[loss]
    expected = {
        "real_logits": real.mean(),
        "fake_logits": fake.mean(),
        "discriminator_accuracy": right.mean(),
        "gradient_penalty": 2.0,  # |2|^2 / 2
        "discriminator_loss": real_loss(real) + fake_loss(fake) + 0.1 * 2.0,
        "generator_loss": generator_loss(fake),
    }
    assert terms.keys() == expected.keys() == set(model.term_names)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)


# ---- Use -----------------------------------------------------------------------------


def test_samples_repeat_by_seed():
    model = make_gan()
    one, same, other = (model.sample(5, seed=s).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert abs(one - other).max() > 1e-3
    new, newer = model.sample(5).numpy(), model.sample(5).numpy()
    assert abs(new - newer).max() > 1e-3
    assert one.shape == (5, *SHAPE)


def test_labels_of_samples():
    model = make_gan(num_classes=3)
    given = model.sample(6, seed=0, labels=tf.constant([0, 1, 2, 0, 1, 2]))
    np.testing.assert_array_equal(model.sample(6, seed=0), given)
    twos = model.sample(6, seed=0, labels=tf.constant([2] * 6)).numpy()
    same = abs(twos - given.numpy()).max(axis=(1, 2, 3)) == 0
    assert same.tolist() == [False, False, True] * 2


@pytest.mark.parametrize("num_classes", [None, 3])
def test_endpoints_are_the_networks_in_unit_range(num_classes):
    model = make_gan(num_classes=num_classes)
    latents = tf.constant(RNG.normal(size=(4, LATENT_DIM)), tf.float32)
    labels = [] if num_classes is None else [tf.constant([0, 1, 2, 0])]
    endpoints = model.signatures()
    inputs = [latents, *labels] if labels else latents
    images = 0.5 * model.generator(inputs).numpy() + 0.5
    found = endpoints["generate"](latents, *labels)["images"]
    np.testing.assert_allclose(found, images, atol=1e-6)
    centred = tf.constant(2 * IMAGES[:4] - 1)
    logits = model.discriminator([centred, *labels] if labels else centred)
    found = endpoints["discriminate"](tf.constant(IMAGES[:4]), *labels)["logits"]
    np.testing.assert_allclose(found, logits, atol=1e-6)
    np.testing.assert_array_equal(model.discriminate(IMAGES[:4], *labels), found)


def test_images_are_clipped_to_the_unit_range():
    """A generator without tanh may leave it."""
    model = linear_gan()
    latents = np.array([[9.0, 0.0], [0.0, 9.0], [0.5, 0.0]], "float32")
    np.testing.assert_allclose(model.generate(latents).numpy().ravel(), [1, 0, 0.75])


# ---- Errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"loss": "lsgan"}, r"`loss` must be one of .*least_squares.*'lsgan'"),
        ({"gradient_penalty": "gp"}, r"`gradient_penalty` must be one of .*wgan_gp"),
        ({"ema_decay": 1.0}, r"`ema_decay` must be in \[0, 1\).*1.0"),
        ({"ema_decay": -0.1}, r"`ema_decay` must be in \[0, 1\).*-0.1"),
        ({"discriminator_steps": 0}, r"`discriminator_steps`.*at least 1.*: 0"),
        ({"penalty_interval": 0}, r"`penalty_interval`.*at least 1.*: 0"),
        ({"augment": "colour"}, r"`augment` must name some of .*color.*'colour'"),
        (
            {"gradient_penalty": "r1", "batch_norm": True},
            r"'r1' is of each image alone.*batch normalisation mixes",
        ),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_gan(**kwargs)


def test_networks_are_checked():
    with pytest.raises(ValueError, match=r"`generator` must return.*\(4, 4, 1\).*"):
        tfgen.GAN(make_generator(shape=(4, 4, 1)), make_discriminator())
    with pytest.raises(ValueError, match=r"must take 2 input.*num_classes=3.*: 1"):
        tfgen.GAN(make_generator(3), make_discriminator(), num_classes=3)
    with pytest.raises(ValueError, match=r"must take 1 input.*num_classes=None.*: 2"):
        tfgen.GAN(make_generator(3), make_discriminator())


# ---- Ring of eight -------------------------------------------------------------------

NUM_MODES, STDDEV = 8, 0.01
ANGLES = 2 * np.pi * np.arange(NUM_MODES) / NUM_MODES
CENTRES = 0.5 + 0.4 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=-1)
NOWHERE = NUM_MODES  # the class of points further than 4 standard deviations from all


def ring_of_eight(count):
    """Points as images `(count, 1, 2, 1)`."""
    rng = np.random.default_rng(0)
    points = CENTRES[rng.integers(NUM_MODES, size=count)]
    points = points + STDDEV * rng.normal(size=(count, 2))
    return points.reshape(count, 1, 2, 1).astype("float32")


def mode_scores(images):
    """Class scores of points: the eight modes, and nowhere."""
    points = np.reshape(images, (-1, 1, 2))
    distances = np.linalg.norm(points - CENTRES, axis=-1)
    edge = np.full((len(points), 1), 4 * STDDEV)
    return -np.concatenate([distances, edge], axis=1)


def make_mlp(inputs, output_shape):
    inputs = features = keras.Input(inputs)
    features = keras.layers.Flatten()(features)
    for _ in range(2):
        features = keras.layers.Dense(128, "leaky_relu")(features)
    features = keras.layers.Dense(math.prod(output_shape))(features)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(features))


def make_ring_gan(**kwargs):
    keras.utils.set_random_seed(0)
    networks = make_mlp((8,), (1, 2, 1)), make_mlp((1, 2, 1), (1,))
    model = tfgen.GAN(*networks, ema_decay=0.99, seed=0, **kwargs)
    adam = lambda: keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.99)
    model.compile(
        generator_optimizer=adam(),
        discriminator_optimizer=adam(),
        steps_per_execution=100,
    )
    return model


def modes_of(model):
    """Coverage of the modes by those of 2,000 samples that lie in one, and how many."""
    classes = mode_scores(model.sample(2000, seed=0).numpy()).argmax(axis=1)
    inside = classes[classes != NOWHERE]
    return mode_coverage(inside, NUM_MODES), len(inside) / len(classes)


R1 = {"gradient_penalty": "r1", "penalty_weight": 0.1}
RING = {
    "minimax": R1,
    "non_saturating": R1,
    "least_squares": R1,
    "hinge": R1,
    "relativistic": {"gradient_penalty": "r1_r2", "penalty_weight": 0.05},
    "wasserstein": {
        "gradient_penalty": "wgan_gp",
        "penalty_weight": 0.1,
        "discriminator_steps": 3,
    },
}


@pytest.mark.large
@pytest.mark.parametrize("loss", RING)
def test_ring_of_eight_is_covered(loss):
    """A mode is covered by 1 % or more of the samples that lie within 4 stddevs."""
    model = make_ring_gan(loss=loss, **RING[loss])
    batch_size = 256 * model.discriminator_steps
    data = dataset(ring_of_eight(100 * batch_size), batch_size=batch_size)
    model.fit(data.cache().repeat(), steps_per_epoch=3000, verbose=0)
    coverage, inside = modes_of(model)
    assert coverage.modes >= 7
    assert coverage.entropy > np.log(7) - 0.1
    assert inside > 0.5


@pytest.mark.large
def test_collapsed_generator_is_reported_as_collapsed():
    """Noise that can't reach the generator: it has one image for all latents."""
    model = make_ring_gan(loss="hinge", **R1)
    kernel = model.generator.trainable_variables[0]
    kernel.assign(tf.zeros_like(kernel))
    model.generator.layers[2].trainable = False
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(1e-3),
        steps_per_execution=20,
    )
    nearest = lambda images: mode_scores(images)[:, :NUM_MODES]
    callback = ModeCoverage(nearest, num_samples=500, patience=2)
    data = dataset(ring_of_eight(20 * 256), batch_size=256)
    with pytest.warns(UserWarning, match=r"Mode collapse: 1 of 8"):
        history = model.fit(data, epochs=5, verbose=0, callbacks=[callback]).history
    assert history["modes"] == [1] * 5
    assert history["mode_entropy"] == [0.0] * 5
