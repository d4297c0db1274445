"""What `tfgen train` chooses by measuring, and the line that says so.

Several steps in one execution give, to the bit, what as many single ones do
(tests/cli/test_speed.py): however busy the machine was when they were timed, the result
is the same. A precision changes the result. Both are chosen once, and a run's
config.json keeps them.
"""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

from tfgen.training.run import Config
from tfgen.training.strategy import least

AUTO = "auto"

_MOST_STEPS = 32  # of an execution: what starting one costs is then shared enough
_MOST_SECONDS = 0.25  # of an execution: Ctrl-C and the progress bar wait for its end
_LEAST_GAIN = 1.2  # below it, bfloat16's coarser numbers aren't worth it
_LONG_PRODUCTS = 1e10  # of a step: two cores with AVX2 take 0.1 s and more
_BFLOAT16_CAPABILITY = (8, 0)  # of NVIDIA's GPUs that compute in it
_PROBE_SECONDS = 1.0
_PROBE_ROUNDS = 9


def choose(
    config: Config,
    strategy: Any,
    make_model: Callable[[], Any],
    dataset: Any,
    detect_anomaly: bool = False,
) -> tuple[Any, str]:
    """Returns the model to train, and the line of what was chosen for it.

    Args:
        config: Of the run, in which `"auto"` is replaced.
        strategy: Of the run.
        make_model: Makes the model, under the precision in force.
        dataset: What it is trained on, of `tfgen.data`. It isn't read.
        detect_anomaly: Whether every operation will be checked.
    """
    import keras

    why_precision = _choose_precision(config, strategy, make_model)
    keras.config.set_dtype_policy(config.precision)
    with strategy.scope():
        model = make_model()
    why_steps = _choose_steps(config, model, dataset, detect_anomaly)
    steps = model.steps_per_execution = config.steps_per_execution
    chosen = (
        f"{config.precision}{why_precision}",
        f"{steps} step{'s' * (steps > 1)} an execution{why_steps}",
        f"{'XLA' if model.jit_compile else 'no XLA'} ({_device(config)})",
        f"data {'in memory' if dataset.in_memory else 'streamed'}",
    )
    return model, f"speed: {', '.join(chosen)}"


def _choose_precision(
    config: Config, strategy: Any, make_model: Callable[[], Any]
) -> str:
    if config.precision != AUTO:
        return ""
    import keras

    keras.config.set_dtype_policy("float32")
    own = bfloat16_gain(make_model(), config.batch_size)  # and the model is dropped
    gain = least(strategy, own)  # all workers must choose the same
    config.precision = pick_precision(gain)
    return f" (bfloat16 {gain:.2f}x here)"


def _choose_steps(config: Config, model: Any, dataset: Any, detect: bool) -> str:
    if config.steps_per_execution != AUTO:
        return ""
    config.steps_per_execution = 1
    for reason, is_so in (
        ("--detect-anomaly", detect),
        ("replicas", config.strategy != "none"),
        ("image translation", config.kind != "images"),
        ("long steps", _is_long(model, config.batch_size)),
    ):
        if is_so:
            return f" ({reason})"
    seconds = time_step(model, dataset.element_spec, config.batch_size)
    config.steps_per_execution = split_epoch(
        seconds, int(dataset.cardinality()), config.checkpoint_every
    )
    return f" ({1e3 * seconds:,.1f} ms a step)"


def pick_precision(gain: float) -> str:
    """Returns the policy, where bfloat16 is so many times as fast as float32."""
    return "mixed_bfloat16" if gain >= _LEAST_GAIN else "float32"


def split_epoch(
    seconds: float, num_steps: int, checkpoint_every: int | None = None
) -> int:
    """Returns how many steps to take in one execution.

    An execution is short, and not longer than from one checkpoint to the next; those of
    an epoch are as equal as can be.

    Args:
        seconds: Of a step.
        num_steps: Integer, of an epoch.
        checkpoint_every: Integer, steps between checkpoints.
    """
    fitting = max(1, min(_MOST_STEPS, int(_MOST_SECONDS / seconds)))
    most = min(fitting, num_steps, checkpoint_every or num_steps)
    return math.ceil(num_steps / math.ceil(num_steps / most))


def time_step(model: Any, spec: Any, batch_size: int) -> float:
    """Returns the seconds of a training step, on noise; the state stays as it is.

    From then on `model.train_step` is the traced step: `fit` would trace it once more.
    XLA compiles what `fit` runs and not this, so that it does so once.

    Args:
        model: Compiled, and of no strategy.
        spec: Of its batches, as a data set's `element_spec`.
        batch_size: Integer.
    """
    import numpy as np
    import tensorflow as tf

    from tfgen.optimizers import find_optimizers

    function = tf.function(model.train_step, reduce_retracing=True)
    step = function.get_concrete_function(spec)
    batch = tf.nest.map_structure(lambda part: _make_noise(part, batch_size), spec)

    def take_step() -> None:
        step(batch)
        tf.test.experimental.sync_devices()

    optimizers = (v for o in find_optimizers(model) for v in o.variables)
    variables = [*model.variables, *optimizers]
    values = [np.asarray(variable) for variable in variables]
    set_options = tf.config.optimizer.set_experimental_options
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    try:
        # Optimising the graph would take longer than its steps, and gains few percent.
        set_options({name: True})
        _time(take_step)  # makes it ready
        found = [_time(take_step)]
        while len(found) < 3 and sum(found) < _MOST_SECONDS:
            found.append(_time(take_step))
    finally:
        set_options({name: before})
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    model.train_step = function
    return min(found)


def bfloat16_gain(model: Any, batch_size: int) -> float:
    """Returns how many times as fast bfloat16 is, of the layer that computes most."""
    import tensorflow as tf

    details = map(
        tf.config.experimental.get_device_details,
        tf.config.list_physical_devices("GPU"),
    )
    if any(d.get("compute_capability", (9,)) < _BFLOAT16_CAPABILITY for d in details):
        return 0.0
    _, layer, shape = max(_list_products(model), key=lambda row: row[0])
    shape = (batch_size, *shape[1:])
    steps = [
        _make_layer_step(layer, policy, shape, model.jit_compile)
        for policy in ("float32", "mixed_bfloat16")
    ]
    for step in steps:
        _time(step)  # traces
    rounds = []
    start = time.perf_counter()
    while len(rounds) < _PROBE_ROUNDS and (
        not rounds or time.perf_counter() - start < _PROBE_SECONDS
    ):
        rounds.append([_time(step) for step in steps])
    single, half = map(statistics.median, zip(*rounds, strict=True))
    return single / half


def _list_products(model: Any) -> list[tuple[int, Any, tuple]]:
    """Returns the products of each convolution and dense layer, it, its input shape.

    Those of one image, forward, once: models may run a network more often.
    """
    import keras

    found = []
    networks = [v for v in vars(model).values() if isinstance(v, keras.Model)]
    for outer in (layer for network in networks for layer in network.layers):
        layer = getattr(outer, "layer", outer)  # within a wrapper
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
            positions = outer.output.shape[1:-1]
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            positions = outer.input.shape[1:-1]
        else:
            continue
        products = math.prod(layer.kernel.shape) * math.prod(n or 1 for n in positions)
        found.append((products, layer, tuple(outer.input.shape)))
    return found


def _is_long(model: Any, batch_size: int) -> bool:
    """Returns whether a step takes a CPU so long that timing it isn't worth it."""
    products = sum(products for products, _, _ in _list_products(model))
    return not _has_gpu() and 3 * batch_size * products > _LONG_PRODUCTS


def _make_layer_step(
    layer: Any, policy: str, shape: tuple, jit_compile: bool
) -> Callable[[], Any]:
    """Returns a function: a twin of the layer, forward and backward."""
    import tensorflow as tf

    twin = type(layer).from_config({**layer.get_config(), "dtype": policy})
    spec = tf.TensorSpec(shape, twin.compute_dtype)
    inputs = _make_noise(spec, shape[0])
    twin.build(shape)

    @tf.function(jit_compile=jit_compile)
    def step(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(twin(inputs)))
        gradients = tape.gradient(loss, [inputs, *twin.trainable_weights])
        return [tf.reduce_max(gradient) for gradient in gradients]

    # Reading waits; `sync_devices`, as of a whole step, raises with several workers.
    return lambda: [float(value) for value in step(inputs)]


def _device(config: Config) -> str:
    if config.strategy != "none":
        return "replicas"
    return "GPU" if _has_gpu() else "CPU"


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _make_noise(spec: Any, batch_size: int) -> Any:
    import tensorflow as tf

    shape = (batch_size, *spec.shape[1:])
    if spec.dtype.is_integer:  # labels
        return tf.zeros(shape, spec.dtype)
    return tf.cast(tf.random.stateless_uniform(shape, (0, 0)), spec.dtype)


def _time(function: Callable[[], Any]) -> float:
    """Returns the seconds of a function that waits for what it starts on a GPU."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
