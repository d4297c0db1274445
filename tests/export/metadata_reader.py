"""Reads the metadata that `export.formats.metadata` writes, by the schema's numbers."""

from typing import Any

import flatbuffers
import numpy as np

from export.formats import flatbuffer
from export.formats.metadata import NAME

_MODEL = ("name", "description", "version", "subgraph_metadata", "author", "license")
_SUBGRAPH = (
    "name",
    "description",
    "input_tensor_metadata",
    "output_tensor_metadata",
)
_TENSOR = (
    "name",
    "description",
    "dimension_names",
    "content",
    "process_units",
    "stats",
)
_STATS = ("max", "min")

Range = tuple[float, float] | None


def read(content: bytes) -> dict[str, Any] | None:
    """Returns name, description, licence and signatures of the metadata, or None.

    `signatures` is a list of `{"name", "inputs", "outputs"}`; inputs and outputs are
    `{tensor name: (least, largest) or None}`.
    """
    data = flatbuffer.find_metadata(content, NAME)
    if data is None:
        return None
    root = _Reader.root(data)
    return {
        "name": root.string(_MODEL.index("name")),
        "description": root.string(_MODEL.index("description")),
        "license": root.string(_MODEL.index("license")),
        "signatures": [
            {
                "name": graph.string(_SUBGRAPH.index("name")),
                "inputs": _read_tensors(graph, "input_tensor_metadata"),
                "outputs": _read_tensors(graph, "output_tensor_metadata"),
            }
            for graph in root.tables(_MODEL.index("subgraph_metadata"))
        ],
    }


def _read_tensors(graph: Any, field: str) -> dict[str, Range]:
    tensors = {}
    for tensor in graph.tables(_SUBGRAPH.index(field)):
        stats = tensor.table(_TENSOR.index("stats"))
        bounds = stats and (
            stats.float(_STATS.index("min")),
            stats.float(_STATS.index("max")),
        )
        tensors[tensor.string(_TENSOR.index("name"))] = bounds or None
    return tensors


class _Reader:
    """A table of a flatbuffer, read by field number."""

    def __init__(self, data: bytes, position: int):
        self._table = flatbuffers.table.Table(bytearray(data), position)

    @classmethod
    def root(cls, data: bytes) -> "_Reader":
        return cls(data, int(np.frombuffer(data, "<u4", 1)[0]))

    def _offset(self, field: int) -> int:
        return self._table.Offset(4 + 2 * field)

    def string(self, field: int) -> str:
        offset = self._offset(field)
        return self._table.String(offset + self._table.Pos).decode() if offset else ""

    def table(self, field: int) -> "_Reader | None":
        offset = self._offset(field)
        if not offset:
            return None
        position = self._table.Indirect(self._table.Pos + offset)
        return _Reader(bytes(self._table.Bytes), position)

    def tables(self, field: int) -> "list[_Reader]":
        offset = self._offset(field)
        if not offset:
            return []
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        data = bytes(self._table.Bytes)
        positions = (self._table.Indirect(start + 4 * i) for i in range(count))
        return [_Reader(data, position) for position in positions]

    def float(self, field: int) -> float:
        start = self._table.Vector(self._offset(field))
        return float(np.frombuffer(self._table.Bytes, "<f4", 1, start)[0])
