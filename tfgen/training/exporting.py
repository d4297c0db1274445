"""Exports a run for serving and for the edge: the library's door to `export`."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.presets import cards
from tfgen.training.demo_page import describe_page

NUM_IMAGES = 64  # that files are compared on, and as many to calibrate int8


def export_run(
    run: Any,
    out: str | os.PathLike,
    *,
    name: str | None = None,
    version: int = 1,
    quantizations: Sequence[str] = ("float32",),
    formats: Sequence[str] = ("serving", "edge"),
    latency_seconds: float = 5.0,
    web_runtime: str | os.PathLike | None = None,
    progress: Callable[[str], None] = lambda step: None,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Exports a run's model, checked against Keras on held-out images.

    Without the run's data the files are compared on golden examples alone.

    Args:
        run: A `tfgen.Run`.
        out: Folder of the exported files.
        name: Of the served model; the preset's by default.
        version: Integer, of the served model.
        quantizations: Of the .tflite files: see `export.export_model`.
        formats: Some of `"serving"`, `"edge"`, `"onnx"` and `"web"`.
        latency_seconds: Float, how long each endpoint is timed; 0: not at all.
        web_runtime: Folder of npm packages: see `export.export_model`.
        progress: Function that is told the step that runs.
        log: Function of a line about what was left out.

    Returns:
        The entry of `report.json`.

    Raises:
        UserError: int8 files are asked for, and the images that calibrate them are not
            there.
    """
    import export
    from tfgen.inference import to_float32

    _check_outside(out, run)
    model = to_float32(run.model)
    calibration = examples = None
    try:
        examples = endpoint_data(run, model, "test")
    except UserError as error:
        log(f"No fidelity on held-out images: {error}")
    if "int8" in quantizations:
        if examples is None:
            raise UserError(
                "int8 files are calibrated on training images, which are not there: "
                "pass --data, or leave int8 out"
            )
        calibration = endpoint_data(run, model, "train")
    preset = run.config.preset
    return export.export_model(
        model,
        os.path.expanduser(out),
        name or preset or type(run.model).__name__.lower(),
        version,
        formats=formats,
        quantizations=quantizations,
        examples=examples,
        representative_data=calibration,
        description=run.preset.summary if preset else "",
        licence=_licence(run),
        resize=run.config.resize,
        depth=run.config.depth,
        latency_seconds=latency_seconds,
        page=describe_page(run, log) if "web" in formats else None,
        web_runtime=web_runtime,
        progress=progress,
    )


def _licence(run: Any) -> str:
    """Returns the licence of the data; of a trained preset, the one on its card."""
    name = cards.preset_of(run.path)
    owner = cards.read_card(name)["data"]["licence"] if name else run.attribution
    return owner or ""


def _check_outside(out: str | os.PathLike, run: Any) -> None:
    """Raises a UserError for a folder in the data: pictures there become images."""
    if not run.config.data:
        return
    data = pathlib.Path(run.config.data).expanduser()
    folder = pathlib.Path(out).expanduser().resolve()
    if data.is_dir() and data.resolve() in (folder, *folder.parents):
        raise UserError(f"{out} lies in the data, {data}: choose another --out")


def endpoint_data(
    run: Any, model: Any, split: str, num_images: int = NUM_IMAGES
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
        source = targets if name == "translate_ba" else images
        available = {"images": source, "images_a": source, "images_b": source}
        if labels is not None:
            available["labels"] = labels
        inputs = {spec.name for spec in function.input_signature} & set(available)
        data[name] = {key: available[key] for key in sorted(inputs)}
    return data


def _read(run: Any, model: Any, split: str, num_images: int) -> tuple[Any, Any, Any]:
    """Returns images, what they are translated to or None, and labels or None."""
    if run.kind != "images":
        images, targets = run.arrays(split, num_images)
        return images, targets, None
    if getattr(model, "num_classes", None) is None:
        return run.arrays(split, num_images), None, None
    images, labels = _read_every_class(run, split, model.num_classes, num_images)
    return images, None, labels


def _read_every_class(
    run: Any, split: str, num_classes: int, num_images: int
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
