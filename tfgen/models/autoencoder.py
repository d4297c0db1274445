"""Autoencoder: low-dimensional features without labels, decoded back to the image.

    latents = encoder(x + noise_stddev * noise),            noise ~ Normal(0, I)
    loss    = mean over pixels of  d(x, decoder(latents))

where `d` is the squared error, or the binary cross-entropy with pixels as
probabilities. With noise it is a denoising autoencoder: it must undo the corruption, so
it learns where images lie rather than to copy them.

Nothing in this loss says where the latents may lie: they spread as far, and around
whatever point, as suits the decoder, and no prior describes them. A latent drawn from
Normal(0, I) lies where few images were encoded and decodes to something else; hence
there is no `sample` here, until `tfgen.latent.fit_prior` has fitted a prior to the
latents of a trained one. The KL term of the VAE (vae.py) draws the latents to a prior
that can be sampled: that is the reason the VAE exists. tests/models/test_autoencoder.py
measures it on digits.

References:
- [Hinton & Salakhutdinov, 2006](https://doi.org/10.1126/science.1127647).
- [Vincent et al., 2008](https://doi.org/10.1145/1390156.1390294), sec. 2.3: noise.
"""

from typing import ClassVar

import keras
import tensorflow as tf

from tfgen import distributions
from tfgen.models import checks, draws
from tfgen.models.base import GenerativeModel
from tfgen.models.draws import standard_normal
from tfgen.models.endpoints import endpoint
from tfgen.models.priors import PriorMixin


@keras.saving.register_keras_serializable(package="tfgen")
class Autoencoder(PriorMixin, GenerativeModel):
    """Autoencoder; with noise, a denoising autoencoder.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to latents `(batch, latent_dim)`.
        decoder: Built `keras.Model` from latents to pixel values (`"mse"`) or logits
            (`"binary_crossentropy"`) `(batch, height, width, channels)`.
        reconstruction: `"mse"` or `"binary_crossentropy"` (nats), a mean over pixels.
        noise_stddev: Float, standard deviation of the Gaussian noise that is added to
            the encoder's images in training, in pixel values.
        prior: Where latents lie: a `distributions.Prior`, or the name of one, which no
            training moves; `None` if that is not known. `fit_prior` sets it.
        seed: Integer seed of the noise.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`.
        training: Whether noise is added.

    Returns:
        Reconstructions shaped like `inputs`, in `[0, 1]`.

    Example:

    >>> encoder = tfgen.networks.build_mlp_encoder((28, 28, 1), output_dim=16)
    >>> decoder = tfgen.networks.build_mlp_decoder(16, (28, 28, 1))
    >>> model = tfgen.Autoencoder(encoder, decoder, noise_stddev=0.3)
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> model.fit(tfgen.data.load_images("mnist_5k"), epochs=20)
    >>> latents = model.encode(images)
    """

    term_names = ("loss",)
    attribute_of: ClassVar = {"prior": "latent_prior"}  # `prior` is the method

    def __init__(
        self,
        encoder,
        decoder,
        *,
        reconstruction="mse",
        noise_stddev=0.0,
        prior=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.reconstruction = reconstruction
        self.noise_stddev = noise_stddev
        self._set_latents_and_images(decoder, encoder)
        self._check_arguments()
        self.latent_prior = None
        if prior is not None:
            self.latent_prior = distributions.prior(prior)
            self.latent_prior.trainable = False
            self._bind_parts(self.latent_prior)
        self._build_for(encoder)

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, *, training):
        """Returns the scalars named in `metrics`."""
        inputs = self._corrupt(images) if training else images
        outputs = self._outputs(self._latents(inputs, training), training)
        if self.reconstruction == "mse":
            errors = tf.math.squared_difference(images, outputs)
        else:
            errors = tf.nn.sigmoid_cross_entropy_with_logits(images, outputs)
        return {"loss": tf.reduce_mean(errors)}

    def _corrupt(self, images):
        if not self.noise_stddev:
            return images
        seed = self._step_seed(training=True)
        batch_size = tf.shape(images)[0]
        noise = draws.of_batch(standard_normal, batch_size, self.image_shape, seed)
        return images + tf.cast(self.noise_stddev * noise, images.dtype)

    def _latents(self, images, training=False):
        return self._run(self.encoder, images, training=training)

    def _outputs(self, latents, training=False):
        return self._run(self.decoder, latents, training=training)

    def _to_images(self, outputs):
        if self.reconstruction == "mse":
            return tf.clip_by_value(outputs, 0.0, 1.0)
        return tf.sigmoid(outputs)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        inputs = self._corrupt(inputs) if training else inputs
        latents = self._latents(inputs, training)
        return self._to_images(self._outputs(latents, training))

    @endpoint("images", returns="images")
    def reconstruct(self, images):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self(images)

    @endpoint("images", returns="latents")
    def encode(self, images):
        """Returns latents `(batch, latent_dim)`."""
        return self._latents(images)

    @endpoint("latents", returns="images")
    def decode(self, latents):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self._images(latents)

    def _images(self, latents, labels=None):
        return self._to_images(self._outputs(latents))

    def _check_arguments(self):
        checks.autoencoder(self, self.latent_dim)
        choices = ("mse", "binary_crossentropy")
        checks.choice("reconstruction", self.reconstruction, choices)
        checks.at_least(0, noise_stddev=self.noise_stddev)
