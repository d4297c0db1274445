"""A network's .tflite file at batch 1: its operations, its speed path, its numbers."""

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export import _compat
from tests.export.small import read_tflite


def lower(function, path, **shapes):
    """Writes a function of float32 tensors of these shapes; returns its operations."""
    specs = {k: tf.TensorSpec(shape, name=k) for k, shape in shapes.items()}
    concrete = tf.function(function, autograph=False).get_concrete_function(**specs)
    module = tf.Module()
    module.used = list(concrete.variables)
    folder = path.with_suffix("")
    tf.saved_model.save(module, str(folder), signatures={"run": concrete})
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=["run"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    path.write_bytes(converter.convert())
    _, operations, _ = read_tflite(path)
    return {name for graph in operations for name in graph}


def run(path, **inputs):
    """Returns the outputs of batch 1, and how many partitions XNNPACK made."""
    interpreter = Interpreter(str(path))
    outputs = interpreter.get_signature_runner("run")(**inputs)
    names = [details["op_name"] for details in _compat.operation_details(interpreter)]
    return outputs, names.count("DELEGATE")


def check(function, path, rng, partitions=1, atol=1e-5, **shapes):
    """Holds a function to what `export` needs of it; returns the operations."""
    operations = lower(function, path, **shapes)
    slow = {"MIRROR_PAD", "SHAPE", "PACK", "TRANSPOSE", "TILE", "CUSTOM", "WHILE"}
    assert not operations & slow
    assert not [name for name in operations if name.startswith("FLEX")]
    inputs = {k: rng.uniform(size=s).astype("float32") for k, s in shapes.items()}
    outputs, found = run(path, **inputs)
    expected = function(**{k: tf.constant(v) for k, v in inputs.items()})
    for name, value in expected.items():
        assert np.std(value) > 1e-3  # or the comparison says nothing
        np.testing.assert_allclose(outputs[name], value, atol=atol)
    assert found == partitions
    return operations
