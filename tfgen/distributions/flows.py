"""Flows: invertible maps of latents, whose networks are small and of float32.

`tfp.bijectors` has the maps; its networks are layers of Keras 2, so they are made here.
The scale of a map is at most `exp(2)` and at least `exp(-2)`.

References:
- [Germain et al., 2015](https://arxiv.org/abs/1502.03509), eqs. 8 and 9: the masks.
- [Kingma et al., 2016](https://arxiv.org/abs/1606.04934), eqs. 10 to 14: inverse
  autoregressive.
- [Dinh et al., 2017](https://arxiv.org/abs/1605.08803), eqs. 7 and 8: RealNVP.
- [Papamakarios et al., 2017](https://arxiv.org/abs/1705.07057), eqs. 3 and 4: masked
  autoregressive.
"""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors

Condition = tf.Tensor | None


class MaskedDense(keras.layers.Layer):
    """A dense layer of float32 whose kernel is multiplied by a mask.

    Args:
        mask: `(inputs, units)` of zeros and ones.
        condition_dim: Integer, size of a condition that every unit sees.
        initializer: Of the kernels.
    """

    def __init__(
        self, mask: np.ndarray, condition_dim: int, initializer: str, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.mask = mask.astype("float32")
        self.kernel = self.add_weight(shape=mask.shape, initializer=initializer)
        self.bias = self.add_weight(shape=mask.shape[1:], initializer="zeros")
        if condition_dim:
            shape = (condition_dim, mask.shape[1])
            self.condition_kernel = self.add_weight(
                shape=shape, initializer=initializer
            )
        self.built = True

    def call(self, inputs: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        """Returns `(..., units)` of `(..., inputs)`."""
        outputs = tf.linalg.matmul(inputs, self.kernel * self.mask) + self.bias
        if condition is not None:
            outputs += tf.linalg.matmul(condition, self.condition_kernel)
        return outputs


class Network(keras.layers.Layer):
    """Two hidden layers that return shifts and log-scales; those of a new one are 0.

    Args:
        masks: Of the three layers.
        condition_dim: Integer, size of a condition; 0 for none.
    """

    def __init__(
        self, masks: list[np.ndarray], condition_dim: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        initializers = ("glorot_uniform", "glorot_uniform", "zeros")
        self.dense_layers = [
            MaskedDense(mask, condition_dim, initializer)
            for mask, initializer in zip(masks, initializers, strict=True)
        ]
        self.built = True

    def call(
        self, inputs: tf.Tensor, condition: Condition = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns shifts and log-scales `(..., outputs)`.

        Args:
            inputs: `(..., batch, inputs)`.
            condition: `(batch, condition_dim)`, or `None`.
        """
        features = inputs
        for layer in self.dense_layers[:-1]:
            features = tf.nn.relu(layer(features, condition))
        shift, raw = tf.split(self.dense_layers[-1](features, condition), 2, axis=-1)
        return shift, 2.0 * tf.tanh(0.5 * raw)


def coupling_network(latent_dim: int, units: int, condition_dim: int = 0) -> Network:
    """Returns the network of a RealNVP layer: of the first half, for the second."""
    seen = latent_dim // 2
    sizes = (seen, units, units, 2 * (latent_dim - seen))
    masks = [np.ones(shape) for shape in itertools.pairwise(sizes)]
    return Network(masks, condition_dim)


def autoregressive_network(
    latent_dim: int, units: int, condition_dim: int = 0
) -> Network:
    """Returns a network whose output i depends on inputs before i alone."""
    inputs = np.arange(1, latent_dim + 1)
    hidden = np.arange(units) % max(1, latent_dim - 1) + 1
    outputs = np.tile(inputs, 2)
    return Network(
        [
            hidden >= inputs[:, None],
            hidden >= hidden[:, None],
            outputs > hidden[:, None],
        ],
        condition_dim,
    )


def couplings(networks: list[Network], latent_dim: int, condition: Condition) -> Any:
    """Returns the bijector of RealNVP layers, with the order reversed in between."""
    return _chain(
        [
            tfb.RealNVP(latent_dim // 2, shift_and_log_scale_fn=_closed(n, condition))
            for n in networks
        ],
        latent_dim,
    )


def autoregressions(
    networks: list[Network], latent_dim: int, condition: Condition
) -> Any:
    """Returns a bijector that is fast backwards: `forward` goes latent by latent."""
    return _chain(
        [
            tfb.MaskedAutoregressiveFlow(
                _closed(n, condition), unroll_loop=True, is_constant_jacobian=False
            )
            for n in networks
        ],
        latent_dim,
    )


def inverse_autoregressions(
    networks: list[Network], latent_dim: int, condition: Condition
) -> Any:
    """Returns a bijector that is fast forwards: `inverse` goes latent by latent."""
    return tfb.Invert(autoregressions(networks, latent_dim, condition))


def _closed(network: Network, condition: Condition) -> Callable:
    def shift_and_log_scale(inputs: tf.Tensor, *_: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return network(inputs, condition)

    return shift_and_log_scale


def _chain(bijectors: list[Any], latent_dim: int) -> Any:
    reverse = tfb.Permute(list(range(latent_dim))[::-1])
    chained = [bijectors[0]]
    for bijector in bijectors[1:]:
        chained += [reverse, bijector]
    return tfb.Chain(chained)
