"""Pieces of code for the guide: literals, fillers, names, quoted for their language.

They are filters of `README.md.j2`. Each returns `Markup`, which goes into a block of
code as it is, so each must be true for any name that a model may have.
"""

import json
import keyword
import math
import re
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from export.report import wording

_FREE_SIZE = 64  # stands in an example for a height or width that the model leaves free
_SWIFT_KEYWORDS = {"let", "var", "func", "self", "default", "case", "init", "repeat"}
_WIDTHS = {"64": 8, "32": 4, "16": 2}

Spec = Mapping[str, Any]
Specs = Mapping[str, Spec]


def code(text: Any) -> Markup:
    """Returns text as code within a line of Markdown."""
    line = " ".join(str(text).split()) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return Markup(f"{fence} {line} {fence}" if "`" in line else f"`{line}`")


def literal(text: str) -> Markup:
    """Returns a string literal of Python and of Swift, in one line."""
    return Markup(json.dumps(text, ensure_ascii=not _is_plain(text)))


def kotlin(text: str) -> Markup:
    """Returns a string literal of Kotlin."""
    return Markup(literal(text).replace("$", "\\$"))


def shell(text: str) -> Markup:
    """Returns a word of the shell."""
    return Markup(shlex.quote(text))


def comment(spec: Spec) -> Markup:
    """Returns a tensor in words, for the end of a line of code."""
    return Markup(wording.tensor(spec))


def identifier(text: str) -> Markup:
    """Returns a name for a variable, in Swift."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    is_taken = keyword.iskeyword(name) or name in _SWIFT_KEYWORDS
    is_name = re.match("[A-Za-z]", name) and not is_taken
    return Markup(name if is_name else f"output_{name}")


def _is_plain(text: str) -> bool:
    """Whether every character is one that all languages print within a line."""
    return all(character.isprintable() or character == " " for character in text)


# ---- fillers -------------------------------------------------------------------------


def is_file(name: str, spec: Spec) -> bool:
    """Whether an input takes an encoded image."""
    return spec["dtype"] == "string" and name.endswith("_bytes")


def takes_files(endpoint: Mapping[str, Specs]) -> bool:
    """Whether an endpoint takes encoded images."""
    return any(is_file(*item) for item in endpoint["inputs"].items())


def one(spec: Spec) -> dict[str, Any]:
    """Returns the tensor as a .tflite file has it: batch 1."""
    return {**spec, "shape": [1, *spec["shape"][1:]]}


def sizes(spec: Spec) -> list[int]:
    """Returns the shape of one row; sizes that the model leaves free get a value."""
    free = [1, *[_FREE_SIZE] * len(spec["shape"])]
    pairs = zip(spec["shape"], free, strict=False)
    return [int(size or default) for size, default in pairs]


def scalar(spec: Spec) -> str:
    """Returns a value in range that Python and NumPy read: grey, or zero."""
    if spec["dtype"] == "bool":
        return "False"
    if "float" not in spec["dtype"]:
        return "0"
    return "0.5" if spec.get("range") == "[0, 1]" else "0.0"


def array(spec: Spec, name: str) -> Markup:
    """Returns an expression of an array: `np.full((1, 4), 0.0, "float32")`."""
    if is_file(name, spec):
        return Markup('[pathlib.Path("photo.png").read_bytes()]')
    if spec["dtype"] == "string":
        return Markup('["text"]')
    shape = sizes(spec)
    numbers = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    return Markup(f"np.full({numbers}, {scalar(spec)}, {literal(spec['dtype'])})")


def arguments(inputs: Specs) -> Markup:
    """Returns the inputs of a call; a name like `lambda` goes into a dict."""
    pairs = [(name, array(spec, name)) for name, spec in inputs.items()]
    return Markup(
        ", ".join(
            f"{name}={value}"
            if name.isidentifier() and not keyword.iskeyword(name)
            else f"**{{{literal(name)}: {value}}}"
            for name, value in pairs
        )
    )


def imports(endpoint: Mapping[str, Specs], outputs: bool = True) -> Markup:
    """Returns the lines of the imports that fillers, and outputs to files, need."""
    values = [array(spec, name) for name, spec in endpoint["inputs"].items()]
    if outputs and any(name.endswith("_bytes") for name in endpoint["outputs"]):
        values.append("pathlib.")
    text = " ".join(values)
    modules = {"pathlib.": "import pathlib\n", "np.": "import numpy as np\n"}
    return Markup("".join(line for used, line in modules.items() if used in text))


def picture(output: str) -> Markup:
    """Returns the file for an output of encoded images: `image.png`."""
    stem = output.removesuffix("_bytes")
    safe = re.sub(r"[^\w.-]", "_", stem).lstrip(".-")
    return Markup(literal(f"{safe or 'answer'}.png"))


# ---- REST ----------------------------------------------------------------------------


def curl(export: Mapping[str, Any], endpoint: str, address: str) -> Markup:
    """Returns a body made by Python, sent by curl; pictures are written to files."""
    specs = export["endpoints"][endpoint]
    inputs = ", ".join(
        f"{literal(key)}: {_json_filler(key, spec)}"
        for key, spec in specs["inputs"].items()
    )
    modules = "base64, json" if takes_files(specs) else "json"
    body = f'{{"signature_name": {literal(endpoint)}, "inputs": {{{inputs}}}}}'
    name = urllib.parse.quote(export["name"], safe="")
    url = f"{address}/v1/models/{name}:predict"
    lines = [
        f"python3 -c {shell(f'import {modules}; print(json.dumps({body}))')} |",
        f"  curl -sS -d @- -o answer.json {shell(url)}",
    ]
    lines += [
        f"python3 -c {shell(_save(key, specs['outputs']))}"
        for key in specs["outputs"]
        if key.endswith("_bytes")
    ]
    return Markup("\n".join(lines))


def _json_filler(key: str, spec: Spec) -> str:
    """Returns an expression of nested lists: `[[0.0] * 4]`."""
    value = scalar(spec)
    if is_file(key, spec):
        value = '{"b64": base64.b64encode(open("photo.png", "rb").read()).decode()}'
    elif spec["dtype"] == "string":
        value = '"text"'
    for size in reversed(sizes(spec)):
        value = f"[{value}]" if size == 1 else f"[{value}] * {size}"
    return value


def _save(key: str, outputs: Sequence[str]) -> str:
    # The server leaves the name of an only output out.
    of_one = "" if len(outputs) == 1 else f"[{literal(key)}]"
    row = f'json.load(open("answer.json"))["outputs"]{of_one}[0]["b64"]'
    file = f'open({picture(key)}, "wb")'
    return f"import base64, json; {file}.write(base64.b64decode({row}))"


# ---- devices -------------------------------------------------------------------------


def swift_type(spec: Spec) -> Markup:
    """Returns the Swift type of numbers: `Float32`, `UInt8`."""
    return Markup(identifier(spec["dtype"].capitalize().replace("Ui", "UI")))


def count_numbers(spec: Spec) -> Markup:
    """Returns how many numbers one row has."""
    return Markup(math.prod(sizes(spec)))


def count_bytes(spec: Spec) -> Markup:
    """Returns how many bytes one row has, as a product: `4 * 784`."""
    width = _WIDTHS.get(spec["dtype"][-2:], 1)
    return Markup(f"{width} * {math.prod(sizes(spec))}")


FILTERS = {
    "code": code,
    "literal": literal,
    "kotlin": kotlin,
    "comment": comment,
    "identifier": identifier,
    "takes_files": takes_files,
    "one": one,
    "scalar": lambda spec: Markup(scalar(spec)),
    "array": array,
    "arguments": arguments,
    "imports": imports,
    "picture": picture,
    "curl": curl,
    "swift_type": swift_type,
    "count_numbers": count_numbers,
    "count_bytes": count_bytes,
}
