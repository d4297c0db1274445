"""Variational autoencoder, trained on the evidence lower bound (ELBO).

For an image `x` and a latent `z` with prior `p(z) = Normal(0, I)`:

    ELBO(x) = E_{z ~ q(z | x)}[ log p(x | z) ] - KL( q(z | x) || p(z) )
    loss    = mean over the batch of  -E[ log p(x | z) ] + beta * KL         (nats)

With `beta=1` the loss is `-ELBO`. With k > 1 samples it is the importance-weighted
bound, which rises to log p(x) with k:

    loss    = mean over the batch of  -log( 1/k sum_i w_i ),     z_i ~ q(z | x)
    log w_i = log p(x | z_i) + beta * ( log p(z_i) - log q(z_i | x) )

References:
- [Kingma & Welling, 2014](https://arxiv.org/abs/1312.6114), eqs. 3 and 10: the model.
- [Sohn et al., 2015](https://papers.nips.cc/paper/5775), eq. 4: labels (with p(z)).
- [Burda et al., 2016](https://arxiv.org/abs/1509.00519), eq. 8: k > 1.
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), eq. 4: `beta`.
"""

from typing import ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen import distributions
from tfgen.distributions import LIKELIHOODS, Likelihood
from tfgen.losses import get
from tfgen.models import checks, draws
from tfgen.models.base import GenerativeModel
from tfgen.models.endpoints import endpoint
from tfgen.models.sampling import SamplingMixin

tfd = tfp.distributions


@keras.saving.register_keras_serializable(package="tfgen")
class VAE(SamplingMixin, GenerativeModel):
    """Variational autoencoder with a diagonal Gaussian posterior.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to posterior parameters `(batch, 2 * latent_dim)`.
        decoder: Built `keras.Model` from latents `(batch, latent_dim)` to pixel logits
            (Bernoulli) or means (Gaussian) `(batch, height, width, channels)`.
        likelihood: `"bernoulli"`, `"gaussian"`, or a `distributions.Likelihood`.
        beta: Float, the weight of the KL term; can be set later.
        num_importance_samples: Integer k: 1 for the ELBO, more for the tighter bound.
        free_bits: Float, nats that each latent dimension may use without being charged.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the latent samples.

    Called on images, or `(images, labels)`, it returns the mean of `p(x | z)` in
    `[0, 1]`: of a sample `z` of `q(z | x)` in training and else of its mean.

    Example:

    >>> encoder = tfgen.networks.build_mlp_encoder((28, 28, 1), output_dim=2 * 16)
    >>> decoder = tfgen.networks.build_mlp_decoder(16, (28, 28, 1))
    >>> model = tfgen.VAE(encoder, decoder)
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> model.fit(tfgen.data.load_images("mnist_5k"), epochs=20)
    >>> images = model.sample(64)
    """

    term_names = ("loss", "reconstruction_loss", "kl_loss")
    attribute_of: ClassVar = {"likelihood": "pixel_likelihood"}  # of the method's name

    def __init__(
        self,
        encoder,
        decoder,
        *,
        likelihood="bernoulli",
        beta=1.0,
        num_importance_samples=1,
        free_bits=0.0,
        num_classes=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(num_classes=num_classes, seed=seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.pixel_likelihood = get("likelihood", likelihood, LIKELIHOODS, Likelihood)
        self.num_importance_samples = num_importance_samples
        self.free_bits = free_bits
        self._set_latents_and_images(decoder, encoder)
        scalar = {"shape": (), "initializer": "zeros", "trainable": False}
        scalar |= {"dtype": "float32", "autocast": False}  # mixed precision would round
        self.eval_beta = self.add_weight(name="eval_beta", **scalar)
        # What `beta` is at this step of training: callbacks.BetaWarmup moves it.
        self.kl_weight = self.add_weight(name="kl_weight", **scalar)
        self.beta = beta
        self._check_arguments()
        self._build_for(encoder)

    @property
    def beta(self):
        """The weight of the KL term. Set, it holds for the next step."""
        return self._beta

    @beta.setter
    def beta(self, value):
        checks.at_least(0, beta=value)
        self._beta = value
        self.eval_beta.assign(value)
        self.kl_weight.assign(value)

    # ---- The distributions ----------------------------------------------------------

    @property
    def prior(self):
        """`p(z)`: batch shape `()`, event shape `(latent_dim,)`."""
        return distributions.standard_normal(self.latent_dim)

    def posterior(self, images, labels=None, training=False):
        """`q(z | x)`: batch shape `(batch,)`, event shape `(latent_dim,)`."""
        params = self._run(self.encoder, images, labels, training=training)
        return distributions.diagonal_normal(params)

    def likelihood(self, latents, labels=None, training=False):
        """`p(x | z)` of latents `(..., batch, latent_dim)`: its event is one image.

        What comes before the batch are samples; they share the labels `(batch,)`.
        """
        latents = tf.convert_to_tensor(latents)
        has_samples = latents.shape.rank > 2  # if not, no reshapes: they are exported
        if has_samples:
            samples = tf.shape(latents)[:-1]
            latents = tf.reshape(latents, (-1, self.latent_dim))
            if labels is not None:
                labels = tf.reshape(tf.broadcast_to(labels, samples), (-1,))
        outputs = self._run(self.decoder, latents, labels, training=training)
        if has_samples:
            outputs = tf.reshape(outputs, [*tf.unstack(samples), *self.image_shape])
        return self.pixel_likelihood.distribution(outputs)

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, labels=None, *, training):
        """Returns the scalars named in `metrics`, in nats."""
        images = tf.convert_to_tensor(images)
        posterior = self.posterior(images, labels, training)
        seed = self._step_seed(training)
        latents = draws.of_posterior(posterior, self.num_importance_samples, seed)
        log_likelihood = self.likelihood(latents, labels, training).log_prob(images)
        kl_per_dim = tfd.kl_divergence(posterior.distribution, self.prior.distribution)
        reconstruction_loss = -tf.reduce_mean(log_likelihood)
        kl_weight = (self.kl_weight if training else self.eval_beta).value
        if self.num_importance_samples > 1:
            log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
            log_weights = log_likelihood + kl_weight * log_ratio
            loss = -tf.reduce_mean(tfp.math.reduce_logmeanexp(log_weights, axis=0))
        else:
            charged_kl = distributions.charge_free_bits(kl_per_dim, self.free_bits)
            loss = reconstruction_loss + kl_weight * charged_kl
        return {
            "loss": loss,
            "reconstruction_loss": reconstruction_loss,
            "kl_loss": tf.reduce_mean(tf.reduce_sum(kl_per_dim, axis=-1)),
        }

    def log_weights(self, images, num_samples, seed, labels=None):
        """`log p(x, z) - log q(z | x)` of `z ~ q(z | x)`: `(num_samples, batch)`, nats.

        The mean over samples estimates the ELBO, `logsumexp - log(num_samples)` the
        importance-weighted bound on log p(x). `seed` is an integer tensor `(2,)`, as in
        `tf.random.stateless_normal`.
        """
        posterior = self.posterior(images, labels)
        latents = draws.of_posterior(posterior, num_samples, seed)
        log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
        images = tf.convert_to_tensor(images)
        return self.likelihood(latents, labels).log_prob(images) + log_ratio

    def kl_per_dim(self, images, labels=None):
        """KL of each latent dimension, averaged over images: `(latent_dim,)`, nats."""
        posterior = self.posterior(images, labels).distribution
        kl = tfd.kl_divergence(posterior, self.prior.distribution)
        return tf.reduce_mean(kl, axis=0)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        images, labels = inputs if self.num_classes is not None else (inputs, None)
        posterior = self.posterior(images, labels, training)
        latents = posterior.mean()
        if training:
            latents = draws.of_posterior(posterior, 1, self._step_seed(training))[0]
        return self._images(latents, labels, training)

    @endpoint("images", "labels", returns="images")
    def reconstruct(self, images, labels=None):
        """Returns images in `[0, 1]`, decoded from the posterior's mean."""
        return self._images(self.posterior(images, labels).mean(), labels)

    @endpoint("images", "labels", returns=("mean", "stddev"))
    def encode(self, images, labels=None):
        """Returns the posterior's mean and standard deviation `(batch, latent_dim)`."""
        posterior = self.posterior(images, labels)
        return posterior.mean(), posterior.stddev()

    @endpoint("latents", "labels", returns="images")
    def decode(self, latents, labels=None):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self._images(latents, labels)

    def _images(self, latents, labels=None, training=False):
        # A Gaussian's mean is not bounded, the images that leave the model are.
        means = self.likelihood(latents, labels, training).mean()
        return tf.clip_by_value(means, 0.0, 1.0)

    def _check_arguments(self):
        checks.autoencoder(self, numbers_per_latent=2)
        checks.at_least(0, free_bits=self.free_bits)
        checks.at_least(1, num_importance_samples=self.num_importance_samples)
        if self.free_bits > 0 and self.num_importance_samples > 1:
            raise ValueError(
                "`free_bits` needs the analytic KL of num_importance_samples=1. "
                f"Received: {self.num_importance_samples}"
            )
