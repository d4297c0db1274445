"""Divergences that a network estimates, which is trained beside the VAE.

Its weights go down the gradient of its own loss, the VAE's down that of what they are
charged: one step takes both, so the model's one optimizer serves both, as it would with
the same learning rate for each. Adam moves weights as far for any scale of a loss.

References:
- [Kim & Mnih, 2018](https://arxiv.org/abs/1802.05983), eq. 3 and alg. 2: `factor`.
- [Makhzani et al., 2016](https://arxiv.org/abs/1511.05644), sec. 2: `adversarial`.
"""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from tfgen import replicas
from tfgen.distributions.divergences import Divergence, Inferred
from tfgen.losses import NonSaturating

_registered = keras.saving.register_keras_serializable(package="tfgen")
_loss = NonSaturating()


class _Adversary(Divergence):
    """A divergence with a network that tells two kinds of latents apart."""

    def __init__(
        self, hidden_units: int = 256, num_layers: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_units, self.num_layers = hidden_units, num_layers

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        widths = [self.hidden_units] * self.num_layers + [1]
        sizes = zip([self.latent_dim, *widths[:-1]], widths, strict=True)
        self.layers_weights = []
        for index, (inputs, units) in enumerate(sizes):
            kernel = self.weight(f"kernel_{index}", (inputs, units), "he_normal")
            bias = self.weight(f"bias_{index}", (units,), "zeros")
            self.layers_weights.append((kernel, bias))

    def logits(self, latents: tf.Tensor, frozen: bool = False) -> tf.Tensor:
        """Returns `(batch,)`: positive where latents look like the first kind.

        Args:
            latents: `(batch, latent_dim)`.
            frozen: Whether the gradient passes by the network's own weights.
        """
        features = latents
        for index, pair in enumerate(self.layers_weights):
            kernel, bias = (
                tf.stop_gradient(w.value) if frozen else w.value for w in pair
            )
            features = tf.nn.leaky_relu(features) if index else features
            features = tf.linalg.matmul(features, kernel) + bias
        return features[:, 0]

    def with_own_loss(
        self, charge: tf.Tensor, first: tf.Tensor, second: tf.Tensor
    ) -> tf.Tensor:
        """Returns a charge whose gradient trains the network too.

        Args:
            charge: `()`.
            first, second: Latents of the two kinds that it tells apart.
        """
        one, other = (self.logits(tf.stop_gradient(z)) for z in (first, second))
        own_loss = _loss.discriminator(one, other)
        return charge + own_loss - tf.stop_gradient(own_loss)

    @override
    def get_config(self) -> dict[str, Any]:
        own = {"hidden_units": self.hidden_units, "num_layers": self.num_layers}
        return {**super().get_config(), **own}


@_registered
class Factor(_Adversary):
    """The KL and a total correlation that a network estimates.

    The network tells latents of a batch from the same with every variable permuted over
    its images; its logits estimate `log q(z) - sum_j log q(z_j)`.

    Args:
        hidden_units: Integer, width of the network's hidden layers.
        num_layers: Integer, how many; the paper has 6 of 1000.
    """

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        latents = inferred.batch_latents()
        total = tf.reduce_mean(self.logits(latents, frozen=True))
        noise = inferred.draw_noise(tf.shape(latents))
        order = tf.argsort(noise, axis=0)
        permuted = tf.gather(
            tf.transpose(latents), tf.transpose(order), axis=1, batch_dims=1
        )
        charge = inferred.kl() + weight * total
        return self.with_own_loss(charge, latents, tf.transpose(permuted))


@_registered
class Adversarial(_Adversary):
    """What a network says that tells draws of the prior from latents.

    Args:
        hidden_units: Integer, width of the network's hidden layers.
        num_layers: Integer, how many.
    """

    trains_prior = False

    @override
    def charge(self, inferred: Inferred, weight: tf.Tensor) -> tf.Tensor:
        latents = inferred.batch_latents()
        drawn = replicas.gather_rows(inferred.draw_prior())
        charge = weight * _loss.generator(self.logits(latents, frozen=True))
        return self.with_own_loss(charge, drawn, latents)
