"""Every part in a small VAE: terms, gradients, samples, and its configuration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.models import small
from tfgen import distributions
from tfgen.networks import build_mlp_decoder, build_mlp_encoder

IMAGES = small.images(4)
TABLES = {
    "likelihood": distributions.LIKELIHOODS,
    "posterior": distributions.POSTERIORS,
    "prior": distributions.PRIORS,
    "divergence": distributions.DIVERGENCES,
}
CASES = [(kind, name) for kind, table in TABLES.items() for name in table]


def make_vae(likelihood="bernoulli", posterior="diagonal", **kwargs):
    likelihood = distributions.likelihood(likelihood)
    posterior = distributions.posterior(posterior)
    outputs = (*small.IMAGE_SHAPE[:2], likelihood.params_per_channel)
    size = posterior.num_params(small.LATENT_DIM)
    build = {"hidden_units": (4,), "num_classes": kwargs.get("num_classes")}
    return tfgen.VAE(
        build_mlp_encoder(small.IMAGE_SHAPE, size, **build),
        build_mlp_decoder(small.LATENT_DIM, outputs, **build),
        likelihood=likelihood,
        posterior=posterior,
        seed=0,
        **kwargs,
    )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_every_part_works_in_a_vae(kind, name):
    model = make_vae(**{kind: name})
    with tf.GradientTape() as tape:
        terms = model.compute_terms(IMAGES, training=True)
    for gradient in tape.gradient(terms["loss"], model.trainable_variables):
        assert np.isfinite(gradient).all()
    assert all(np.isfinite(term) for term in terms.values())
    assert model.log_weights(IMAGES, 2, (0, 1)).shape == (2, 4)
    assert model.kl_per_dim(IMAGES).shape == (small.LATENT_DIM,)
    mean, stddev = model.encode(IMAGES)
    assert mean.shape == stddev.shape == (4, small.LATENT_DIM)
    assert model.sample(3, seed=0).shape == (3, *small.IMAGE_SHAPE)
    config = keras.saving.serialize_keras_object(model.divergence)
    clone = keras.saving.deserialize_keras_object(config)
    assert clone.get_config() == model.divergence.get_config()


def test_means_of_bounds_are_of_groups_of_samples(monkeypatch):
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


def test_files_from_before_divergences_load():
    config = make_vae().get_config()
    del config["posterior"], config["prior"], config["divergence"]
    del config["num_batches_of_samples"]
    model = tfgen.VAE.from_config({**config, "free_bits": 0.3})
    assert model.divergence.nats == 0.3
    model = tfgen.VAE.from_config({**config, "free_bits": 0.0})
    assert model.divergence.name == "kl"
