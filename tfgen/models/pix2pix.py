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
discriminator, then one of the generator, which runs once for both. Further terms are in
pair_terms.py.

References:
- [Isola et al., 2017](https://arxiv.org/abs/1611.07004): eqs. 1 to 4, sec. 3.3.
- [Mao et al., 2017](https://arxiv.org/abs/1611.04076): `loss="least_squares"`.
- [Wang et al., 2018](https://arxiv.org/abs/1711.11585): pix2pixHD, three discriminators
  and feature matching of weight 10 in place of L1.
"""

import keras
import tensorflow as tf

from tfgen import augmentation
from tfgen.losses import l1
from tfgen.models import checks, draws
from tfgen.models.augmenting import AugmentingMixin
from tfgen.models.batches import to_signed, to_unit
from tfgen.models.draws import uniform
from tfgen.models.endpoints import endpoint
from tfgen.models.pair_terms import PairTermsMixin
from tfgen.models.translation import TranslationModel


@keras.saving.register_keras_serializable(package="tfgen")
class Pix2Pix(PairTermsMixin, AugmentingMixin, TranslationModel):
    """Paired GAN.

    Args:
        generator: Built `keras.Model` from images `(batch, height, width, channels)` to
            targets `(batch, height, width, target_channels)`, both in `[-1, 1]`; or
            from `[images, noise]`, with uniform noise `(batch, noise_dim)` in (0, 1)
            that may be `None` for none (`keras.Input(..., optional=True)`), as in
            `tfgen.layers.NoiseDropout`.
        discriminator: Built `keras.Model` from an image and a target, concatenated
            `(batch, height, width, channels + target_channels)`, to logits
            `(batch, ...)`, one a patch; of several scales, with features or without, as
            in `tfgen.networks.build_patchgan_discriminator`.
        lambda_l1: Float, the weight of the L1 term.
        lambda_feature_matching: Float, of the distance of the discriminator's features.
        perceptual: What `lambda_perceptual` weighs: `"ms_ssim"`, which is 1 - MS-SSIM;
            or a built `keras.Model` from images in `[0, 1]` to features, not trained,
            whose mean squared differences are summed; `None` for none.
        lambda_perceptual: Float.
        lambda_diversity: Float, of the distance between outputs for two draws of noise.
        augment: As in `GAN`, of images, targets and translations alike; `None` for
            none.
        loss: `"non_saturating"`, `"least_squares"`, or a `losses.AdversarialLoss`.
        dropout_at_inference: Whether the generator gets noise outside training too, as
            in the paper. The noise is then an input of `translate` and of what is
            exported, and `sample` has several outputs for one input.
        ema_decay: Float in [0, 1), of the moving average of the generator's weights,
            which `translate` then uses; `None` for none.
        seed: Integer seed of the noise.

    Called on images in `[0, 1]`, it returns their translations in `[0, 1]`. `fit` takes
    `(images, targets)` in `[0, 1]`.

    Example:

    >>> build = tfgen.networks.build_patchgan_discriminator
    >>> generator = tfgen.networks.build_unet_generator((64, 64, 3))
    >>> model = tfgen.Pix2Pix(generator, build((64, 64, 6)))
    >>> adam = lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)
    >>> model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    >>> pairs = tfgen.data.load_pairs("openmoji", image_size=64, batch_size=16)
    >>> model.fit(pairs, epochs=20)
    >>> translated = model.translate(images)
    """

    term_names = ("generator_loss", "discriminator_loss", "adversarial_loss", "l1_loss")
    data_keys = ("images", "targets")
    call_keys = ("images",)

    def __init__(
        self,
        generator,
        discriminator,
        *,
        lambda_l1=100.0,
        lambda_feature_matching=0.0,
        perceptual=None,
        lambda_perceptual=10.0,
        lambda_diversity=0.0,
        augment=None,
        loss="non_saturating",
        dropout_at_inference=False,
        ema_decay=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.lambda_l1 = lambda_l1
        self.dropout_at_inference = dropout_at_inference
        self._add_pair_terms(
            lambda_feature_matching, perceptual, lambda_perceptual, lambda_diversity
        )
        self._add_augmentations(augment)
        self._set_loss(loss)
        takes_noise = len(generator.inputs) > 1
        self.noise_dim = generator.inputs[1].shape[-1] if takes_noise else 0
        self.image_shape = tuple(generator.inputs[0].shape[1:])
        self._add_inputs(images=self.image_shape, targets=generator.output_shape[1:])
        if dropout_at_inference:
            self._add_inputs(noise=(self.noise_dim,))
        self._check_arguments()
        self._add_averages(ema_decay)
        self(keras.Input(self.image_shape))  # builds the model: save and export need it

    # ---- The objective --------------------------------------------------------------

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's term, of pairs in `[-1, 1]`."""
        pairs = self._pair(batch, batch["targets"]), self._pair(batch, fake)
        outputs = self._run_both(self.discriminator, *pairs, training=training)
        terms = {"discriminator_loss": self._discriminator_loss(*outputs)}
        return (
            terms | self._strength_terms() | {"real_signs": self._real_signs(*outputs)}
        )

    def generator_terms(self, batch, fake, training):
        """Returns the generator's terms."""
        pair = self._pair(batch, fake)
        outputs = self._run(self.discriminator, pair, training=training)
        adversarial_loss = self._generator_loss(outputs)
        l1_loss = l1(batch["targets"], fake)
        terms, weighted = self._pair_terms(batch, fake, training)
        terms |= {
            "generator_loss": adversarial_loss + self.lambda_l1 * l1_loss + weighted,
            "adversarial_loss": adversarial_loss,
            "l1_loss": l1_loss,
        }
        return self._taught(terms, ab=(batch["images"], fake))

    def train_step(self, data):
        images, targets = self._unpack(data)
        self._check_batch(images, self.generator)
        batch = self._batch(images, targets, training=True)
        terms = self._alternating_step(batch, images)
        self._adapt(terms["real_signs"], images)
        return self._track(terms, images)

    def _batch(self, images, targets, training):
        """Returns the pairs in `[-1, 1]` and all draws: a dict of `(batch, ...)`."""
        is_noisy = training or self.dropout_at_inference
        others = {
            "other_noise": (uniform, self.noise_dim if self.lambda_diversity else 0),
            "augment_draws": (uniform, augmentation.count_draws(self._augmentations)),
        }
        size, seed = tf.shape(images)[0], self._step_seed(training)
        return {
            "images": to_signed(images),
            "targets": to_signed(targets),
            "noise": self._draw_noise(size, seed) if is_noisy else None,
            **draws.of_columns(others, size, draws.fold_in(seed, 1)),
        }

    def _draw_noise(self, size, seed):
        if not self.noise_dim:
            return None
        return draws.of_batch(uniform, size, (self.noise_dim,), seed)

    def _fake(self, batch, training):
        return self._generate(self.generator, training=training, **batch)

    def _generate(self, generator, images, noise, training=False, **_):
        inputs = [images, noise] if self.noise_dim else images
        return self._run(generator, inputs, training=training)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        noise = None
        if training or self.dropout_at_inference:
            noise = self._draw_noise(tf.shape(inputs)[0], self._step_seed(True))
        return self._translate(inputs, noise, training)

    @endpoint("images", "noise", returns="images")
    def translate(self, images, noise=None):
        """Returns translations in `[0, 1]` of images in `[0, 1]`.

        With `dropout_at_inference` noise is uniform in (0, 1), `(batch, noise_dim)`;
        `None` draws it.
        """
        if noise is None:
            return self(images)
        return self._translate(images, noise)

    def _translate(self, images, noise, training=False):
        generator = self._averaged("generator", training)
        return to_unit(self._generate(generator, to_signed(images), noise, training))

    @endpoint(
        "images",
        "seeds",
        returns="images",
        name="sample",
        condition="dropout_at_inference",
    )
    def translate_by_seeds(self, images, seeds):
        """Returns translations with the noise of seeds, int64 `(batch,)`."""
        return self.translate(images, draws.of_seeds(uniform, seeds, (self.noise_dim,)))

    def _check_arguments(self):
        checks.networks(self, self.discriminator)
        checks.at_least(0, lambda_l1=self.lambda_l1)
        self._check_terms_and_noise()
        of_both = self.image_shape[-1] + self.generator.output_shape[-1]
        checks.channels(self, "input", discriminator=of_both)
