"""Generative adversarial network: a transformer of distributions, noise to images.

For real images `x`, latents `z ~ Normal(0, I)`, generator `G` and discriminator `D`:

    discriminator_loss = d( D(x), D(G(z)) ) + penalty_weight * gradient penalty
    generator_loss     = g( D(G(z)) )

with a pair (g, d) of losses.py and a penalty of penalties.py. A relativistic `g` is of
`D(x)` too: each real image is paired with one generated. A training step takes
`discriminator_steps` steps of the discriminator, which share the batch (4 steps take 32
images each of 128), then one of the generator: `fit` counts steps of the generator, and
an epoch sees every image once.

References:
- [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), alg. 1: the steps.
- [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), alg. 1: several steps.
- [Karras et al., 2020](https://arxiv.org/abs/1912.04958), app. B: `penalty_interval`.
- [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637): labels.
- ACGAN and InfoGAN, `auxiliary`: auxiliary.py.
"""

import functools

import keras
import tensorflow as tf

from tfgen import augmentation, losses, penalties
from tfgen.models import checks, draws
from tfgen.models.adversarial import AdversarialModel, mixes_images
from tfgen.models.augmenting import AugmentingMixin
from tfgen.models.batches import divide, to_signed
from tfgen.models.draws import standard_normal, uniform
from tfgen.models.endpoints import endpoint
from tfgen.models.generating import GeneratingMixin, logits_of


@keras.saving.register_keras_serializable(package="tfgen")
class GAN(GeneratingMixin, AugmentingMixin, AdversarialModel):
    """Generative adversarial network.

    Args:
        generator: Built `keras.Model` from latents `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in `[-1, 1]`.
        discriminator: Built `keras.Model` from such images to logits `(batch, ...)`.
        loss: A name in `losses.ADVERSARIAL_LOSSES`, or a `losses.AdversarialLoss`.
        gradient_penalty: A name in `penalties.GRADIENT_PENALTIES`, or a
            `penalties.GradientPenalty`; `None` for none.
        penalty_weight: Float; `None` is the penalty's own, of its paper.
        penalty_interval: Integer, discriminator steps from one penalty, weighted by
            the interval, to the next.
        discriminator_steps: Integer, steps of the discriminator for one of `generator`.
        ema_decay: Float in [0, 1), of the moving average of the generator's weights,
            which `sample` and the served endpoints then use; `None` for none.
        augment: Names out of `"color,translation,cutout"`, differentiable augmentations
            for small data; `"adaptive"`, as strong as the discriminator is sure of real
            images; or `augmentation.Augmentation` objects; `None` for none.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        auxiliary: What a second output of `discriminator` tells: a name in
            `auxiliary.AUXILIARIES`, or an `auxiliary.Auxiliary`. `"codes"` of the first
            latents (InfoGAN); `"classes"` (ACGAN), if `discriminator` takes no labels.
        seed: Integer seed of the model's draws.

    Called on latents, or `(latents, labels)`, it returns images in `[0, 1]`. `fit`
    reports both losses, the mean logits, the share of images that the discriminator
    tells right, and the unweighted penalty.

    >>> generator = tfgen.networks.build_dcgan_generator(64, (28, 28, 1))
    >>> discriminator = tfgen.networks.build_dcgan_discriminator((28, 28, 1))
    >>> model = tfgen.GAN(generator, discriminator, ema_decay=0.999)
    >>> adam = lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)
    >>> model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    >>> model.fit(tfgen.data.load_images("mnist_5k"), epochs=40)
    >>> images = model.sample(64, seed=0)
    """

    term_names = (
        "generator_loss",
        "discriminator_loss",
        "real_logits",
        "fake_logits",
        "discriminator_accuracy",
        "gradient_penalty",
    )
    call_keys = ("latents", "labels")

    def __init__(
        self,
        generator,
        discriminator,
        *,
        loss="non_saturating",
        gradient_penalty=None,
        penalty_weight=None,
        penalty_interval=1,
        discriminator_steps=1,
        ema_decay=None,
        augment=None,
        num_classes=None,
        auxiliary=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(num_classes=num_classes, seed=seed, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.gradient_penalty = gradient_penalty
        self.penalty_weight = penalty_weight
        self.penalty_interval = penalty_interval
        self.discriminator_steps = discriminator_steps
        rows, kind = losses.ADVERSARIAL_LOSSES, losses.AdversarialLoss
        self._loss = losses.get("loss", loss, rows, kind)
        self._penalty = penalties.get(gradient_penalty)
        is_own = penalty_weight is None
        self._penalty_weight = self._penalty.weight if is_own else penalty_weight
        self._add_augmentations(augment)
        self._set_latents_and_images(generator, discriminator)
        self._add_auxiliary(auxiliary)
        self._check_arguments()
        self._add_averages(ema_decay)
        self._build_for(generator)

    # ---- The objective --------------------------------------------------------------

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's terms, of images in `[-1, 1]`."""
        seen_real = self._augmented(batch["real"], batch["real_draws"])
        seen_fake = self._augmented(fake, batch["fake_draws"])
        outputs = self._run_both(
            self.discriminator, seen_real, seen_fake, batch["labels"], training=training
        )
        real_logits, fake_logits = map(logits_of, outputs)
        loss = self._loss.discriminator(real_logits, fake_logits)
        auxiliary_loss, auxiliary_terms = self._auxiliary_terms(*outputs, batch)
        judge = functools.partial(self._judge, training=training)
        step = self.discriminator_optimizer.iterations if training else 0
        interval = self.penalty_interval if training else 1
        penalty = self._penalty.of_batch(judge, batch, fake, step, interval)
        return {
            "discriminator_loss": loss
            + self._penalty_weight * penalty
            + auxiliary_loss,
            "real_logits": tf.reduce_mean(real_logits),
            "fake_logits": tf.reduce_mean(fake_logits),
            "discriminator_accuracy": self._loss.accuracy(real_logits, fake_logits),
            "gradient_penalty": penalty,
            "real_signs": self._loss.real_signs(real_logits, fake_logits),
            **auxiliary_terms,
            **self._strength_terms(),
        }

    def generator_terms(self, batch, fake, training):
        """Returns the generator's term."""
        seen = [self._augmented(fake, batch["generator_draws"])]
        if self._loss.is_relative:
            seen.append(self._augmented(batch["real"], batch["real_draws"]))
        outputs = [self._outputs(images, batch["labels"], training) for images in seen]
        loss = self._loss.generator(*map(logits_of, outputs))
        return {"generator_loss": loss + self._auxiliary_loss(outputs[0], batch)}

    # ---- Training -------------------------------------------------------------------

    def train_step(self, data):
        inputs = self._unpack(data)
        batch = self._batch(*inputs, training=True)
        *first, last = divide(batch, self.discriminator_steps)
        for share in first:
            fake = self._fake(share, training=True)
            self._discriminator_step(share, fake, share["real"])
        terms = self._alternating_step(last, last["real"])
        self._adapt(terms["real_signs"], inputs[0])
        return self._track(terms, inputs[0])

    def _batch(self, images, labels=None, training=True):
        """Returns the batch with all its draws: a dict of tensors `(batch, ...)`."""
        per_image = self._penalty.num_draws(self.image_shape)
        num_draws = augmentation.count_draws(self._augmentations)
        columns = {
            "latents": (standard_normal, self.latent_dim),
            "penalty_draws": (uniform, per_image),
            "real_draws": (uniform, num_draws),
            "fake_draws": (uniform, num_draws),
            "generator_draws": (uniform, num_draws),
        }
        if self.pixel_noise_dim:
            columns["noise"] = (standard_normal, self.pixel_noise_dim)
        size, seed = tf.shape(images)[0], self._step_seed(training)
        batch = draws.of_columns(columns, size, seed)
        batch["latents"] = self._draw_latents(batch["latents"], labels)
        return {"real": to_signed(images), "labels": labels, **batch}

    def _fake(self, batch, training):
        taken = {name: batch.get(name) for name in ("latents", "labels", "noise")}
        return self._generate(self.generator, **taken, training=training)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        latents, labels = inputs if self.num_classes is not None else (inputs, None)
        return self._images(latents, labels, training)

    @endpoint("latents", "labels", returns="images")
    def generate(self, latents, labels=None):
        """Returns images in `[0, 1]`: of the moving average if there is one."""
        return self._images(latents, labels)

    def _check_arguments(self):
        checks.networks(self, self.generator)
        checks.networks(self, self.discriminator, with_labels=not self.classifies)
        checks.same_shape(self, "generator", "discriminator")
        if self.gradient_penalty is not None and mixes_images(self.discriminator):
            raise ValueError(
                f"gradient_penalty={self.gradient_penalty!r} is of each image alone: "
                "batch normalisation mixes them. Use layer normalisation or none."
            )
        checks.at_least(1, discriminator_steps=self.discriminator_steps)
        checks.at_least(1, penalty_interval=self.penalty_interval)
        checks.at_least(0, penalty_weight=self._penalty_weight)
