"""Adversarial losses and gradient penalties against values written by hand."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgen.losses import (
    ADVERSARIAL_LOSSES,
    GRADIENT_PENALTIES,
    gradient_norms_squared,
)

RNG = np.random.default_rng(0)
REAL = np.array([[-2.0], [0.3], [0.9], [4.0]])
FAKE = np.array([[-3.0], [-0.5], [0.2], [2.5]])
SHAPE = (3, 2, 1)
WEIGHTS = RNG.normal(size=SHAPE).astype("float32")


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def cross_entropy(real, fake):
    return -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean()


# Name -> (generator's loss of fake, discriminator's of real and fake), of the papers.
EXPECTED = {
    "minimax": (lambda fake: np.log(1 - sigmoid(fake)).mean(), cross_entropy),
    "non_saturating": (lambda fake: -np.log(sigmoid(fake)).mean(), cross_entropy),
    "least_squares": (
        lambda fake: ((fake - 1) ** 2).mean() / 2,
        lambda real, fake: ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
    ),
    "hinge": (
        lambda fake: -fake.mean(),
        lambda real, fake: (
            np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
        ),
    ),
    "wasserstein": (
        lambda fake: -fake.mean(),
        lambda real, fake: fake.mean() - real.mean(),
    ),
}

# Name -> (generator at 100, at -100, discriminator wholly right, wholly wrong), where a
# float32 sigmoid is 0 or 1. Right: real 100, fake -100.
EXTREMES = {
    "minimax": (-100.0, 0.0, 0.0, 200.0),
    "non_saturating": (0.0, 100.0, 0.0, 200.0),
    "least_squares": (4900.5, 5100.5, 9900.5, 10100.5),
    "hinge": (-100.0, 100.0, 0.0, 202.0),
    "wasserstein": (-100.0, 100.0, -200.0, 200.0),
}


def gradients_of(function, *logits):
    logits = [tf.constant(x, tf.float32) for x in logits]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = function(*logits)
    return [g.numpy() for g in tape.gradient(loss, logits)]


# ---- Losses --------------------------------------------------------------------------


def test_every_loss_is_tested():
    assert ADVERSARIAL_LOSSES.keys() == EXPECTED.keys() == EXTREMES.keys()
    assert set(GRADIENT_PENALTIES) == {"wgan_gp", "r1", "dragan"}


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_is_the_paper_s(name):
    loss, (generator, discriminator) = ADVERSARIAL_LOSSES[name](), EXPECTED[name]
    real, fake = REAL.astype("float32"), FAKE.astype("float32")
    for found, expected in (
        (loss.generator(fake), generator(FAKE)),
        (loss.discriminator(real, fake), discriminator(REAL, FAKE)),
    ):
        assert found.shape == ()
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_of_a_batch_is_the_mean(name):
    """Of patches too: `(batch, height, width, 1)` logits."""
    loss = ADVERSARIAL_LOSSES[name]()
    real, fake = (RNG.normal(size=(4, 3, 2, 1)).astype("float32") for _ in range(2))
    each = [loss.discriminator(a, b) for a, b in zip(real, fake, strict=True)]
    np.testing.assert_allclose(loss.discriminator(real, fake), np.mean(each), 1e-6)
    each = [loss.generator(b) for b in fake]
    np.testing.assert_allclose(loss.generator(fake), np.mean(each), 1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_extreme_logits_neither_overflow_nor_vanish(name):
    loss = ADVERSARIAL_LOSSES[name]()
    high, low = np.full((2, 1), 100, "float32"), np.full((2, 1), -100, "float32")
    found = (
        loss.generator(high),
        loss.generator(low),
        loss.discriminator(high, low),
        loss.discriminator(low, high),
    )
    np.testing.assert_allclose(found, EXTREMES[name], rtol=1e-6, atol=1e-6)
    for fake in (high, low):
        assert np.isfinite(gradients_of(loss.generator, fake)).all()
        assert np.isfinite(gradients_of(loss.discriminator, -fake, fake)).all()


def test_gradients_of_hinge():
    """Only what is within the margin moves the discriminator."""
    real, fake = gradients_of(ADVERSARIAL_LOSSES["hinge"]().discriminator, REAL, FAKE)
    np.testing.assert_allclose(real, np.array([[-1], [-1], [-1], [0]]) / 4)
    np.testing.assert_allclose(fake, np.array([[0], [1], [1], [1]]) / 4)
    (fake,) = gradients_of(ADVERSARIAL_LOSSES["hinge"]().generator, FAKE)
    np.testing.assert_allclose(fake, np.full((4, 1), -0.25))


def test_gradients_of_least_squares():
    loss = ADVERSARIAL_LOSSES["least_squares"]()
    real, fake = gradients_of(loss.discriminator, REAL, FAKE)
    np.testing.assert_allclose(real, (REAL - 1) / 4, rtol=1e-6)
    np.testing.assert_allclose(fake, FAKE / 4, rtol=1e-6)
    (fake,) = gradients_of(loss.generator, FAKE)
    np.testing.assert_allclose(fake, (FAKE - 1) / 4, rtol=1e-6)


def test_minimax_saturates_where_non_saturating_does_not():
    """`-s(D)` against `-(1 - s(D))` a logit: the same discriminator, other ends."""
    (minimax,) = gradients_of(ADVERSARIAL_LOSSES["minimax"]().generator, FAKE)
    (other,) = gradients_of(ADVERSARIAL_LOSSES["non_saturating"]().generator, FAKE)
    np.testing.assert_allclose(minimax, -sigmoid(FAKE) / 4, rtol=1e-5)
    np.testing.assert_allclose(other, (sigmoid(FAKE) - 1) / 4, rtol=1e-5)
    losses = [ADVERSARIAL_LOSSES[n]().generator for n in ("minimax", "non_saturating")]
    # log(1 - s) - (-log s) = log(1 - s) + log s, which is even in the logit.
    sums = [losses[0](x) - losses[1](x) for x in (FAKE, -FAKE)]
    np.testing.assert_allclose(*sums, rtol=1e-6)
    rejected = np.array([[-20.0]])
    assert abs(gradients_of(losses[0], rejected)[0]) < 1e-8
    assert abs(gradients_of(losses[1], rejected)[0]) > 0.99


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares"])
def test_boundary_is_as_far_from_real_s_aim_as_from_fake_s(name):
    """An image on the boundary costs the same whether it is called real or fake."""
    loss = ADVERSARIAL_LOSSES[name]()
    edge = np.full((1, 1), loss.boundary, "float32")
    real, fake = gradients_of(loss.discriminator, edge, edge)
    np.testing.assert_allclose(real, -fake, rtol=1e-6)
    assert real < 0.0


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_boundary_of_losses_that_have_none_of_their_own_is_the_sign(name):
    assert ADVERSARIAL_LOSSES[name]().boundary == 0.0


# ---- Penalties -----------------------------------------------------------------------


def points_of(name, real, fake, uniform):
    arrays = [tf.constant(x, tf.float32) for x in (real, fake, uniform)]
    return GRADIENT_PENALTIES[name]().points(*arrays)


def linear(weights):
    return lambda images: tf.reduce_sum(images * weights, axis=(1, 2, 3)) + 0.7


def batch_of(count=5):
    real, fake = (RNG.normal(size=(count, *SHAPE)) for _ in range(2))
    return real, fake, RNG.uniform(size=(count, 6))


def test_squared_norms_are_each_image_s_own():
    images = tf.constant(RNG.normal(size=(4, *SHAPE)), tf.float32)
    squares = gradient_norms_squared(
        lambda x: tf.reduce_sum(x**3, axis=(1, 2, 3))[:, tf.newaxis], images
    )
    expected = np.sum((3 * images.numpy() ** 2) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(squares, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("name", ["wgan_gp", "r1", "dragan"])
def test_penalty_of_a_linear_critic_is_the_closed_form(name, scale):
    """`D(x) = <w, x> + b` has the gradient `w` wherever the points are."""
    weights = scale * WEIGHTS
    norm = np.linalg.norm(weights.astype(float))
    squares = gradient_norms_squared(linear(weights), points_of(name, *batch_of()))
    expected = norm**2 / 2 if name == "r1" else (norm - 1) ** 2
    found = GRADIENT_PENALTIES[name]().charge(squares)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["wgan_gp", "r1", "dragan"])
def test_gradient_of_the_penalty_is_the_closed_form(name):
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|, and d/dw |w|^2 / 2 = w."""
    weights = tf.Variable(WEIGHTS)
    points = points_of(name, *batch_of())
    with tf.GradientTape() as tape:
        squares = gradient_norms_squared(linear(weights), points)
        penalty = GRADIENT_PENALTIES[name]().charge(squares)
    norm = np.linalg.norm(WEIGHTS)
    factor = 1.0 if name == "r1" else 2 * (norm - 1) / norm
    found = tape.gradient(penalty, weights)
    np.testing.assert_allclose(found, factor * WEIGHTS, rtol=1e-5)


def test_gradient_of_the_penalty_is_finite_where_the_critic_is_flat():
    """The norm's own derivative is infinite at 0: a critic that starts at 0 is met."""
    weights = tf.Variable(tf.zeros(SHAPE))
    with tf.GradientTape() as tape:
        squares = gradient_norms_squared(linear(weights), tf.ones((2, *SHAPE)))
        penalty = GRADIENT_PENALTIES["wgan_gp"]().charge(squares)
    assert np.isfinite(tape.gradient(penalty, weights)).all()


@pytest.mark.parametrize("name", ["wgan_gp", "r1", "dragan"])
def test_penalty_of_a_quadratic_critic_is_taken_at_its_points(name):
    """`D(x) = |x|^2 / 2` has the gradient `x`."""
    real, fake, uniform = batch_of()
    points = points_of(name, real, fake, uniform)
    share = uniform[:, :1, np.newaxis, np.newaxis]
    expected_points = {
        "wgan_gp": share * real + (1 - share) * fake,
        "r1": real,
        "dragan": real
        + 0.5 * real.std() * scipy.stats.norm.ppf(uniform.reshape(real.shape)),
    }[name]
    np.testing.assert_allclose(points, expected_points, rtol=1e-5, atol=1e-6)
    squares = gradient_norms_squared(
        lambda x: tf.reduce_sum(x**2, axis=(1, 2, 3)) / 2, points
    )
    lengths = np.linalg.norm(expected_points.reshape(5, -1), axis=1)
    penalty = GRADIENT_PENALTIES[name]().charge(squares)
    each = lengths**2 / 2 if name == "r1" else (lengths - 1) ** 2
    np.testing.assert_allclose(penalty, each.mean(), rtol=1e-5)


def test_dragan_s_noise_is_normal_and_half_as_wide_as_the_images():
    """Of both signs, and its own for every pixel (the paper's delta ~ N(0, c I))."""
    real = np.full((4000, *SHAPE), 0.8, "float32")
    real[::2] = -0.2  # a standard deviation of 0.5
    draws = RNG.uniform(size=(4000, 6))
    noise = points_of("dragan", real, -real, draws) - real
    noise = np.reshape(noise, (4000, 6))
    # Standard errors: 0.0016 and 0.0011.
    assert abs(noise.mean()) < 0.007
    assert noise.std() == pytest.approx(0.5 * 0.5, abs=0.005)
    assert scipy.stats.kstest(noise.ravel() / 0.25, "norm").pvalue > 1e-3
    correlations = np.corrcoef(noise.T) - np.eye(6)
    assert abs(correlations).max() < 0.08


def test_weight_of_the_papers():
    weights = {name: penalty().weight for name, penalty in GRADIENT_PENALTIES.items()}
    assert weights == {"wgan_gp": 10.0, "r1": 10.0, "dragan": 10.0}
