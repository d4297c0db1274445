"""Variational autoencoder, trained on the evidence lower bound (ELBO).

For an image `x` and a latent `z` with prior `p(z) = Normal(0, I)`:

    ELBO(x) = E_{z ~ q(z | x)}[ log p(x | z) ] - KL( q(z | x) || p(z) )
    loss    = mean over the batch of  -E[ log p(x | z) ] + beta * KL         (nats)

With `beta=1` the loss is `-ELBO`; a larger `beta` trades reconstruction for a more
disentangled latent. With k > 1 samples it is the importance-weighted bound, which rises
to log p(x) with k:

    loss    = mean over the batch of  -log( 1/k sum_i w_i ),     z_i ~ q(z | x)
    log w_i = log p(x | z_i) + beta * ( log p(z_i) - log q(z_i | x) )

The sample is reparameterised, `z = mean + stddev * noise`, so that the gradient passes
through it to the encoder. The networks return tensors, and only the methods of `VAE`
make distributions of them: Keras graphs and `predict` carry nothing but tensors.

References:
- [Kingma & Welling, 2014](https://arxiv.org/abs/1312.6114), eqs. 3 and 10: the model.
- [Sohn et al., 2015](https://papers.nips.cc/paper/5775), eq. 4: labels (with p(z)).
- [Burda et al., 2016](https://arxiv.org/abs/1509.00519), eq. 8: k > 1.
- [Kingma et al., 2016](https://arxiv.org/abs/1606.04934), eq. 15: `free_bits`.
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), eq. 4: `beta`.
"""

from typing import ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen.distributions import LIKELIHOODS, Likelihood
from tfgen.losses import get
from tfgen.models import checks, draws, replicas
from tfgen.models.base import (
    GenerativeModel,
    image_spec,
    symbolic_inputs,
    vector_spec,
)
from tfgen.models.draws import standard_normal
from tfgen.models.endpoints import endpoint

tfd = tfp.distributions

_MIN_SCALE = 1e-4  # keeps log(scale), and so the KL, finite if a posterior collapses


@keras.saving.register_keras_serializable(package="tfgen")
class VAE(GenerativeModel):
    """Variational autoencoder with a diagonal Gaussian posterior.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to posterior parameters `(batch, 2 * latent_dim)`.
        decoder: Built `keras.Model` from latents `(batch, latent_dim)` to what the
            likelihood takes: pixel logits (Bernoulli) or means (Gaussian)
            `(batch, height, width, channels)`.
        likelihood: `"bernoulli"`, `"gaussian"` (with a learned scale), or a
            `tfgen.distributions.Likelihood`.
        beta: Float, the weight of the KL term; can be set later.
        num_importance_samples: Integer k: 1 trains the ELBO with its analytic KL, more
            train the importance-weighted bound.
        free_bits: Float, nats that each latent dimension may use without being charged.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the latent samples.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`, or `(images, labels)` if the
            model is conditional.
        training: Whether `z` is a sample of `q(z | x)` or its mean.

    Returns:
        Reconstructions shaped like the images: the mean of `p(x | z)`, in `[0, 1]`.

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
        self.latent_dim = decoder.inputs[0].shape[-1]
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        self.input_specs["images"] = image_spec(self.image_shape)
        self.input_specs["latents"] = vector_spec(self.latent_dim, "latents")
        self.eval_beta = self._add_scalar("eval_beta")
        # What `beta` is at this step of training: callbacks.BetaWarmup moves it.
        self.kl_weight = self._add_scalar("kl_weight")
        self.beta = beta
        self._check_arguments()
        self(symbolic_inputs(encoder))  # builds the model: save and export need it

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
        loc = tf.zeros(self.latent_dim)
        return tfd.Independent(tfd.Normal(loc, tf.ones_like(loc)), 1)

    def posterior(self, images, labels=None, training=False):
        """`q(z | x)`: batch shape `(batch,)`, event shape `(latent_dim,)`."""
        params = self._run(self.encoder, images, labels, training=training)
        loc, raw_scale = tf.split(params, 2, axis=-1)
        scale = tf.nn.softplus(raw_scale) + _MIN_SCALE
        return tfd.Independent(tfd.Normal(loc, scale), 1)

    def likelihood(self, latents, labels=None, training=False):
        """`p(x | z)` of latents `(..., batch, latent_dim)`: its event is one image.

        What comes before the batch are samples; they share the labels `(batch,)`.
        """
        latents = tf.convert_to_tensor(latents)
        if latents.shape.rank == 2:  # no reshapes in what is exported
            outputs = self._run(self.decoder, latents, labels, training=training)
            return self.pixel_likelihood.distribution(outputs)
        samples = tf.shape(latents)[:-1]
        if labels is not None:
            labels = tf.reshape(tf.broadcast_to(labels, samples), (-1,))
        flat_latents = tf.reshape(latents, (-1, self.latent_dim))
        outputs = self._run(self.decoder, flat_latents, labels, training=training)
        outputs = tf.reshape(outputs, [*tf.unstack(samples), *self.image_shape])
        return self.pixel_likelihood.distribution(outputs)

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, labels=None, *, training):
        """Returns the scalars named in `metrics`, in nats."""
        images = tf.convert_to_tensor(images)
        posterior = self.posterior(images, labels, training)
        seed = self._step_seed(training)
        latents = self._draw(posterior, self.num_importance_samples, seed)
        log_likelihood = self.likelihood(latents, labels, training).log_prob(images)
        kl_per_dim = tfd.kl_divergence(posterior.distribution, self.prior.distribution)
        reconstruction_loss = -tf.reduce_mean(log_likelihood)
        kl_weight = (self.kl_weight if training else self.eval_beta).value
        if self.num_importance_samples > 1:
            log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
            log_weights = log_likelihood + kl_weight * log_ratio
            loss = -tf.reduce_mean(_log_mean_exp(log_weights))
        else:
            loss = reconstruction_loss + kl_weight * self._charged_kl(kl_per_dim)
        return {
            "loss": loss,
            "reconstruction_loss": reconstruction_loss,
            "kl_loss": tf.reduce_mean(tf.reduce_sum(kl_per_dim, axis=-1)),
        }

    def log_weights(self, images, num_samples, seed, labels=None):
        """`log p(x, z) - log q(z | x)` of `z ~ q(z | x)`: `(num_samples, batch)`, nats.

        The mean over samples estimates the ELBO, `logsumexp - log(num_samples)` the
        importance-weighted bound on log p(x).

        Args:
            images: `(batch, height, width, channels)` in `[0, 1]`.
            num_samples: Integer, or a scalar tensor, number of latents for each image.
            seed: Integer tensor `(2,)`, as in `tf.random.stateless_normal`.
            labels: int32 `(batch,)` if the model is conditional.
        """
        images = tf.convert_to_tensor(images)
        posterior = self.posterior(images, labels)
        latents = self._draw(posterior, num_samples, seed)
        log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
        return self.likelihood(latents, labels).log_prob(images) + log_ratio

    def kl_per_dim(self, images, labels=None):
        """KL of each latent dimension, averaged over images: `(latent_dim,)`, nats."""
        posterior = self.posterior(images, labels).distribution
        kl = tfd.kl_divergence(posterior, self.prior.distribution)
        return tf.reduce_mean(kl, axis=0)

    def _charged_kl(self, kl_per_dim):
        """KL summed over dimensions, each charged for `free_bits` at least."""
        kl = tf.reduce_mean(kl_per_dim, axis=0)
        if self.free_bits > 0.0:
            # The minimum is of the whole batch.
            kl = replicas.global_sum(replicas.weigh(kl, tf.shape(kl_per_dim)[0]))
            kl = tf.maximum(kl, self.free_bits)
        return tf.reduce_sum(kl)

    def _draw(self, posterior, num_samples, seed):
        """Reparameterised samples `(num_samples, batch, latent_dim)`."""
        batch_size = tf.shape(posterior.mean())[0]
        shape = (num_samples, self.latent_dim)
        noise = draws.of_batch(standard_normal, batch_size, shape, seed)
        noise = tf.transpose(noise, (1, 0, 2))
        return posterior.mean() + posterior.stddev() * noise

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        images, labels = inputs if self.num_classes is not None else (inputs, None)
        posterior = self.posterior(images, labels, training)
        if training:
            latents = self._draw(posterior, 1, self._step_seed(training))[0]
        else:
            latents = posterior.mean()
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

    @endpoint("seeds", "labels", returns="images", name="sample")
    def sample_of_seeds(self, seeds, labels=None):
        """Returns an image for each seed, int64 `(batch,)`."""
        latents = draws.of_seeds(standard_normal, seeds, (self.latent_dim,))
        return self._images(latents, labels)

    def sample(self, num_samples, seed=None, labels=None):
        """Returns images `(num_samples, height, width, channels)` for `z ~ p(z)`.

        They are means of `p(x | z)`, in `[0, 1]`.

        Args:
            num_samples: Integer.
            seed: Integer for repeatable samples; `None` draws new ones.
            labels: Integers `(num_samples,)` if the model is conditional; `None` goes
                through the classes in turn.
        """
        return self._images(*self._sample_inputs(num_samples, seed, labels))

    def _images(self, latents, labels=None, training=False):
        # A Gaussian's mean is not bounded, the images that leave the model are.
        means = self.likelihood(latents, labels, training).mean()
        return tf.clip_by_value(means, 0.0, 1.0)

    def _add_scalar(self, name):
        return self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="float32",
            autocast=False,  # mixed precision would round it
            trainable=False,
            name=name,
        )

    def _check_arguments(self):
        checks.networks(self, self.encoder, self.decoder)
        if self.encoder.output_shape[-1] != 2 * self.latent_dim:
            raise ValueError(
                "`encoder` must return `2 * latent_dim` parameters. Received: "
                f"{self.encoder.output_shape[-1]} with latent_dim={self.latent_dim}"
            )
        checks.same_shape("decoder", self.decoder, "encoder", self.image_shape)
        checks.at_least(0, free_bits=self.free_bits)
        checks.at_least(1, num_importance_samples=self.num_importance_samples)
        if self.free_bits > 0 and self.num_importance_samples > 1:
            raise ValueError(
                "`free_bits` needs the analytic KL, which the bound of "
                f"num_importance_samples={self.num_importance_samples} has not. Use 1."
            )


def _log_mean_exp(log_weights):
    """`log(mean(exp))` over samples: `(num_samples, batch)` to `(batch,)`."""
    num_samples = tf.cast(tf.shape(log_weights)[0], tf.float32)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)
