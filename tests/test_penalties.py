"""Gradient penalties against closed forms."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgen.penalties import GRADIENT_PENALTIES, gradient_norms_squared

RNG = np.random.default_rng(0)
SHAPE = (3, 2, 1)
WEIGHTS = RNG.normal(size=SHAPE).astype("float32")

# Penalty -> what a linear critic of norm n is charged, and d charge / d n / n.
LINEAR = {
    "wgan_gp": (lambda n: (n - 1) ** 2, lambda n: 2 * (n - 1) / n),
    "r1": (lambda n: n**2 / 2, lambda n: 1.0),
    "r1_r2": (lambda n: n**2, lambda n: 2.0),
    "dragan": (lambda n: (n - 1) ** 2, lambda n: 2 * (n - 1) / n),
}


def test_every_penalty_is_tested():
    assert GRADIENT_PENALTIES.keys() == LINEAR.keys()


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
@pytest.mark.parametrize("name", LINEAR)
def test_penalty_of_a_linear_critic_is_the_closed_form(name, scale):
    """`D(x) = <w, x> + b` has the gradient `w` wherever the points are."""
    weights = scale * WEIGHTS
    norm = np.linalg.norm(weights.astype(float))
    squares = gradient_norms_squared(linear(weights), points_of(name, *batch_of()))
    found = GRADIENT_PENALTIES[name]().charge(squares)
    np.testing.assert_allclose(found, LINEAR[name][0](norm), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_gradient_of_the_penalty_is_the_closed_form(name):
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|, and d/dw |w|^2 / 2 = w."""
    weights = tf.Variable(WEIGHTS)
    points = points_of(name, *batch_of())
    with tf.GradientTape() as tape:
        squares = gradient_norms_squared(linear(weights), points)
        penalty = GRADIENT_PENALTIES[name]().charge(squares)
    norm = np.linalg.norm(WEIGHTS)
    found = tape.gradient(penalty, weights)
    np.testing.assert_allclose(found, LINEAR[name][1](norm) * WEIGHTS, rtol=1e-5)


def test_gradient_of_the_penalty_is_finite_where_the_critic_is_flat():
    """The norm's own derivative is infinite at 0: a critic that starts at 0 is met."""
    weights = tf.Variable(tf.zeros(SHAPE))
    with tf.GradientTape() as tape:
        squares = gradient_norms_squared(linear(weights), tf.ones((2, *SHAPE)))
        penalty = GRADIENT_PENALTIES["wgan_gp"]().charge(squares)
    assert np.isfinite(tape.gradient(penalty, weights)).all()


@pytest.mark.parametrize("name", LINEAR)
def test_penalty_of_a_quadratic_critic_is_taken_at_its_points(name):
    """`D(x) = |x|^2 / 2` has the gradient `x`."""
    real, fake, uniform = batch_of()
    points = points_of(name, real, fake, uniform)
    share = uniform[:, :1, np.newaxis, np.newaxis]
    expected_points = {
        "wgan_gp": share * real + (1 - share) * fake,
        "r1": real,
        "r1_r2": np.concatenate([real, fake]),
        "dragan": real
        + 0.5 * real.std() * scipy.stats.norm.ppf(uniform.reshape(real.shape)),
    }[name]
    np.testing.assert_allclose(points, expected_points, rtol=1e-5, atol=1e-6)
    squares = gradient_norms_squared(
        lambda x: tf.reduce_sum(x**2, axis=(1, 2, 3)) / 2, points
    )
    lengths = np.linalg.norm(expected_points.reshape(len(squares), -1), axis=1)
    penalty = GRADIENT_PENALTIES[name]().charge(squares)
    np.testing.assert_allclose(penalty, LINEAR[name][0](lengths).mean(), rtol=1e-5)
    assert len(squares) == 5 * GRADIENT_PENALTIES[name].points_per_image


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


def test_weights():
    weights = {name: penalty().weight for name, penalty in GRADIENT_PENALTIES.items()}
    assert weights == {"wgan_gp": 10.0, "r1": 10.0, "r1_r2": 1.0, "dragan": 10.0}


def test_r1_r2_is_the_sum_of_r1_at_real_and_at_fake_images():
    """Means of their own: a quadratic critic's gradients differ at the two."""
    real, fake, uniform = batch_of()
    critic = lambda x: tf.reduce_sum(x**2, axis=(1, 2, 3)) / 2
    r1, both = (GRADIENT_PENALTIES[name]() for name in ("r1", "r1_r2"))
    found = both(
        critic, both.points(tf.constant(real), tf.constant(fake), uniform), 0, 1
    )
    expected = sum(r1(critic, tf.constant(points), 0, 1) for points in (real, fake))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
