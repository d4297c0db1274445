"""Runs .tflite files on three LiteRT runtimes; says what XNNPACK delegated.

Does not import TensorFlow, which a phone does not have.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from export import _compat
from export.formats import flatbuffer
from export.verify import golden

Endpoint = Callable[[golden.Arrays], golden.Arrays]

# By the reference kernels, which do about half a thousand million a second on a core:
# a residual generator of 256 pixels has 57 of them, and would take minutes.
MOST_BY_REFERENCE = 10**10


def load(
    content: bytes, threads: int | None = None, reference: bool = False
) -> dict[str, Endpoint]:
    """Returns the signatures as functions of batch 1.

    Args:
        content: The bytes of the file.
        threads: Threads of the delegate; None for the runtime's default.
        reference: Whether to use the reference kernels, without a delegate: slow.
    """
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(
        model_content=content,
        num_threads=threads,
        experimental_op_resolver_type=resolver,
    )
    return {
        name: _call(interpreter.get_signature_runner(name))
        for name in interpreter.get_signature_list()
    }


def _call(runner: Any) -> Endpoint:
    return lambda inputs: runner(**inputs)


def input_names(content: bytes, signature: str) -> list[str]:
    """Returns the names of a signature's inputs."""
    interpreter = Interpreter(model_content=content)
    return list(interpreter.get_signature_list()[signature]["inputs"])


def load_compiled(content: bytes) -> dict[str, Endpoint]:
    """As `load`, with LiteRT's `CompiledModel`."""
    model = CompiledModel.from_buffer(content)
    return {
        name: _compiled_endpoint(model, name) for name in model.get_signature_list()
    }


def _compiled_endpoint(model: CompiledModel, signature: str) -> Endpoint:
    names = model.get_signature_list()[signature]
    inputs = {
        n: model.create_input_buffer_by_name(signature, n) for n in names["inputs"]
    }
    outputs = {
        n: model.create_output_buffer_by_name(signature, n) for n in names["outputs"]
    }
    details = model.get_output_tensor_details(signature)

    def run(arrays: golden.Arrays) -> golden.Arrays:
        for name, buffer in inputs.items():
            buffer.write(_as_words(np.ascontiguousarray(arrays[name])))
        model.run_by_name(signature, inputs, outputs)
        answers = {}
        for name, buffer in outputs.items():
            empty = np.empty(details[name]["shape"], details[name]["dtype"])
            words = _as_words(empty)
            read = buffer.read(words.size, words.dtype.type)
            answers[name] = read.view(empty.dtype).reshape(empty.shape)
        return answers

    return run


def _as_words(array: np.ndarray) -> np.ndarray:
    """Returns 64-bit integers as pairs of 32 bits, which is all that buffers take."""
    return array.reshape(-1).view(np.int32) if array.dtype == np.int64 else array


def load_others(content: bytes) -> dict[str, dict[str, Endpoint]]:
    """Returns the signatures by runtime: `reference` and `compiled_model`.

    The first without those of more than `MOST_BY_REFERENCE` multiplications.
    """
    counts = flatbuffer.count_multiplications(content)
    reference = {
        name: endpoint
        for name, endpoint in load(content, reference=True).items()
        if counts[name] <= MOST_BY_REFERENCE
    }
    return {"reference": reference, "compiled_model": load_compiled(content)}


def compare_runtimes(
    runtimes: dict[str, dict[str, Endpoint]],
    signature: str,
    row: golden.Arrays,
    answers: golden.Arrays,
) -> dict[str, dict[str, float]]:
    """Compares the outputs of other runtimes with those of the default one for a row.

    Of those that have the signature.

    Returns:
        By runtime: the largest absolute `difference` and the least `psnr` in dB.
    """
    report = {}
    for runtime, endpoints in runtimes.items():
        if signature not in endpoints:
            continue
        other = endpoints[signature](row)
        gaps = [np.abs(other[k].astype(np.float64) - answers[k]).max() for k in answers]
        ratios = [golden.psnr(k, answers[k], other[k]) for k in answers]
        report[runtime] = {"difference": float(max(gaps)), "psnr": min(ratios)}
    return report


def count_operations(content: bytes) -> dict[str, dict[str, Any]]:
    """Returns for each signature which operations XNNPACK runs.

    `partitions`: delegated subgraphs, ideally one; `operations`: their number in the
    whole graph; `outside`: operations left to the built-in kernels, counted by name. A
    signature with control flow has an empty entry: its graph cannot be extracted.
    """
    report = {}
    for definition in flatbuffer.read(content).signatureDefs:
        name = definition.signatureKey.decode()
        if (alone := flatbuffer.extract(content, name)) is None:
            report[name] = {}
            continue
        interpreter = Interpreter(model_content=alone)
        interpreter.allocate_tensors()
        counts = flatbuffer.count_outside(_compat.operation_details(interpreter))
        keys = ("partitions", "operations", "outside")
        report[name] = dict(zip(keys, counts, strict=True))
    return report
