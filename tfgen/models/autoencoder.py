"""Autoencoder: low-dimensional features without labels, decoded back to the image.

    latents = encoder(x + noise_stddev * noise)
    loss    = mean over pixels of  d(x, decoder(latents))

where `d` is the squared error, or the binary cross-entropy with pixels as
probabilities. With noise it is a denoising autoencoder: it must undo the corruption, so
it learns where images lie rather than to copy them.

Nothing in this loss says where the latents may lie: they spread as far, and around
whatever point, as suits the decoder, and no prior describes them. A latent drawn from
Normal(0, I) lies where few images were encoded and decodes to something else; hence
there is no `sample` here. The KL term of the VAE (vae.py) draws the latents to a prior
that can be sampled: that is the reason the VAE exists. tests/models/test_autoencoder.py
measures it on digits.

References:
- [Hinton & Salakhutdinov, 2006](https://doi.org/10.1126/science.1127647).
- [Vincent et al., 2008](https://doi.org/10.1145/1390156.1390294), sec. 2.3: noise.
"""

import keras
import tensorflow as tf

from tfgen.models.base import (
    GenerativeModel,
    check_choice,
    standard_normal,
    symbolic_inputs,
)


@keras.saving.register_keras_serializable(package="tfgen")
class Autoencoder(GenerativeModel):
    """Autoencoder; with noise, a denoising autoencoder.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to latents `(batch, latent_dim)`.
        decoder: Built `keras.Model` from latents to pixel values (`"mse"`) or logits
            (`"binary_crossentropy"`) `(batch, height, width, channels)`.
        reconstruction: `"mse"` or `"binary_crossentropy"` (nats), a mean over pixels.
        noise_stddev: Float, standard deviation of the Gaussian noise that is added to
            the encoder's images in training, in pixel values.
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

    def __init__(
        self,
        encoder,
        decoder,
        reconstruction="mse",
        noise_stddev=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.reconstruction = reconstruction
        self.noise_stddev = noise_stddev
        self.latent_dim = decoder.inputs[0].shape[-1]
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        self._check_arguments()
        self(symbolic_inputs(encoder))  # builds the model: save and export need it

    def encode(self, images, training=False):
        """Returns latents `(batch, latent_dim)`."""
        return tf.cast(self.encoder(images, training=training), tf.float32)

    def decode(self, latents, training=False):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self._images(self._outputs(latents, training))

    def compute_terms(self, images, labels, training):
        """Returns the scalars named in `metrics`; `labels` are not used."""
        del labels
        images = tf.cast(images, tf.float32)
        inputs = self._corrupt(images) if training else images
        outputs = self._outputs(self.encode(inputs, training), training)
        if self.reconstruction == "mse":
            errors = tf.math.squared_difference(images, outputs)
        else:
            errors = tf.nn.sigmoid_cross_entropy_with_logits(images, outputs)
        return {"loss": tf.reduce_mean(errors)}

    def call(self, inputs, training=False):
        inputs = self._corrupt(inputs) if training else inputs
        return self.decode(self.encode(inputs, training), training)

    def signatures(self):
        """Returns the endpoints: `reconstruct`, `encode` and `decode`."""

        def reconstruct(images):
            return {"images": self.decode(self.encode(images))}

        def encode(images):
            return {"latents": self.encode(images)}

        def decode(latents):
            return {"images": self.decode(latents)}

        return {
            "reconstruct": self._endpoint(reconstruct, "images"),
            "encode": self._endpoint(encode, "images"),
            "decode": self._endpoint(decode, "latents"),
        }

    def _corrupt(self, images):
        if not self.noise_stddev:
            return images
        seed = self._step_seed(training=True)
        batch_size = tf.shape(images)[0]
        noise = self._replica_draw(standard_normal, batch_size, self.image_shape, seed)
        return images + tf.cast(self.noise_stddev * noise, images.dtype)

    def _outputs(self, latents, training):
        return tf.cast(self.decoder(latents, training=training), tf.float32)

    def _images(self, outputs):
        if self.reconstruction == "mse":
            return tf.clip_by_value(outputs, 0.0, 1.0)
        return tf.sigmoid(outputs)

    def _check_arguments(self):
        choices = ("mse", "binary_crossentropy")
        check_choice("reconstruction", self.reconstruction, choices)
        if self.encoder.output_shape[-1] != self.latent_dim:
            raise ValueError(
                "`encoder` must return latents of the size that `decoder` takes. "
                f"Received: {self.encoder.output_shape[-1]} and {self.latent_dim}"
            )
        if tuple(self.decoder.output_shape[1:]) != self.image_shape:
            raise ValueError(
                "`decoder` must return images shaped like those of `encoder`. "
                f"Received: {self.decoder.output_shape[1:]} and {self.image_shape}"
            )
        if self.noise_stddev < 0:
            raise ValueError(
                f"`noise_stddev` must be at least 0. Received: {self.noise_stddev}"
            )
