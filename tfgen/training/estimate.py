"""What training will take, before it starts: parameters, memory, time per epoch.

Parameters and bytes are counted. Of a step's tensors it is found which are alive at the
same time, from the graph of the step, so that networks count as often as they run.
Time is measured on a throwaway copy of the model.
"""

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgen.data.builders.records import SHUFFLE_BYTES
from tfgen.data.loading import IN_MEMORY_BYTES, check_integer
from tfgen.errors import UserError
from tfgen.optimizers import find_optimizers

# Their outputs are their inputs' memory, or a variable's.
_ALIASES = ("ExpandDims", "Identity", "IdentityN", "Reshape", "Squeeze", "StopGradient")
_VARIABLES = ("Placeholder", "ReadVariableOp")


class Estimate(NamedTuple):
    """What a model takes to train.

    Attributes:
        parameters: Name of a network -> its trainable and its other weights; `"model"`
            has those that are in none.
        weight_bytes: All weights.
        optimizer_bytes: Slots and counters of all optimizers.
        step_bytes: The tensors of a training step that are alive at the same time, at
            their peak: the batch, activations, gradients. Scratch space of single
            operations and tensors within branches and loops aren't counted, nor what
            XLA saves.
        data_bytes: What `tfgen.data` keeps: the decoded set, or the shuffle buffer of
            one that is too large for memory.
        steps_per_epoch: Integer.
        seconds_per_step: Of training, after the first execution, whose tracing isn't
            counted.
        seconds_per_batch: Of reading.
    """

    parameters: dict[str, tuple[int, int]]
    weight_bytes: int
    optimizer_bytes: int
    step_bytes: int
    data_bytes: int
    steps_per_epoch: int
    seconds_per_step: float
    seconds_per_batch: float

    @property
    def memory_bytes(self) -> int:
        """All bytes; the libraries take some 800 MB more on a CPU."""
        numbers = self.weight_bytes + self.optimizer_bytes
        return numbers + self.step_bytes + self.data_bytes

    @property
    def seconds_per_epoch(self) -> float:
        """Training and reading, without validation and callbacks."""
        times = (self.seconds_per_step, self.seconds_per_batch)
        # A GPU computes while the CPU reads; on a CPU the two share the cores.
        overlaps = bool(tf.config.list_physical_devices("GPU"))
        return self.steps_per_epoch * (max(times) if overlaps else sum(times))


def estimate(
    model_fn: Callable[[], keras.Model], dataset: tf.data.Dataset, num_steps: int = 5
) -> Estimate:
    """Estimates what it takes to train a model on a dataset.

    Another model that exists already isn't touched, and initial weights that are drawn
    later are those that would have been drawn without it.

    Args:
        model_fn: Makes a new, compiled model, which is thrown away.
        dataset: Batches, as `fit` takes. Its first pass is used up: a dataset of
            `tfgen.data` goes on with its second epoch, so give it one of its own.
        num_steps: Integer, steps that are timed (in whole executions, where the model
            takes several steps in one).

    Raises:
        UserError: The dataset's length is unknown or none, or `num_steps` is below 1.

    Example:
        >>> found = estimate(
        ...     lambda: tfgen.create_model("vae_mnist_5k"),
        ...     tfgen.data.load_images("mnist_5k"),
        ... )
        >>> found.seconds_per_epoch
        1.9
    """
    check_integer("num_steps", num_steps, 1)
    num_batches = int(dataset.cardinality())
    if num_batches < 1:
        raise UserError(
            "the time of an epoch can't be told: the dataset is empty, or its length "
            "is unknown (apply tf.data.experimental.assert_cardinality)"
        )
    with _seeds_kept():
        model = model_fn()
        variables = [v for o in find_optimizers(model) for v in o.variables]
        batch, seconds_per_batch = _read(dataset, min(num_steps, num_batches - 1))
        return Estimate(
            parameters=_count_parameters(model),
            weight_bytes=_num_bytes(model.weights),
            optimizer_bytes=_num_bytes(variables),
            step_bytes=_step_bytes(model, batch),
            data_bytes=_data_bytes(batch, num_batches),
            steps_per_epoch=num_batches,
            seconds_per_step=_time_steps(model, batch, num_steps),
            seconds_per_batch=seconds_per_batch,
        )


def describe(estimate: Estimate) -> list[tuple[str, str]]:
    """Returns rows of a name and a text, to be printed."""
    rows = [
        (f"weights of {name}", f"{trainable:,} trainable, {other:,} other")
        for name, (trainable, other) in estimate.parameters.items()
    ]
    for name, value in (
        ("weights", estimate.weight_bytes),
        ("optimizer", estimate.optimizer_bytes),
        ("activations and gradients", estimate.step_bytes),
        ("data", estimate.data_bytes),
        ("in all", estimate.memory_bytes),
    ):
        rows.append((f"memory: {name}", f"{value / 1e6:,.1f} MB"))
    milliseconds = 1e3 * estimate.seconds_per_step
    rows += [
        ("time of a step", f"{milliseconds:,.1f} ms"),
        ("time of reading a batch", f"{1e3 * estimate.seconds_per_batch:,.1f} ms"),
        (
            f"time of an epoch ({estimate.steps_per_epoch:,} steps)",
            f"{estimate.seconds_per_epoch:,.1f} s",
        ),
    ]
    return rows


def peak_bytes(graph: tf.Graph) -> int:
    """Returns the most bytes that tensors take at once, in the order of the graph.

    A tensor is alive from the operation that makes it to the last that reads it. Of an
    unknown length, 1 is counted.
    """
    operations = graph.get_operations()
    owners, last_reads = {}, {}
    for i, operation in enumerate(operations):
        for index, output in enumerate(operation.outputs):
            is_alias = operation.type in _ALIASES
            source = operation.inputs[index].ref() if is_alias else output.ref()
            owners[output.ref()] = owners.get(source, source)
            last_reads.setdefault(owners[output.ref()], i)
        for tensor in operation.inputs:
            last_reads[owners[tensor.ref()]] = i
    frees = [0] * len(operations)
    alive = peak = 0
    for i, operation in enumerate(operations):
        for output in operation.outputs:
            is_own = owners[output.ref()] == output.ref()
            if is_own and operation.type not in _VARIABLES:
                size = _tensor_bytes(output)
                alive += size
                frees[last_reads[output.ref()]] += size
        peak = max(peak, alive)
        alive -= frees[i]
    return peak


def _step_bytes(model: keras.Model, batch: Any) -> int:
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    step = tf.function(model.train_step).get_concrete_function(specs)
    batch_bytes = sum(_tensor_bytes(part) for part in tf.nest.flatten(batch))
    return batch_bytes + peak_bytes(step.graph)


def _tensor_bytes(tensor: tf.Tensor) -> int:
    if tensor.shape.rank is None or tensor.dtype in (tf.resource, tf.variant):
        return 0
    return math.prod(n or 1 for n in tensor.shape.as_list()) * tensor.dtype.size


def _count_parameters(model: keras.Model) -> dict[str, tuple[int, int]]:
    found, counted = {}, set()
    networks = {k: v for k, v in vars(model).items() if isinstance(v, keras.Model)}
    for name, network in {**networks, "model": model}.items():
        weights = [w for w in network.weights if id(w) not in counted]
        counted |= {id(w) for w in weights}
        sizes = [math.prod(w.shape) for w in weights if w.trainable]
        others = [math.prod(w.shape) for w in weights if not w.trainable]
        if weights:
            found[name] = (sum(sizes), sum(others))
    return found


def _num_bytes(variables: list[Any]) -> int:
    return sum(
        math.prod(v.shape) * tf.as_dtype(keras.backend.standardize_dtype(v.dtype)).size
        for v in variables
    )


def _data_bytes(batch: Any, num_batches: int) -> int:
    """Returns what `tfgen.data` keeps; images, of rank 4, are kept as uint8."""
    parts = tf.nest.flatten(batch)
    sizes = (int(tf.size(x)) if x.shape.rank == 4 else _tensor_bytes(x) for x in parts)
    decoded = num_batches * sum(sizes)
    return decoded if decoded <= IN_MEMORY_BYTES else SHUFFLE_BYTES


def _read(dataset: tf.data.Dataset, num_batches: int) -> tuple[Any, float]:
    """Returns the first batch, and the seconds that each of the next ones took."""
    batches = iter(dataset)
    first = next(batches)  # fills the shuffle buffer
    start = time.perf_counter()
    for _ in range(num_batches):
        next(batches)
    return first, (time.perf_counter() - start) / max(1, num_batches)


def _time_steps(model: keras.Model, batch: Any, num_steps: int) -> float:
    """Returns the seconds of a step, of `fit` on one batch."""
    per_execution = model.steps_per_execution
    num_executions = 1 + math.ceil(num_steps / per_execution)
    ends = []

    def on_end(step: int, logs: dict[str, Any]) -> None:
        float(next(iter(logs.values())))  # waits for a GPU
        ends.append(time.perf_counter())

    model.fit(
        tf.data.Dataset.from_tensors(batch).repeat(),
        steps_per_epoch=num_executions * per_execution,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=on_end)],
    )
    return (ends[-1] - ends[0]) / (per_execution * (num_executions - 1))


@contextlib.contextmanager
def _seeds_kept() -> Iterator[None]:
    """Leaves Python's and NumPy's states alone: initial weights are drawn from them.

    TensorFlow's own seed stays as a `model_fn` may leave it: no model draws from it.
    """
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
