"""Every part in a small VAE: terms, gradients, samples, and its configuration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.models import small
from tfgen import distributions
from tfgen.distributions.part import positive, raw_positive
from tfgen.networks import build_mlp_decoder, build_mlp_encoder

IMAGES = small.images(4)
TABLES = {
    "likelihood": distributions.LIKELIHOODS,
    "posterior": distributions.POSTERIORS,
    "prior": distributions.PRIORS,
    "divergence": distributions.DIVERGENCES,
}
# All rows of all tables, in few models.
COMBINATIONS = [
    ("bernoulli", "diagonal", "standard_normal", "mmd"),
    ("gaussian", "diagonal", "learned_normal", "free_bits"),
    ("pixel_gaussian", "diagonal", "gaussian_mixture", "beta_tc"),
    ("laplace", "diagonal", "vamp", "dip"),
    ("beta", "full_covariance", "realnvp", "kl"),
    ("continuous_bernoulli", "diagonal", "masked_autoregressive", "capacity"),
    ("categorical", "inverse_autoregressive_flow", "standard_normal", "factor"),
    ("discretized_logistic", "full_covariance", "vamp", "kl"),
    ("logistic_mixture", "full_covariance", "standard_normal", "adversarial"),
    ("ms_ssim", "diagonal", "standard_normal", "kl"),
    ("perceptual", "diagonal", "standard_normal", "kl"),
]


def make_vae(
    likelihood="bernoulli", posterior="diagonal", shape=small.IMAGE_SHAPE, **kwargs
):
    likelihood = distributions.likelihood(likelihood)
    posterior = distributions.posterior(posterior)
    outputs = (*shape[:2], likelihood.params_per_channel)
    size = posterior.num_params(small.LATENT_DIM)
    build = {"hidden_units": (4,), "num_classes": kwargs.get("num_classes")}
    return tfgen.VAE(
        build_mlp_encoder(shape, size, **build),
        build_mlp_decoder(small.LATENT_DIM, outputs, **build),
        likelihood=likelihood,
        posterior=posterior,
        seed=0,
        **kwargs,
    )


def test_combinations_are_of_all_rows():
    for rows, table in zip(
        zip(*COMBINATIONS, strict=True), TABLES.values(), strict=True
    ):
        assert set(rows) == set(table)


@pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)
def test_every_part_works_in_a_vae(names):
    shape = (12, 12, 1) if "ms_ssim" in names else small.IMAGE_SHAPE  # its window
    images = small.images(4, shape)
    model = make_vae(**dict(zip(TABLES, names, strict=True)), shape=shape)
    with tf.GradientTape() as tape:
        terms = model.compute_terms(images, training=True)
    for gradient in tape.gradient(terms["loss"], model.trainable_variables):
        assert np.isfinite(gradient).all()
    assert all(np.isfinite(term) for term in terms.values())
    assert model.log_weights(images, 2, (0, 1)).shape == (2, 4)
    assert model.kl_per_dim(images).shape == (small.LATENT_DIM,)
    mean, stddev = model.encode(images)
    assert mean.shape == stddev.shape == (4, small.LATENT_DIM)
    assert model.sample(3, seed=0).shape == (3, *shape)
    for part in TABLES:
        own = getattr(model, model.attribute_of.get(part, part))
        config = keras.saving.serialize_keras_object(own)
        clone = keras.saving.deserialize_keras_object(config)
        assert clone.get_config() == own.get_config()


def test_means_of_bounds_are_of_groups_of_samples():
    """Rainforth et al., eq. 12: 3 bounds of 2 samples each."""
    model = make_vae(num_importance_samples=2, num_batches_of_samples=3)
    loss = float(model.compute_terms(IMAGES, training=False)["loss"])
    log_weights = model.log_weights(IMAGES, 6, model._step_seed(False)).numpy()
    groups = np.exp(log_weights.astype(float)).reshape(2, 3, 4)
    assert loss == pytest.approx(-np.log(groups.mean(axis=0)).mean(), rel=1e-5)


def test_several_samples_of_the_elbo_are_averaged():
    model = make_vae(num_batches_of_samples=5, prior="gaussian_mixture")
    terms = model.compute_terms(IMAGES, training=False)
    log_weights = model.log_weights(IMAGES, 5, model._step_seed(False))
    assert float(terms["loss"]) == pytest.approx(-np.mean(log_weights), rel=1e-5)


def test_latents_are_drawn_of_noise():
    model = make_vae(prior="gaussian_mixture")
    assert model.input_specs["noise"].shape == (None, small.LATENT_DIM + 1)
    noise = np.zeros((2, small.LATENT_DIM + 1), "float32")
    noise[:, -1] = -9.0, 9.0  # the first and the last component
    ends = model.latent_prior.loc.numpy()[0][[0, -1]]
    np.testing.assert_allclose(model.draw_latents(noise), ends, rtol=1e-6)
    assert "draw_latents" not in make_vae().signatures()


@pytest.mark.parametrize(("nats", "name"), [(0.3, "free_bits"), (0.0, "kl")])
def test_files_from_before_divergences_load(nats, name):
    config = make_vae().get_config()
    for part in ("posterior", "prior", "divergence", "num_batches_of_samples"):
        del config[part]
    divergence = tfgen.VAE.from_config({**config, "free_bits": nats}).divergence
    assert divergence.name == name
    assert not nats or divergence.nats == nats


def test_scales_come_back_from_their_raw_numbers():
    scales = np.array([1e-3, 0.5, 1.0, 30.0], np.float32)
    raw = np.float32(raw_positive(scales))
    np.testing.assert_allclose(positive(raw), scales, rtol=1e-4)


def test_a_flow_starts_with_the_scale_of_the_latents():
    prior = distributions.RealNVP(num_flows=1)
    prior.build_for(2, (8, 8, 1), None)
    latents = np.array([[-0.01, 3.0], [0.01, 1.0]], np.float32)
    prior.centre_on(latents)
    scale = positive(prior.raw_scale.value)
    np.testing.assert_allclose(scale, [0.01, 1.0], rtol=1e-4)
