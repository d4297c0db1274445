"""Priors `p(z)`, or `p(z | y)` of a conditional model: where latents lie.

    standard_normal        Normal(0, I)
    learned_normal         Normal(m, diag(s)^2), learned
    gaussian_mixture       1/sum_k w_k  sum_k w_k Normal(m_k, diag(s_k)^2), learned
    vamp                   1/K sum_k q(z | u_k), with pseudo-inputs u_k that are learned
    realnvp                T(z_0),  z_0 ~ Normal(m, diag(s)^2): coupling layers
    masked_autoregressive  likewise, latent by latent: slower draws

Of a conditional model, all but the first have a prior for each class.

References:
- [Tomczak & Welling, 2018](https://arxiv.org/abs/1705.07120), eq. 9: `vamp`.
- [Dinh et al., 2017](https://arxiv.org/abs/1605.08803): `realnvp`.
- [Papamakarios et al., 2017](https://arxiv.org/abs/1705.07057): masked autoregressive.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen.distributions.part import RAW_1, Part, positive
from tfgen.distributions.posteriors import fill_triangle

tfd = tfp.distributions

_registered = keras.saving.register_keras_serializable(package="tfgen")


class Prior(Part):
    """A distribution of latents.

    `is_factorized` says that its latents are independent normals; `is_standard` that it
    has no weights: latents are standard normal; `uses_posterior` that it evaluates the
    posterior's density anywhere; `is_mixture` that a draw picks a component first.
    """

    is_factorized = False
    is_standard = False
    uses_posterior = False
    is_mixture = False

    @property
    def noise_dim(self) -> int:
        """How many numbers of noise a draw is made of."""
        return self.latent_dim + self.is_mixture

    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        """Returns `p(z)`, of batch shape `()`, or `p(z | y)`, of that of the labels.

        Args:
            labels: Integers `(batch,)` of a conditional model.
            encode: Function of images and labels that returns the posterior.
        """
        raise NotImplementedError

    def _classes(self, *shape: int) -> tuple[int, ...]:
        """Returns the shape of weights: those of a class after one another."""
        return (self.num_classes or 1, *shape)

    def _of_class(self, weight: Any, labels: tf.Tensor | None) -> tf.Tensor:
        """Returns the weights of classes: `(batch, ...)`, or those there are."""
        value = tf.convert_to_tensor(weight)
        if self.num_classes is None:
            return value[0]
        return tf.gather(value, self._checked(labels))

    def _checked(self, labels: tf.Tensor | None) -> tf.Tensor:
        if labels is None:
            raise ValueError(f"The prior {self.name} has classes: pass `labels`.")
        return labels


@_registered
class StandardNormal(Prior):
    """`Normal(0, I)`."""

    is_factorized = is_standard = True

    @override
    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        loc = tf.zeros(self.latent_dim)
        return tfd.Independent(tfd.Normal(loc, tf.ones_like(loc)), 1)


@_registered
class LearnedNormal(Prior):
    """A normal with a learned mean and scale of each latent."""

    is_factorized = True

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        shape = self._classes(self.latent_dim)
        stddev = 0.0 if self.num_classes is None else 0.5  # classes start apart
        self.loc = self.weight(
            "loc", shape, keras.initializers.RandomNormal(0.0, stddev)
        )
        self.raw_scale = self.weight("raw_scale", shape, RAW_1)

    @override
    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        loc = self._of_class(self.loc, labels)
        scale = positive(self._of_class(self.raw_scale, labels))
        return tfd.Independent(tfd.Normal(loc, scale), 1)


@_registered
class GaussianMixture(Prior):
    """A mixture of learned normals.

    Args:
        num_components: Integer.
        full_covariance: Whether each component has a covariance, not only variances.
    """

    is_mixture = True

    def __init__(
        self, num_components: int = 10, full_covariance: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_components, self.full_covariance = num_components, full_covariance

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        count, dim = self.num_components, self.latent_dim
        normal = keras.initializers.RandomNormal(0.0, 1.0)
        self.loc = self.weight("loc", self._classes(count, dim), normal)
        size = dim * (dim + 1) // 2 if self.full_covariance else dim
        initializer: Any = "zeros" if self.full_covariance else RAW_1
        self.raw_scale = self.weight(
            "raw_scale", self._classes(count, size), initializer
        )
        self.logits = self.weight("logits", self._classes(count), "zeros")

    @override
    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        loc = self._of_class(self.loc, labels)
        raw = self._of_class(self.raw_scale, labels)
        scale = fill_triangle(raw) if self.full_covariance else positive(raw)
        return _mixture(self._of_class(self.logits, labels), loc, scale)

    @override
    def get_config(self) -> dict[str, Any]:
        own = {
            "num_components": self.num_components,
            "full_covariance": self.full_covariance,
        }
        return {**super().get_config(), **own}


@_registered
class VampPrior(Prior):
    """The mixture of the posteriors of learned images.

    Its trainings so far ended with a KL of 0 and no active latent (`mnist_5k`, 60
    epochs of an MLP, 100 images): watch `kl_loss`.

    Args:
        num_components: Integer, how many images (of each class).
    """

    uses_posterior = is_mixture = True

    def __init__(self, num_components: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_components = num_components

    @override
    def make_weights(self, image_shape: tuple[int, ...]) -> None:
        shape = self._classes(self.num_components, *image_shape)
        normal = keras.initializers.RandomNormal(-2.0, 1.0)
        self.pixel_logits = self.weight("pixel_logits", shape, normal)

    @property
    def pseudo_inputs(self) -> tf.Tensor:
        """Images in [0, 1], `(classes, num_components, height, width, channels)`."""
        return tf.sigmoid(self.pixel_logits.value)

    @override
    def distribution(
        self, labels: tf.Tensor | None = None, encode: Callable | None = None
    ) -> tfd.Distribution:
        if encode is None:
            raise ValueError("`vamp` needs the posterior of a VAE.")
        images, count = self.pseudo_inputs, self.num_components
        images = tf.reshape(images, (-1, *images.shape[2:]))
        classes = None
        if self.num_classes is not None:
            classes = tf.repeat(tf.range(self.num_classes), count)
        posterior = encode(images, classes)
        is_full = isinstance(posterior, tfd.MultivariateNormalTriL)
        scale = posterior.scale.to_dense() if is_full else posterior.stddev()
        loc, scale = (
            self._of_class(tf.reshape(x, self._classes(count, *x.shape[1:])), labels)
            for x in (posterior.mean(), scale)
        )
        return _mixture(tf.zeros_like(loc[..., 0]), loc, scale)

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_components": self.num_components}


def _mixture(logits: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tfd.Distribution:
    """Returns a mixture of normals, whose scales are vectors or triangles."""
    if scale.shape.rank > loc.shape.rank:
        components = tfd.MultivariateNormalTriL(loc, scale)
    else:
        components = tfd.Independent(tfd.Normal(loc, scale), 1)
    return tfd.MixtureSameFamily(tfd.Categorical(logits), components)
