"""Posteriors and priors of latents: what an encoder's outputs say about them."""

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

MIN_SCALE = 1e-4  # keeps log(scale) finite if a scale collapses


def standard_normal(latent_dim: int) -> tfd.Distribution:
    """Returns `Normal(0, I)`: batch shape `()`, event shape `(latent_dim,)`."""
    loc = tf.zeros(latent_dim)
    return tfd.Independent(tfd.Normal(loc, tf.ones_like(loc)), 1)


def diagonal_normal(params: tf.Tensor) -> tfd.Distribution:
    """Returns independent normals: batch shape `(batch,)`, event `(latent_dim,)`.

    Args:
        params: `(batch, 2 * latent_dim)`: means, and scales before a softplus.
    """
    loc, raw_scale = tf.split(params, 2, axis=-1)
    scale = tf.nn.softplus(raw_scale) + MIN_SCALE
    return tfd.Independent(tfd.Normal(loc, scale), 1)
