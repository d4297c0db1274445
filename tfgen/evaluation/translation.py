"""How good translations are, beside the copied input, the mean and real images."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfgen.degradations import has_step
from tfgen.evaluation.diversity import Diversity
from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.filling import make_filler
from tfgen.evaluation.subject import Subject
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
    "fill": "the hole, filled from its border",
    "real": "real targets",
}


def measure_translation(subject: Subject) -> Figures | None:
    """Measures translations against the truth, or the target domain.

    The figures, direction -> row -> figure, become `subject.translation`. Errors are
    against the truth, where there are pairs. The kernel distance compares features of a
    fixed random network with those of training images of the target domain; of test
    images of it, "real", it is the floor. Of test images only errors and features are
    kept.
    """
    if subject.run.kind == "images":
        return None
    config = subject.config
    translator = Translator(subject.endpoints, config.direction, subject.seed)
    shape = subject.run.image_shape
    num_train = min(_MOST_TRAIN, max(1, _TRAIN_BYTES // (2 * 4 * math.prod(shape))))
    train = subject.run.arrays("train", num_train)
    network = compile_network(build_random_features(shape))
    diversity = Diversity(translator, network)
    table, num_inputs = _compare(subject, translator, train, network, diversity)
    subject.translation = {}
    for direction, rows in table.items():
        target = 1 - _source_of(translator, direction)
        real = extract_features(train[target], network)
        figures = {name: row.figures(real) for name, row in rows.items()}
        subject.translation[direction] = figures
    return [Figure("num_images", num_inputs, "test images"), *diversity.figures()]


def _compare(
    subject: Subject,
    translator: Translator,
    train: Sequence[np.ndarray],
    network: Callable[[Any], Any],
    diversity: Diversity,
) -> tuple[dict[str, dict[str, "_Row"]], int]:
    """Returns direction -> row -> what is kept of test images, and their number."""
    is_aligned = subject.run.is_aligned
    means = [images.mean(axis=0) for images in train]
    filler = make_filler(subject.config)
    if filler is None and has_step(subject.config.degrade, "mask"):
        subject.note("Without scikit-image (tfgen[inpainting]) no hole is filled.")
    names = [name for name in ROWS if name != "fill" or filler is not None]
    table = {d: {name: _Row() for name in names} for d in translator.directions}
    start = num_inputs = 0
    for batch in _iterate(subject):
        for direction, rows in table.items():
            source = _source_of(translator, direction)
            inputs, truth = batch[source], batch[1 - source]
            outputs = translator(inputs, direction, start) if len(inputs) else inputs
            for name, images in (("model", outputs), ("copy", inputs), ("real", truth)):
                rows[name].see(images, network)
            if is_aligned and filler is not None:
                rows["fill"].compare(filler(inputs, start), truth)
            if is_aligned:
                mean = np.broadcast_to(means[1 - source], truth.shape)
                rows["model"].compare(outputs, truth)
                rows["copy"].compare(inputs, truth)
                rows["mean_image"].compare(mean, truth)
        diversity.see(*batch, start)
        start += max(map(len, batch))
        num_inputs += len(batch[0])
    return table, num_inputs


def _iterate(subject: Subject) -> Iterator[list[np.ndarray]]:
    """Yields batches of test images of both kinds; one may end before the other."""
    height, width, _ = subject.run.image_shape
    size = max(1, min(_BATCH_SIZE, _BATCH_PIXELS // (height * width)))
    # Domains that are not pairs may differ in number: the smaller is repeated.
    ends: Sequence[int | None] = (None, None)
    if not subject.run.is_aligned:
        ends = subject.run.count_domains("test")
    batches, start = subject.test_batches().rebatch(size), 0
    for batch in subject.progress(batches, "translating test images"):
        rests = [None if end is None else max(0, end - start) for end in ends]
        start += len(batch[0])
        yield [images.numpy()[:rest] for images, rest in zip(batch, rests, strict=True)]


def _source_of(translator: Translator, direction: str) -> int:
    """Returns the place of the input in a batch: 1 from B to A by a two-way model."""
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
        figures = {name: float(np.concatenate(x).mean()) for name, x in errors}
        features = np.concatenate(self.features) if self.features else []
        if min(len(features), len(real)) >= _LEAST_IMAGES:
            distance = kernel_distance(features, real)
            figures["kernel_distance"] = float(distance.value)
            figures["kernel_distance_error"] = float(distance.standard_error)
        return figures
