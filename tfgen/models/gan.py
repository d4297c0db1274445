"""Generative adversarial network: a transformer of distributions, noise to images.

For real images `x`, latents `z ~ Normal(0, I)`, generator `G` and discriminator `D`:

    discriminator_loss = d( D(x), D(G(z)) ) + penalty_weight * gradient penalty
    generator_loss     = g( D(G(z)) )

with a pair (g, d) of losses.py, which also holds the penalties. A training step takes
`discriminator_steps` steps of the discriminator, then one of the generator. The batch
that `fit` hands over is divided between the discriminator's steps: each sees fresh real
images, an epoch sees every image once, and `fit` counts steps of the generator. (With
128 images a batch and 4 steps, each is of 32.)

The generator runs once for each of them: the images of the last discriminator step are
those that the generator is judged by, under the discriminator's new weights. The
discriminator sees real and fake images in one call, unless batch normalisation in it
would mix their statistics.

References:
- [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), alg. 1: the steps.
- [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), alg. 1: several steps.
- [Karras et al., 2020](https://arxiv.org/abs/1912.04958), app. B: `penalty_interval`.
- [Yazici et al., 2019](https://arxiv.org/abs/1806.04498), eq. 2: `ema_decay`.
- [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637): labels.
"""

import math

import keras
import tensorflow as tf

from tfgen.augmentation import augmentation_names, count_draws, diff_augment
from tfgen.losses import (
    ADVERSARIAL_LOSSES,
    GRADIENT_PENALTIES,
    gradient_norms_squared,
)
from tfgen.models import replicas
from tfgen.models.adversarial import AdversarialModel, mixes_images
from tfgen.models.base import (
    check_choice,
    standard_normal,
    symbolic_inputs,
    uniform,
)


@keras.saving.register_keras_serializable(package="tfgen")
class GAN(AdversarialModel):
    """Generative adversarial network.

    Args:
        generator: Built `keras.Model` from latents `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in `[-1, 1]`.
        discriminator: Built `keras.Model` from such images to logits `(batch, ...)`.
        loss: A name in `losses.ADVERSARIAL_LOSSES`: `"minimax"`, `"non_saturating"`,
            `"least_squares"`, `"hinge"` or `"wasserstein"`.
        gradient_penalty: A name in `losses.GRADIENT_PENALTIES`: `"wgan_gp"`, `"r1"` or
            `"dragan"`; `None` for none.
        penalty_weight: Float; `None` is 10, as in the papers.
        discriminator_steps: Integer, steps of the discriminator for each of the
            generator; they share the batch.
        ema_decay: Float in [0, 1), of the moving average of the generator's weights,
            which `sample` and the served endpoints then use; `None` for none.
        augment: Names out of `"color,translation,cutout"`, differentiable augmentations
            for small data; `None` for none.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the model's draws.
        penalty_interval: Integer, discriminator steps from one penalty, weighted by
            the interval, to the next.

    Call arguments:
        inputs: Latents `(batch, latent_dim)`, or `(latents, labels)`.
        training: Whether the generator runs as in training, and without its average.

    Returns:
        Images `(batch, height, width, channels)` in `[0, 1]`.

    `fit` takes images in `[0, 1]`, and reports both losses, the mean logits, the share
    of images that the discriminator tells right, and the penalty (unweighted).

    Example:

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

    def __init__(
        self,
        generator,
        discriminator,
        loss="non_saturating",
        gradient_penalty=None,
        penalty_weight=None,
        discriminator_steps=1,
        ema_decay=None,
        augment=None,
        num_classes=None,
        seed=None,
        penalty_interval=1,
        **kwargs,
    ):
        super().__init__(seed=seed, num_classes=num_classes, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.gradient_penalty = gradient_penalty
        self.penalty_weight = penalty_weight
        self.discriminator_steps = discriminator_steps
        self.ema_decay = ema_decay
        self.augment = augment
        self.penalty_interval = penalty_interval
        self.augmentations = augmentation_names(augment)
        self.latent_dim = generator.inputs[0].shape[-1]
        self.image_shape = tuple(discriminator.inputs[0].shape[1:])
        self._check_arguments()
        if ema_decay is not None:
            self.ema_generator = type(generator).from_config(generator.get_config())
            self.ema_generator.set_weights(generator.get_weights())
            self.ema_generator.trainable = False
        self(symbolic_inputs(generator))  # builds the model: save and export need it

    @property
    def generator_variables(self):
        return self.generator.trainable_variables

    @property
    def discriminator_variables(self):
        return self.discriminator.trainable_variables

    # ---- The objective --------------------------------------------------------------

    def generate(self, latents, labels=None, training=False):
        """Returns images in `[0, 1]`: of the moving average if there is one."""
        averaged = self.ema_decay is not None and not training
        generator = self.ema_generator if averaged else self.generator
        images = self._run(generator, latents, labels, training)
        return tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0)

    def discriminate(self, images, labels=None, training=False):
        """Returns logits `(batch, ...)` of images in `[0, 1]`."""
        images = 2.0 * tf.cast(images, tf.float32) - 1.0
        return self._run(self.discriminator, images, labels, training)

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's terms, of images in `[-1, 1]`."""
        real_logits, fake_logits = self._judge_both(batch, fake, training)
        loss = ADVERSARIAL_LOSSES[self.loss]
        penalty = self._penalty(batch, fake, training)
        weight = self._penalty_weight
        right = (real_logits > loss.boundary, fake_logits < loss.boundary)
        accuracy = tf.reduce_mean(tf.cast(tf.stack(right), tf.float32))
        return {
            "discriminator_loss": loss.discriminator(real_logits, fake_logits)
            + weight * penalty,
            "real_logits": tf.reduce_mean(real_logits),
            "fake_logits": tf.reduce_mean(fake_logits),
            "discriminator_accuracy": accuracy,
            "gradient_penalty": penalty,
        }

    def generator_terms(self, batch, fake, training):
        """Returns the generator's term."""
        fake = diff_augment(fake, self.augmentations, batch["generator_draws"])
        logits = self._run(self.discriminator, fake, batch["labels"], training)
        return {"generator_loss": ADVERSARIAL_LOSSES[self.loss].generator(logits)}

    def compute_terms(self, images, labels, training):
        """Returns the scalars named in `metrics`, without a step."""
        batch = self._draw(images, labels, training)
        fake = self._fake(batch, training)
        terms = self.discriminator_terms(batch, fake, training)
        return terms | self.generator_terms(batch, fake, training)

    def _judge_both(self, batch, fake, training):
        real, labels = batch["real"], batch["labels"]
        real = diff_augment(real, self.augmentations, batch["real_draws"])
        fake = diff_augment(fake, self.augmentations, batch["fake_draws"])
        return self._run_both(self.discriminator, real, fake, labels, training)

    def _penalty(self, batch, fake, training):
        if self.gradient_penalty is None:
            return tf.constant(0.0)
        penalty = GRADIENT_PENALTIES[self.gradient_penalty]

        # Out of the condition below, where replicas can't meet.
        is_scaled = self.gradient_penalty == "dragan"
        stddev = self._replica_stddev(batch["real"]) if is_scaled else None

        def compute():
            points = penalty.points(batch["real"], fake, batch["uniform"], stddev)
            squares = gradient_norms_squared(
                lambda x: self._run(self.discriminator, x, batch["labels"], training),
                points,
            )
            return self.penalty_interval * penalty.charge(squares)

        if not training or self.penalty_interval == 1:
            return compute() / (1 if training else self.penalty_interval)
        # No variable, but a quotient, of an optimizer that accumulates gradients.
        step = tf.convert_to_tensor(self.discriminator_optimizer.iterations)
        step = tf.cast(step, tf.int32)
        return tf.cond(step % self.penalty_interval == 0, compute, lambda: 0.0)

    # ---- Training -------------------------------------------------------------------

    def train_step(self, data):
        images, labels = self._unpack(data)
        batch = self._draw(images, labels, training=True)
        parts = [self._part(batch, step) for step in range(self.discriminator_steps)]
        for part in parts[:-1]:
            self._discriminator_step(part, self._fake(part, training=True))
        terms = self._alternating_step(parts[-1])
        self._update_average()
        return self._track(terms, images)

    def _update_average(self):
        if self.ema_decay is None:
            return
        averages, weights = self.ema_generator.weights, self.generator.weights
        for average, weight in zip(averages, weights, strict=True):
            # Batch statistics are averages already.
            share = 1.0 - self.ema_decay if weight.trainable else 1.0
            average.assign_add(share * (weight - average))

    def _draw(self, images, labels, training):
        """Returns the batch with all its draws: a dict of tensors `(batch, ...)`."""
        size = tf.shape(images)[0]
        seed = self._step_seed(training)
        seeds = tf.unstack(tf.random.split(seed, 5))

        def draw(function, shape, index):
            return self._replica_draw(function, size, shape, seeds[index])

        num_draws = (count_draws(self.augmentations),)
        return {
            "real": 2.0 * tf.cast(images, tf.float32) - 1.0,
            "labels": labels,
            "latents": draw(standard_normal, (self.latent_dim,), 0),
            "uniform": draw(uniform, (self._num_uniform,), 1),
            "real_draws": draw(uniform, num_draws, 2),
            "fake_draws": draw(uniform, num_draws, 3),
            "generator_draws": draw(uniform, num_draws, 4),
        }

    def _part(self, batch, step):
        """Returns every n-th row of the batch, from row `step` on; never none."""
        if self.discriminator_steps == 1:
            return batch
        size = tf.shape(batch["real"])[0]
        count = -(-size // self.discriminator_steps)
        rows = (step + self.discriminator_steps * tf.range(count)) % size
        return {
            name: None if value is None else tf.gather(value, rows)
            for name, value in batch.items()
        }

    def _fake(self, batch, training):
        return self._run(self.generator, batch["latents"], batch["labels"], training)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        latents, labels = inputs if self.num_classes is not None else (inputs, None)
        return self.generate(latents, labels, training)

    def sample(self, num_samples, seed=None, labels=None):
        """Returns images `(num_samples, height, width, channels)` in `[0, 1]`.

        Args:
            num_samples: Integer.
            seed: Integer for repeatable samples; `None` draws new ones.
            labels: Integers `(num_samples,)` if the model is conditional; `None` goes
                through the classes in turn.
        """
        return self.generate(*self._sample_inputs(num_samples, seed, labels))

    def signatures(self):
        """Returns the endpoints: `generate`, `sample` and `discriminate`."""

        def generate(latents, labels=None):
            return {"images": self.generate(latents, labels)}

        def sample(seeds, labels=None):
            latents = self._draw_from_seeds(standard_normal, seeds, (self.latent_dim,))
            return {"images": self.generate(latents, labels)}

        def discriminate(images, labels=None):
            return {"logits": self.discriminate(images, labels)}

        return {
            "generate": self._endpoint(generate, "latents"),
            "sample": self._endpoint(sample, "seeds"),
            "discriminate": self._endpoint(discriminate, "images"),
        }

    @property
    def _penalty_weight(self):
        if self.gradient_penalty is None or self.penalty_weight is not None:
            return self.penalty_weight or 0.0
        return GRADIENT_PENALTIES[self.gradient_penalty].weight

    @property
    def _num_uniform(self):
        # DRAGAN perturbs every pixel, WGAN-GP weighs whole images.
        per_pixel = self.gradient_penalty == "dragan"
        return math.prod(self.image_shape) if per_pixel else 1

    def _replica_stddev(self, values):
        """Standard deviation of all values of the global batch."""
        moments = tf.stack([tf.reduce_mean(values), tf.reduce_mean(values**2)])
        moments = replicas.global_sum(replicas.weigh(moments, tf.shape(values)[0]))
        return tf.sqrt(tf.maximum(moments[1] - moments[0] ** 2, 0.0))

    def _check_arguments(self):
        check_choice("loss", self.loss, tuple(ADVERSARIAL_LOSSES))
        penalties = (None, *GRADIENT_PENALTIES)
        check_choice("gradient_penalty", self.gradient_penalty, penalties)
        if tuple(self.generator.output_shape[1:]) != self.image_shape:
            raise ValueError(
                "`generator` must return images shaped like those that `discriminator` "
                f"takes. Received: {self.generator.output_shape[1:]} and "
                f"{self.image_shape}"
            )
        self._check_label_inputs(self.generator, self.discriminator)
        if self.gradient_penalty is not None and mixes_images(self.discriminator):
            raise ValueError(
                f"gradient_penalty={self.gradient_penalty!r} is of each image alone, "
                "and the discriminator's batch normalisation mixes them. Use layer "
                "normalisation or none in it."
            )
        if self.ema_decay is not None and not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(
                f"`ema_decay` must be in [0, 1). Received: {self.ema_decay}"
            )
        if self.discriminator_steps < 1 or self.penalty_interval < 1:
            raise ValueError(
                "`discriminator_steps` and `penalty_interval` must be at least 1. "
                f"Received: {self.discriminator_steps}, {self.penalty_interval}"
            )
