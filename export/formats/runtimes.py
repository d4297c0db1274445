"""Says in a quantised .tflite file which runtimes run it.

A runtime refuses an operator of a newer version than it knows. The quantizer leaves
the versions as they were in float32, so that an old runtime takes 8-bit weights for
something else and answers wrongly, without an error: tflite-runtime 2.14 applies the
first scale of a fully connected layer to all of its channels.

Versions: LiteRT's `op_version.cc`; the first runtimes: its `runtime_version.cc`.
"""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from export.formats import flatbuffer

METADATA = "min_runtime_version"
_METADATA_BYTES = 16

# Of operators with int8 weights that have a scale for each channel, on float32 inputs:
# the version, and the first runtime that has it. The version of a transposed
# convolution does not tell; 2.14 has no kernel for it, and 2.17 has one.
_DYNAMIC = {
    "FULLY_CONNECTED": (12, "2.17.0"),
    "CONV_2D": (5, "2.4.0"),
    "DEPTHWISE_CONV_2D": (6, "2.3.0"),
    "TRANSPOSE_CONV": (5, "2.17.0"),
    "BATCH_MATMUL": (4, "2.5.0"),
}
_INTEGER = {  # int8 inputs and weights
    "FULLY_CONNECTED": (4, "1.14.0"),
    "CONV_2D": (3, "1.14.0"),
    "DEPTHWISE_CONV_2D": (3, "1.14.0"),
    "TRANSPOSE_CONV": (3, "2.3.0"),
    "BATCH_MATMUL": (2, "2.3.0"),
}
_HALF = (3, "1.15.0")  # DEQUANTIZE of float16


def require_versions(content: bytes) -> bytes:
    """Returns the file with the versions that its quantised operators need."""
    model = flatbuffer.read(content)
    runtimes = [minimum_runtime(content)]
    for graph in model.subgraphs:
        names = flatbuffer.operations(model, graph)
        for name, operator in zip(names, graph.operators, strict=True):
            version, runtime = _needs(name, graph, operator)
            code = model.operatorCodes[operator.opcodeIndex]
            code.version = max(code.version, version)
            runtimes.append(runtime)
    newest = max(runtimes, key=_numbers)
    data = newest.encode().ljust(_METADATA_BYTES, b"\0")
    flatbuffer.add_metadata(model, METADATA, data)
    return flatbuffer.pack(model)


def minimum_runtime(content: bytes) -> str:
    """Returns the least version of TensorFlow Lite that a file asks for, or ""."""
    data = flatbuffer.find_metadata(content, METADATA)
    return "" if data is None else data.rstrip(b"\0").decode()


def _needs(name: str, graph: Any, operator: Any) -> tuple[int, str]:
    """Returns the least version of an operator and of the runtime; 0 and "": any."""
    types = [graph.tensors[i].type if i >= 0 else None for i in operator.inputs]
    if name == "DEQUANTIZE" and types[0] == schema.TensorType.FLOAT16:
        return _HALF
    if name not in flatbuffer.WEIGHTED:
        return 0, ""
    place = flatbuffer.WEIGHTED[name]
    if types[place] != schema.TensorType.INT8:
        return 0, ""
    activation = 2 if name == "TRANSPOSE_CONV" else 0
    is_dynamic = types[activation] == schema.TensorType.FLOAT32
    return (_DYNAMIC if is_dynamic else _INTEGER)[name]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")) if version else ()
