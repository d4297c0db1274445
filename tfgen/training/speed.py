"""Choices that training makes by timing a short loop, and the line that reports them.

Several steps in one execution give bit for bit the result of single steps, so a busy
machine cannot change it; precision does change the result. Both are chosen once and
stored in the run's config.json.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from tfgen._compat import replace_train_function
from tfgen.training.config import AUTO, Config
from tfgen.training.strategy import least

_MOST_STEPS = 32  # of an execution: what starting one costs is then shared enough
_MOST_SECONDS = 0.25  # of an execution: Ctrl-C and the progress bar wait for its end
_LEAST_GAIN = 1.2  # below it, bfloat16's coarser numbers are not worth it
_TIMED_STEPS = 5
_BFLOAT16_CAPABILITY = (8, 0)  # of NVIDIA's GPUs that compute in it


def choose(
    config: Config,
    strategy: Any,
    make_model: Callable[[], Any],
    dataset: Any,
    detect_anomaly: bool = False,
    model: Any = None,
) -> tuple[Any, str]:
    """Returns the model to train, and the line of what was chosen for it.

    Args:
        config: The configuration, in which `"auto"` is replaced.
        strategy: The `tf.distribute.Strategy`.
        make_model: Builds the model with the current precision.
        dataset: Training batches of `tfgen.data`, which are not read.
        detect_anomaly: Whether every operation will be checked.
        model: An existing model, in place of `make_model`.
    """
    import keras

    why_precision = ""
    if model is None:
        why_precision = _choose_precision(config, strategy, make_model, dataset)
        keras.config.set_dtype_policy(config.precision)
        with strategy.scope():
            model = make_model()
    why_steps = _choose_steps(config, model, dataset, detect_anomaly)
    steps = model.steps_per_execution = config.steps_per_execution
    device = "replicas" if config.strategy != "none" else _device()
    choices = (
        f"{config.precision}{why_precision}",
        f"{steps} step{'s' * (steps > 1)} an execution{why_steps}",
        f"{'XLA' if model.jit_compile else 'no XLA'} ({device})",
        f"data {'in memory' if dataset.in_memory else 'streamed'}",
    )
    return model, f"speed: {', '.join(choices)}"


def _choose_precision(
    config: Config, strategy: Any, make_model: Callable[[], Any], dataset: Any
) -> str:
    if config.precision != AUTO:
        return ""
    own = bfloat16_gain(make_model, dataset.element_spec, config.batch_size)
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
        ("image translation", config.kind != "images"),  # its steps are long
        # A damaged file may be met, and the state amid an execution is not known.
        ("streamed", not dataset.in_memory),
    ):
        if is_so:
            return f" ({reason})"
    seconds = time_step(model, dataset.element_spec, config.batch_size)
    config.steps_per_execution = split_epoch(
        seconds, int(dataset.cardinality()), config.checkpoint_every
    )
    return f" ({1e3 * seconds:,.1f} ms a step)"


def pick_precision(gain: float) -> str:
    """Returns the dtype policy for a speed-up of bfloat16."""
    return "mixed_bfloat16" if gain >= _LEAST_GAIN else "float32"


def split_epoch(
    seconds: float, num_steps: int, checkpoint_every: int | None = None
) -> int:
    """Returns the steps of one execution, given the seconds of a step.

    An execution is short and ends at checkpoints at the latest; the executions of an
    epoch (`num_steps`) are of nearly equal length.
    """
    fitting = max(1, min(_MOST_STEPS, int(_MOST_SECONDS / seconds)))
    most = min(fitting, num_steps, checkpoint_every or num_steps)
    return math.ceil(num_steps / math.ceil(num_steps / most))


def time_step(model: Any, spec: Any, batch_size: int) -> float:
    """Returns the seconds of a training step on noise, and restores the state.

    `fit` goes on with the trace of this step, whatever the steps of an execution. XLA
    is off: it would compile this step, and then those of an execution.

    Args:
        model: Compiled, without a strategy.
        spec: The `element_spec` of its batches.
        batch_size: Integer.
    """
    import numpy as np
    import tensorflow as tf

    from tfgen.optimizers import find_optimizers

    jit_compile, model.jit_compile = model.jit_compile, False
    batch = next(iter(_make_noise(spec, batch_size)))
    optimizers = (v for o in find_optimizers(model) for v in o.variables)
    variables = [*model.variables, *optimizers]
    values = [np.asarray(variable) for variable in variables]
    seconds: list[float] = []
    model.make_train_function()

    @tf.function(input_signature=[spec], autograph=False)
    def step(batch: Any) -> dict[str, tf.Tensor]:
        return model.train_function(iter([batch]))

    try:
        while len(seconds) < _TIMED_STEPS and sum(seconds[1:]) < _MOST_SECONDS:
            start = time.perf_counter()
            for value in step(batch).values():
                np.asarray(value)  # waits for the device
            seconds.append(time.perf_counter() - start)
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        model.jit_compile = jit_compile
        if jit_compile:
            replace_train_function(model, None)
    return min(seconds[1:])


def bfloat16_gain(make_model: Callable[[], Any], spec: Any, batch_size: int) -> float:
    """Returns the time of a step in float32 divided by that in bfloat16.

    The models that `make_model` builds with the current precision are discarded.
    """
    import keras
    import tensorflow as tf

    details = map(
        tf.config.experimental.get_device_details,
        tf.config.list_physical_devices("GPU"),
    )
    if any(d.get("compute_capability", (9,)) < _BFLOAT16_CAPABILITY for d in details):
        return 0.0
    before, seconds = keras.config.dtype_policy(), []
    try:
        for policy in ("float32", "mixed_bfloat16"):
            keras.config.set_dtype_policy(policy)
            seconds.append(time_step(make_model(), spec, batch_size))
    finally:
        keras.config.set_dtype_policy(before)
    single, half = seconds
    return single / half


def _device() -> str:
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def _make_noise(spec: Any, batch_size: int) -> Any:
    """Returns endless batches of a spec: noise, and zeros for labels."""
    import tensorflow as tf

    def make(part: Any) -> Any:
        if part.dtype.is_integer:
            return tf.zeros(part.shape[1:], part.dtype)
        noise = tf.random.stateless_uniform(part.shape[1:], (0, 0))
        return tf.cast(noise, part.dtype)

    example = tf.nest.map_structure(make, spec)
    return tf.data.Dataset.from_tensors(example).repeat().batch(batch_size)
