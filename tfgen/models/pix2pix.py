"""Paired GAN (pix2pix): one domain into another, learnt from pairs.

For an image `x`, its target `y`, noise `z` (dropout in the generator), generator `G`
and a discriminator `D` that judges the pair, patch by patch:

    discriminator_loss = ( d( D(x, y), D(x, G(x, z)) ) ) / 2
    adversarial_loss   = g( D(x, G(x, z)) )
    l1_loss            = mean over pixels of  |y - G(x, z)|        (images in [-1, 1])
    generator_loss     = adversarial_loss + lambda_l1 * l1_loss

where `(g, d)` are the cross-entropies of the non-saturating GAN, or squares. The L1
term gets the low frequencies right and would leave the rest grey; the discriminator
asks that each patch looks like one of the targets. A training step takes a step of the
discriminator, then one of the generator, which runs once for both.

References:
- [Isola et al., 2017](https://arxiv.org/abs/1611.07004): eqs. 1 to 4, sec. 3.3.
- [Mao et al., 2017](https://arxiv.org/abs/1611.04076): `loss="least_squares"`.
"""

import keras
import tensorflow as tf

from tfgen.layers import noise_dropout
from tfgen.models.base import symbolic_inputs, uniform
from tfgen.models.translation import TranslationModel, to_signed, to_unit


@keras.saving.register_keras_serializable(package="tfgen")
class Pix2Pix(TranslationModel):
    """Paired GAN.

    Args:
        generator: Built `keras.Model` from images `(batch, height, width, channels)` to
            targets `(batch, height, width, target_channels)`, both in `[-1, 1]`.
        discriminator: Built `keras.Model` from an image and a target, concatenated
            `(batch, height, width, channels + target_channels)`, to logits
            `(batch, ...)`, one a patch.
        lambda_l1: Float, the weight of the L1 term.
        loss: `"non_saturating"` or `"least_squares"`.
        seed: Integer seed of the dropout noise.
        dropout_at_inference: Whether the generator's `NoiseDropout` layers are active
            outside training too, as in the paper. The noise is then an input of
            `translate` and of what is exported.

    Call arguments:
        inputs: Images `(batch, height, width, channels)` in `[0, 1]`.
        training: Whether the generator runs as in training.

    Returns:
        Their translations `(batch, height, width, target_channels)` in `[0, 1]`.

    `fit` takes `(images, targets)` in `[0, 1]`.

    Example:

    >>> generator = tfgen.networks.build_unet_generator((64, 64, 3))
    >>> discriminator = tfgen.networks.build_patchgan_discriminator((64, 64, 6))
    >>> model = tfgen.Pix2Pix(generator, discriminator)
    >>> adam = lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)
    >>> model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    >>> pairs = tfgen.data.load_pairs("openmoji", image_size=64, batch_size=16)
    >>> model.fit(pairs, epochs=20)
    >>> translated = model.translate(images)
    """

    term_names = (
        "generator_loss",
        "discriminator_loss",
        "adversarial_loss",
        "l1_loss",
    )

    def __init__(
        self,
        generator,
        discriminator,
        lambda_l1=100.0,
        loss="non_saturating",
        seed=None,
        dropout_at_inference=False,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.lambda_l1 = lambda_l1
        self.loss = loss
        self.dropout_at_inference = dropout_at_inference
        self.image_shape = tuple(generator.inputs[0].shape[1:])
        self.noise_dim = noise_dropout.noise_dim(generator)
        self._check_arguments()
        self(symbolic_inputs(generator))  # builds the model: save and export need it

    @property
    def generator_variables(self):
        return self.generator.trainable_variables

    @property
    def discriminator_variables(self):
        return self.discriminator.trainable_variables

    def translate(self, images, noise=None, training=False):
        """Returns translations in `[0, 1]` of images in `[0, 1]`.

        Args:
            images: `(batch, height, width, channels)`.
            noise: Uniform draws in (0, 1), `(batch, noise_dim)`, for the dropout;
                `None` draws new ones if it is active.
            training: Whether the generator runs as in training.
        """
        if noise is None and self._is_noisy(training):
            noise = self._draw_noise(images, self._step_seed(training=True))
        return to_unit(self._generate(to_signed(images), noise, training))

    # ---- The objective --------------------------------------------------------------

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's term, of pairs in `[-1, 1]`."""
        real, fake = (
            self._pair(batch, targets) for targets in (batch["targets"], fake)
        )
        logits = self._run_both(self.discriminator, real, fake, None, training)
        return {"discriminator_loss": self._discriminator_loss(*logits)}

    def generator_terms(self, batch, fake, training):
        """Returns the generator's terms."""
        pair = self._pair(batch, fake)
        logits = self._run(self.discriminator, pair, None, training)
        adversarial_loss = self._generator_loss(logits)
        l1_loss = tf.reduce_mean(tf.abs(batch["targets"] - fake))
        return {
            "generator_loss": adversarial_loss + self.lambda_l1 * l1_loss,
            "adversarial_loss": adversarial_loss,
            "l1_loss": l1_loss,
        }

    def compute_terms(self, images, targets, training):
        """Returns the scalars named in `metrics`, without a step."""
        batch = self._prepare_batch(images, targets, training)
        fake = self._fake(batch, training)
        terms = self.discriminator_terms(batch, fake, training)
        return terms | self.generator_terms(batch, fake, training)

    def train_step(self, data):
        images, targets = self._unpack(data)
        self._check_batch(images, self.generator)
        batch = self._prepare_batch(images, targets, training=True)
        return self._track(self._alternating_step(batch), images)

    def _prepare_batch(self, images, targets, training):
        """Returns the pairs in `[-1, 1]` and the noise: a dict of `(batch, ...)`."""
        batch = {"images": to_signed(images), "targets": to_signed(targets)}
        batch["noise"] = None
        if self._is_noisy(training):
            batch["noise"] = self._draw_noise(images, self._step_seed(training))
        return batch

    def _fake(self, batch, training):
        return self._generate(batch["images"], batch["noise"], training)

    def _generate(self, images, noise, training):
        if noise is None:
            return self._run(self.generator, images, None, training)
        with noise_dropout.noise(self.generator, noise):
            return self._run(self.generator, images, None, training)

    def _is_noisy(self, training):
        return self.noise_dim > 0 and (training or self.dropout_at_inference)

    def _draw_noise(self, images, seed):
        batch_size = tf.shape(images)[0]
        return self._replica_draw(uniform, batch_size, (self.noise_dim,), seed)

    @staticmethod
    def _pair(batch, targets):
        return tf.concat([batch["images"], targets], axis=-1)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        return self.translate(inputs, training=training)

    def signatures(self):
        """Returns the endpoint `translate`.

        With `dropout_at_inference` it takes `images` and `noise`, and `sample` takes
        `images` and `seeds` in its place.
        """

        def translate(images, noise=None):
            return {"images": self.translate(images, noise)}

        def sample(images, seeds):
            noise = self._draw_from_seeds(uniform, seeds, (self.noise_dim,))
            return {"images": self.translate(images, noise)}

        if not self.dropout_at_inference:
            return {"translate": self._endpoint(translate, "images")}
        return {
            "translate": self._endpoint(translate, "images", "noise"),
            "sample": self._endpoint(sample, "images", "seeds"),
        }

    def _check_arguments(self):
        self._check_loss()
        needed = self.image_shape[-1] + self.generator.output_shape[-1]
        channels = self.discriminator.inputs[0].shape[-1]
        if channels != needed:
            raise ValueError(
                "`discriminator` must take an image and its target, concatenated: "
                f"{needed} channels. Received: {channels}"
            )
        if self.dropout_at_inference and not self.noise_dim:
            raise ValueError(
                "dropout_at_inference=True needs a generator with "
                "`tfgen.layers.NoiseDropout` layers. It has none."
            )
