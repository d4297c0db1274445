"""What every generative model shares: bookkeeping, no maths."""

import inspect
from typing import ClassVar

import keras
import tensorflow as tf

from tfgen import _compat, replicas
from tfgen.models import checks, endpoints, first_batch
from tfgen.models.options import required_of
from tfgen.models.steps import descent, resolve_jit


@_compat.without_symbolic_build
class GenerativeModel(first_batch.FirstBatchMixin, keras.Model):
    """Base of the models: one optimizer's steps, random state, trackers, saving.

    A model takes its networks as arguments and keeps each argument as the attribute of
    the same name. It sets `term_names` and `input_specs`, name -> `tf.TensorSpec` of
    what its endpoints and `fit` take, marks its endpoints (endpoints.py), and defines
    `compute_terms(images[, labels], training)`: a dict of the scalars in `term_names`,
    of which `loss` is minimised.

    Args:
        num_classes: Number of classes of a model that is conditional on a label.
        seed: Integer seed of every draw the model makes; `None` picks one.
        kwargs: Those of `keras.Model`, such as `name` and `dtype`.
    """

    term_names = ("loss",)
    data_keys = ("images", "labels")  # of `input_specs`: what `fit` takes
    call_keys = ("images", "labels")  # and `predict`
    # Constructor's argument -> attribute, where the names differ.
    attribute_of: ClassVar[dict[str, str]] = {}

    def __init__(self, *, num_classes=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.trackers = [keras.metrics.Mean(name=name) for name in self.term_names]
        self.input_specs = {"seeds": tf.TensorSpec((None,), tf.int64, "seeds")}
        self.index_limits = {}  # what integers that index must be below, by input
        if num_classes is not None:
            self.input_specs["labels"] = tf.TensorSpec((None,), tf.int32, "labels")
            self.index_limits["labels"] = num_classes

    @classmethod
    def from_preset(cls, preset, load_weights=True, **overrides):
        """Returns the compiled model of a preset.

        Args:
            preset: A name in `tfgen.list_presets()`.
            load_weights: Whether it is trained: `tfgen.list_presets(trained=True)`.
            overrides: Arguments of the preset, without its weights.

        Raises:
            ValueError: There is no such preset, it is of another class, or it has no
                weights.
        """
        import tfgen  # presets build models: only the public name leads there

        return tfgen.presets.from_preset(cls, preset, load_weights, **overrides)

    def _set_latents_and_images(self, network_of_latents, network_of_images):
        """Takes `latent_dim` and `image_shape` from what two networks take."""
        self.latent_dim = network_of_latents.inputs[0].shape[-1]
        self.image_shape = tuple(network_of_images.inputs[0].shape[1:])
        self._add_inputs(images=self.image_shape, latents=(self.latent_dim,))

    def _add_inputs(self, **shapes):
        """Adds float32 `(batch, *shape)` to `input_specs` by name."""
        for name, shape in shapes.items():
            self.input_specs[name] = tf.TensorSpec((None, *shape), tf.float32, name)

    def _add_scalar(self, name):
        """Returns a new scalar weight that no optimizer trains: 0 at first."""
        # Of float32, also in mixed precision, which would round it.
        options = {"dtype": "float32", "autocast": False, "trainable": False}
        return self.add_weight(shape=(), initializer="zeros", name=name, **options)

    def _add_term(self, name):
        """Adds a scalar to `term_names`, of this model alone."""
        self.term_names = (*self.term_names, name)
        self.trackers.append(keras.metrics.Mean(name=name))

    def _build_for(self, network):
        """Calls the model on what a network takes; saving and export need it built."""
        inputs = [
            keras.Input(batch_shape=i.shape, dtype=i.dtype)
            for i in required_of(network)
        ]
        self(inputs[0] if len(inputs) == 1 else tuple(inputs))

    # ---- Training -----------------------------------------------------------------

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """Sets the optimizer; the other arguments are those of `keras.Model.compile`.

        The model computes its own objective, so `loss` and `metrics` are refused.
        `jit_compile="auto"` uses XLA where there is a GPU, but not with
        `tf.config.experimental.enable_op_determinism()`, which XLA doesn't keep. On
        CPUs it slows convolutions down; networks of dense layers are faster with
        `jit_compile=True`.
        """
        checks.objective_is_own(self, kwargs)
        checks.of_keras_3(optimizer)
        self._jit_argument = jit_compile
        jit_compile = resolve_jit(jit_compile)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.optimizer.build(self.trainable_variables)  # or its slots are not restored

    def get_compile_config(self):
        config = super().get_compile_config()
        return {**config, "jit_compile": self._jit_argument} if config else config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, data):
        inputs = self._unpack(data)
        with descent(self.optimizer, self.trainable_variables, inputs[0]) as step:
            terms = self.compute_terms(*inputs, training=True)
            step.minimize(terms["loss"])
        return self._track(terms, inputs[0])

    def test_step(self, data):
        inputs = self._unpack(data)
        return self._track(self.compute_terms(*inputs, training=False), inputs[0])

    def predict_step(self, data):
        inputs = self._unpack(data, self.call_keys)
        return self(inputs if len(inputs) > 1 else inputs[0], training=False)

    @property
    def metrics(self):
        return self.trackers

    def _unpack(self, data, keys=None):
        """Returns the inputs of `compute_terms`: images, and labels or targets."""
        keys = [k for k in keys or self.data_keys if k in self.input_specs]
        x, y = checks.unpack(self, data)
        if len(keys) > 1 and y is None:
            raise ValueError(
                f"This {type(self).__name__} needs data of ({', '.join(keys)}). "
                f"Received {keys[0]} alone."
            )
        values = zip(keys, (x, y), strict=False)
        return tuple(checks.as_input(self, key, value) for key, value in values)

    def _track(self, terms, images):
        # Weighted by the batch, so that a ragged last one counts for what it holds.
        batch_size = tf.shape(images)[0]
        for tracker in self.metrics:
            # A replica may get none of the last batch; the mean of none is NaN.
            term = tf.where(batch_size > 0, terms[tracker.name], 0.0)
            tracker.update_state(term, sample_weight=batch_size)
        logs = self.get_metrics_result()
        if _compat.in_multi_worker_mode(tf.distribute.get_strategy()):
            # Keras takes the mean of them over axis 0 there, which scalars lack.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    # ---- Draws and networks -------------------------------------------------------

    def _step_seed(self, training):
        """Seed `(2,)` of a step: the next one, or in evaluation a repeatable one."""
        if training:
            return self.seed_generator.next()
        # Evaluating twice gives the same figure, and training goes on as without it.
        count = replicas.global_sum(self.trackers[0].count)
        count = tf.cast(count, tf.int64)
        first, _ = tf.unstack(tf.cast(self.seed_generator.state.value, tf.int64))
        return tf.stack([first, -1 - count])  # training counts up from 0

    def _run(self, network, inputs, labels=None, *options, training=False):
        """Returns a network's outputs in float32; labels go in if there are classes.

        Args:
            options: What goes in besides, in order, or `None`s (options.py).
        """
        if self.num_classes is not None and len(required_of(network)) > 1:
            if labels is None:
                raise ValueError(f"This {type(self).__name__} needs labels too.")
            inputs = [tf.convert_to_tensor(inputs), tf.convert_to_tensor(labels)]
        if options:
            inputs = [*(inputs if isinstance(inputs, list) else [inputs]), *options]
        outputs = network(inputs, training=training)
        return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), outputs)

    # ---- Saving and serving -------------------------------------------------------

    def signatures(self):
        """Returns the endpoints: name -> `tf.function` with named specs."""
        return endpoints.signatures(self)

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
        serialize = keras.saving.serialize_keras_object
        names = [*inspect.signature(type(self).__init__).parameters][1:-1]
        values = {n: getattr(self, self.attribute_of.get(n, n)) for n in names}
        return super().get_config() | {n: serialize(v) for n, v in values.items()}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))
