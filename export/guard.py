"""Endpoints as they are exported: no request can harm the process that runs them.

TensorFlow checks neither rank nor sizes of what a request holds, and some kernels end
the process when these are not what they were built for (tensorflow#111453). So each
input is checked in the graph, before anything computes on it.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def guard(function: Any, num_classes: int | None, for_onnx: bool = False) -> Any:
    """Returns an endpoint that refuses what its inputs must not be.

    A request is an `InvalidArgument` error if an input is of another rank or size than
    its spec, if inputs have different numbers of rows, or if integer `labels` are
    outside of `[0, num_classes)`. The answer to a batch without rows has none.

    Args:
        function: A `tf.function` with an `input_signature` of named specs, which
            returns a dict of tensors.
        num_classes: Number of classes; None checks no labels.
        for_onnx: ONNX has no assertions: labels out of range then index beyond the end
            of a table, which runtimes refuse.
    """
    specs = list(function.input_signature)
    # Called as such: TensorFlow would warn that functions of one name are traced again.
    concrete = function.get_concrete_function()

    def guarded(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        shaped = [
            tf.ensure_shape(tensor, spec.shape)
            for tensor, spec in zip(tensors, specs, strict=True)
        ]
        checks = [*_equal_rows(shaped), *_labels_in_range(specs, shaped, num_classes)]
        with tf.control_dependencies(checks):
            checked = [tf.identity(tensor) for tensor in shaped]
        if for_onnx:
            outputs = concrete(*_look_up_labels(specs, checked, num_classes))
        else:
            outputs = _answer(concrete, checked)
        # Also where an output does not depend on every input.
        with tf.control_dependencies(checked):
            return {name: tf.identity(output) for name, output in outputs.items()}

    return tf.function(guarded, input_signature=specs, autograph=False)


def num_classes_of(model: Any) -> int | None:
    """Returns the number of classes that a model says it has, or None."""
    number = getattr(model, "num_classes", None)
    return number if isinstance(number, int) and number > 0 else None


def _is_labels(spec: tf.TensorSpec) -> bool:
    return spec.name == "labels" and spec.dtype.is_integer


def _equal_rows(tensors: Sequence[tf.Tensor]) -> list[tf.Operation]:
    rows = [tf.shape(tensor)[0] for tensor in tensors]
    return [
        tf.debugging.Assert(
            tf.equal(count, rows[0]), ["inputs have different numbers of rows:", *rows]
        )
        for count in rows[1:]
    ]


def _labels_in_range(
    specs: Sequence[tf.TensorSpec],
    tensors: Sequence[tf.Tensor],
    num_classes: int | None,
) -> list[tf.Operation]:
    if num_classes is None:
        return []
    return [
        tf.debugging.Assert(
            tf.reduce_all((labels >= 0) & (labels < num_classes)),
            [f"labels must be in [0, {num_classes}). Received:", labels],
        )
        for labels, spec in zip(tensors, specs, strict=True)
        if _is_labels(spec)
    ]


def _answer(concrete: Any, inputs: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Calls a concrete function; to no rows, the answer has none either.

    Of no rows, TensorFlow 2.21's convolutions return a wrong number of channels.
    """

    def answer_nothing() -> dict[str, tf.Tensor]:
        outputs = concrete.structured_outputs
        shapes = {k: [size or 0 for size in v.shape[1:]] for k, v in outputs.items()}
        return {k: tf.zeros((0, *shapes[k]), v.dtype) for k, v in outputs.items()}

    has_rows = tf.shape(inputs[0])[0] > 0
    return tf.cond(has_rows, lambda: concrete(*inputs), answer_nothing)


def _look_up_labels(
    specs: Sequence[tf.TensorSpec],
    tensors: Sequence[tf.Tensor],
    num_classes: int | None,
) -> list[tf.Tensor]:
    if num_classes is None:
        return list(tensors)
    return [
        _look_up(tensor, num_classes) if _is_labels(spec) else tensor
        for tensor, spec in zip(tensors, specs, strict=True)
    ]


def _look_up(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns the labels, by way of a table that ends where the classes end."""
    beyond = tf.cast(num_classes, labels.dtype)  # ONNX counts negative indices back
    places = tf.where(labels < 0, beyond, labels)
    return tf.gather(tf.range(num_classes, dtype=labels.dtype), places)
