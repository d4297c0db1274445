"""Endpoints as they are exported: no request can harm the process that runs them.

TensorFlow checks neither rank nor sizes of what a request holds, and some kernels end
the process when these are not what they were built for (tensorflow#111453). So each
input is checked in the graph, before anything computes on it.
"""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def guard(function: Any, limits: Mapping[str, int], for_onnx: bool = False) -> Any:
    """Returns an endpoint that refuses what its inputs must not be.

    A request is an `InvalidArgument` error if an input is of another rank or size than
    its spec, if inputs have different numbers of rows, or if labels and other integers
    are outside of their `[0, limit)`. The answer to a batch without rows has none.

    Args:
        function: A `tf.function` with an `input_signature` of named specs, which
            returns a dict of tensors.
        limits: What `limits_of` returns.
        for_onnx: ONNX has no assertions: integers out of range then index beyond the
            end of a table, which runtimes refuse.
    """
    specs = list(function.input_signature)
    # Called as such: TensorFlow would warn that functions of one name are traced again.
    concrete = function.get_concrete_function()

    def guarded(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        shaped = [
            tf.ensure_shape(tensor, spec.shape)
            for tensor, spec in zip(tensors, specs, strict=True)
        ]
        checks = [*_equal_rows(shaped), *_in_range(specs, shaped, limits)]
        with tf.control_dependencies(checks):
            checked = [tf.identity(tensor) for tensor in shaped]
        if for_onnx:
            outputs = concrete(*_look_up_all(specs, checked, limits))
        else:
            outputs = _answer(concrete, checked)
        # Also where an output does not depend on every input.
        with tf.control_dependencies(checked):
            return {name: tf.identity(output) for name, output in outputs.items()}

    return tf.function(guarded, input_signature=specs, autograph=False)


def limits_of(model: Any) -> dict[str, int]:
    """Returns what integer inputs of a model must be below, by name.

    That is `num_classes` for `labels`, and what the model's `index_limits` says.
    """
    limits = {"labels": getattr(model, "num_classes", None)}
    limits |= getattr(model, "index_limits", {})
    return {
        name: int(limit)  # of NumPy's too
        for name, limit in limits.items()
        if isinstance(limit, numbers.Integral) and limit > 0
    }


def _limit(spec: tf.TensorSpec, limits: Mapping[str, int]) -> int | None:
    return limits.get(spec.name) if spec.dtype.is_integer else None


def _equal_rows(tensors: Sequence[tf.Tensor]) -> list[tf.Operation]:
    rows = [tf.shape(tensor)[0] for tensor in tensors]
    return [
        tf.debugging.Assert(
            tf.equal(count, rows[0]), ["inputs have different numbers of rows:", *rows]
        )
        for count in rows[1:]
    ]


def _in_range(
    specs: Sequence[tf.TensorSpec],
    tensors: Sequence[tf.Tensor],
    limits: Mapping[str, int],
) -> list[tf.Operation]:
    return [
        tf.debugging.Assert(
            tf.reduce_all((tensor >= 0) & (tensor < limit)),
            [f"{spec.name} must be in [0, {limit}). Received:", tensor],
        )
        for tensor, spec in zip(tensors, specs, strict=True)
        if (limit := _limit(spec, limits)) is not None
    ]


def _answer(concrete: Any, inputs: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Calls a concrete function; for no rows, its answer has no rows either.

    Of no rows, TensorFlow 2.21's convolutions return a wrong number of channels.
    """

    def answer_nothing() -> dict[str, tf.Tensor]:
        outputs = concrete.structured_outputs
        shapes = {k: [size or 0 for size in v.shape[1:]] for k, v in outputs.items()}
        return {k: tf.zeros((0, *shapes[k]), v.dtype) for k, v in outputs.items()}

    has_rows = tf.shape(inputs[0])[0] > 0
    return tf.cond(has_rows, lambda: concrete(*inputs), answer_nothing)


def _look_up_all(
    specs: Sequence[tf.TensorSpec],
    tensors: Sequence[tf.Tensor],
    limits: Mapping[str, int],
) -> list[tf.Tensor]:
    return [
        tensor if (limit := _limit(spec, limits)) is None else _look_up(tensor, limit)
        for tensor, spec in zip(tensors, specs, strict=True)
    ]


def _look_up(values: tf.Tensor, limit: int) -> tf.Tensor:
    """Returns the values, by way of a table that ends at the limit."""
    beyond = tf.cast(limit, values.dtype)  # ONNX counts negative indices back
    places = tf.where(values < 0, beyond, values)
    return tf.gather(tf.range(limit, dtype=values.dtype), places)
