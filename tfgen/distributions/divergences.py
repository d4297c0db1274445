"""What the KL divergence of a posterior from the prior is charged."""

import tensorflow as tf

from tfgen import replicas


def charge_free_bits(kl_per_dim: tf.Tensor, free_bits: float) -> tf.Tensor:
    """Returns the mean KL, summed over dimensions of `free_bits` nats at least each.

    Reference: [Kingma et al., 2016](https://arxiv.org/abs/1606.04934), eq. 15: the
    minimum is of the mean over the whole batch, over all replicas.

    Args:
        kl_per_dim: `(batch, latent_dim)` in nats, of this replica.
        free_bits: Float; 0 charges the KL itself.
    """
    kl = tf.reduce_mean(kl_per_dim, axis=0)
    if free_bits > 0.0:
        kl = replicas.global_sum(replicas.weigh(kl, tf.shape(kl_per_dim)[0]))
        kl = tf.maximum(kl, free_bits)
    return tf.reduce_sum(kl)
