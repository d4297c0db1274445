"""Variational autoencoder, trained on the evidence lower bound (ELBO).

For an image `x` and a latent `z` with prior `p(z)`, of a conditional model `p(z | y)`:

    ELBO(x) = E_{z ~ q(z | x)}[ log p(x | z) ] - KL( q(z | x) || p(z) )
    loss    = mean over the batch of  -E[ log p(x | z) ] + beta * KL         (nats)

With `beta=1` the loss is `-ELBO`; other divergences than the KL are those of
distributions/divergences.py. With k > 1 samples it is the importance-weighted bound,
which rises to log p(x) with k:

    loss    = mean over the batch of  -log( 1/k sum_i w_i ),     z_i ~ q(z | x)
    log w_i = log p(x | z_i) + beta * ( log p(z_i) - log q(z_i | x) )

References:
- [Kingma & Welling, 2014](https://arxiv.org/abs/1312.6114), eqs. 3 and 10: the model.
- [Sohn et al., 2015](https://papers.nips.cc/paper/5775), eq. 4: labels.
- [Burda et al., 2016](https://arxiv.org/abs/1509.00519), eq. 8: k > 1.
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), eq. 4: `beta`.
- [Rainforth et al., 2018](https://arxiv.org/abs/1802.04537), eq. 12: means of bounds.
"""

from typing import ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen import distributions
from tfgen.models import checks, variational
from tfgen.models.base import GenerativeModel
from tfgen.models.endpoints import endpoint
from tfgen.models.priors import PriorMixin


@keras.saving.register_keras_serializable(package="tfgen")
class VAE(PriorMixin, GenerativeModel):
    """Variational autoencoder of four parts: each is a name or an object.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to the numbers that the posterior takes: `(batch, 2 * latent_dim)`.
        decoder: Built `keras.Model` from latents `(batch, latent_dim)` to the numbers
            that the likelihood takes, `(batch, height, width, channels)` or a multiple.
        likelihood: `p(x | z)`: a name in `distributions.LIKELIHOODS`, or an object.
        posterior: `q(z | x)`: likewise of `distributions.POSTERIORS`.
        prior: `p(z)`: likewise of `distributions.PRIORS`.
        divergence: Likewise of `distributions.DIVERGENCES`.
        beta: Float, the weight of the divergence; can be set later.
        num_importance_samples: Integer k: 1 for the ELBO, more for the tighter bound.
        num_batches_of_samples: Integer, bounds of an image whose mean is taken.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the latent samples.

    Called on images, or `(images, labels)`, it returns the mean of `p(x | z)` in
    `[0, 1]`: of a sample `z` of `q(z | x)` in training and else of its mean.

    Example:

    >>> encoder = tfgen.networks.build_mlp_encoder((28, 28, 1), output_dim=2 * 16)
    >>> decoder = tfgen.networks.build_mlp_decoder(16, (28, 28, 1))
    >>> model = tfgen.VAE(encoder, decoder, prior="vamp")
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> model.fit(tfgen.data.load_images("mnist_5k"), epochs=20)
    """

    term_names = ("loss", "reconstruction_loss", "kl_loss")
    attribute_of: ClassVar = {  # where a method has the argument's name
        "likelihood": "pixel_likelihood",
        "posterior": "latent_posterior",
        "prior": "latent_prior",
    }

    def __init__(
        self,
        encoder,
        decoder,
        *,
        likelihood="bernoulli",
        posterior="diagonal",
        prior="standard_normal",
        divergence="kl",
        beta=1.0,
        num_importance_samples=1,
        num_batches_of_samples=1,
        num_classes=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(num_classes=num_classes, seed=seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.pixel_likelihood = distributions.likelihood(likelihood)
        self.has_density = self.pixel_likelihood.is_normalized  # `log_weights` bound it
        self.latent_posterior = distributions.posterior(posterior)
        self.latent_prior = distributions.prior(prior)
        self.divergence = distributions.divergence(divergence)
        self.num_importance_samples = num_importance_samples
        self.num_batches_of_samples = num_batches_of_samples
        self._set_latents_and_images(decoder, encoder)
        self.eval_beta = self._add_scalar("eval_beta")
        # What `beta` is at this step of training: callbacks.BetaWarmup moves it.
        self.kl_weight = self._add_scalar("kl_weight")
        self.beta = beta
        parts = (self.latent_posterior, self.latent_prior, self.divergence)
        self._bind_parts(self.pixel_likelihood, *parts)
        variational.check(self)
        self._build_for(encoder)

    @property
    def beta(self):
        """The weight of the divergence. Set, it holds for the next step."""
        return self._beta

    @beta.setter
    def beta(self, value):
        checks.at_least(0, beta=value)
        self._beta = value
        self.eval_beta.assign(value)
        self.kl_weight.assign(value)

    # ---- The distributions ----------------------------------------------------------

    def posterior(self, images, labels=None, training=False):
        """`q(z | x)`: batch shape `(batch,)`, event shape `(latent_dim,)`."""
        params = self._run(self.encoder, images, labels, training=training)
        return self.latent_posterior.distribution(params)

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
            shape = self.decoder.output_shape[1:]
            outputs = tf.reshape(outputs, [*tf.unstack(samples), *shape])
        return self.pixel_likelihood.distribution(outputs)

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, labels=None, *, training):
        """Returns the scalars named in `metrics`, in nats."""
        images, seed = tf.convert_to_tensor(images), self._step_seed(training)
        count = self.num_importance_samples * self.num_batches_of_samples
        inferred = self._infer(images, labels, count, seed, training)
        likelihood = self.likelihood(inferred.latents, labels, training)
        log_likelihood = likelihood.log_prob(images)
        reconstruction_loss = -tf.reduce_mean(log_likelihood)
        weight = (self.kl_weight if training else self.eval_beta).value
        if self.num_importance_samples > 1:
            log_weights = log_likelihood + weight * inferred.log_ratio()
            log_weights = tf.reshape(log_weights, (self.num_importance_samples, -1))
            loss = -tf.reduce_mean(tfp.math.reduce_logmeanexp(log_weights, axis=0))
        else:
            loss = reconstruction_loss + self.divergence.charge(inferred, weight)
        return {
            "loss": loss,
            "reconstruction_loss": reconstruction_loss,
            "kl_loss": inferred.kl(),
        }

    def _infer(self, images, labels, num_samples, seed, training=False):
        both = self.posterior(images, labels, training), self.prior(labels)
        return variational.infer(*both, num_samples, seed, training)

    def log_weights(self, images, num_samples, seed, labels=None):
        """`log p(x, z) - log q(z | x)` of `z ~ q(z | x)`: `(num_samples, batch)`, nats.

        The mean over samples estimates the ELBO, `logsumexp - log(num_samples)` the
        importance-weighted bound on log p(x). `seed` is an integer tensor `(2,)`, as in
        `tf.random.stateless_normal`.
        """
        images = tf.convert_to_tensor(images)
        inferred = self._infer(images, labels, num_samples, seed)
        likelihood = self.likelihood(inferred.latents, labels)
        return likelihood.log_prob(images) + inferred.log_ratio()

    def kl_per_dim(self, images, labels=None):
        """KL of each latent dimension, averaged over images: `(latent_dim,)`, nats."""
        parts = self.posterior(images, labels), self.prior(labels)
        return tf.reduce_mean(distributions.kl_per_dim(*parts), axis=0)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        images, labels = inputs if self.num_classes is not None else (inputs, None)
        posterior = self.posterior(images, labels, training)
        if training:
            latents = variational.draw(posterior, 1, self._step_seed(training))[0]
        else:
            latents, _ = distributions.moments(posterior)
        return self._images(latents, labels, training)

    @endpoint("images", "labels", returns="images")
    def reconstruct(self, images, labels=None):
        """Returns images in `[0, 1]`, decoded from the posterior's mean."""
        return self._images(self.encode(images, labels)[0], labels)

    @endpoint("images", "labels", returns=("mean", "stddev"))
    def encode(self, images, labels=None):
        """Returns the posterior's mean and standard deviation `(batch, latent_dim)`."""
        return distributions.moments(self.posterior(images, labels))

    @endpoint("latents", "labels", returns="images")
    def decode(self, latents, labels=None):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self._images(latents, labels)

    def _images(self, latents, labels=None, training=False):
        # A Gaussian's mean is not bounded, the images that leave the model are.
        means = self.likelihood(latents, labels, training).mean()
        return tf.clip_by_value(means, 0.0, 1.0)
