"""What models of generators against discriminators share: two optimizers."""

import keras

from tfgen.models.base import GenerativeModel, check_objective_is_own, resolve_jit


class AdversarialModel(GenerativeModel):
    """Base of the models with a `generator_optimizer` and a `discriminator_optimizer`.

    Keras wraps, builds, saves and restores only `model.optimizer`; this class does it
    for the two. A model defines `generator_variables` and `discriminator_variables`.
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

    def _minimize(self, tape, loss, optimizer, variables):
        """Takes a step down `loss`, which `tape` recorded and `_scale_loss` scaled."""
        optimizer.apply(tape.gradient(loss, variables), variables)
