"""How near a .tflite file comes to Keras: peak signal-to-noise ratio and SSIM."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from export.verify import golden, litert
from export.verify.examples import Examples

ROWS = 16  # held-out examples of each endpoint
_MOST_ROWS = 64
_SEED = 1  # other draws than the golden examples
_SSIM_WINDOW = 11  # pixels: Wang et al., 2004


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """Of one endpoint, the worst of its outputs: `psnr` in dB; `ssim` of images."""

    psnr: float
    ssim: float | None


def make_references(
    functions: Mapping[str, Any],
    goldens: Mapping[str, golden.Golden],
    examples: Examples,
) -> dict[str, golden.Golden]:
    """Returns what float TensorFlow answers to `ROWS` examples of each endpoint.

    With more labels than that, there are as many examples as labels, at most 64.

    Where the images of an endpoint are those of another one too (`Examples.shared`),
    half of its rows are made up: they may be of a domain that it does not take.

    Args:
        functions: Concrete functions of batch 1, by endpoint.
        goldens: What was recorded; these rows come first.
        examples: Held-out arrays; made up where absent.
    """
    references = {}
    for name, function in functions.items():
        specs = batched_specs(function)
        given = {
            key: np.roll(array, -golden.ROWS, axis=0)
            for key, array in examples.of(name).items()
        }
        rows = max(ROWS, min(_MOST_ROWS, _count_classes(given)))
        more = golden.make_inputs(specs, given, rows - golden.ROWS, _SEED)
        if name in examples.shared:
            _make_up_images(specs, more, first=ROWS // 2 - golden.ROWS)
        first = goldens[name].inputs
        inputs = {key: np.concatenate([first[key], more[key]]) for key in first}
        outputs = golden.run_rows(lambda row, f=function: f(**row), inputs)
        references[name] = golden.Golden(inputs, outputs)
    return references


def _count_classes(given: Mapping[str, np.ndarray]) -> int:
    """Returns how many labels there are: examples hold each class once, then again."""
    labels = [array for array in given.values() if array.dtype.kind in "iu"]
    return max((len(np.unique(array)) for array in labels), default=0)


def _make_up_images(
    specs: Sequence[tf.TensorSpec], inputs: golden.Arrays, first: int
) -> None:
    """Replaces the images from row `first` on by those of the rule."""
    images = [spec for spec in specs if golden.is_images(spec.name, inputs[spec.name])]
    for name, array in golden.make_inputs(images, {}, ROWS, _SEED).items():
        inputs[name][first:] = array[: len(inputs[name]) - first]


def batched_specs(function: Any) -> list[tf.TensorSpec]:
    """Returns the specs of a concrete function of batch 1, of any batch."""
    specs = function.structured_input_signature[1].values()
    return [tf.TensorSpec((None, *s.shape[1:]), s.dtype, s.name) for s in specs]


def measure(
    content: bytes, references: Mapping[str, golden.Golden]
) -> dict[str, Fidelity]:
    """Returns the fidelity of each endpoint of a .tflite file."""
    endpoints = litert.load(content)
    return {
        name: compare(
            reference.outputs, golden.run_rows(endpoints[name], reference.inputs)
        )
        for name, reference in references.items()
    }


def compare(expected: golden.Arrays, answers: golden.Arrays) -> Fidelity:
    """Compares outputs by name; golden rows, and later ones, are held to the same."""
    ratios, similarities = [], []
    for name, array in expected.items():
        for rows in (slice(None), slice(golden.ROWS), slice(ROWS // 2, None)):
            if len(array[rows]):
                ratios.append(golden.psnr(name, array[rows], answers[name][rows]))
        if golden.is_images(name, array):
            similarities.append(_ssim(array, answers[name]))
    return Fidelity(min(ratios), min(similarities, default=None))


def _ssim(expected: np.ndarray, answer: np.ndarray) -> float:
    window = min(_SSIM_WINDOW, *expected.shape[1:3])
    values = tf.image.ssim(expected, answer, max_val=1.0, filter_size=window)
    return float(tf.reduce_mean(values))


def measure_psnr(
    content: bytes, references: Mapping[str, golden.Golden]
) -> dict[str, float]:
    """Returns the ratio of each endpoint in dB; 0 for each if the file cannot be run.

    XNNPACK refuses scales that are too far apart, such as those of a layer that is off.
    """
    try:
        fidelity = measure(content, references)
    except (RuntimeError, ValueError):
        return dict.fromkeys(references, 0.0)
    return {name: result.psnr for name, result in fidelity.items()}
