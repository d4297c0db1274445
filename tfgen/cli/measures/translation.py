"""How good translations are: beside the input copied, the mean image, and real ones."""

import math
from typing import Any

import numpy as np

from tfgen.cli.measures.subject import Figure, Figures, Subject, image_shape
from tfgen.cli.panels import Translator
from tfgen.cli.run import Config, load_arrays

# Training images at most, of the mean image and of the features.
_MOST_TRAIN, _TRAIN_BYTES = 4096, 2**29
_LEAST_IMAGES = 3  # of a kernel distance
_LEAST_SSIM = 11  # pixels, of its window
_TRANSLATED_BYTES = 2**31
_MOST_PSNR = 100.0  # dB, of an image that is equal: the mean over images stays finite

MEANING = {
    "mean_absolute_error": "of images in [0, 1]",
    "psnr": "dB",
    "ssim": "1: equal",
    "kernel_distance": "to real images of the target, ± its standard error",
}
ROWS = {
    "model": "the model",
    "copy": "the input, copied",
    "mean_image": "the mean target",
    "real": "real targets",
}


def measure_translation(subject: Subject) -> Figures | None:
    """Translations against the truth, or the target domain: a table of its own."""
    if subject.config.kind == "images":
        return None
    from tfgen.cli.panels import Translator

    config = subject.config
    translator = Translator(subject.model, config.direction, subject.seed)
    arrays = load_translated(subject)
    subject.translation = evaluate(translator, config, *arrays)
    return [Figure("num_images", len(arrays[0]), "test images")]


def load_translated(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Returns test images of both kinds, as many as are measured."""
    size = 2 * 4 * math.prod(image_shape(subject.config))
    most = max(1, _TRANSLATED_BYTES // size)
    count = min(most, subject.num_images or most)
    images, targets = load_arrays(subject.config, "test", count)
    if len(images) == most:
        note = f"translations are of the first {most} test images: more fill the memory"
        subject.notes += [note] * (note not in subject.notes)
    return images, targets


def make_pairs(images: np.ndarray, targets: np.ndarray, batch_size: int) -> Any:
    """Returns a dataset of pairs."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((images, targets)).batch(batch_size)


def evaluate(
    translator: Translator, config: Config, images: np.ndarray, targets: np.ndarray
) -> dict[str, Any]:
    """Returns direction -> row -> figure, over test images.

    Errors are against the truth, where there are pairs. The kernel distance compares
    features of a fixed random network with those of training images of the target
    domain; of test images of it, "real", it is the floor.

    Args:
        translator: Of the run's model.
        config: Of the run.
        images: `(n, height, width, channels)` in `[0, 1]`: inputs, or images of A.
        targets: Truths, or images of B.
    """
    from tfgen import data

    aligned = config.kind == "pairs" or data.is_paired(config.data, config.data_dir)
    num_train = min(_MOST_TRAIN, max(1, _TRAIN_BYTES // (images[0].nbytes * 2)))
    train = load_arrays(config, "train", num_train)
    found = {}
    for direction in translator.directions:
        is_back = translator.is_two_way and direction == "ba"
        inputs, truth = (targets, images) if is_back else (images, targets)
        reference = train[0 if is_back else 1]
        mean = np.broadcast_to(reference.mean(axis=0), inputs.shape)
        candidates = {
            "model": translator(inputs, direction),
            "copy": inputs,
            "mean_image": mean,
        }
        rows: dict[str, dict[str, float]] = {name: {} for name in ROWS}
        if aligned:
            for name, outputs in candidates.items():
                rows[name] = _errors(outputs, truth)
        for name, figures in _distances(candidates, truth, reference).items():
            rows[name] |= figures
        found[direction] = rows
    return found


def _errors(outputs: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    from tfgen.metrics import mean_absolute_error, psnr, ssim

    errors = {
        "mean_absolute_error": float(mean_absolute_error(outputs, truth).mean()),
        "psnr": float(np.minimum(psnr(outputs, truth), _MOST_PSNR).mean()),
    }
    if min(truth.shape[1:3]) >= _LEAST_SSIM:
        errors["ssim"] = float(ssim(outputs, truth).mean())
    return errors


def _distances(
    candidates: dict[str, np.ndarray], truth: np.ndarray, reference: np.ndarray
) -> dict[str, dict[str, float]]:
    from tfgen.metrics import build_random_features, kernel_distance

    if min(len(truth), len(reference)) < _LEAST_IMAGES:
        return {}
    network = build_random_features(truth.shape[1:])

    def features(images: np.ndarray) -> np.ndarray:
        return network.predict(images, batch_size=64, verbose=0)

    real = features(reference)
    found = {}
    for name, outputs in {**candidates, "real": truth}.items():
        if name == "mean_image":
            continue  # one image is no distribution
        distance = kernel_distance(features(outputs), real)
        found[name] = {
            "kernel_distance": float(distance.value),
            "kernel_distance_error": float(distance.standard_error),
        }
    return found


def table(found: dict[str, Any]) -> Any:
    """Returns the figures as a table to print."""
    from rich.table import Table

    columns = [f"{name}\n{meaning}" for name, meaning in MEANING.items()]
    result = Table("direction", "images", *columns)
    for direction, rows in found.items():
        for name, figures in rows.items():
            cells = [cell(figures, column) for column in MEANING]
            result.add_row(direction, ROWS[name], *cells)
    return result


def cell(figures: dict[str, float], name: str) -> str:
    """Returns a figure as text, with its standard error."""
    if name not in figures:
        return ""
    text = f"{figures[name]:.4f}"
    error = figures.get(f"{name}_error")
    return text if error is None else f"{text} ± {error:.4f}"
