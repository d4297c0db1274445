"""Likelihoods against SciPy, and whether they sum to one."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

from tfgen import distributions
from tfgen.distributions import LIKELIHOODS, Gaussian, Laplace, LogisticMixture

# The others' pixels see each other: test_perceptual.py.
NORMALIZED = [name for name, row in LIKELIHOODS.items() if row.is_normalized]
LEVELS = np.arange(256) / 255
RNG = np.random.default_rng(0)


def outputs_of(likelihood, count=3):
    """What a decoder returns for `count` images of one pixel."""
    shape = (count, 1, 1, likelihood.params_per_channel)
    return RNG.normal(size=shape).astype("float32")


def softplus(x):
    return np.log1p(np.exp(x))


def log_probs(likelihood, outputs, pixels):
    """`(num_pixels,)` of one output."""
    outputs = np.repeat(outputs[np.newaxis], len(pixels), axis=0)
    images = np.asarray(pixels, "float32").reshape(-1, 1, 1, 1)
    return likelihood.distribution(outputs).log_prob(images).numpy()


def logistic_masses(loc, raw_scale):
    """Of the 256 levels, by SciPy; what lies outside belongs to the first and last."""
    scale = 0.1 + 25.5 * softplus(raw_scale)
    edges = np.concatenate([[-np.inf], np.arange(255) + 0.5, [np.inf]])
    return np.diff(scipy.stats.logistic(255 * loc, scale).cdf(edges))


def expected(name, output):
    """SciPy's distribution of a pixel, or the masses of the levels."""
    output = output.astype(float)
    if name == "pixel_gaussian":
        return scipy.stats.norm(output[0], softplus(output[1]) + 1e-4 + 0.5 / 256)
    if name == "beta":
        total = softplus(output[1]) + 1e-4 + 1e-2
        mean = scipy.special.expit(output[0])
        shape = total * mean, total * (1 - mean)
        return scipy.stats.beta(*shape, loc=-0.5 / 255, scale=256 / 255)
    if name == "categorical":
        return scipy.special.softmax(output)
    if name == "discretized_logistic":
        return logistic_masses(*output)
    logits, loc, raw_scale = output.reshape(3, -1)
    loc = loc + np.linspace(0, 1, len(loc))
    shares = scipy.special.softmax(logits)
    return sum(
        w * logistic_masses(*x) for w, *x in zip(shares, loc, raw_scale, strict=True)
    )


@pytest.mark.parametrize("name", ["pixel_gaussian", "beta"])
def test_densities_are_scipys(name):
    likelihood = LIKELIHOODS[name]()
    pixels = np.linspace(0, 1, 11)
    for output in outputs_of(likelihood):
        density = expected(name, output[0, 0])
        found = log_probs(likelihood, output, pixels)
        np.testing.assert_allclose(found, density.logpdf(pixels), rtol=1e-3, atol=1e-3)
        mean = likelihood.distribution(output).mean().numpy().item()
        assert mean == pytest.approx(density.mean(), abs=1e-4)


def test_laplace_and_gaussian_have_one_scale():
    pixels, output = np.linspace(0, 1, 5), np.full((1, 1, 1), 0.3, "float32")
    for part, kind in ((Laplace, "laplace"), (Gaussian, "norm")):
        density = getattr(scipy.stats, kind)(0.3, 0.2)
        found = log_probs(part(scale=0.2), output, pixels)
        np.testing.assert_allclose(found, density.logpdf(pixels), rtol=1e-5)
        with pytest.raises(ValueError, match="`scale` must be above 0"):
            part(scale=0.0)


def test_continuous_bernoulli_is_normalised():
    """The Bernoulli's masses, over their integral."""
    likelihood, pixels = LIKELIHOODS["continuous_bernoulli"](), np.linspace(0, 1, 7)
    for logit in (-3.0, 0.0, 1.5):
        output = np.full((1, 1, 1), logit, "float32")
        p = scipy.special.expit(logit)

        def mass(x, p=p):
            return p**x * (1 - p) ** (1 - x)

        total = scipy.integrate.quad(mass, 0, 1)[0]
        found = log_probs(likelihood, output, pixels)
        np.testing.assert_allclose(found, np.log(mass(pixels) / total), atol=1e-4)
        mean = scipy.integrate.quad(lambda x, mass=mass: x * mass(x), 0, 1)[0] / total
        found = likelihood.distribution(output).mean().numpy().item()
        assert found == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(
    "name", ["categorical", "discretized_logistic", "logistic_mixture"]
)
def test_masses_of_levels_are_scipys_and_sum_to_one(name):
    likelihood = LIKELIHOODS[name]()
    for output in outputs_of(likelihood):
        masses = np.exp(log_probs(likelihood, output, LEVELS).astype(float))
        np.testing.assert_allclose(masses, expected(name, output[0, 0]), atol=2e-6)
        assert masses.sum() == pytest.approx(1.0, abs=1e-5)
        mean = likelihood.distribution(output).mean().numpy().item()
        assert mean == pytest.approx((masses * LEVELS).sum(), abs=0.5 / 255)
        between = log_probs(likelihood, output, LEVELS[100:101] + 0.4 / 255)
        assert between[0] == pytest.approx(np.log(masses[100]), rel=1e-3)


def test_a_sharp_logistic_has_finite_gradients():
    """Far from its mean and with the least scale: no NaN, no infinity."""
    likelihood = LIKELIHOODS["discretized_logistic"]()
    outputs = tf.Variable([[[[0.9, -50.0]]], [[[0.1, -50.0]]]])
    images = tf.constant([[[[0.0]]], [[[1.0]]]])
    with tf.GradientTape() as tape:
        log_prob = likelihood.distribution(outputs).log_prob(images)
    assert np.isfinite(log_prob).all()
    assert np.isfinite(tape.gradient(log_prob, outputs)).all()


@pytest.mark.parametrize("name", NORMALIZED)
def test_parameters_are_of_pixels_and_samples_are_images(name):
    """Three channels: the numbers of one do not reach the others."""
    likelihood = distributions.likelihood(name)
    shape = (2, 4, 4, 3 * likelihood.params_per_channel)
    outputs = RNG.normal(size=shape).astype("float32")
    images = np.round(255 * RNG.uniform(size=(2, 4, 4, 3))).astype("float32") / 255
    distribution = likelihood.distribution(outputs)
    assert distribution.log_prob(images).shape == (2,)
    samples = distribution.sample(5, seed=(0, 1))
    assert samples.shape == (5, 2, 4, 4, 3)
    images = np.clip(samples, 0.0, 1.0)  # the beta's reach half a level further
    assert np.isfinite(distribution.log_prob(images)).all()
    moved = outputs.copy()
    moved[..., 0::3] += 1.0  # red's
    changed = likelihood.distribution(moved).mean() - distribution.mean()
    np.testing.assert_array_equal(changed[..., 1:], 0.0)


def test_number_of_components_is_that_of_the_decoder():
    likelihood = LogisticMixture.from_config(LogisticMixture(3).get_config())
    assert likelihood.params_per_channel == 9
