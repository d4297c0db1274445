"""Posteriors `q(z | x)`: what an encoder's outputs say about the latents of an image.

    diagonal                     Normal(loc, diag(scale)^2)
    full_covariance              Normal(loc, L L^T),  L lower triangular
    inverse_autoregressive_flow  T(z_0),  z_0 ~ Normal(loc, diag(scale)^2)

References:
- [Kingma & Welling, 2014](https://arxiv.org/abs/1312.6114), eq. 9: diagonal.
- [Kingma et al., 2016](https://arxiv.org/abs/1606.04934), algorithm 1: the flow.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions import flows
from tfgen.distributions.part import Part, positive, raw_positive

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")


class Posterior(Part):
    """A distribution of latents, given an encoder's outputs.

    `is_factorized` says that its latents are independent normals of each image, and
    `has_density` that its density is cheap at any latent, not only at its own draws.
    """

    is_factorized = False
    has_density = True

    def num_params(self, latent_dim: int) -> int:
        """Returns how many numbers the encoder returns for an image."""
        return 2 * latent_dim

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        """Returns `q(z | x)`: batch shape `(batch,)`, event shape `(latent_dim,)`.

        Args:
            params: float32 `(batch, num_params)` of the encoder.
        """
        raise NotImplementedError


@_registered
class Diagonal(Posterior):
    """Independent normals; the encoder returns means, and scales before a softplus."""

    is_factorized = True

    @override
    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        loc, raw_scale = tf.split(params, 2, axis=-1)
        return tfd.Independent(tfd.Normal(loc, positive(raw_scale)), 1)


@_registered
class FullCovariance(Posterior):
    """A normal of any covariance; the encoder returns its mean and a triangle."""

    @override
    def num_params(self, latent_dim: int) -> int:
        return latent_dim + latent_dim * (latent_dim + 1) // 2

    @override
    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        loc, raw = tf.split(params, [self.latent_dim, -1], axis=-1)
        return tfd.MultivariateNormalTriL(loc, fill_triangle(raw))


@_registered
class InverseAutoregressiveFlow(Posterior):
    """Independent normals, sent through flows that see a third output of the encoder.

    Its mean and standard deviation have no formula: they are those of 64 draws of fixed
    noise. Its density is fast at its own draws alone.

    Args:
        num_flows: Integer, flows one after another.
        hidden_units: Integer, width of the two hidden layers of each.
    """

    has_density = False

    def __init__(
        self, num_flows: int = 2, hidden_units: int = 64, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_flows, self.hidden_units = num_flows, hidden_units

    @override
    def num_params(self, latent_dim: int) -> int:
        return 3 * latent_dim

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        size = self.latent_dim, self.hidden_units, self.latent_dim
        self.networks = [
            flows.autoregressive_network(*size) for _ in range(self.num_flows)
        ]

    @override
    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        loc, raw_scale, context = tf.split(params, 3, axis=-1)
        return tfd.TransformedDistribution(
            tfd.Independent(tfd.Normal(loc, positive(raw_scale)), 1),
            flows.inverse_autoregressions(self.networks, self.latent_dim, context),
        )

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"num_flows": self.num_flows, "hidden_units": self.hidden_units}
        return {**super().get_config(), **own}


def fill_triangle(raw: tf.Tensor) -> tf.Tensor:
    """Returns lower triangles with a positive diagonal of `(..., d * (d + 1) / 2)`."""
    triangle = tfp.math.fill_triangular(raw)
    diagonal = tf.eye(triangle.shape[-1])  # .tflite has no operations of diagonals
    return triangle * (1.0 - diagonal) + positive(triangle) * diagonal


def raw_triangles(triangles: Any) -> tf.Tensor:
    """Returns what `fill_triangle` makes lower triangles `(..., d, d)` of."""
    triangles = np.asarray(triangles, np.float64)
    diagonal = np.diagonal(triangles, axis1=-2, axis2=-1)
    raw = raw_positive(diagonal)
    eye = np.eye(triangles.shape[-1])
    filled = triangles * (1.0 - eye) + raw[..., np.newaxis] * eye
    return tfp.math.fill_triangular_inverse(tf.constant(filled, tf.float32))


POSTERIORS = {
    "diagonal": Diagonal,
    "full_covariance": FullCovariance,
    "inverse_autoregressive_flow": InverseAutoregressiveFlow,
}
