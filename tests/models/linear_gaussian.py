"""Linear-Gaussian VAEs, whose likelihood and posterior have closed forms.

    z ~ Normal(0, I),   x | z ~ Normal(z W + b, s^2 I)
    x ~ Normal(b, W^T W + s^2 I),   z | x ~ Normal((x - b) W^T M^-1, s^2 M^-1)

with M = W W^T + s^2 I: probabilistic PCA (Tipping & Bishop, 1999, eqs. 2 to 7).
"""

import numpy as np
import scipy.stats

import tfgen
from tfgen.distributions import Gaussian

IMAGE_SHAPE = (2, 3, 1)
NUM_DIMS = 6
LATENT_DIM = 2
_MIN_STDDEV = 1e-4  # what VAE adds to a standard deviation


def data(count=500, seed=0):
    """Rows `(count, 6)` of two strong directions and noise, float32."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(count, LATENT_DIM))
    weights = 0.3 * rng.normal(size=(LATENT_DIM, NUM_DIMS))
    noise = 0.1 * rng.normal(size=(count, NUM_DIMS))
    return (0.5 + latents @ weights + noise).astype("float32")


def as_images(rows):
    return np.asarray(rows, "float32").reshape(-1, *IMAGE_SHAPE)


def networks():
    """Encoder and decoder of one dense layer each."""
    encoder = tfgen.networks.build_mlp_encoder(
        IMAGE_SHAPE, 2 * LATENT_DIM, hidden_units=()
    )
    decoder = tfgen.networks.build_mlp_decoder(LATENT_DIM, IMAGE_SHAPE, hidden_units=())
    return encoder, decoder


def make(weights, bias, scale, posterior_weights, posterior_bias, stddevs, **kwargs):
    """A VAE with `q(z | x) = Normal(x A + a, stddevs)`, for given numbers."""
    encoder, decoder = networks()
    raw = np.log(np.expm1(np.broadcast_to(stddevs, LATENT_DIM) - _MIN_STDDEV))
    zeros = np.zeros((NUM_DIMS, LATENT_DIM))
    kernel = np.concatenate([posterior_weights, zeros], axis=1)
    encoder.set_weights([kernel, np.concatenate([posterior_bias, raw])])
    decoder.set_weights([weights, bias])
    return tfgen.VAE(
        encoder,
        decoder,
        likelihood=Gaussian(scale=float(scale)),
        seed=0,
        **kwargs,
    )


def vae(scale=0.4, posterior_stddev=None, **kwargs):
    """A VAE with orthogonal rows W: its exact posterior, or one that is too wide."""
    rng = np.random.default_rng(1)
    rows = np.linalg.qr(rng.normal(size=(NUM_DIMS, LATENT_DIM)))[0].T
    weights = np.array([[0.8], [0.5]]) * rows
    bias = rng.uniform(0.3, 0.7, NUM_DIMS)
    return _with_posterior(weights, bias, scale, posterior_stddev, **kwargs)


def vae_of(pca):
    """The VAE that is probabilistic PCA, of a fitted `sklearn.decomposition.PCA`."""
    variances = pca.explained_variance_ - pca.noise_variance_
    weights = np.sqrt(variances)[:, np.newaxis] * pca.components_
    return _with_posterior(weights, pca.mean_, np.sqrt(pca.noise_variance_))


def _with_posterior(weights, bias, scale, stddevs=None, **kwargs):
    m = weights @ weights.T + scale**2 * np.eye(LATENT_DIM)
    posterior_weights = weights.T @ np.linalg.inv(m)
    if stddevs is None:
        stddevs = scale / np.sqrt(np.diag(m))
    shift = -bias @ posterior_weights
    return make(weights, bias, scale, posterior_weights, shift, stddevs, **kwargs)


def log_likelihood(model, rows):
    """Exact log p(x) of a VAE with a linear decoder: `(count,)`, nats."""
    weights, bias = [w.astype(float) for w in model.decoder.get_weights()]
    scale = float(model.pixel_likelihood.scale)
    covariance = weights.T @ weights + scale**2 * np.eye(NUM_DIMS)
    return scipy.stats.multivariate_normal(bias, covariance).logpdf(rows)


def posterior_stddevs(model):
    """Standard deviations of the exact posterior, for orthogonal rows W."""
    variances = np.sum(model.decoder.get_weights()[0] ** 2, axis=1)
    scale = float(model.pixel_likelihood.scale)
    return scale / np.sqrt(variances + scale**2)
