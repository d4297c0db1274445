"""Pictures of a run: what it draws, reconstructs, translates, and what its latents are.

Each function takes a `tfgen.Run` and returns a `PIL.Image.Image`, with the names of
those whom the data are from below it; `pictures.save_picture` writes it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfgen.errors import UserError
from tfgen.figures import panels, pictures
from tfgen.inference import BATCH_SIZE, Translator
from tfgen.inference.endpoints import check_labels, require_prior
from tfgen.latent.encoding import Encoding, encode_images, name_factors
from tfgen.progress import Progress, no_progress

_NUM_IMAGES = 512  # test images that latent variables are ordered by, or edited
_NUM_FACTOR_IMAGES = 5_000  # likewise: a share of few images is high by chance
_NUM_EDITED = 6


def samples(
    run: Any,
    num: int = 64,
    seed: int = 0,
    label: int | None = None,
    progress: Progress = no_progress,
) -> Image.Image:
    """Draws `num` images from the model.

    Args:
        run: A `tfgen.Run`.
        num: Integer.
        seed: Integer in [0, 2**31): image i is the served `sample` of
            `seed * 2**32 + i`.
        label: Integer, the class of all; by default the classes in turn, one a column.
        progress: Function `(iterable, description, total) -> iterable`.
    """
    endpoints = run.endpoints
    require_prior(endpoints)
    labels = None if label is None else np.full(num, label, "int32")
    check_labels(endpoints, labels, num)
    batches = endpoints.iterate_samples(num, seed, labels)
    batches = progress(batches, "drawing", math.ceil(num / BATCH_SIZE))
    num_classes = getattr(endpoints.model, "num_classes", None)
    columns = num_classes if label is None else None
    tiles = pictures.tile_batches(batches, num, columns)
    return pictures.compose({f"{num} samples, seed {seed}": tiles}, run.attribution)


def reconstructions(run: Any, num: int = 40) -> Image.Image:
    """Draws the first `num` test images, and below each its reconstruction."""
    endpoints = run.endpoints
    endpoints.require("reconstruct", why="it does not encode images")
    images, labels = run.test_images(num), None
    if endpoints.takes_labels:
        images, labels = run.test_images(num, labels=True)
    rows = panels.reconstruction_panels(endpoints, images, labels)
    return pictures.compose(rows, run.attribution)


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


def traversal(
    run: Any, image: int = 0, rows: int = 16, steps: int = 11, span: float = 3.0
) -> Image.Image:
    """Draws what each latent variable means: one a row, moved while the others stay.

    Rows are ordered by how much their variable matters: its KL to the prior for a VAE,
    its standard deviation for an autoencoder. Where the factors of the data are known,
    a row names the one that its variable tells most of, and what share of it.

    Args:
        run: A `tfgen.Run` of a model that encodes and decodes.
        image: Integer, the test image that the other variables are of.
        rows: Integer, variables at most.
        steps: Integer, images a row.
        span: Float: a row goes from -span to +span standard deviations.
    """
    endpoints = run.endpoints
    endpoints.require("encode", "decode", why="it has no latents to move along")
    factors = run.known_factors("test", _NUM_FACTOR_IMAGES)
    num = _NUM_FACTOR_IMAGES if factors else _NUM_IMAGES
    encoding = encode_images(endpoints, run, "test", max(num, image + 1))
    _check_images([image], encoding)
    notes = None
    if factors:
        notes = name_factors(encoding.latents[: len(factors.values)], factors)
    options = {"rows": rows, "steps": steps, "span": span, "notes": notes}
    rows_of_images = panels.traversal_panels(endpoints, encoding, image, **options)
    return pictures.compose(rows_of_images, run.attribution)


def interpolation(
    run: Any, rows: int = 6, steps: int = 11, seed: int = 0
) -> Image.Image:
    """Draws the way between two images, a pair a row.

    On the line between the latents of two test images; for a model that does not encode
    images (a GAN), on the great circle between two draws from the prior. A conditional
    model keeps the class of the first image of a pair.

    Args:
        run: A `tfgen.Run` of a model that decodes.
        rows: Integer, pairs at most.
        steps: Integer, images a row.
        seed: Integer, of the draws from the prior.

    Raises:
        UserError: The model has no latents, or there is a single test image.
    """
    endpoints = run.endpoints
    if "generate" in endpoints:
        between = panels.prior_interpolation_panels(
            endpoints, rows=rows, steps=steps, seed=seed
        )
        return pictures.compose(between, run.attribution)
    encoding = encode_images(endpoints, run, "test", 2 * rows)
    if len(encoding.latents) < 2:
        raise UserError("the test split has a single image: there is nothing between")
    between = panels.interpolation_panels(endpoints, encoding, steps=steps)
    return pictures.compose(between, run.attribution)


def edit(
    run: Any,
    attribute: str,
    origin: str | None = None,
    *,
    images: Sequence[int] = (),
    steps: int = 7,
    span: float = 1.5,
    num_images: int = 10_000,
) -> Image.Image:
    """Draws test images moved towards an attribute, and away from it, in latent space.

    The direction is the mean latent of training images with the attribute less that of
    those without, or of those with `origin`. A conditional model keeps the image's
    class.

    Args:
        run: A `tfgen.Run` of a model that encodes and decodes.
        attribute: A class, by name or number, or `factor=value` of a known factor.
        origin: Another such.
        images: Numbers of test images; by default the first without the attribute.
        steps: Integer, images a row.
        span: Float: a row goes from -span to +span times the direction.
        num_images: Integer, training images at most that the direction is of.

    Raises:
        UserError: The data have no such attribute, or no such image.
    """
    endpoints = run.endpoints
    endpoints.require("encode", "decode", why="it has no latents to move along")
    direction, chooses = _find_direction(run, attribute, origin, num_images)
    num = max(_NUM_IMAGES, 1 + max(images, default=0))
    encoding = encode_images(endpoints, run, "test", num)
    _check_images(images, encoding)
    rows = list(images) or chooses(encoding, run.known_factors("test", num))
    multiples = np.linspace(-span, span, steps)[:, np.newaxis]
    latents = encoding.latents[rows, np.newaxis] + multiples * direction
    labels = None
    if encoding.labels is not None:
        labels = np.repeat(encoding.labels[rows], steps)
    flat = latents.reshape(-1, latents.shape[-1])
    decoded = endpoints.run("decode", flat, labels)["images"]
    originals = run.test_images(max(rows) + 1)[rows]
    shape = originals.shape[1:]
    moved = decoded.reshape(len(rows), steps, *shape)
    cells = np.concatenate([originals[:, np.newaxis], moved], axis=1)
    tiles = pictures.tile(cells.reshape(-1, *shape), columns=1 + steps)
    way = f"towards {attribute}" if origin is None else f"from {origin} to {attribute}"
    title = f"test images, and {-span:g} to {span:g} times the way {way}"
    return pictures.compose({title: tiles}, run.attribution)


def _find_direction(
    run: Any, attribute: str, origin: str | None, num_images: int
) -> tuple[np.ndarray, Callable[..., list[int]]]:
    """Returns the way to an attribute, and a function that chooses images to edit."""
    from tfgen.latent.attributes import Choices, find_direction

    factors = run.known_factors("train", num_images)
    choices = Choices(run.class_names, factors)
    wanted = choices.find("--attribute", attribute)
    start = None if origin is None else choices.find("--from", origin)
    encoding = encode_images(run.endpoints, run, "train", num_images)

    def choose(encoding: Encoding, factors: Any) -> list[int]:
        lacks = ~wanted.of(encoding, factors)
        mask = lacks if start is None else start.of(encoding, factors)
        # If all test images have the attribute already, they are drawn.
        rows = np.flatnonzero(mask) if mask.any() else np.arange(len(mask))
        return rows[:_NUM_EDITED].tolist()

    return find_direction(encoding, factors, wanted, start), choose


def _check_images(numbers: Sequence[int], encoding: Encoding) -> None:
    count = len(encoding.latents)
    if max(numbers, default=0) >= count:
        raise UserError(
            f"--image {max(numbers)}: the test split has {count} images, from 0"
        )
