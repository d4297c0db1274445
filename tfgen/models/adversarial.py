"""What models of generators against discriminators share: two optimizers, one step."""

import keras
import tensorflow as tf

from tfgen._compat import flatten_layers
from tfgen.models.base import GenerativeModel, check_objective_is_own, resolve_jit


class AdversarialModel(GenerativeModel):
    """Base of the models with a `generator_optimizer` and a `discriminator_optimizer`.

    Keras wraps, builds, saves and restores only `model.optimizer`; this class does it
    for the two. A model defines `generator_variables`, `discriminator_variables`, and
    the terms of each: `discriminator_terms(batch, fake, training)`, which hold a
    `discriminator_loss`, and `generator_terms`, which hold a `generator_loss`.
    """

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
        check_objective_is_own(self, kwargs)
        jit_compile = resolve_jit(jit_compile)
        super(GenerativeModel, self).compile(
            optimizer=None, jit_compile=jit_compile, **kwargs
        )
        self.generator_optimizer = self._prepare(
            generator_optimizer, self.generator_variables
        )
        self.discriminator_optimizer = self._prepare(
            discriminator_optimizer, self.discriminator_variables
        )

    def get_compile_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(self.generator_optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def _prepare(self, optimizer, variables):
        optimizer = keras.optimizers.get(optimizer)
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.compute_dtype == "float16" and not is_scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)  # or its slots are not restored
        return optimizer

    # ---- Steps ----------------------------------------------------------------------

    def _alternating_step(self, batch):
        """Takes a step of the discriminator, then one of the generator; returns terms.

        The generator runs once (`_fake(batch, training)`): it is judged by the images
        that the discriminator just saw, under the discriminator's new weights.
        """
        with tf.GradientTape() as tape:
            fake = self._fake(batch, training=True)
            with tape.stop_recording():
                terms = self._discriminator_step(batch, fake)
            terms |= self.generator_terms(batch, fake, training=True)
            scaled_loss = self._scale_loss(
                terms["generator_loss"], self.generator_optimizer, fake
            )
        self._minimize(
            tape, scaled_loss, self.generator_optimizer, self.generator_variables
        )
        return terms

    def _discriminator_step(self, batch, fake):
        images = tf.nest.flatten(fake)[0]
        with tf.GradientTape() as tape:
            terms = self.discriminator_terms(batch, fake, training=True)
            scaled_loss = self._scale_loss(
                terms["discriminator_loss"], self.discriminator_optimizer, images
            )
        optimizer = self.discriminator_optimizer
        self._minimize(tape, scaled_loss, optimizer, self.discriminator_variables)
        return terms

    def _minimize(self, tape, loss, optimizer, variables):
        """Takes a step down `loss`, which `tape` recorded and `_scale_loss` scaled."""
        optimizer.apply(tape.gradient(loss, variables), variables)

    def _run_both(self, network, one, other, labels, training):
        """Returns a network's outputs for two batches: of one call where they agree."""
        if mixes_images(network):
            outputs = self._run(network, one, labels, training)
            return outputs, self._run(network, other, labels, training)
        if labels is not None:
            labels = tf.concat([labels, labels], axis=0)
        both = tf.concat([one, other], axis=0)
        return tf.split(self._run(network, both, labels, training), 2)


def mixes_images(network):
    """Returns whether batch normalisation makes an output depend on other images."""
    layers = flatten_layers(network)
    return any(isinstance(x, keras.layers.BatchNormalization) for x in layers)
