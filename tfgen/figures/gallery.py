"""Pictures of a run: what it draws, reconstructs, translates, and what its latents are.

Each function takes a `tfgen.Run` and returns a `PIL.Image.Image`, with the names of
those whom the data are from below it; `pictures.save_picture` writes it.
"""

import math
from typing import Any

import numpy as np
from PIL import Image

from tfgen.figures import panels, pictures
from tfgen.figures.code_editing import edit_codes
from tfgen.figures.editing import edit
from tfgen.figures.walking import (
    interpolation,
    interpolation_film,
    traversal,
    traversal_film,
)
from tfgen.inference import BATCH_SIZE, Translator
from tfgen.inference.calls import check_labels, check_truncation, require_prior
from tfgen.progress import Progress, no_progress

__all__ = [
    "edit",
    "edit_codes",
    "interpolation",
    "interpolation_film",
    "reconstructions",
    "samples",
    "translations",
    "traversal",
    "traversal_film",
]


def samples(
    run: Any,
    num: int = 64,
    seed: int = 0,
    label: str | int | None = None,
    truncation: float | None = None,
    progress: Progress = no_progress,
) -> Image.Image:
    """Draws `num` images from the model.

    Args:
        run: A `tfgen.Run`.
        num: Integer.
        seed: Integer in [0, 2**31): image i is the served `sample` of
            `seed * 2**32 + i`.
        label: The class of all, by its name or number; by default the classes in turn,
            one a column.
        truncation: Float in [0, 1], as in `tfgen.Run.sample`.
        progress: Function `(iterable, description, total) -> iterable`.
    """
    endpoints = run.endpoints
    require_prior(endpoints)
    labels = None
    if label is not None:
        labels = np.full(num, run.find_class(label), "int32")
    check_labels(endpoints, labels, num)
    check_truncation(endpoints, truncation)
    batches = endpoints.iterate_samples(num, seed, labels, truncation=truncation)
    batches = progress(batches, "drawing", math.ceil(num / BATCH_SIZE))
    num_classes = getattr(endpoints.model, "num_classes", None)
    columns = num_classes if label is None else None
    tiles = pictures.tile_batches(batches, num, columns)
    title = f"{num} samples, seed {seed}"
    title += "" if truncation is None else f", truncation {truncation:g}"
    return pictures.compose({title: tiles}, run.attribution)


def reconstructions(
    run: Any, num: int = 40, encoder: bool = False, progress: Progress = no_progress
) -> Image.Image:
    """Draws the first `num` test images, and below each its reconstruction.

    Args:
        run: A `tfgen.Run` of a model that encodes and decodes, or of a GAN, whose
            latents of the images are searched for.
        num: Integer.
        encoder: Whether that search starts with an encoder too, which is trained on the
            GAN's samples first.
        progress: As in `samples`.
    """
    endpoints = run.endpoints
    if "generate" not in endpoints:
        endpoints.require("reconstruct", why="it does not encode images")
    images, labels = run.test_images(num), None
    if endpoints.takes_labels:
        images, labels = run.test_images(num, labels=True)
    if "generate" in endpoints:
        rows = _inverted(endpoints.model, images, labels, encoder, progress)
    else:
        rows = panels.reconstruction_panels(endpoints, images, labels)
    return pictures.compose(rows, run.attribution)


def _inverted(
    model: Any, images: np.ndarray, labels: Any, encoder: bool, progress: Progress
) -> panels.Panels:
    from tfgen.latent import feature_distance, invert, train_encoder
    from tfgen.metrics import build_random_features
    from tfgen.networks import build_conv_encoder

    network = None
    if encoder:
        shape = tuple(model.image_shape)
        network = build_conv_encoder(shape, model.latent_dim, filters=(32, 64))
        train_encoder(model, network, progress=progress)
    inversion = invert(model, images, labels, encoder=network, progress=progress)
    features = build_random_features(images.shape[1:])
    distance = np.median(feature_distance(features, inversion.images, images))
    title = (
        "test images, and their inversions: medians of PSNR "
        f"{np.median(inversion.psnr):.1f} dB, feature distance {distance:.3f}"
    )
    return {title: panels.in_pairs(images, inversion.images)}


def translations(run: Any, num: int = 10, seed: int = 0) -> Image.Image:
    """Draws the first `num` test images, their translations and, of pairs, the truth.

    Args:
        run: A `tfgen.Run` of a model that translates.
        num: Integer.
        seed: Integer, of the noise of a model whose dropout is on.
    """
    translator = Translator(run.endpoints, run.config.direction, seed)
    images, targets = run.arrays("test", num)
    rows = panels.make_translation_panels(translator, images, targets, run.is_aligned)
    return pictures.compose(rows(), run.attribution)
