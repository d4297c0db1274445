"""Priors fitted to the latents of trained models: from which they then draw."""

import pathlib
import types

import keras
import numpy as np
import pytest
import sklearn.mixture

import tfgen
from tests.models import small
from tfgen.errors import UserError
from tfgen.inference import Endpoints
from tfgen.latent import fit_prior, fitting
from tfgen.latent.encoding import Encoding
from tfgen.networks import build_mlp_decoder, build_mlp_encoder

DIM = 2
RNG = np.random.default_rng(0)
# Two clusters far from the origin, where no standard normal draws.
CLUSTERS = RNG.normal(5, 0.5, (150, DIM)), RNG.normal(9, 0.2, (50, DIM))
LATENTS = np.concatenate(CLUSTERS)
LABELS = np.repeat([0, 1], [150, 50])


def make_model(num_classes=None):
    build = {"hidden_units": (4,), "num_classes": num_classes}
    size = DIM if num_classes is None else 2 * DIM
    networks = (
        build_mlp_encoder(small.IMAGE_SHAPE, size, **build),
        build_mlp_decoder(DIM, small.IMAGE_SHAPE, **build),
    )
    if num_classes is None:
        model = tfgen.Autoencoder(*networks, seed=0)
    else:
        model = tfgen.VAE(*networks, num_classes=num_classes, divergence="mmd", seed=0)
    model.compile()
    return model


@pytest.fixture
def run_of(monkeypatch, tmp_path):
    """Function of a model that returns a stand-in of its run, with `LATENTS`."""

    def make(model):
        labels = None if model.num_classes is None else LABELS
        stddev = None if labels is None else np.full_like(LATENTS, 0.01)
        encoding = Encoding(LATENTS, stddev, LABELS, labels, *[None] * 4)
        monkeypatch.setattr(fitting, "encode_images", lambda *_, **__: encoding)
        return types.SimpleNamespace(
            model=model, endpoints=Endpoints(model), path=pathlib.Path(tmp_path)
        )

    return make


def test_an_autoencoder_draws_by_a_mixture(run_of):
    run = run_of(make_model())
    images = small.images(3)
    before = run.model.reconstruct(images)
    assert "sample" not in run.endpoints
    fit_prior(run, num_components=2)
    np.testing.assert_array_equal(run.model.reconstruct(images), before)
    loaded = keras.saving.load_model(run.path / "model.keras")
    expected = sklearn.mixture.GaussianMixture(2, random_state=0).fit(LATENTS)
    found = loaded.prior().log_prob(LATENTS.astype("float32"))
    np.testing.assert_allclose(found, expected.score_samples(LATENTS), atol=0.01)
    endpoints = Endpoints(loaded)
    assert endpoints.sample(4, seed=0).shape == (4, *small.IMAGE_SHAPE)
    noise = RNG.normal(size=(500, DIM + 1)).astype("float32")
    drawn = endpoints.run("draw_latents", noise)["latents"]
    np.testing.assert_allclose(drawn.mean(axis=0), LATENTS.mean(axis=0), atol=0.3)
    # Truncated to nothing, they are all the mean of the mixture.
    mean = loaded.decode(LATENTS.mean(axis=0, keepdims=True).astype("float32"))
    truncated = endpoints.sample(2, seed=0, truncation=0.0)
    np.testing.assert_allclose(truncated, np.repeat(mean, 2, axis=0), atol=1e-3)
    history = loaded.fit(images, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_each_class_has_a_mixture(run_of):
    model = fit_prior(run_of(make_model(num_classes=2)), num_components=1)
    mean = np.asarray(model.prior(np.array([0, 1])).mean())
    np.testing.assert_allclose(mean, [[5, 5], [9, 9]], atol=0.2)
    assert model.divergence.name == "kl"  # the MMD trains no prior


def test_a_flow_is_trained_to_the_density(run_of):
    run = run_of(make_model())
    fit_prior(run, "flow", num_steps=60)
    found = run.model.prior().log_prob(LATENTS.astype("float32")).numpy().mean()
    normal = sklearn.mixture.GaussianMixture(1, covariance_type="diag").fit(LATENTS)
    assert found > normal.score(LATENTS) + 0.1


def test_what_has_no_latents_is_refused(run_of):
    run = run_of(make_model())
    with pytest.raises(UserError, match="`kind` must be one of"):
        fit_prior(run, "kernel")
    with pytest.raises(UserError, match="too few for a mixture of 500"):
        fit_prior(run, num_components=500)
    run.model = keras.Sequential()
    with pytest.raises(UserError, match="Sequential has no latents"):
        fit_prior(run)
