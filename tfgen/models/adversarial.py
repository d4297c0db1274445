"""What models of generators against discriminators share: two optimizers, one step."""

import keras
import tensorflow as tf

from tfgen._compat import flatten_layers
from tfgen.models import checks
from tfgen.models.averages import AveragingMixin
from tfgen.models.base import GenerativeModel
from tfgen.models.steps import descent, resolve_jit


class AdversarialModel(AveragingMixin, GenerativeModel):
    """Base of the models with a `generator_optimizer` and a `discriminator_optimizer`.

    Keras wraps, builds, saves and restores only `model.optimizer`; this class does it
    for the two. A model defines

    - `_batch(*inputs, training)`: what a step needs of the data, with its draws,
    - `_fake(batch, training)`: what its generators make of that,
    - `discriminator_terms(batch, fake, training)`, with a `discriminator_loss`, and
      `generator_terms`, with a `generator_loss`.
    """

    generators = ("generator",)  # attributes that `generator_optimizer` trains
    discriminators = ("discriminator",)

    @property
    def generator_variables(self):
        """Trainable variables of the generators."""
        return self._variables_of(self.generators)

    @property
    def discriminator_variables(self):
        """Trainable variables of the discriminators."""
        return self._variables_of(self.discriminators)

    def _variables_of(self, names):
        return [v for name in names for v in getattr(self, name).trainable_variables]

    def compile(
        self,
        generator_optimizer="adam",
        discriminator_optimizer="adam",
        jit_compile="auto",
        **kwargs,
    ):
        """Sets the optimizers; the other arguments are those of `keras.Model.compile`.

        The model computes its own objective, so `loss` and `metrics` are refused.
        `jit_compile="auto"` uses XLA where there is a GPU.
        """
        checks.objective_is_own(self, kwargs)
        checks.of_keras_3(generator_optimizer, discriminator_optimizer)
        checks.two_optimizers(
            self, generator_optimizer, discriminator_optimizer, kwargs
        )
        self._jit_argument = jit_compile
        super(GenerativeModel, self).compile(
            optimizer=None, jit_compile=resolve_jit(jit_compile), **kwargs
        )
        self.generator_optimizer = self._prepare(
            generator_optimizer, self.generator_variables
        )
        self.discriminator_optimizer = self._prepare(
            discriminator_optimizer, self.discriminator_variables
        )
        self.optimizer = LearningRates(
            self.generator_optimizer, self.discriminator_optimizer
        )

    def get_compile_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(self.generator_optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "jit_compile": self._jit_argument,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def _prepare(self, optimizer, variables):
        optimizer = keras.optimizers.get(optimizer)
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.compute_dtype == "float16" and not is_scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)  # or its slots are not restored
        return optimizer

    # ---- Steps ----------------------------------------------------------------------

    def compute_terms(self, *inputs, training):
        """Returns the scalars named in `metrics`, without a step."""
        batch = self._batch(*inputs, training=training)
        fake = self._fake(batch, training)
        terms = self.discriminator_terms(batch, fake, training)
        terms |= self.generator_terms(batch, fake, training)
        return {metric.name: terms[metric.name] for metric in self.metrics}

    def _alternating_step(self, batch, images):
        """Takes a step of the discriminator, then one of the generator; returns terms.

        The generator runs once (`_fake(batch, training)`): it is judged by the images
        that the discriminator just saw, under the discriminator's new weights.
        """
        with self._generator_step(images) as step:
            fake = self._fake(batch, training=True)
            with step.paused():
                terms = self._discriminator_step(batch, fake, images)
            terms |= self.generator_terms(batch, fake, training=True)
            step.minimize(terms["generator_loss"])
        self._update_averages()
        return terms

    def _generator_step(self, images):
        return descent(self.generator_optimizer, self.generator_variables, images)

    def _discriminator_step(self, batch, fake, images):
        optimizer = self.discriminator_optimizer
        with descent(optimizer, self.discriminator_variables, images) as step:
            terms = self.discriminator_terms(batch, fake, training=True)
            step.minimize(terms["discriminator_loss"])
        return terms

    def _run_both(self, network, one, other, labels=None, *, training):
        """Returns a network's outputs for two batches: of one call where they agree."""
        if mixes_images(network):
            outputs = self._run(network, one, labels, training=training)
            return outputs, self._run(network, other, labels, training=training)
        if labels is not None:
            labels = tf.concat([labels, labels], axis=0)
        both = tf.concat([one, other], axis=0)
        outputs = self._run(network, both, labels, training=training)
        halves = zip(*(tf.split(x, 2) for x in tf.nest.flatten(outputs)), strict=True)
        return [tf.nest.pack_sequence_as(outputs, half) for half in halves]


class LearningRates:
    """Both learning rates as one, for Keras's callbacks, which know `model.optimizer`.

    Its rate is the generator's. Set, the discriminator's changes by the same factor.
    """

    built = True  # both are, by `compile`

    def __init__(self, generator_optimizer, discriminator_optimizer):
        self._optimizers = (generator_optimizer, discriminator_optimizer)

    @property
    def variables(self):
        """Variables of both optimizers, which `summary` counts."""
        return [v for optimizer in self._optimizers for v in optimizer.variables]

    @property
    def learning_rate(self):
        return self._optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        old = [float(optimizer.learning_rate) for optimizer in self._optimizers]
        ratio = old[1] / old[0] if old[0] else 1.0
        self._optimizers[0].learning_rate = value
        self._optimizers[1].learning_rate = ratio * value


def mixes_images(network):
    """Returns whether batch normalisation makes an output depend on other images."""
    layers = flatten_layers(network)
    return any(isinstance(x, keras.layers.BatchNormalization) for x in layers)
