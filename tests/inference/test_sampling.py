"""Samples of latents that are moved towards their mean."""

import numpy as np
import pytest

from tests.models.test_contracts import MODELS
from tfgen.inference import Endpoints, decode, sample
from tfgen.models import draws


@pytest.mark.parametrize("name", ["conditional_hinge_gan", "vae"])
def test_truncation_moves_latents_towards_their_mean(name):
    """Those of the seeds; a conditional model keeps its labels."""
    endpoints = Endpoints(MODELS[name]())
    seeds = np.int64(1) * 2**32 + np.arange(300)  # more than a batch
    shape = (endpoints.model.latent_dim,)
    latents = draws.of_seeds(draws.standard_normal, seeds[:9], shape).numpy()
    images = decode(endpoints, 0.5 * latents, endpoints.labels(9))
    truncated = sample(endpoints, 300, seed=1, truncation=0.5)
    np.testing.assert_allclose(truncated[:9], images, atol=1e-5)
    np.testing.assert_array_equal(
        truncated[250:], endpoints.sample(300, 1, start=250, truncation=0.5)
    )
    whole = sample(endpoints, 5, seed=1, truncation=1.0)
    np.testing.assert_allclose(whole, sample(endpoints, 5, seed=1), atol=1e-5)
    drawn = endpoints.model.sample(5, seed=3, truncation=0.0)
    centre = decode(endpoints, np.zeros((5, *shape)), endpoints.labels(5))
    np.testing.assert_allclose(drawn, centre, atol=1e-5)
