"""Active units, and the terms of the KL against closed forms and quadrature."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow_probability as tfp

from tests.models import linear_gaussian
from tfgen import metrics

RNG = np.random.default_rng(0)
tfd = tfp.distributions


def test_kl_is_that_of_tfp():
    means, scales = RNG.normal(size=(7, 3)), RNG.uniform(0.1, 2.0, (7, 3))
    prior = tfd.MultivariateNormalDiag(np.zeros(3))
    expected = tfd.kl_divergence(tfd.MultivariateNormalDiag(means, scales), prior)
    assert metrics.decompose_kl(means, scales).kl == pytest.approx(np.mean(expected))


def test_linear_gaussian_model_in_closed_form():
    """z = (x - b) A + noise: x and z are normal, and so is what z tells about x."""
    rng = np.random.default_rng(3)
    a, s = rng.normal(size=(4, 2)), np.array([0.5, 0.8])
    means = rng.normal(size=(4000, 4)) @ a + [0.3, -1.0]
    terms = metrics.decompose_kl(means, np.broadcast_to(s, means.shape))
    covariance = a.T @ a + np.diag(s**2)
    _, log_det = np.linalg.slogdet(covariance)
    information = 0.5 * log_det - np.log(s).sum()
    aggregate = tfd.MultivariateNormalFullCovariance([0.3, -1.0], covariance)
    divergence = tfd.kl_divergence(
        aggregate, tfd.MultivariateNormalFullCovariance(np.zeros(2), np.eye(2))
    )
    assert 1.5 < information < math.log(4000) / 2
    assert terms.mutual_information == pytest.approx(information, abs=0.06)
    assert terms.aggregate_kl == pytest.approx(float(divergence), rel=0.05)
    assert terms.aggregate_kl + terms.mutual_information == pytest.approx(
        terms.kl, rel=0.02
    )


def test_exact_posterior_of_pca_has_the_prior_as_its_aggregate():
    """KL(q(z) || p(z)) is 0 where images are drawn from the model itself.

    From latents of the very seed that `decompose_kl` uses: its noise is another.
    """
    model = linear_gaussian.vae()
    weights, bias = model.decoder.get_weights()
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(3000, linear_gaussian.LATENT_DIM))
    noise = rng.normal(size=(3000, linear_gaussian.NUM_DIMS))
    rows = latents @ weights + bias + float(model.pixel_likelihood.scale) * noise
    posterior = model.posterior(linear_gaussian.as_images(rows)).distribution
    terms = metrics.decompose_kl(posterior.loc, posterior.scale)
    information = -np.log(linear_gaussian.posterior_stddevs(model)).sum()
    assert terms.aggregate_kl == pytest.approx(0.0, abs=0.02)
    assert terms.mutual_information == pytest.approx(information, abs=0.06)


def test_three_images_by_quadrature():
    means, scales = np.array([[-1.0], [0.5], [2.0]]), np.array([[0.5], [0.3], [1.2]])
    densities = [
        scipy.stats.norm(*pair).pdf
        for pair in zip(means.ravel(), scales.ravel(), strict=True)
    ]
    prior = scipy.stats.norm().pdf
    aggregate = lambda z: sum(density(z) for density in densities) / 3

    def divergence(p, q):
        return scipy.integrate.quad(lambda z: p(z) * np.log(p(z) / q(z)), -6, 9)[0]

    terms = metrics.decompose_kl(means, scales, num_samples=20000)
    information = np.mean([divergence(density, aggregate) for density in densities])
    assert terms.mutual_information == pytest.approx(information, abs=0.01)
    assert terms.aggregate_kl == pytest.approx(divergence(aggregate, prior), abs=0.02)


def test_limits_of_the_information():
    """Nothing where all posteriors are equal, log N where none overlap."""
    equal = metrics.decompose_kl(np.ones((50, 2)), np.full((50, 2), 0.5))
    assert equal.mutual_information == pytest.approx(0.0, abs=1e-9)
    apart = metrics.decompose_kl(np.arange(50.0)[:, np.newaxis], np.full((50, 1), 1e-2))
    assert apart.mutual_information == pytest.approx(math.log(50), abs=1e-6)


def test_one_image_has_its_own_density():
    terms = metrics.decompose_kl([[0.7]], [[0.2]], num_samples=30000)
    assert terms.mutual_information == pytest.approx(0.0, abs=1e-9)
    assert terms.aggregate_kl == pytest.approx(terms.kl, abs=0.01)


def test_seeds_decide():
    means, scales = RNG.normal(size=(23, 3)), RNG.uniform(0.1, 1.0, (23, 3))
    first = metrics.decompose_kl(means, scales)
    assert metrics.decompose_kl(means, scales) == first
    assert metrics.decompose_kl(means, scales, seed=1) != first


def test_active_units_counts_variances_above_the_threshold():
    means = np.zeros((1000, 4))
    signs = np.resize([-1.0, 1.0], 1000)
    means[:, 0] = 5.0  # constant, away from 0: not active
    means[:, 1] = 0.09 * signs  # variance 0.0081
    means[:, 2] = 3.0 + 0.11 * signs  # variance 0.0121
    means[:, 3] = signs
    assert metrics.active_units(means) == 2
    assert metrics.active_units(means, threshold=0.008) == 3
    assert isinstance(metrics.active_units(means), int)
    with pytest.raises(ValueError, match=r"Received: \(4,\)"):
        metrics.active_units(np.zeros(4))


@pytest.mark.parametrize(
    ("means", "scales", "message"),
    [
        (np.zeros(3), np.ones(3), r"\(3,\)"),
        (np.zeros((3, 2)), np.ones((3, 1)), r"\(3, 2\) and \(3, 1\)"),
        (np.zeros((0, 2)), np.ones((0, 2)), r"\(0, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "above 0"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "finite"),
    ],
)
def test_posteriors_are_checked(means, scales, message):
    with pytest.raises(ValueError, match=message):
        metrics.decompose_kl(means, scales)


def test_number_of_samples_is_checked():
    with pytest.raises(ValueError, match="at least 1"):
        metrics.decompose_kl(np.zeros((3, 2)), np.ones((3, 2)), num_samples=0)
