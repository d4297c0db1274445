"""Priors that are a normal sent through flows (flows.py)."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions import flows
from tfgen.distributions.part import RAW_1, positive, raw_positive
from tfgen.distributions.priors import Prior

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")


class _Flow(Prior):
    """A learned normal, sent through flows that see the label's code."""

    def __init__(
        self, num_flows: int = 4, hidden_units: int = 64, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_flows, self.hidden_units = num_flows, hidden_units

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        size = self.latent_dim, self.hidden_units, self.num_classes or 0
        self.networks = [self._network(*size) for _ in range(self.num_flows)]
        # Of what comes out: latents lie wherever they lie, far from the origin or not.
        self.loc = self.weight("loc", (self.latent_dim,), "zeros")
        self.raw_scale = self.weight("raw_scale", (self.latent_dim,), RAW_1)

    def centre_on(self, latents: np.ndarray) -> None:
        """Sets mean and scale to those of latents `(n, latent_dim)`."""
        self.loc.assign(latents.mean(axis=0))
        self.raw_scale.assign(raw_positive(latents.std(axis=0)))

    @override
    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        condition = None
        if self.num_classes is not None:
            condition = tf.one_hot(self._checked(labels), self.num_classes)
        loc = tf.zeros(self.latent_dim)
        base = tfd.Independent(tfd.Normal(loc, tf.ones_like(loc)), 1)
        affine = tfp.bijectors.Chain(
            [
                tfp.bijectors.Shift(self.loc.value),
                tfp.bijectors.Scale(positive(self.raw_scale.value)),
            ]
        )
        bijector = self._bijector(self.networks, self.latent_dim, condition)
        return tfd.TransformedDistribution(base, affine(bijector))

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"num_flows": self.num_flows, "hidden_units": self.hidden_units}
        return {**super().get_config(), **own}


@_registered
class RealNVP(_Flow):
    """Coupling layers: density and draws both take one pass.

    Args:
        num_flows: Integer, layers.
        hidden_units: Integer, width of the two hidden layers of each.
    """

    _network = staticmethod(flows.coupling_network)
    _bijector = staticmethod(flows.couplings)

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        if self.latent_dim < 2:
            raise ValueError("`realnvp` needs at least two latents. Received: 1")
        super().make_weights(image_shape)


@_registered
class MaskedAutoregressive(_Flow):
    """Autoregressive flows: a draw takes as many passes as there are latents.

    Args:
        num_flows: Integer, layers.
        hidden_units: Integer, width of the two hidden layers of each.
    """

    _network = staticmethod(flows.autoregressive_network)
    _bijector = staticmethod(flows.autoregressions)
