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

import keras
import tensorflow as tf

from tfgen import augmentation, losses
from tfgen.losses import (
    ADVERSARIAL_LOSSES,
    GRADIENT_PENALTIES,
    AdversarialLoss,
    GradientPenalty,
    gradient_norms_squared,
)
from tfgen.models import checks, draws, replicas
from tfgen.models.adversarial import AdversarialModel, mixes_images
from tfgen.models.base import image_spec, symbolic_inputs, vector_spec
from tfgen.models.draws import standard_normal, uniform
from tfgen.models.endpoints import endpoint


@keras.saving.register_keras_serializable(package="tfgen")
class GAN(AdversarialModel):
    """Generative adversarial network.

    Args:
        generator: Built `keras.Model` from latents `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in `[-1, 1]`.
        discriminator: Built `keras.Model` from such images to logits `(batch, ...)`.
        loss: A name in `losses.ADVERSARIAL_LOSSES`: `"minimax"`, `"non_saturating"`,
            `"least_squares"`, `"hinge"` or `"wasserstein"`; or a
            `losses.AdversarialLoss`.
        gradient_penalty: A name in `losses.GRADIENT_PENALTIES`: `"wgan_gp"`, `"r1"` or
            `"dragan"`; or a `losses.GradientPenalty`; `None` for none.
        penalty_weight: Float; `None` is the penalty's own, of its paper.
        penalty_interval: Integer, discriminator steps from one penalty, weighted by
            the interval, to the next.
        discriminator_steps: Integer, steps of the discriminator for each of the
            generator; they share the batch.
        ema_decay: Float in [0, 1), of the moving average of the generator's weights,
            which `sample` and the served endpoints then use; `None` for none.
        augment: Names out of `"color,translation,cutout"`, differentiable augmentations
            for small data; or `augmentation.Augmentation` objects; `None` for none.
        num_classes: Integer for a model that is conditional on a label: both networks
            then take `[inputs, labels]`, with int32 labels `(batch,)`.
        seed: Integer seed of the model's draws.

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
        self.ema_decay = ema_decay
        self.augment = augment
        self._loss = losses.get("loss", loss, ADVERSARIAL_LOSSES, AdversarialLoss)
        self._penalty = losses.get(
            "gradient_penalty", gradient_penalty, GRADIENT_PENALTIES, GradientPenalty
        )
        self._augmentations = augmentation.get(augment)
        self.latent_dim = generator.inputs[0].shape[-1]
        self.image_shape = tuple(discriminator.inputs[0].shape[1:])
        self.input_specs["images"] = image_spec(self.image_shape)
        self.input_specs["latents"] = vector_spec(self.latent_dim, "latents")
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

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's terms, of images in `[-1, 1]`."""
        real_logits, fake_logits = self._run_both(
            self.discriminator,
            self._augmented(batch["real"], batch["real_draws"]),
            self._augmented(fake, batch["fake_draws"]),
            batch["labels"],
            training=training,
        )
        penalty = self._penalise(batch, fake, training)
        boundary = self._loss.boundary
        right = (real_logits > boundary, fake_logits < boundary)
        accuracy = tf.reduce_mean(tf.cast(tf.stack(right), tf.float32))
        return {
            "discriminator_loss": self._loss.discriminator(real_logits, fake_logits)
            + self._penalty_weight * penalty,
            "real_logits": tf.reduce_mean(real_logits),
            "fake_logits": tf.reduce_mean(fake_logits),
            "discriminator_accuracy": accuracy,
            "gradient_penalty": penalty,
        }

    def generator_terms(self, batch, fake, training):
        """Returns the generator's term."""
        fake = self._augmented(fake, batch["generator_draws"])
        logits = self._judge(fake, batch, training)
        return {"generator_loss": self._loss.generator(logits)}

    def compute_terms(self, images, labels=None, *, training):
        """Returns the scalars named in `metrics`, without a step."""
        batch = self._draw(images, labels, training)
        fake = self._fake(batch, training)
        terms = self.discriminator_terms(batch, fake, training)
        return terms | self.generator_terms(batch, fake, training)

    def _judge(self, images, batch, training):
        labels = batch["labels"]
        return self._run(self.discriminator, images, labels, training=training)

    def _augmented(self, images, uniform_draws):
        return augmentation.diff_augment(images, self._augmentations, uniform_draws)

    def _penalise(self, batch, fake, training):
        """Returns the gradient penalty: 0 at steps that have none."""
        penalty, interval = self._penalty, self.penalty_interval
        if penalty is None:
            return tf.constant(0.0)
        # Out of the condition below, where replicas can't meet.
        stddev = _stddev(batch["real"]) if penalty.needs_stddev else None

        def compute():
            points = penalty.points(batch["real"], fake, batch["uniform"], stddev)
            squares = gradient_norms_squared(
                lambda images: self._judge(images, batch, training), points
            )
            return interval * penalty.charge(squares)

        if not training or interval == 1:
            return compute() / (1 if training else interval)
        # No variable, but a quotient, of an optimizer that accumulates gradients.
        step = tf.convert_to_tensor(self.discriminator_optimizer.iterations)
        return tf.cond(tf.cast(step, tf.int32) % interval == 0, compute, lambda: 0.0)

    @property
    def _penalty_weight(self):
        if self._penalty is None:
            return 0.0
        weight = self.penalty_weight
        return self._penalty.weight if weight is None else weight

    # ---- Training -------------------------------------------------------------------

    def train_step(self, data):
        inputs = self._unpack(data)
        batch = self._draw(*inputs, training=True)
        parts = [self._part(batch, step) for step in range(self.discriminator_steps)]
        for part in parts[:-1]:
            fake = self._fake(part, training=True)
            self._discriminator_step(part, fake, part["real"])
        terms = self._alternating_step(parts[-1], parts[-1]["real"])
        self._update_average()
        return self._track(terms, inputs[0])

    def _update_average(self):
        if self.ema_decay is None:
            return
        averages, weights = self.ema_generator.weights, self.generator.weights
        for average, weight in zip(averages, weights, strict=True):
            # Batch statistics are averages already.
            share = 1.0 - self.ema_decay if weight.trainable else 1.0
            average.assign_add(share * (weight - average))

    def _draw(self, images, labels=None, training=True):
        """Returns the batch with all its draws: a dict of tensors `(batch, ...)`."""
        size = tf.shape(images)[0]
        seeds = tf.unstack(tf.random.split(self._step_seed(training), 5))
        per_image = self._penalty.num_draws(self.image_shape) if self._penalty else 1
        num_draws = (augmentation.count_draws(self._augmentations),)
        batch = {"real": 2.0 * tf.cast(images, tf.float32) - 1.0, "labels": labels}
        for (name, draw, shape), seed in zip(
            (
                ("latents", standard_normal, (self.latent_dim,)),
                ("uniform", uniform, (per_image,)),
                ("real_draws", uniform, num_draws),
                ("fake_draws", uniform, num_draws),
                ("generator_draws", uniform, num_draws),
            ),
            seeds,
            strict=True,
        ):
            batch[name] = draws.of_batch(draw, size, shape, seed)
        return batch

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
        latents, labels = batch["latents"], batch["labels"]
        return self._run(self.generator, latents, labels, training=training)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        latents, labels = inputs if self.num_classes is not None else (inputs, None)
        averaged = self.ema_decay is not None and not training
        generator = self.ema_generator if averaged else self.generator
        images = self._run(generator, latents, labels, training=training)
        return tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0)

    @endpoint("latents", "labels", returns="images")
    def generate(self, latents, labels=None):
        """Returns images in `[0, 1]`: of the moving average if there is one."""
        return self(latents if labels is None else (latents, labels))

    @endpoint("seeds", "labels", returns="images", name="sample")
    def sample_of_seeds(self, seeds, labels=None):
        """Returns an image for each seed, int64 `(batch,)`."""
        latents = draws.of_seeds(standard_normal, seeds, (self.latent_dim,))
        return self.generate(latents, labels)

    @endpoint("images", "labels", returns="logits")
    def discriminate(self, images, labels=None):
        """Returns logits `(batch, ...)` of images in `[0, 1]`."""
        return self._run(self.discriminator, 2.0 * images - 1.0, labels)

    def sample(self, num_samples, seed=None, labels=None):
        """Returns images `(num_samples, height, width, channels)` in `[0, 1]`.

        Args:
            num_samples: Integer.
            seed: Integer for repeatable samples; `None` draws new ones.
            labels: Integers `(num_samples,)` if the model is conditional; `None` goes
                through the classes in turn.
        """
        return self.generate(*self._sample_inputs(num_samples, seed, labels))

    def _check_arguments(self):
        checks.networks(self, self.generator, self.discriminator)
        checks.same_shape(
            "generator", self.generator, "discriminator", self.image_shape
        )
        if self._penalty is not None and mixes_images(self.discriminator):
            raise ValueError(
                f"gradient_penalty={self.gradient_penalty!r} is of each image alone, "
                "and the discriminator's batch normalisation mixes them. Use layer "
                "normalisation or none in it."
            )
        if self.ema_decay is not None and not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(
                f"`ema_decay` must be in [0, 1). Received: {self.ema_decay}"
            )
        checks.at_least(1, discriminator_steps=self.discriminator_steps)
        checks.at_least(1, penalty_interval=self.penalty_interval)
        checks.at_least(0, penalty_weight=self._penalty_weight)


def _stddev(values):
    """Standard deviation of all values of the global batch."""
    moments = tf.stack([tf.reduce_mean(values), tf.reduce_mean(values**2)])
    moments = replicas.global_sum(replicas.weigh(moments, tf.shape(values)[0]))
    return tf.sqrt(tf.maximum(moments[1] - moments[0] ** 2, 0.0))
