"""How good translations are: beside the input copied, the mean image, and real ones."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tfgen.evaluation.subject import Figure, Figures, Subject, image_shape
from tfgen.inference import Translator
from tfgen.metrics import (
    build_random_features,
    compile_network,
    extract_features,
    kernel_distance,
    mean_absolute_error,
    psnr,
    ssim,
)
from tfgen.training.run import Config, count_domains, is_aligned, load_arrays

# Training images at most, of the mean image and of the features.
_MOST_TRAIN, _TRAIN_BYTES = 4096, 2**29
_LEAST_IMAGES = 3  # of a kernel distance
_LEAST_SSIM = 11  # pixels, of its window
_BATCH_SIZE, _BATCH_PIXELS = 64, 2**22  # test images at a time, at most
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
    config = subject.config
    if config.kind == "images":
        return None
    translator = Translator(subject.model, config.direction, subject.seed)
    found, num_images = evaluate(translator, config, _iterate(subject))
    subject.translation = found
    return [Figure("num_images", num_images, "test images")]


def _iterate(subject: Subject) -> Iterator[list[np.ndarray]]:
    """Yields batches of test images of both kinds; one may end before the other."""
    config = subject.config
    size = max(1, min(_BATCH_SIZE, _BATCH_PIXELS // config.image_size**2))
    # Domains that are no pairs may differ in number: the smaller is repeated.
    ends = [None, None] if is_aligned(config) else count_domains(config, "test")
    batches, start = subject.test_batches().rebatch(size), 0
    for batch in subject.track(batches, "translating test images"):
        rests = [None if end is None else max(0, end - start) for end in ends]
        start += len(batch[0])
        yield [images.numpy()[:rest] for images, rest in zip(batch, rests, strict=True)]


def evaluate(
    translator: Translator, config: Config, batches: Iterable[Sequence[np.ndarray]]
) -> tuple[dict[str, Any], int]:
    """Returns direction -> row -> figure, over test images, and how many inputs.

    Errors are against the truth, where there are pairs. The kernel distance compares
    features of a fixed random network with those of training images of the target
    domain; of test images of it, "real", it is the floor. Of test images only errors
    and features are kept.

    Args:
        translator: Of the run's model.
        config: Of the run.
        batches: Of inputs, or images of A, each `(n, height, width, channels)` in
            `[0, 1]`; and of truths, or images of B.
    """
    aligned = is_aligned(config)
    shape = image_shape(config)
    num_train = min(_MOST_TRAIN, max(1, _TRAIN_BYTES // (2 * 4 * math.prod(shape))))
    train = load_arrays(config, "train", num_train)
    means = [images.mean(axis=0) for images in train]
    network = compile_network(build_random_features(shape))
    rows = {d: {name: _Row() for name in ROWS} for d in translator.directions}
    start = num_inputs = 0
    for batch in batches:
        for direction, parts in rows.items():
            source = _source_of(translator, direction)
            inputs, truth = batch[source], batch[1 - source]
            outputs = translator(inputs, direction, start) if len(inputs) else inputs
            parts["model"].see(outputs, network)
            parts["copy"].see(inputs, network)
            parts["real"].see(truth, network)
            if aligned:
                parts["model"].compare(outputs, truth)
                parts["copy"].compare(inputs, truth)
                mean = np.broadcast_to(means[1 - source], truth.shape)
                parts["mean_image"].compare(mean, truth)
        start += max(map(len, batch))
        num_inputs += len(batch[0])
    found = {}
    for direction, parts in rows.items():
        target = 1 - _source_of(translator, direction)
        real = extract_features(train[target], network)
        found[direction] = {name: row.figures(real) for name, row in parts.items()}
    return found, num_inputs


def _source_of(translator: Translator, direction: str) -> int:
    """Returns which of a batch is the input: those of one way come input first."""
    return int(translator.is_two_way and direction == "ba")


class _Row:
    """What is kept of the images of a row: their errors and their features."""

    def __init__(self) -> None:
        self.errors: dict[str, list[np.ndarray]] = {}
        self.features: list[np.ndarray] = []

    def see(self, images: np.ndarray, network: Any) -> None:
        if len(images):
            self.features.append(extract_features(images, network))

    def compare(self, images: np.ndarray, truth: np.ndarray) -> None:
        errors = {
            "mean_absolute_error": mean_absolute_error(images, truth),
            "psnr": np.minimum(psnr(images, truth), _MOST_PSNR),
        }
        if min(truth.shape[1:3]) >= _LEAST_SSIM:
            errors["ssim"] = ssim(images, truth)
        for name, values in errors.items():
            self.errors.setdefault(name, []).append(values)

    def figures(self, real: np.ndarray) -> dict[str, float]:
        """Returns means of errors, and the distance to `real` features."""
        errors = self.errors.items()
        found = {name: float(np.concatenate(x).mean()) for name, x in errors}
        features = np.concatenate(self.features) if self.features else []
        if min(len(features), len(real)) >= _LEAST_IMAGES:
            distance = kernel_distance(features, real)
            found["kernel_distance"] = float(distance.value)
            found["kernel_distance_error"] = float(distance.standard_error)
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
