"""Says inside a .tflite file what it is: the TFLite metadata that Android tools read.

The schema is TensorFlow Lite Support's `metadata_schema.fbs`; no package that runs here
writes it any more, so its few tables are built by number. One subgraph's metadata for
each signature, in the order of the file.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

from export.formats import flatbuffer

NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
# Fields of the tables, in the order of the schema.
_MODEL = ("name", "description", "version", "subgraph_metadata", "author", "license")
_SUBGRAPH = ("name", "description", "input_tensor_metadata", "output_tensor_metadata")
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


@dataclasses.dataclass(frozen=True)
class About:
    """What a model is; `licence`: and attribution of the data it was trained on."""

    name: str
    description: str = ""
    licence: str = ""


def add(
    content: bytes, about: About, ranges: Mapping[tuple[str, str], Range] | None = None
) -> bytes:
    """Returns the file with its metadata.

    Args:
        content: Content of a .tflite file.
        about: What the model is.
        ranges: Least and largest value, by signature and tensor name; None or absent:
            not bounded.
    """
    model = flatbuffer.read(content)
    model.description = about.description.encode()
    builder = flatbuffers.Builder(1024)
    graphs = [
        _subgraph(builder, definition, ranges or {})
        for definition in sorted(model.signatureDefs, key=lambda d: d.subgraphIndex)
    ]
    fields = {
        "name": builder.CreateString(about.name),
        "description": builder.CreateString(about.description),
        "license": builder.CreateString(about.licence),
        "subgraph_metadata": _vector(builder, graphs),
    }
    builder.Finish(_table(builder, _MODEL, fields), file_identifier=_IDENTIFIER)
    flatbuffer.add_metadata(model, NAME, bytes(builder.Output()))
    return flatbuffer.pack(model)


def _subgraph(builder: Any, definition: Any, ranges: Mapping[Any, Range]) -> int:
    signature = definition.signatureKey.decode()

    def tensors(maps: Sequence[Any]) -> int:
        names = [entry.name.decode() for entry in maps]
        return _vector(
            builder, [_tensor(builder, n, ranges.get((signature, n))) for n in names]
        )

    return _table(
        builder,
        _SUBGRAPH,
        {
            "name": builder.CreateString(signature),
            "input_tensor_metadata": tensors(definition.inputs),
            "output_tensor_metadata": tensors(definition.outputs),
        },
    )


def _tensor(builder: Any, name: str, bounds: Range) -> int:
    text = f"values in [{bounds[0]:g}, {bounds[1]:g}]" if bounds else "not bounded"
    fields = {
        "name": builder.CreateString(name),
        "description": builder.CreateString(text),
    }
    if bounds:
        low, high = (builder.CreateNumpyVector(np.float32([b])) for b in bounds)
        fields["stats"] = _table(builder, _STATS, {"max": high, "min": low})
    return _table(builder, _TENSOR, fields)


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _table(builder: Any, layout: Sequence[str], fields: Mapping[str, int]) -> int:
    builder.StartObject(len(layout))
    for name, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(layout.index(name), offset, 0)
    return builder.EndObject()
