"""Posteriors and priors against SciPy, and flows against automatic differentiation."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen import distributions
from tfgen.distributions import GaussianMixture, flows, of_noise
from tfgen.models.draws import standard_normal

RNG = np.random.default_rng(0)
DIM = 3


def bound(part, num_classes=None):
    part.build_for(DIM, (2, 2, 1), num_classes)
    randomise(part)
    return part


def randomise(part, size=0.1):
    """A new flow is the identity: move every weight."""
    for weight in part.trainable_weights:
        weight.assign(weight + size * RNG.normal(size=weight.shape))


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


# ---- Posteriors ----------------------------------------------------------------------


def test_full_covariance_is_scipys_and_its_draws_have_it():
    posterior = bound(distributions.posterior("full_covariance"))
    params = normal(2, posterior.num_params(DIM))
    distribution = posterior.distribution(params)
    covariance = distribution.covariance().numpy()
    latents = normal(5, 2, DIM)
    for row in range(2):
        expected = scipy.stats.multivariate_normal(
            params[row, :DIM], covariance[row]
        ).logpdf(latents[:, row])
        found = distribution.log_prob(latents)[:, row]
        np.testing.assert_allclose(found, expected, rtol=1e-3)
    drawn = of_noise(distribution, standard_normal((20000, 2, DIM), (0, 1))).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), params[:, :DIM], atol=0.05)
    np.testing.assert_allclose(np.cov(drawn[:, 0].T), covariance[0], atol=0.1)


def test_inverse_autoregressive_flow_density_of_any_latents():
    """At its own draws by the cache, elsewhere latent by latent: the same."""
    posterior = bound(distributions.posterior("inverse_autoregressive_flow"))
    params = normal(4, posterior.num_params(DIM))
    distribution = posterior.distribution(params)
    latents = of_noise(distribution, normal(2, 4, DIM))
    own = distribution.log_prob(latents)
    other = posterior.distribution(params).log_prob(tf.constant(latents.numpy()))
    np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


def test_moments_of_a_flow_are_those_of_its_draws():
    posterior = bound(distributions.posterior("inverse_autoregressive_flow"))
    distribution = posterior.distribution(normal(2, posterior.num_params(DIM)))
    mean, stddev = distributions.moments(distribution)
    draws = of_noise(distribution, normal(20000, 2, DIM)).numpy()
    np.testing.assert_allclose(mean, draws.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(stddev, draws.std(axis=0), rtol=0.2)


# ---- Flows ---------------------------------------------------------------------------

FLOWS = {
    "realnvp": (flows.coupling_network, flows.couplings),
    "masked_autoregressive": (flows.autoregressive_network, flows.autoregressions),
    "inverse": (flows.autoregressive_network, flows.inverse_autoregressions),
}


@pytest.mark.parametrize("name", FLOWS)
def test_flows_invert_and_their_log_determinants_are_autodiffs(name):
    network, bijector = FLOWS[name]
    networks = [network(DIM, 8, condition_dim=2) for _ in range(2)]
    for one in networks:
        randomise(one)
    noise, condition = tf.constant(normal(6, DIM)), tf.constant(normal(6, 2))
    with tf.GradientTape() as tape:
        tape.watch(noise)
        latents = bijector(networks, DIM, condition).forward(noise)
    jacobian = tape.batch_jacobian(latents, noise)
    _, expected = np.linalg.slogdet(jacobian.numpy().astype(float))
    assert np.abs(expected).max() > 0.1
    again = bijector(networks, DIM, condition)  # without what the other one has cached
    latents = tf.constant(latents.numpy())
    np.testing.assert_allclose(again.inverse(latents), noise, atol=1e-5)
    found = -again.inverse_log_det_jacobian(latents, event_ndims=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_autoregressive_networks_see_what_comes_before():
    network = flows.autoregressive_network(DIM, 16)
    randomise(network)
    inputs = tf.constant(normal(1, DIM))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        shift, log_scale = network(inputs)
    for outputs in (shift, log_scale):
        jacobian = tape.batch_jacobian(outputs, inputs)[0].numpy()
        np.testing.assert_array_equal(np.triu(jacobian), 0.0)
        assert np.abs(jacobian[np.tril_indices(DIM, -1)]).min() > 0.0


# ---- Priors --------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("num_classes", [None, 2])
def test_mixtures_are_scipys(full, num_classes):
    prior = bound(GaussianMixture(4, full_covariance=full), num_classes)
    labels = None if num_classes is None else np.array([1, 0, 1])
    latents = normal(3, DIM)
    found = prior.distribution(labels).log_prob(latents)
    for row, latent in enumerate(latents):
        place = 0 if labels is None else labels[row]
        loc, raw, logits = (
            w.numpy()[place].astype(float)
            for w in (prior.loc, prior.raw_scale, prior.logits)
        )
        triangles = (
            distributions.posteriors.fill_triangle(tf.constant(raw, tf.float32)).numpy()
            if full
            else np.stack([np.diag(np.log1p(np.exp(x)) + 1e-4) for x in raw])
        )
        log_probs = [
            scipy.stats.multivariate_normal(m, t @ t.T).logpdf(latent)
            for m, t in zip(loc, triangles, strict=True)
        ]
        expected = scipy.special.logsumexp(
            log_probs + scipy.special.log_softmax(logits)
        )
        assert float(found[row]) == pytest.approx(expected, rel=1e-3)


def make_prior(name, num_classes=None):
    """A prior, and its distribution, whose posterior is a linear one."""
    prior = bound(distributions.prior(name), num_classes)
    kernel = tf.constant(normal(4, 2 * DIM))
    diagonal = distributions.posterior("diagonal")

    def encode(images, labels=None):
        params = tf.reshape(images, (-1, 4)) @ kernel
        if labels is not None:
            params += tf.cast(labels, tf.float32)[:, None]
        return diagonal.distribution(params)

    return prior, lambda labels=None: prior.distribution(labels, encode), encode


@pytest.mark.parametrize("name", distributions.PRIORS)
def test_draws_are_of_the_density(name):
    """By importance weights of another normal, which average to one."""
    _, distribution, _ = make_prior(name)
    distribution = distribution()
    noise = standard_normal((4000, distributions.noise_dim(distribution)), (0, 1))
    draws = of_noise(distribution, noise).numpy()
    wide = scipy.stats.multivariate_normal(
        draws.mean(axis=0), 2.0 * np.cov(draws.T) + 0.1 * np.eye(DIM)
    )
    others = wide.rvs(4000, random_state=0).astype("float32")
    log_weights = distribution.log_prob(others).numpy() - wide.logpdf(others)
    assert np.exp(log_weights).mean() == pytest.approx(1.0, abs=0.1)
    means = (np.exp(log_weights)[:, None] * others).mean(axis=0)
    np.testing.assert_allclose(means, draws.mean(axis=0), atol=0.15)
    mean, stddev = distributions.moments(distribution)
    np.testing.assert_allclose(mean, draws.mean(axis=0), atol=0.25)
    np.testing.assert_allclose(stddev, draws.std(axis=0), rtol=0.25)


def test_vamp_is_the_mean_of_the_posteriors_of_its_images():
    prior, distribution, encode = make_prior("vamp")
    latents = normal(5, DIM)
    images = scipy.special.expit(prior.pixel_logits.numpy()[0])
    np.testing.assert_allclose(prior.pseudo_inputs[0], images, rtol=1e-5)
    posteriors = encode(tf.constant(images))
    log_probs = posteriors.log_prob(latents[:, None]).numpy()
    expected = scipy.special.logsumexp(log_probs, axis=1) - np.log(len(images))
    np.testing.assert_allclose(distribution().log_prob(latents), expected, rtol=1e-4)


@pytest.mark.parametrize("name", list(distributions.PRIORS)[1:])
def test_classes_have_priors_of_their_own(name):
    _, distribution, _ = make_prior(name, num_classes=3)
    latents = np.repeat(normal(1, DIM), 3, axis=0)
    together = distribution(np.array([0, 1, 2])).log_prob(latents).numpy()
    assert np.abs(np.diff(together)).min() > 1e-3
    alone = distribution(np.array([2])).log_prob(latents[:1]).numpy()
    np.testing.assert_allclose(alone[0], together[2], rtol=1e-5)
    with pytest.raises(ValueError, match="pass `labels`"):
        distribution()


def test_a_part_is_of_one_size():
    prior = bound(GaussianMixture(2))
    with pytest.raises(ValueError, match=r"3 latents.*Received: 5"):
        prior.build_for(5, (2, 2, 1))


def test_von_mises_fisher_of_tfp_is_reparameterised_in_three_dimensions_alone():
    """Why there is no such posterior: its concentration has no gradient elsewhere."""
    kinds = [
        tfp.distributions.VonMisesFisher(np.eye(dim, dtype="float32")[0], 5.0)
        for dim in (2, 3, 4)
    ]
    found = [str(kind.reparameterization_type) for kind in kinds]
    assert ["FULLY" in text for text in found] == [False, True, False]
