"""What every generative model shares: bookkeeping, no maths."""

import inspect

import keras
import numpy as np
import tensorflow as tf

from tfgen import _compat
from tfgen.models import replicas


@_compat.without_symbolic_build
class GenerativeModel(keras.Model):
    """Base of the models: random state, trackers, one optimizer's steps, config, specs.

    A model takes its networks as arguments and keeps each argument as the attribute of
    the same name. It sets `term_names`, and defines `compute_terms(images, labels,
    training)`: a dict of those scalars, of which `loss` is minimised; and
    `signatures()`: the served endpoints, name -> `tf.function` with named specs.

    Args:
        seed: Integer seed of every draw the model makes; `None` picks one.
        num_classes: Number of classes of a model that is conditional on a label.
        kwargs: Those of `keras.Model`, such as `name` and `dtype`.
    """

    term_names = ("loss",)

    def __init__(self, seed=None, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.num_classes = num_classes
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.trackers = [keras.metrics.Mean(name=name) for name in self.term_names]

    # ---- Training -----------------------------------------------------------------

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """Sets the optimizer; the other arguments are those of `keras.Model.compile`.

        The model computes its own objective, so `loss` and `metrics` are refused.
        `jit_compile="auto"` uses XLA where there is a GPU, but not with
        `tf.config.experimental.enable_op_determinism()`, which XLA doesn't keep. On
        CPUs it slows convolutions down; networks of dense layers are faster with
        `jit_compile=True`.
        """
        check_objective_is_own(self, kwargs)
        jit_compile = resolve_jit(jit_compile)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.optimizer.build(self.trainable_variables)  # or its slots are not restored

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, data):
        images, labels = self._unpack(data)
        with tf.GradientTape() as tape:
            terms = self.compute_terms(images, labels, training=True)
            scaled_loss = self._scale_loss(terms["loss"], self.optimizer, images)
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._track(terms, images)

    def test_step(self, data):
        images, labels = self._unpack(data)
        return self._track(self.compute_terms(images, labels, training=False), images)

    def predict_step(self, data):
        images, labels = self._unpack(data)
        return self(images if labels is None else (images, labels), training=False)

    @property
    def metrics(self):
        return self.trackers

    def _unpack(self, data):
        """Returns images and, for a conditional model, int32 labels (else `None`)."""
        images, labels = self._unpack_pair(data)
        if isinstance(images, (tuple, list)):
            images, labels = images
        if self.num_classes is None:
            return images, None
        if labels is None:
            raise ValueError(
                f"This {type(self).__name__} has num_classes={self.num_classes}: it "
                "needs data of (images, labels). Received images alone."
            )
        return images, tf.cast(labels, tf.int32)

    def _unpack_pair(self, data):
        """Returns what `fit` was given for x and y, the second one `None` if absent."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError(
                f"{type(self).__name__} takes no sample weights. Received data of "
                "three parts, weights the last: repeat or resample the images instead."
            )
        return x, y

    def _track(self, terms, images):
        # Weighted by the batch, so that a ragged last one counts for what it holds.
        batch_size = tf.shape(images)[0]
        for tracker in self.trackers:
            # A replica may get none of the last batch; the mean of none is NaN.
            term = tf.where(batch_size > 0, terms[tracker.name], 0.0)
            tracker.update_state(term, sample_weight=batch_size)
        logs = self.get_metrics_result()
        if _compat.in_multi_worker_mode(tf.distribute.get_strategy()):
            # Keras takes the mean of them over axis 0 there, which scalars lack.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    def _scale_loss(self, loss, optimizer, images):
        # Keras optimizers sum gradients over replicas; float16 needs a larger loss.
        return optimizer.scale_loss(replicas.weigh(loss, tf.shape(images)[0]))

    # ---- Random draws -------------------------------------------------------------

    def _step_seed(self, training):
        """Seed `(2,)` of a step: the next one, or in evaluation a repeatable one."""
        if training:
            return self.seed_generator.next()
        # Evaluating twice gives the same figure, and training goes on as without it.
        count = replicas.global_sum(self.trackers[0].count)
        count = tf.cast(count, tf.int64)
        first, _ = tf.unstack(tf.cast(self.seed_generator.state.value, tf.int64))
        return tf.stack([first, -1 - count])  # training counts up from 0

    @staticmethod
    def _replica_draw(draw, batch_size, event_shape, seed):
        """This replica's rows `(batch_size, *event_shape)` of the global batch's draw.

        Every replica draws for the global batch and keeps its part, so that N replicas
        take the step that one takes. `draw` is `standard_normal` or `uniform`.
        """
        if replicas.num_replicas() == 1:
            return draw((batch_size, *event_shape), seed)
        start, total = replicas.global_rows(batch_size)
        return draw((total, *event_shape), seed)[start : start + batch_size]

    @staticmethod
    def _draw_from_seeds(draw, seeds, event_shape):
        """Noise `(batch, *event_shape)`: one `draw`, as in `_replica_draw`, a seed."""
        return tf.map_fn(
            lambda seed: draw(event_shape, tf.stack([seed, 0])),
            seeds,
            fn_output_signature=tf.float32,
        )

    def _sample_inputs(self, num_samples, seed, labels):
        """Returns the latents and labels of `sample`; see there."""
        if self.num_classes is not None and labels is None:
            labels = tf.range(num_samples) % self.num_classes
        if labels is not None:
            self._check_labels(np.asarray(labels))
        seed = self.seed_generator.next() if seed is None else (seed, 0)
        return standard_normal((num_samples, self.latent_dim), seed), labels

    def _check_labels(self, labels):
        # A one-hot code of a label that is out of range would be zeros, silently.
        num_classes = self.num_classes or 0
        if labels.min() < 0 or labels.max() >= num_classes:
            raise ValueError(
                f"`labels` must be in [0, num_classes={self.num_classes}). Received: "
                f"{labels.min()} to {labels.max()}"
            )

    # ---- Networks -----------------------------------------------------------------

    def _run(self, network, inputs, labels, training):
        """Returns a network's outputs in float32; labels go in if there are classes."""
        if self.num_classes is not None:
            inputs = [tf.convert_to_tensor(inputs), tf.convert_to_tensor(labels)]
        return tf.cast(network(inputs, training=training), tf.float32)

    def _check_label_inputs(self, *networks):
        num_inputs = 1 if self.num_classes is None else 2
        for network in networks:
            if len(network.inputs) != num_inputs:
                raise ValueError(
                    f"`{network.name}` must take {num_inputs} input(s) with "
                    f"num_classes={self.num_classes}. Received: {len(network.inputs)}"
                )

    # ---- Saving -------------------------------------------------------------------

    @property
    def random_states(self):
        """States of all seed generators, dropout's included: Keras saves none."""
        weights = {id(weight) for weight in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(self.random_states):
            store[f"random_state_{index}"] = state

    def load_own_variables(self, store):
        names = list(store.keys())
        own = [name for name in names if not name.startswith("random_state_")]
        super().load_own_variables({name: store[name] for name in own})
        for index, state in enumerate(self.random_states):
            state.assign(store[f"random_state_{index}"])

    def get_config(self):
        config = super().get_config()
        for name in self.argument_names():
            value = getattr(self, name)
            is_network = isinstance(value, keras.Model)
            serialize = keras.saving.serialize_keras_object
            config[name] = serialize(value) if is_network else value
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[name] = keras.saving.deserialize_keras_object(value)
        return cls(**config)

    @classmethod
    def argument_names(cls):
        """Names of the constructor's arguments: attributes and config keys too."""
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]

    # ---- Serving ------------------------------------------------------------------

    def _endpoint(self, function, *names):
        """Serves `function(*inputs[, labels])`, with labels if the model has classes.

        Args:
            function: Returns a dict of named tensors.
            names: What its inputs are: `"images"`, `"latents"`, `"noise"`, `"seeds"`.
        """
        if self.num_classes is not None:
            names = (*names, "labels")
        specs = [self._served_spec(name) for name in names]
        return tf.function(function, input_signature=specs)

    def _served_spec(self, name):
        if name in ("seeds", "labels"):
            return tf.TensorSpec(
                (None,), tf.int64 if name == "seeds" else tf.int32, name
            )
        if name == "images":
            return tf.TensorSpec((None, *self.image_shape), tf.float32, name)
        size = self.latent_dim if name == "latents" else self.noise_dim
        return tf.TensorSpec((None, size), tf.float32, name)


def check_objective_is_own(model, arguments):
    """Raises a `ValueError` if `compile` was given a loss that nothing would use."""
    refused = ("loss", "loss_weights", "metrics", "weighted_metrics")
    if any(arguments.get(name) is not None for name in refused):
        raise ValueError(
            f"{type(model).__name__} computes its own objective: call `compile` "
            f"without {', '.join(refused)}. It reports {model.term_names}."
        )


def resolve_jit(jit_compile):
    """Returns whether to use XLA: for `"auto"`, where there is one GPU's program."""
    if jit_compile == "auto":
        has_gpu = bool(tf.config.list_physical_devices("GPU"))
        is_free = not (
            tf.distribute.has_strategy() or _compat.is_op_determinism_enabled()
        )
        return has_gpu and is_free
    return jit_compile


def uniform(shape, seed):
    """Uniform draws in (0, 1): the same on every device, with XLA or without.

    TensorFlow's own draws of floats differ under XLA; its Philox bits do not.

    Args:
        shape: Integers, or scalar tensors.
        seed: Integer tensor or pair `(2,)`.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    top = tf.cast(tf.bitwise.right_shift(bits, tf.constant(9, tf.uint32)), tf.int32)
    return (tf.cast(top, tf.float32) + 0.5) * 2.0**-23  # exact, and never 0 or 1


def standard_normal(shape, seed):
    """Standard normal draws, by the inverse of their distribution; see `uniform`."""
    return tf.math.ndtri(uniform(shape, seed))


def symbolic_inputs(network):
    """Returns fresh `keras.Input`s shaped like those of a built network."""
    inputs = [keras.Input(batch_shape=i.shape, dtype=i.dtype) for i in network.inputs]
    return inputs[0] if len(inputs) == 1 else tuple(inputs)


def check_choice(name, value, choices):
    """Raises a `ValueError` that lists the choices if `value` is not one of them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {value!r}")
