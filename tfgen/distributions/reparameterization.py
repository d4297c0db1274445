"""Latents as a function of noise, so that gradients reach a distribution's parameters.

Noise is standard normal, on every device and on any number of replicas the same. A
mixture takes one number more than a latent has: it says which component.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

_NUM_POINTS = 64  # of fixed noise, for moments without a formula


def of_noise(distribution: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    """Returns latents `(..., batch, latent_dim)`, differentiable.

    Args:
        distribution: Of independent normals, a normal with a triangular scale, a
            mixture of these, or one of those sent through bijectors.
        noise: Standard normal `(..., batch, noise_dim(distribution))`.
    """
    if hasattr(distribution, "components_distribution"):
        return _of_mixture(distribution, noise)
    if isinstance(distribution, tfd.MultivariateNormalTriL):
        return distribution.loc + tf.linalg.matvec(_triangle(distribution), noise)
    if hasattr(distribution, "bijector"):
        return distribution.bijector.forward(of_noise(distribution.distribution, noise))
    return distribution.mean() + distribution.stddev() * noise


def _of_mixture(distribution: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    probs = distribution.mixture_distribution.probs_parameter()
    share = _normal_cdf(noise[..., -1:])
    index = tf.reduce_sum(tf.cast(share > tf.cumsum(probs, axis=-1), tf.int32), -1)
    index = tf.minimum(index, tf.shape(probs)[-1] - 1)  # sums of float32 may miss 1
    components = distribution.components_distribution
    axis = components.batch_shape.rank - 1  # 1 if each image has a mixture of its own

    def pick(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, index, axis=axis, batch_dims=axis)

    if isinstance(components, tfd.Independent):
        normal = tfd.Normal(pick(components.mean()), pick(components.stddev()))
        return of_noise(tfd.Independent(normal, 1), noise[..., :-1])
    scale = pick(_triangle(components))
    normal = tfd.MultivariateNormalTriL(pick(components.loc), scale)
    return of_noise(normal, noise[..., :-1])


def _normal_cdf(noise: tf.Tensor) -> tf.Tensor:
    """Returns the standard normal's distribution function, to 1.4e-4.

    The error function is not among the operations that .tflite has built in. This is
    [Bowling et al., 2009](https://doi.org/10.3926/jiem.2009.v2n1.p114-127), eq. 10.
    """
    return tf.sigmoid(noise * (1.5976 + 0.07056 * tf.square(noise)))


def noise_dim(distribution: tfd.Distribution) -> int:
    """Returns how many numbers of noise a latent is made of."""
    is_mixture = hasattr(distribution, "components_distribution")
    return distribution.event_shape[-1] + is_mixture


def moments(distribution: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and standard deviation `(..., latent_dim)`.

    Where there is no formula they are those of 64 latents of fixed noise, which comes
    in pairs of opposite signs.
    """
    if isinstance(distribution, tfd.MultivariateNormalTriL):
        squares = tf.square(_triangle(distribution))
        return distribution.loc, tf.sqrt(tf.reduce_sum(squares, axis=-1))
    try:
        return distribution.mean(), distribution.stddev()
    except NotImplementedError:
        latents = of_noise(distribution, _fixed_noise(distribution))
        return tf.math.reduce_mean(latents, 0), tf.math.reduce_std(latents, 0)


def _triangle(distribution: tfd.Distribution) -> tf.Tensor:
    """Returns the scale as it was given: TFP's has operations that .tflite lacks."""
    return tf.convert_to_tensor(distribution.parameters["scale_tril"])


def _fixed_noise(distribution: Any) -> tf.Tensor:
    size = noise_dim(distribution)
    half = np.random.default_rng(0).standard_normal((_NUM_POINTS // 2, size))
    noise = np.concatenate([half, -half])
    noise /= noise.std(axis=0)
    shape = [_NUM_POINTS] + [1] * distribution.batch_shape.rank + [size]
    return tf.constant(noise.reshape(shape), tf.float32)
