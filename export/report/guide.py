"""The README.md of an exported folder: how to serve, call, and run on a device.

It is written from the report alone (see `report.json`), with true names, shapes and
ranges, so that every command and snippet in it can be pasted.
"""

import json
import keyword
import math
import pathlib
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from export._staging import staging
from export.report.report import table
from export.report.units import describe

# Interpreter and CompiledModel in one artifact; 2.0 lacks the Interpreter.
_ANDROID = "com.google.ai.edge.litert:litert:2.1.5"
_POD = "pod 'TensorFlowLiteSwift', '~> 2.17.0'"

_REST, _GRPC = "http://localhost:8501", "localhost:8500"
_FREE_SIZE = 64  # stands in an example for a height or width that the model leaves free

_ADVICE = {
    "float32": "the numbers of Keras. The one to start with, and to compare with.",
    "float16": "weights in half of the bytes; for GPUs, or a smaller download.",
    "dynamic_int8": "weights in a quarter of the bytes, float32 in and out; mostly the "
    "fastest on the CPU of a phone.",
    "int8": "weights of the convolutions and dense layers, and what they take, in 8 "
    "bits; float32 between them, in and out. Look at its PSNR and its pictures first.",
}

_Specs = Mapping[str, Mapping[str, Any]]


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes `README.md` of the folder, over an older one.

    It tells of every export, and calls the newest version of each name: the one that
    TensorFlow Serving serves.
    """
    by_version = sorted(report["exports"], key=lambda export: export["version"])
    newest = {export["name"]: export for export in by_version}
    parts = [
        _overview(report["exports"]),
        _serve(report["exports"], newest),
        *[_call(export) for export in newest.values()],
        _call_without_us(next(iter(newest.values()))) if newest else "",
        _devices([export for export in newest.values() if _edge_files(export)]),
        _VERIFY,
        _licences(report["exports"]),
    ]
    with staging(directory / "README.md") as folder:
        text = "\n".join(part for part in parts if part)
        (folder / "README.md").write_text(text, encoding="utf-8")
        (folder / "README.md").replace(directory / "README.md")


# ---- what there is -------------------------------------------------------------------


def _overview(exports: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "# Exported models",
        "",
        "Written by `tfgen export`, and again by each export into this folder. How far "
        "each file is from Keras, and how fast, is in [report.html](report.html); "
        "programs read [report.json](report.json).",
        "",
    ]
    for export in exports:
        text = _text(export.get("description", ""))
        title = f"- **{_text(export['name'])}**, version {export['version']}"
        lines.append(f"{title}: {text}" if text else title)
    return "\n".join([*lines, ""])


# ---- TensorFlow Serving --------------------------------------------------------------


_SERVE = """\
## Serve with Docker

In this folder:

```sh
docker run --rm -p 8500:8500 -p 8501:8501 \\
  --mount type=bind,source="$PWD/serving",target=/models,readonly \\
  tensorflow/serving \\
  --model_config_file=/models/models.config --model_config_file_poll_wait_seconds=60 \\
  --enable_batching --batching_parameters_file=/models/batching.config
```

Port 8500 is gRPC, port 8501 REST. An image as new as the TensorFlow that
wrote the models{written} loads them; an older one may not.

Served: {served}. TensorFlow Serving serves the largest version of every
name, and looks for new ones by itself: export the next version into this folder, and it
is loaded, warmed up with the requests that lie in it, and takes over without an
interruption. A new name is found when `models.config` is read again, within 60 s. To
serve several versions at once, copy `models.config`, add a `model_version_policy`, and
pass the copy: the next export rewrites the original.

With batching, requests that arrive together run as one batch. An image that cannot be
decoded then fails the whole batch that it was merged with, not its own request only:
check uploads before they are sent, or try a failed request once more.
"""


def _serve(
    exports: Sequence[Mapping[str, Any]], newest: Mapping[str, Mapping[str, Any]]
) -> str:
    served = ", ".join(
        f"{_code(name)} version {export['version']}" for name, export in newest.items()
    )
    versions = {e.get("packages", {}).get("tensorflow") for e in exports} - {None}
    written = f" (here {', '.join(sorted(versions))})" if versions else ""
    return _SERVE.format(served=served or "nothing yet", written=written)


def _call(export: Mapping[str, Any]) -> str:
    name = export["name"]
    notes = [f"## Call {_text(name)}", ""]
    if any(_takes_files(specs["inputs"]) for specs in export["endpoints"].values()):
        notes += [
            "`photo.png` stands for a PNG or JPEG file of yours. It is cropped and "
            "resized to what the model takes.",
            "",
        ]
    notes += [
        "Numbers below are fillers: put your own in. The first dimension is the batch. "
        'The Python calls go over gRPC, and need `pip install "tfgen[serving]"`.',
        "",
    ]
    parts = [
        _call_endpoint(name, endpoint, specs)
        for endpoint, specs in export["endpoints"].items()
    ]
    return "\n".join([*notes, *parts])


def _call_endpoint(name: str, endpoint: str, specs: Mapping[str, _Specs]) -> str:
    lines = [f"### {_code(endpoint)}", ""]
    for kind in ("inputs", "outputs"):
        for tensor, spec in specs[kind].items():
            lines.append(f"- {kind[:-1]} {_code(tensor)}: {describe(spec)}")
    return "\n".join(
        [
            *lines,
            "",
            _fence("sh", _curl(name, endpoint, specs)),
            _fence("python", _grpc(name, endpoint, specs)),
        ]
    )


def _curl(name: str, endpoint: str, specs: Mapping[str, _Specs]) -> str:
    """Returns a body made by Python, sent by curl; pictures are written to files."""
    inputs = ", ".join(
        f"{json.dumps(key)}: {_json_filler(key, spec)}"
        for key, spec in specs["inputs"].items()
    )
    modules = "base64, json" if _takes_files(specs["inputs"]) else "json"
    body = f'{{"signature_name": {json.dumps(endpoint)}, "inputs": {{{inputs}}}}}'
    url = f"{_REST}/v1/models/{urllib.parse.quote(name, safe='')}:predict"
    lines = [
        f"python3 -c {shlex.quote(f'import {modules}; print(json.dumps({body}))')} |",
        f"  curl -sS -d @- -o answer.json {shlex.quote(url)}",
    ]
    for key in specs["outputs"]:
        if key.endswith("_bytes"):
            lines.append(f"python3 -c {shlex.quote(_save(key, specs['outputs']))}")
    return "\n".join(lines)


def _save(key: str, outputs: _Specs) -> str:
    # The server leaves the name of an only output out.
    of_one = "" if len(outputs) == 1 else f"[{json.dumps(key)}]"
    row = f'json.load(open("answer.json"))["outputs"]{of_one}[0]["b64"]'
    file = _string(_file_of(key))
    return f'import base64, json; open({file}, "wb").write(base64.b64decode({row}))'


def _grpc(name: str, endpoint: str, specs: Mapping[str, _Specs]) -> str:
    arrays = {key: _array(key, spec) for key, spec in specs["inputs"].items()}
    call = f"client.predict({_string(endpoint)}, {_arguments(arrays)})"
    results = []
    for key in specs["outputs"]:
        result = f"answer[{_string(key)}]"
        if key.endswith("_bytes"):
            file = f"pathlib.Path({_string(_file_of(key))})"
            results.append(f"{file}.write_bytes({result}[0])")
        else:
            results.append(f"print({result}.shape)")
    return "\n".join(
        [
            *_imports([*arrays.values(), *results]),
            "from export.serving.client import Client",
            "",
            f"with Client({_string(f'grpc://{_GRPC}')}, {_string(name)}) as client:",
            f"    answer = {call}",
            *results,
        ]
    )


def _file_of(output: str) -> str:
    return f"{output.removesuffix('_bytes')}.png"


def _imports(expressions: Sequence[str]) -> list[str]:
    """Returns the imports that the expressions need."""
    text = " ".join(expressions)
    modules = {"pathlib.": "import pathlib", "np.": "import numpy as np"}
    return [line for module, line in modules.items() if module in text]


_BARE = """\
options = [("grpc.max_receive_message_length", -1)]  # the default is 4 MB
channel = grpc.insecure_channel({address}, options=options)
service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
request = predict_pb2.PredictRequest()
request.model_spec.name = {name}
request.model_spec.signature_name = {endpoint}
{inputs}
reply = service.Predict(request, timeout=60.0)
answer = {{key: tf.make_ndarray(proto) for key, proto in reply.outputs.items()}}
print({{key: array.shape for key, array in answer.items()}})"""


def _call_without_us(export: Mapping[str, Any]) -> str:
    """One gRPC call with nothing of this project."""
    endpoint, specs = next(iter(export["endpoints"].items()))
    arrays = {key: _array(key, spec) for key, spec in specs["inputs"].items()}
    lines = [
        f"request.inputs[{_string(key)}].CopyFrom(tf.make_tensor_proto({array}))"
        for key, array in arrays.items()
    ]
    call = _BARE.format(
        address=_string(_GRPC),
        name=_string(export["name"]),
        endpoint=_string(endpoint),
        inputs="\n".join(lines),
    )
    imports = [
        *_imports(list(arrays.values())),
        "import grpc",
        "import tensorflow as tf",
        "from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc",
    ]
    code = _fence("python", "\n".join([*imports, "", call]))
    needs = "`pip install tensorflow-serving-api tensorflow` is enough:"
    return f"## Call without this package\n\n{needs}\n\n{code}"


# ---- fillers -------------------------------------------------------------------------


def _takes_files(inputs: _Specs) -> bool:
    return any(_is_file(key, spec) for key, spec in inputs.items())


def _is_file(key: str, spec: Mapping[str, Any]) -> bool:
    return spec["dtype"] == "string" and key.endswith("_bytes")


def _sizes(spec: Mapping[str, Any]) -> list[int]:
    """Returns the shape of one row; sizes that the model leaves free get a value."""
    free = [1, *[_FREE_SIZE] * len(spec["shape"])]
    return [size or default for size, default in zip(spec["shape"], free, strict=False)]


def _scalar(spec: Mapping[str, Any]) -> str:
    """Returns a value in range that Python and NumPy read: grey, or zero."""
    if spec["dtype"] == "bool":
        return "False"
    if "float" not in spec["dtype"]:
        return "0"
    return "0.5" if spec.get("range") == "[0, 1]" else "0.0"


def _json_filler(key: str, spec: Mapping[str, Any]) -> str:
    """Returns an expression of nested lists: `[[0.0] * 4]`."""
    value = _scalar(spec)
    if _is_file(key, spec):
        value = '{"b64": base64.b64encode(open("photo.png", "rb").read()).decode()}'
    elif spec["dtype"] == "string":
        value = '"text"'
    for size in reversed(_sizes(spec)):
        value = f"[{value}]" if size == 1 else f"[{value}] * {size}"
    return value


def _array(key: str, spec: Mapping[str, Any]) -> str:
    """Returns an expression of an array: `np.full((1, 4), 0.0, "float32")`."""
    if _is_file(key, spec):
        return '[pathlib.Path("photo.png").read_bytes()]'
    if spec["dtype"] == "string":
        return '["text"]'
    shape = _tuple(_sizes(spec))
    return f"np.full({shape}, {_scalar(spec)}, {_string(spec['dtype'])})"


def _tuple(sizes: Sequence[int]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _arguments(values: Mapping[str, str]) -> str:
    """Returns keyword arguments; a name like `lambda` is no keyword of a call."""
    return ", ".join(
        f"**{{{_string(key)}: {value}}}" if keyword.iskeyword(key) else f"{key}={value}"
        for key, value in values.items()
    )


# ---- devices -------------------------------------------------------------------------


def _edge_files(export: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the .tflite files by quantization."""
    files = [file for file in export["files"] if file["format"] == "tflite"]
    return {file["quantization"]: file for file in files}


_DEVICES = """\
## Run on a device

Every `.tflite` file in `edge/` has the endpoints that draw no random numbers, each a
signature by its name. They take one row at a time (batch 1), need no Flex operations,
and keep no state. Which file to take:

"""


def _devices(exports: Sequence[Mapping[str, Any]]) -> str:
    if not exports:
        return ""
    present = {name for export in exports for name in _edge_files(export)}
    advice = [
        f"- `{name}`: {text}\n" for name, text in _ADVICE.items() if name in present
    ]
    tables = [
        f"**{_text(export['name'])}**, version {export['version']} (median latency and "
        f"the speed relative to the SavedModel):\n\n{table(export)}"
        for export in exports
    ]
    lists = [_DEVICES + "".join(advice), *tables]
    return "\n".join([*lists, *[_device_code(export) for export in exports]])


_DEVICE_CODE = """\
### {name} in Python

`pip install ai-edge-litert numpy`

{python}
### {name} in Kotlin

In Gradle, with the file in `src/main/assets`. Written after LiteRT's documentation, not
run by this project.

```kotlin
implementation("{android}")
```

{kotlin}
### {name} in Swift

In the Podfile, with the file among the app's resources. Written after the sources of
TensorFlowLiteSwift, not run by this project. The pod is older than the converter:
should it refuse an operation, take the `float32` file, or the nightly pod.

```ruby
{pod}
```

{swift}"""


def _device_code(export: Mapping[str, Any]) -> str:
    files = _edge_files(export)
    file = next(files[name] for name in [*_ADVICE, *files] if name in files)
    offered = {row["endpoint"] for row in file["rows"]}
    endpoints = {k: v for k, v in export["endpoints"].items() if k in offered}
    path = pathlib.PurePosixPath(file["path"])
    kotlin = [_KOTLIN.format(file=_kotlin_string(path.name))]
    kotlin += [_kotlin(*endpoint) for endpoint in endpoints.items()]
    swift = [_SWIFT.format(stem=_string(path.stem))]
    swift += [_swift(*endpoint) for endpoint in endpoints.items()]
    return _DEVICE_CODE.format(
        name=_text(export["name"]),
        python=_fence("python", _python(path, endpoints)),
        android=_ANDROID,
        kotlin="\n".join(_fence("kotlin", block) for block in kotlin),
        pod=_POD,
        swift="\n".join(_fence("swift", block) for block in swift),
    )


def _python(path: pathlib.PurePosixPath, endpoints: Mapping[str, Any]) -> str:
    lines = [
        "import numpy as np",
        "from ai_edge_litert.interpreter import Interpreter",
        "",
        f"interpreter = Interpreter({_string(str(path))}, num_threads=2)",
    ]
    for name, specs in endpoints.items():
        inputs = _arguments({k: _array(k, spec) for k, spec in specs["inputs"].items()})
        run = f"interpreter.get_signature_runner({_string(name)})"
        lines += ["", f"answer = {run}({inputs})"]
        for key, spec in specs["outputs"].items():
            comment = f"  # {describe(_one(spec))}"
            lines.append(f"print(answer[{_string(key)}].shape){comment}")
    return "\n".join(lines)


_KOTLIN = """\
import android.content.Context
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

fun load(context: Context): Interpreter {{
    val model = context.assets.openFd({file}).use {{
        it.createInputStream().channel.map(
            FileChannel.MapMode.READ_ONLY, it.startOffset, it.declaredLength)
    }}
    return Interpreter(model, Interpreter.Options().setNumThreads(2))
}}

// Of a tensor: filled with asFloatBuffer().put(...), row by row, channels last.
fun buffer(bytes: Int): ByteBuffer =
    ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

val interpreter = load(context)"""


def _kotlin(name: str, specs: Mapping[str, _Specs]) -> str:
    lines = []
    for kind in ("inputs", "outputs"):
        lines.append(f"val {kind} = mapOf<String, Any>(")
        for key, spec in specs[kind].items():
            one = _one(spec)
            pair = f"{_kotlin_string(key)} to buffer({_bytes(one)})"
            lines.append(f"    {pair},  // {describe(one)}")
        lines.append(")")
    lines.append(f"interpreter.runSignature(inputs, outputs, {_kotlin_string(name)})")
    key = next(iter(specs["outputs"]))
    lines.append(f"val result = outputs[{_kotlin_string(key)}] as ByteBuffer")
    lines.append("result.rewind()  // then result.asFloatBuffer() reads it")
    return "\n".join(lines)


_SWIFT = """\
import Foundation
import TensorFlowLite

// In a function that throws.
let path = Bundle.main.path(forResource: {stem}, ofType: "tflite")!
var options = Interpreter.Options()
options.threadCount = 2
let interpreter = try Interpreter(modelPath: path, options: options)

// Numbers as the bytes that a tensor takes, row by row, channels last.
func bytes<Number>(_ numbers: [Number]) -> Data {{
    return numbers.withUnsafeBytes {{ Data($0) }}
}}"""


def _swift(name: str, specs: Mapping[str, _Specs]) -> str:
    lines = [
        "do {",
        f"    let runner = try interpreter.signatureRunner(with: {_string(name)})",
        "    try runner.invoke(with: [",
    ]
    for key, spec in specs["inputs"].items():
        one = _one(spec)
        numbers = f"repeating: {_scalar(spec).lower()}, count: {math.prod(_sizes(one))}"
        pair = f"{_string(key)}: bytes([{_swift_type(spec)}]({numbers}))"
        lines.append(f"        {pair},  // {describe(one)}")
    lines.append("    ])")
    for key, spec in specs["outputs"].items():
        values = f"Array($0.bindMemory(to: {_swift_type(spec)}.self))"
        lines += [
            f"    let {key} = try runner.output(named: {_string(key)}).data",
            f"        .withUnsafeBytes {{ {values} }}  // {describe(_one(spec))}",
        ]
    return "\n".join([*lines, "}"])


def _swift_type(spec: Mapping[str, Any]) -> str:
    return spec["dtype"].capitalize().replace("Ui", "UI")


def _one(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tensor as a .tflite file has it: batch 1."""
    return {**spec, "shape": [1, *spec["shape"][1:]]}


def _bytes(spec: Mapping[str, Any]) -> str:
    widths = {"64": 8, "32": 4, "16": 2}
    width = widths.get(spec["dtype"][-2:], 1)
    return f"{width} * {math.prod(_sizes(spec))}"


# ---- check, licence ------------------------------------------------------------------


_VERIFY = """\
## Check

```sh
pip install "tfgen[edge,serving]"
tfgen check .
```

It runs every file in a fresh process that has nothing of the training code, on the
golden examples that lie beside it, and compares with what Keras answered when it was
exported; and it compares the SHA-256 of every file with `report.json`. So it proves
that the files are whole, load without the training code, and give the numbers of Keras
on this machine. It does not prove that an accelerator of another device does: run the
golden examples there.
"""


def _licences(exports: Sequence[Mapping[str, Any]]) -> str:
    known = [export for export in exports if export.get("licence")]
    if not known:
        return ""
    lines = [
        f"- {_text(export['name'])}, version {export['version']}: "
        f"{_text(export['licence'])}"
        for export in known
    ]
    title = "Of the data that trained the models; name it where results are shown."
    return "\n".join(["## Licence and attribution", "", title, "", *lines, ""])


# ---- quoting -------------------------------------------------------------------------


def _fence(language: str, code: str) -> str:
    return f"```{language}\n{code}\n```\n"


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _text(text: str) -> str:
    """Returns a user's words in one line, none of which is markup."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in line)


def _string(text: str) -> str:
    """Returns a literal of Python and of Swift."""
    return json.dumps(text, ensure_ascii=False)


def _kotlin_string(text: str) -> str:
    return _string(text).replace("$", "\\$")
