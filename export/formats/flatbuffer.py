"""Reads and edits the content of a .tflite file: subgraphs, one for each signature."""

import collections
import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_FILE_IDENTIFIER = b"TFL3"
_OPERATIONS = {
    code: name
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int)
}
# Operations that multiply by weights, and which of their inputs these are.
WEIGHTED = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "FULLY_CONNECTED": 1,
    "BATCH_MATMUL": 1,
}
_CALLING = re.compile("WHILE|IF|CALL|CALL_ONCE|STABLEHLO")


def read(content: bytes) -> Any:
    """Returns the model as objects of the schema."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # the quantizer appends data to the flatbuffer proper
            end = buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[buffer.offset : end], np.uint8)
            buffer.offset = buffer.size = 0
    return model


def pack(model: Any) -> bytes:
    """Returns the content of a file that holds the model."""
    size = sum(len(b.data) for b in model.buffers if b.data is not None)
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(model.Pack(builder), file_identifier=_FILE_IDENTIFIER)
    return bytes(builder.Output())


def operations(model: Any, graph: Any) -> list[str]:
    """Returns the names of a subgraph's operations, in order."""
    codes = model.operatorCodes
    return [
        _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in (codes[operator.opcodeIndex] for operator in graph.operators)
    ]


def subgraph_of(model: Any, signature: str) -> Any:
    """Returns the subgraph of a signature."""
    for definition in model.signatureDefs:
        if definition.signatureKey.decode() == signature:
            return model.subgraphs[definition.subgraphIndex]
    raise KeyError(signature)


def passed_through(content: bytes) -> dict[str, list[str]]:
    """Returns by signature the outputs that are an input, untouched."""
    untouched = {}
    for definition in read(content).signatureDefs:
        inputs = {entry.tensorIndex for entry in definition.inputs}
        untouched[definition.signatureKey.decode()] = [
            entry.name.decode()
            for entry in definition.outputs
            if entry.tensorIndex in inputs
        ]
    return untouched


def extract(content: bytes, signature: str) -> bytes | None:
    """Returns a file with one signature, or None if its graph calls another graph."""
    model = read(content)
    graph = subgraph_of(model, signature)
    if any(_CALLING.match(name) for name in operations(model, graph)):
        return None
    (definition,) = (
        d for d in model.signatureDefs if d.signatureKey.decode() == signature
    )
    definition.subgraphIndex = 0
    model.subgraphs, model.signatureDefs = [graph], [definition]
    return pack(model)


@dataclasses.dataclass(frozen=True)
class Layer:
    """Operations that share a weight: their outputs, and the signatures they are in."""

    names: tuple[str, ...]
    signatures: frozenset[str]


def weighted_layers(content: bytes) -> list[Layer]:
    """Returns the operations with weights; what shares a weight is quantised alike."""
    model = read(content)
    names: dict[int, list[str]] = collections.defaultdict(list)
    signatures: dict[int, set[str]] = collections.defaultdict(set)
    for definition in model.signatureDefs:
        graph = model.subgraphs[definition.subgraphIndex]
        kinds = operations(model, graph)
        for kind, operator in zip(kinds, graph.operators, strict=True):
            if kind in WEIGHTED:
                weight = graph.tensors[operator.inputs[WEIGHTED[kind]]].buffer
                output = graph.tensors[operator.outputs[0]].name.decode()
                names[weight] += [output] if output not in names[weight] else []
                signatures[weight].add(definition.signatureKey.decode())
    return [
        Layer(tuple(outputs), frozenset(signatures[weight]))
        for weight, outputs in names.items()
    ]


def count_multiplications(content: bytes) -> dict[str, int]:
    """Returns how often each signature multiplies by weights, for its one row.

    Without graphs that its own calls.
    """
    model, counts = read(content), {}
    for definition in model.signatureDefs:
        graph = model.subgraphs[definition.subgraphIndex]
        kinds = operations(model, graph)
        pairs = zip(kinds, graph.operators, strict=True)
        counts[definition.signatureKey.decode()] = sum(
            _multiplications(kind, graph.tensors, operator) for kind, operator in pairs
        )
    return counts


def _multiplications(kind: str, tensors: Sequence[Any], operator: Any) -> int:
    if kind not in WEIGHTED:
        return 0
    weights = tensors[operator.inputs[WEIGHTED[kind]]].shape
    # A transposed convolution uses each weight once where its input is, others where
    # their output is.
    place = operator.inputs[2] if kind == "TRANSPOSE_CONV" else operator.outputs[0]
    *places, width = map(int, tensors[place].shape)
    if kind == "BATCH_MATMUL":  # its weights are matrices, one for each row of others
        return math.prod(places) * width * int(tensors[operator.inputs[0]].shape[-1])
    return math.prod(places) * math.prod(map(int, weights))


def count_outside(details: Sequence[dict[str, Any]]) -> tuple[int, int, dict[str, int]]:
    """Counts what a delegate took, from an interpreter's list of operations.

    Args:
        details: Of each operation `op_name`, `inputs` and `outputs` (tensor numbers);
            the delegate's own are called `DELEGATE`, and what they replaced is listed.

    Returns:
        The number of partitions, of operations, and of those outside of the delegate by
        name.
    """
    partitions = [node for node in details if node["op_name"] == "DELEGATE"]
    originals = [node for node in details if node["op_name"] != "DELEGATE"]
    maker = {
        tensor: i for i, node in enumerate(originals) for tensor in node["outputs"]
    }
    inside: set[int] = set()
    for partition in partitions:
        edge, todo = set(partition["inputs"]), list(partition["outputs"])
        while todo:
            tensor = todo.pop()
            if tensor in maker and tensor not in edge and maker[tensor] not in inside:
                inside.add(maker[tensor])
                todo += list(originals[maker[tensor]]["inputs"])
    outside = [n["op_name"] for i, n in enumerate(originals) if i not in inside]
    return len(partitions), len(originals), dict(collections.Counter(outside))


def add_metadata(model: Any, name: str, data: bytes) -> None:
    """Adds (or replaces) a named block of bytes."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name.encode(), len(model.buffers) - 1
    model.metadata = [x for x in model.metadata or [] if x.name != entry.name]
    model.metadata.append(entry)


def find_metadata(content: bytes, name: str) -> bytes | None:
    """Returns the named block of bytes, or None."""
    model = read(content)
    for item in model.metadata or []:
        if item.name == name.encode():
            return np.asarray(model.buffers[item.buffer].data, np.uint8).tobytes()
    return None
