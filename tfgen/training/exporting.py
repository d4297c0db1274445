"""What an export is compared and calibrated on: a run's images, by endpoint."""

from typing import Any

import numpy as np

from tfgen.training.run import Run

NUM_IMAGES = 64


def endpoint_data(
    run: Run, model: Any, split: str, num_images: int = NUM_IMAGES
) -> dict[str, dict[str, np.ndarray]]:
    """Returns inputs `(num_images, ...)` of the model's endpoints from a run's data.

    `translate_ba` gets images of the second domain, every other endpoint those that
    the model takes. Labels are the images' own, in an order that takes one of every
    class before the second of any. Latents, noise and seeds are left out.

    Args:
        run: Whose data are read.
        model: With `signatures()`.
        split: `"train"` or `"test"`.
        num_images: How many rows at most.

    Returns:
        Arrays by endpoint and input, as `export.export_model` takes them.
    """
    images, targets, labels = _read(run, model, split, num_images)
    data = {}
    for name, function in model.signatures().items():
        available = {"images": targets if name == "translate_ba" else images}
        if labels is not None:
            available["labels"] = labels
        inputs = {spec.name for spec in function.input_signature} & set(available)
        data[name] = {key: available[key] for key in sorted(inputs)}
    return data


def _read(run: Run, model: Any, split: str, num_images: int) -> tuple[Any, Any, Any]:
    """Returns images, what they are translated to or None, and labels or None."""
    if run.kind != "images":
        images, targets = run.arrays(split, num_images)
        return images, targets, None
    if getattr(model, "num_classes", None) is None:
        return run.arrays(split, num_images), None, None
    images, labels = _read_every_class(run, split, model.num_classes, num_images)
    return images, None, labels


def _read_every_class(
    run: Run, split: str, num_classes: int, num_images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Reads until every class was met; a folder may hold one class after another."""
    images, labels = [], []
    counts = np.zeros(num_classes, int)
    for batch, batch_labels in run.in_order(split, labels=True):
        for image, label in zip(batch.numpy(), batch_labels.numpy(), strict=True):
            counts[label] += 1
            if counts[label] <= num_images:
                images.append(image)
                labels.append(label)
        if counts.all() and len(labels) >= num_images:
            break
    order = _alternate_classes(np.array(labels))[:num_images]
    return np.stack(images)[order], np.array(labels)[order]


def _alternate_classes(labels: np.ndarray) -> np.ndarray:
    """Returns the rows in rounds: the first of each class, the second of each, ..."""
    rounds = np.zeros(len(labels), int)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rounds[rows] = np.arange(len(rows))
    return np.lexsort((labels, rounds))
