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
- [Rybkin et al., 2021](https://arxiv.org/abs/2006.13202), eq. 4: a learned scale.
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen.models import replicas
from tfgen.models.base import (
    GenerativeModel,
    check_choice,
    standard_normal,
    symbolic_inputs,
)

tfd = tfp.distributions

_MIN_SCALE = 1e-4  # keeps log(scale), and so the KL, finite if a posterior collapses


@keras.saving.register_keras_serializable(package="tfgen")
class VAE(GenerativeModel):
    """Variational autoencoder with a diagonal Gaussian posterior.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to posterior parameters `(batch, 2 * latent_dim)`.
        decoder: Built `keras.Model` from latents `(batch, latent_dim)` to pixel logits
            (Bernoulli) or means (Gaussian) `(batch, height, width, channels)`.
        likelihood: `"bernoulli"` or `"gaussian"`, the distribution of a pixel.
        beta: Float, the weight of the KL term.
        num_importance_samples: Integer k: 1 trains the ELBO with its analytic KL, more
            train the importance-weighted bound.
        free_bits: Float, nats that each latent dimension may use without being charged.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the latent samples.
        likelihood_scale: Float, the standard deviation of the Gaussian likelihood;
            `None` learns one for all pixels.

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

    def __init__(
        self,
        encoder,
        decoder,
        likelihood="bernoulli",
        beta=1.0,
        num_importance_samples=1,
        free_bits=0.0,
        num_classes=None,
        seed=None,
        likelihood_scale=None,
        **kwargs,
    ):
        super().__init__(seed=seed, num_classes=num_classes, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.beta = beta
        self.num_importance_samples = num_importance_samples
        self.free_bits = free_bits
        self.likelihood_scale = likelihood_scale
        self.latent_dim = decoder.inputs[0].shape[-1]
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        self._check_arguments()
        # What `beta` is at this step: callbacks.BetaWarmup moves it.
        self.kl_weight = self._add_scalar(beta, "kl_weight", trainable=False)
        if likelihood == "gaussian" and likelihood_scale is None:
            self.raw_scale = self._add_scalar(0.0, "raw_scale", trainable=True)
        self(symbolic_inputs(encoder))  # builds the model: save and export need it

    # ---- The distributions ----------------------------------------------------------

    @property
    def prior(self):
        """`p(z)`: batch shape `()`, event shape `(latent_dim,)`."""
        loc = tf.zeros(self.latent_dim)
        return tfd.Independent(tfd.Normal(loc, tf.ones_like(loc)), 1)

    def encode(self, images, labels=None, training=False):
        """`q(z | x)`: batch shape `(batch,)`, event shape `(latent_dim,)`."""
        params = self._run(self.encoder, images, labels, training)
        loc, raw_scale = tf.split(params, 2, axis=-1)
        scale = tf.nn.softplus(raw_scale) + _MIN_SCALE
        return tfd.Independent(tfd.Normal(loc, scale), 1)

    def decode(self, latents, labels=None, training=False):
        """`p(x | z)`: batch shape `(batch,)`, event shape of one image."""
        outputs = self._run(self.decoder, latents, labels, training)
        if self.likelihood == "bernoulli":
            # A float one: by default TFP takes pixels for integers, and NumPy's lose
            # their fractions.
            pixels = tfd.Bernoulli(logits=outputs, dtype=tf.float32)
            return tfd.Independent(pixels, 3)
        return tfd.Independent(tfd.Normal(outputs, self.pixel_scale), 3)

    @property
    def pixel_scale(self):
        """Standard deviation `()` of the Gaussian likelihood, in pixel values."""
        if self.likelihood_scale is not None:
            return tf.constant(self.likelihood_scale, tf.float32)
        return tf.nn.softplus(self.raw_scale.value) + _MIN_SCALE

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, labels, training):
        """Returns the scalars named in `metrics`, in nats."""
        posterior = self.encode(images, labels, training)
        latents = self._draw(
            posterior, self.num_importance_samples, self._step_seed(training)
        )
        log_likelihood = self._log_likelihood(images, latents, labels, training)
        kl_per_dim = tfd.kl_divergence(posterior.distribution, self.prior.distribution)
        reconstruction_loss = -tf.reduce_mean(log_likelihood)
        kl_loss = tf.reduce_mean(tf.reduce_sum(kl_per_dim, axis=-1))
        kl_weight = self.kl_weight.value if training else self.beta
        if self.num_importance_samples > 1:
            log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
            log_weights = log_likelihood + kl_weight * log_ratio
            loss = -tf.reduce_mean(_log_mean_exp(log_weights))
        else:
            loss = reconstruction_loss + kl_weight * self._charged_kl(kl_per_dim)
        return {
            "loss": loss,
            "reconstruction_loss": reconstruction_loss,
            "kl_loss": kl_loss,
        }

    def log_weights(self, images, num_samples, seed, labels=None):
        """`log p(x, z) - log q(z | x)` of `z ~ q(z | x)`: `(num_samples, batch)`, nats.

        The mean over samples estimates the ELBO, `logsumexp - log(num_samples)` the
        importance-weighted bound on log p(x).

        Args:
            images: `(batch, height, width, channels)` in `[0, 1]`.
            num_samples: Integer, or a scalar tensor, number of latents for each image.
            seed: Integer tensor `(2,)`, as of `tf.random.stateless_normal`.
            labels: int32 `(batch,)` if the model is conditional.
        """
        posterior = self.encode(images, labels)
        latents = self._draw(posterior, num_samples, seed)
        log_ratio = self.prior.log_prob(latents) - posterior.log_prob(latents)
        return self._log_likelihood(images, latents, labels) + log_ratio

    def kl_per_dim(self, images, labels=None):
        """KL of each latent dimension, averaged over images: `(latent_dim,)`, nats."""
        posterior = self.encode(images, labels).distribution
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
        noise = self._replica_draw(standard_normal, batch_size, shape, seed)
        noise = tf.transpose(noise, (1, 0, 2))
        return posterior.mean() + posterior.stddev() * noise

    def _log_likelihood(self, images, latents, labels, training=False):
        """`log p(x | z)` of every latent: `(num_samples, batch)`, nats."""
        num_samples = tf.shape(latents)[0]
        flat_latents = tf.reshape(latents, (-1, self.latent_dim))
        if labels is not None:
            labels = tf.tile(labels, [num_samples])
        likelihood = self.decode(flat_latents, labels, training)
        if latents.shape[0] == 1:
            return likelihood.log_prob(images)[tf.newaxis]
        repeated = tf.tile(images, [num_samples, 1, 1, 1])
        return tf.reshape(likelihood.log_prob(repeated), (num_samples, -1))

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        images, labels = inputs if self.num_classes is not None else (inputs, None)
        posterior = self.encode(images, labels, training)
        if training:
            latents = self._draw(posterior, 1, self._step_seed(training))[0]
        else:
            latents = posterior.mean()
        return self._images(latents, labels, training)

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

    def signatures(self):
        """Returns the endpoints: `reconstruct`, `encode`, `decode` and `sample`."""

        def reconstruct(images, labels=None):
            latents = self.encode(images, labels).mean()
            return {"images": self._images(latents, labels)}

        def encode(images, labels=None):
            posterior = self.encode(images, labels)
            return {"mean": posterior.mean(), "stddev": posterior.stddev()}

        def decode(latents, labels=None):
            return {"images": self._images(latents, labels)}

        def sample(seeds, labels=None):
            latents = self._draw_from_seeds(standard_normal, seeds, (self.latent_dim,))
            return {"images": self._images(latents, labels)}

        return {
            "reconstruct": self._endpoint(reconstruct, "images"),
            "encode": self._endpoint(encode, "images"),
            "decode": self._endpoint(decode, "latents"),
            "sample": self._endpoint(sample, "seeds"),
        }

    def _images(self, latents, labels=None, training=False):
        # A Gaussian's mean is not bounded, the images that leave the model are.
        means = self.decode(latents, labels, training).mean()
        return tf.clip_by_value(means, 0.0, 1.0)

    def _add_scalar(self, value, name, trainable):
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            autocast=False,  # mixed precision would round it
            trainable=trainable,
            name=name,
        )

    def _check_arguments(self):
        check_choice("likelihood", self.likelihood, ("bernoulli", "gaussian"))
        if self.encoder.output_shape[-1] != 2 * self.latent_dim:
            raise ValueError(
                "`encoder` must return `2 * latent_dim` parameters. Received: "
                f"{self.encoder.output_shape[-1]} with latent_dim={self.latent_dim}"
            )
        if tuple(self.decoder.output_shape[1:]) != self.image_shape:
            raise ValueError(
                "`decoder` must return images shaped like those of `encoder`. "
                f"Received: {self.decoder.output_shape[1:]} and {self.image_shape}"
            )
        self._check_label_inputs(self.encoder, self.decoder)
        if self.beta < 0 or self.free_bits < 0 or self.num_importance_samples < 1:
            raise ValueError(
                "`beta` and `free_bits` must be at least 0, `num_importance_samples` "
                f"at least 1. Received: {self.beta}, {self.free_bits}, "
                f"{self.num_importance_samples}"
            )
        if self.free_bits > 0 and self.num_importance_samples > 1:
            raise ValueError(
                "`free_bits` needs the analytic KL, which the bound of "
                f"num_importance_samples={self.num_importance_samples} has not. Use 1."
            )


def _log_mean_exp(log_weights):
    """`log(mean(exp))` over samples: `(num_samples, batch)` to `(batch,)`."""
    num_samples = tf.cast(tf.shape(log_weights)[0], tf.float32)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)
