"""Likelihood figures against SciPy and closed forms."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.decomposition
import tensorflow as tf

import tfgen
from tests.models import linear_gaussian
from tfgen import metrics

RNG = np.random.default_rng(0)


def gaussian_log_weights(images, num_samples, seed, labels=None):
    """Toy model in closed form: `log w ~ Normal(x, 1)`, so log E[w] is x + 1/2."""
    shift = 0.0 if labels is None else labels
    rng = np.random.default_rng(list(seed))
    return images + shift + rng.normal(size=(num_samples, len(images)))


def test_bounds_against_scipy():
    log_weights = RNG.normal(size=(7, 4), scale=3.0).astype(np.float32)
    expected = scipy.special.logsumexp(log_weights.astype(float), axis=0) - np.log(7)
    estimates = metrics.importance_weighted_log_likelihood(log_weights)
    np.testing.assert_allclose(estimates, expected, rtol=1e-12)
    assert estimates.dtype == np.float64
    np.testing.assert_allclose(
        metrics.elbo(log_weights), log_weights.mean(0), rtol=1e-6
    )
    assert (estimates > metrics.elbo(log_weights)).all()


def test_bound_neither_underflows_nor_overflows():
    """Weights of images lie at exp(-10000): their plain mean is 0."""
    log_weights = np.array([[-1e4, 1e4, -np.inf], [-1e4, 1e4 - 3.0, -np.inf]])
    estimates = metrics.importance_weighted_log_likelihood(log_weights)
    second = 1e4 + np.log1p(np.exp(-3.0)) - np.log(2)
    np.testing.assert_allclose(estimates, [-1e4, second, -np.inf], rtol=1e-12)


def test_one_sample_is_the_elbo():
    log_weights = RNG.normal(size=(1, 5))
    estimates = metrics.importance_weighted_log_likelihood(log_weights)
    np.testing.assert_array_equal(estimates, metrics.elbo(log_weights))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3, 1)])
def test_log_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="num_samples, batch"):
        metrics.elbo(np.zeros(shape))


def test_bits_per_dim():
    # One bit a pixel is a fair coin's.
    assert metrics.bits_per_dim(-784 * math.log(2), 784) == pytest.approx(1.0)
    # The uniform density on [0, 1] spends all 8 bits of 256 levels.
    assert metrics.bits_per_dim(0.0, 784, num_levels=256) == pytest.approx(8.0)
    estimates = metrics.bits_per_dim([0.0, -10.0], 5, num_levels=4)
    np.testing.assert_allclose(estimates, [2.0, 2.0 + 2.0 / math.log(2)])


def test_bits_of_a_density_match_the_bits_of_its_levels():
    """Against the exact entropy of a smooth density cut into 256 levels."""
    density = scipy.stats.beta(3, 4)
    edges = np.linspace(0, 1, 257)
    masses = np.diff(density.cdf(edges))
    exact = -np.sum(masses * np.log2(masses))
    mean_log_density = -density.entropy()
    estimates = metrics.bits_per_dim(mean_log_density, 1, num_levels=256)
    assert estimates == pytest.approx(exact, abs=1e-4)


def test_estimate_approaches_the_closed_form():
    images = np.linspace(-2, 2, 5)
    estimates = metrics.estimate_log_likelihood(
        gaussian_log_weights, images, 40000, batch_size=2, chunk_size=7000
    )
    # Standard errors are 0.005 and 0.007.
    np.testing.assert_allclose(estimates.elbo, images, atol=0.025)
    np.testing.assert_allclose(estimates.log_likelihood, images + 0.5, atol=0.035)


@pytest.mark.parametrize("chunk_size", [1, 3, 10, 99])
@pytest.mark.parametrize("batch_size", [1, 4, 99])
def test_chunks_add_up_to_one_pass(batch_size, chunk_size):
    """All the log weights of all the calls, put together, give the same figures."""
    images, seen, seeds = np.linspace(-2, 2, 5), {}, []

    def record(batch, num_samples, seed):
        assert num_samples <= chunk_size
        assert len(batch) <= batch_size
        log_weights = 50.0 * gaussian_log_weights(batch, num_samples, seed)
        seeds.append(tuple(seed))
        for image, column in zip(batch, log_weights.T, strict=True):
            seen.setdefault(image, []).extend(column)
        return log_weights

    estimates = metrics.estimate_log_likelihood(
        record, images, 10, batch_size, chunk_size, seed=3
    )
    together = np.array([seen[image] for image in images]).T
    assert together.shape == (10, 5)
    expected = scipy.special.logsumexp(together, axis=0) - math.log(10)
    np.testing.assert_allclose(estimates.log_likelihood, expected, rtol=1e-12)
    np.testing.assert_allclose(estimates.elbo, together.mean(axis=0), rtol=1e-12)
    assert len(set(seeds)) == len(seeds)  # no two calls share their noise


def test_estimate_repeats_for_a_seed_only():
    def run(seed):
        images = np.zeros(3)
        return metrics.estimate_log_likelihood(
            gaussian_log_weights, images, 4, chunk_size=3, seed=seed
        ).log_likelihood

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(1) != run(2)).all()


def test_estimate_passes_labels_of_the_batch():
    images, labels = np.zeros(5), np.arange(5)
    estimates = metrics.estimate_log_likelihood(
        gaussian_log_weights, images, 2000, batch_size=2, labels=labels
    )
    np.testing.assert_allclose(estimates.elbo, labels, atol=0.1)


@pytest.mark.parametrize("labels", [None, np.arange(5)])
def test_batches_are_measured_as_the_array_that_they_are_of(labels):
    images = np.linspace(-2, 2, 5)
    pairs = images if labels is None else (images, labels)
    batches = tf.data.Dataset.from_tensor_slices(pairs).batch(2)
    streamed = metrics.estimate_log_likelihood(gaussian_log_weights, batches, 7)
    estimates = metrics.estimate_log_likelihood(
        gaussian_log_weights, images, 7, batch_size=2, labels=labels
    )
    np.testing.assert_array_equal(streamed.elbo, estimates.elbo)
    np.testing.assert_array_equal(streamed.log_likelihood, estimates.log_likelihood)


def test_estimate_refuses_wrong_arguments():
    with pytest.raises(ValueError, match="no images"):
        metrics.estimate_log_likelihood(gaussian_log_weights, iter(()), 1)
    with pytest.raises(ValueError, match="hold their labels"):
        metrics.estimate_log_likelihood(
            gaussian_log_weights, iter([np.zeros(3)]), 1, labels=np.zeros(3)
        )
    with pytest.raises(ValueError, match="at least 1"):
        metrics.estimate_log_likelihood(gaussian_log_weights, np.zeros(3), 0)
    with pytest.raises(ValueError, match="3 images and 2 labels"):
        metrics.estimate_log_likelihood(
            gaussian_log_weights, np.zeros(3), 1, labels=np.zeros(2)
        )


def test_linear_gaussian_vae_has_the_likelihood_of_probabilistic_pca():
    """Exact posterior: every weight is p(x), so ELBO = bound = log p(x) of PCA."""
    data = linear_gaussian.data()
    pca = sklearn.decomposition.PCA(2).fit(data)
    model = linear_gaussian.vae_of(pca)
    estimates = metrics.estimate_log_likelihood(
        model.log_weights, linear_gaussian.as_images(data), 5, batch_size=300
    )
    exact = pca.score_samples(data)
    np.testing.assert_allclose(estimates.log_likelihood, exact, atol=2e-3)
    np.testing.assert_allclose(estimates.elbo, exact, atol=2e-3)


def test_wrong_posterior_is_made_up_for_by_samples():
    """The ELBO lies below log p(x) by KL(q || p(z | x)), the bound does not."""
    data = linear_gaussian.data()[:20]
    model = linear_gaussian.vae(posterior_stddev=0.8)
    exact = linear_gaussian.log_likelihood(model, data)
    estimates = metrics.estimate_log_likelihood(
        model.log_weights, linear_gaussian.as_images(data), 20000, chunk_size=5000
    )
    ratios = 0.8 / linear_gaussian.posterior_stddevs(model)
    gap = np.sum(ratios**2 / 2 - 0.5 - np.log(ratios))
    assert gap > 0.5
    np.testing.assert_allclose(estimates.elbo, exact - gap, atol=0.05)
    np.testing.assert_allclose(estimates.log_likelihood, exact, atol=0.05)


def test_conditional_vae_is_measured_with_its_labels():
    shape, latent_dim = (2, 3, 1), 2
    model = tfgen.VAE(
        tfgen.networks.build_mlp_encoder(
            shape, 2 * latent_dim, hidden_units=(), num_classes=3
        ),
        tfgen.networks.build_mlp_decoder(
            latent_dim, shape, hidden_units=(), num_classes=3
        ),
        num_classes=3,
        seed=0,
    )
    images, labels = RNG.uniform(size=(7, *shape)), np.arange(7) % 3
    images = images.astype("float32")

    def estimate(given):
        return metrics.estimate_log_likelihood(
            model.log_weights, images, 4, batch_size=3, labels=given
        ).elbo

    assert (estimate(labels) != estimate((labels + 1) % 3)).all()
