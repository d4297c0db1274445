"""Divergences against closed forms, Monte Carlo and formulas of their own."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen import distributions
from tfgen.distributions import DIP, MMD, BetaTC, Capacity, Inferred, of_noise
from tfgen.distributions.batch_divergences import mmd, total_correlation

tfd = tfp.distributions
RNG = np.random.default_rng(0)
BATCH, DIM = 6, 3
LOC = RNG.normal(size=(BATCH, DIM)).astype("float32")
SCALE = RNG.uniform(0.2, 1.0, size=(BATCH, DIM)).astype("float32")
LATENTS = (LOC + SCALE * RNG.normal(size=LOC.shape)).astype("float32")
DRAWN = RNG.normal(size=(BATCH, DIM)).astype("float32")


def normals(loc, scale):
    return tfd.Independent(tfd.Normal(loc, scale), 1)


def inferred(loc=LOC, scale=SCALE, latents=LATENTS, training=True, drawn=DRAWN):
    return Inferred(
        normals(tf.convert_to_tensor(loc), tf.convert_to_tensor(scale)),
        normals(tf.zeros(DIM), tf.ones(DIM)),
        tf.convert_to_tensor(latents)[None],
        lambda: tf.constant(drawn),
        lambda shape: tf.constant(RNG.normal(size=tuple(shape)), tf.float32),
        training,
    )


KL = (0.5 * (LOC**2 + SCALE**2 - 1 - 2 * np.log(SCALE))).sum(axis=1).mean()


def bound(divergence):
    divergence.build_for(DIM, (2, 2, 1))
    return divergence


# ---- KL ------------------------------------------------------------------------------


def test_kl_of_full_covariance_is_the_closed_form_and_monte_carlo():
    posterior = distributions.posterior("full_covariance")
    posterior.build_for(DIM, (2, 2, 1))
    params = RNG.normal(size=(2, posterior.num_params(DIM))).astype("float32")
    q, p = posterior.distribution(params), normals(tf.zeros(DIM), tf.ones(DIM))
    found = distributions.kl_divergence(q, p, None).numpy()
    covariance, mean = q.covariance().numpy(), params[:, :DIM]
    expected = 0.5 * (
        np.trace(covariance, axis1=1, axis2=2)
        + (mean**2).sum(axis=1)
        - DIM
        - np.linalg.slogdet(covariance)[1]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    draws = of_noise(q, RNG.normal(size=(20000, 2, DIM)).astype("float32"))
    by_draws = (q.log_prob(draws) - p.log_prob(draws)).numpy().mean(axis=0)
    np.testing.assert_allclose(by_draws, expected, atol=0.1)


def test_kl_without_a_closed_form_is_the_mean_over_draws():
    prior = distributions.GaussianMixture(3)
    prior.build_for(DIM, (2, 2, 1))
    q, p = normals(tf.constant(LOC), tf.constant(SCALE)), prior.distribution()
    noise = RNG.normal(size=(5000, BATCH, DIM)).astype("float32")
    draws = of_noise(q, noise)
    log_ratio = scipy.stats.norm(LOC, SCALE).logpdf(draws).sum(axis=-1)
    log_ratio -= p.log_prob(draws).numpy()
    found = distributions.kl_divergence(q, p, draws)
    np.testing.assert_allclose(found, log_ratio.mean(axis=0), rtol=1e-4)
    assert (found.numpy() > 0.0).all()


# ---- Total correlation ---------------------------------------------------------------


def slow_total_correlation(shares):
    """Chen et al., eqs. S3 to S6, latent by latent."""
    total = 0.0
    for i in range(BATCH):
        log_probs = scipy.stats.norm(LOC, SCALE).logpdf(LATENTS[i])  # of posterior j
        joint = np.log(np.sum(shares[i] * np.exp(log_probs.sum(axis=1))))
        marginals = np.log(np.sum(shares[i][:, None] * np.exp(log_probs), axis=0))
        total += joint - marginals.sum()
    return total / BATCH


@pytest.mark.parametrize("dataset_size", [None, 50])
def test_total_correlation_is_that_of_loops(dataset_size):
    shares = np.full((BATCH, BATCH), 1 / BATCH)
    if dataset_size:
        n, m = dataset_size, BATCH - 1
        shares[:] = 1 / m
        for i in range(BATCH):
            shares[i, i], shares[i, (i + 1) % BATCH] = 1 / n, (n - m) / (n * m)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    found = total_correlation(LATENTS, LOC, SCALE, dataset_size)
    expected = slow_total_correlation(shares)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    charge = BetaTC(dataset_size).charge(inferred(), 4.0)
    assert float(charge) == pytest.approx(KL + 3.0 * expected, rel=1e-4)


def test_total_correlation_of_a_normal_is_its_closed_form():
    """Narrow posteriors of correlated means: -1/2 log det of the correlations."""
    correlation = np.array([[1.0, 0.8], [0.8, 1.0]])
    loc = RNG.multivariate_normal([0, 0], correlation - 0.04 * np.eye(2), 3000)
    loc, scale = loc.astype("float32"), np.full(loc.shape, 0.2, "float32")
    latents = (loc + 0.2 * RNG.normal(size=loc.shape)).astype("float32")
    found = float(total_correlation(latents, loc, scale, None))
    assert found == pytest.approx(-0.5 * np.log(1 - 0.8**2), abs=0.08)


def test_one_image_has_no_total_correlation():
    for size in (None, 10):
        one = (LATENTS[:1], LOC[:1], SCALE[:1])
        assert np.isfinite(float(total_correlation(*one, size)))


# ---- The others ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [1, 2])
def test_dip_is_that_of_numpy(kind):
    covariance = np.cov(LOC.T, bias=True)
    if kind == 2:
        covariance += np.diag((SCALE**2).mean(axis=0))
    off = covariance - np.diag(np.diag(covariance))
    expected = 2.0 * KL + 5.0 * (off**2).sum()
    expected += 7.0 * ((np.diag(covariance) - 1) ** 2).sum()
    found = DIP(kind, off_diagonal=5.0, diagonal=7.0).charge(inferred(), 2.0)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def kernel(name, a, b):
    square, c = np.sum((a - b) ** 2), 2.0 * DIM
    if name == "rbf":
        return np.exp(-square / c)
    return sum(c * s / (c * s + square) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))


@pytest.mark.parametrize("name", ["rbf", "imq"])
def test_mmd_is_that_of_loops_and_unbiased(name):
    def mean(one, other, skip):
        values = [
            kernel(name, a, b)
            for i, a in enumerate(one)
            for j, b in enumerate(other)
            if not (skip and i == j)
        ]
        return np.mean(values)

    expected = mean(LATENTS, LATENTS, True) + mean(DRAWN, DRAWN, True)
    expected -= 2.0 * mean(LATENTS, DRAWN, False)
    found = float(mmd(tf.constant(LATENTS), tf.constant(DRAWN), name))
    assert found == pytest.approx(expected, abs=1e-5)
    charge = MMD(name, kl_weight=0.5, mmd_weight=10.0).charge(inferred(), 3.0)
    assert float(charge) == pytest.approx(3.0 * (0.5 * KL + 10 * found), rel=1e-4)
    pairs = RNG.normal(size=(60, 2, 20, DIM)).astype("float32")
    same = [float(mmd(*map(tf.constant, pair), name)) for pair in pairs]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(len(same))


def test_capacity_rises_in_training_alone():
    divergence = bound(Capacity(nats=4.0, num_steps=2))
    for training, capacity in ((True, 0), (False, 2), (True, 2), (True, 4), (True, 4)):
        charge = divergence.charge(inferred(training=training), 3.0)
        assert float(charge) == pytest.approx(3.0 * abs(KL - capacity), rel=1e-4)


# ---- Networks ------------------------------------------------------------------------


def gradients_of(divergence, weight):
    loc, scale = tf.Variable(LOC), tf.Variable(SCALE)
    with tf.GradientTape() as tape:
        state = inferred(loc, scale, loc + scale * (LATENTS - LOC) / SCALE)
        charge = divergence.charge(state, weight)
    return tape.gradient(charge, [loc, *divergence.trainable_weights])


@pytest.mark.parametrize("name", ["factor", "adversarial"])
def test_a_network_and_the_encoder_go_down_losses_of_their_own(name):
    """The weight scales what latents are charged, not how the network learns."""
    divergence = bound(distributions.DIVERGENCES[name](8, 1))
    global RNG
    results = []
    for weight in (0.0, 1.0, 2.0):
        RNG = np.random.default_rng(1)  # the same permutation
        results.append(gradients_of(divergence, weight))
    for none, one, two in zip(*[r[1:] for r in results], strict=True):
        assert np.abs(none).max() > 0.0
        np.testing.assert_allclose(none, one, rtol=1e-5)
        np.testing.assert_allclose(none, two, rtol=1e-5)
    none, one, two = (r[0].numpy() for r in results)
    np.testing.assert_allclose(two - none, 2 * (one - none), rtol=1e-3, atol=1e-6)
    expected = LOC / BATCH if name == "factor" else np.zeros_like(LOC)  # the KL's
    np.testing.assert_allclose(none, expected, atol=1e-6)


def test_factor_estimates_the_total_correlation():
    """Of a normal with correlation 0.9: 0.83 nats, by a network that is trained."""
    divergence = distributions.Factor(32, 2)
    divergence.build_for(2, (2, 2, 1))
    covariance = np.array([[1.0, 0.9], [0.9, 1.0]])
    latents = RNG.multivariate_normal([0, 0], covariance, 1000).astype("float32")
    optimizer = keras.optimizers.Adam(0.02)
    state = Inferred(
        normals(tf.zeros((1000, 2)), tf.ones((1000, 2))),
        normals(tf.zeros(2), tf.ones(2)),
        tf.constant(latents)[None],
        None,
        lambda shape: tf.random.normal(shape),
        True,
    )

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            charge = divergence.charge(state, 1.0)
        weights = divergence.trainable_weights
        optimizer.apply(tape.gradient(charge, weights), weights)
        return charge

    for _ in range(150):
        charge = step()
    assert float(charge) == pytest.approx(-0.5 * np.log(1 - 0.81), abs=0.25)


def test_adversarial_losses_are_cross_entropies():
    divergence = bound(distributions.Adversarial(8, 1))
    fake = divergence.logits(tf.constant(LATENTS)).numpy()
    charge = divergence.charge(inferred(), 2.0)
    expected = -2.0 * np.mean(np.log(scipy.special.expit(fake)))
    assert float(charge) == pytest.approx(expected, rel=1e-5)


# ---- What goes together --------------------------------------------------------------


@pytest.mark.parametrize(
    ("posterior", "prior", "divergence", "samples", "message"),
    [
        ("full_covariance", "standard_normal", "free_bits", 1, "posterior of indep"),
        ("diagonal", "vamp", "free_bits", 1, "'free_bits' needs a prior of indep"),
        (
            "inverse_autoregressive_flow",
            "standard_normal",
            "beta_tc",
            1,
            "posterior of",
        ),
        ("full_covariance", "standard_normal", "dip", 1, "posterior of indep"),
        ("inverse_autoregressive_flow", "vamp", "kl", 1, "density is known at any"),
        ("diagonal", "vamp", "adversarial", 1, "trains no prior"),
        ("diagonal", "realnvp", "mmd", 1, "trains no prior"),
        ("diagonal", "standard_normal", "mmd", 5, "divergence='kl'"),
    ],
)
def test_parts_that_do_not_go_together(posterior, prior, divergence, samples, message):
    with pytest.raises(ValueError, match=message):
        distributions.check_combination(
            distributions.posterior(posterior),
            distributions.prior(prior),
            distributions.divergence(divergence),
            samples,
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MMD("cubic"), "`kernel` must be one of"),
        (lambda: DIP(3), "`kind` must be 1 or 2"),
        (lambda: distributions.FreeBits(-1.0), "`nats` must be at least 0"),
        (lambda: distributions.prior("normal"), "`prior` must be one of"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
