"""Pictures of images moved towards an attribute.

As in `tfgen.figures.gallery`, each takes a `tfgen.Run`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfgen.figures import latent_walks, pictures
from tfgen.figures.walking import check_images
from tfgen.inference import decode
from tfgen.latent.encoding import (
    Encoding,
    encode_images,
    require_latents,
)
from tfgen.latent.finding import encode_draws

_NUM_IMAGES = 512  # test images among which those to edit are looked for
_NUM_INVERTED = 24  # likewise, of a GAN, for which that takes its time
_NUM_EDITED = 6


def edit(
    run: Any,
    attribute: str,
    origin: str | None = None,
    *,
    images: Sequence[int] = (),
    photos: Sequence[str] = (),
    steps: int = 7,
    span: float = 1.5,
    num_images: int = 10_000,
) -> Image.Image:
    """Draws test images moved towards an attribute, and away from it, in latent space.

    The direction is the mean latent of training images with the attribute less that of
    those without, or of those with `origin`. A conditional model keeps the image's
    class.

    Args:
        run: A `tfgen.Run` of a model that encodes and decodes, or of a GAN: its images
            are inverted, and the direction is of its samples, as a classifier of the
            data sees them.
        attribute: A class, by name or number, or `factor=value` of a known factor.
        origin: Another such.
        images: Numbers of test images; by default the first without the attribute.
        photos: Paths of image files to edit in their place.
        steps: Integer, images a row.
        span: Float: a row goes from -span to +span times the direction.
        num_images: Integer, training images at most that the direction is of.

    Raises:
        UserError: The data have no such attribute, or no such image.
    """
    endpoints = run.endpoints
    require_latents(endpoints)
    direction, chooses = _find_direction(run, attribute, origin, num_images)
    if photos:
        originals = run.read_files(photos)
        starts = latent_walks.points_of(run, photos=photos)
        labels = np.zeros(len(photos), "int32") if endpoints.takes_labels else None
    else:
        starts, labels, originals = _choose_images(run, images, chooses)
    multiples = np.linspace(-span, span, steps)[:, np.newaxis]
    latents = starts[:, np.newaxis] + multiples * direction
    labels = None if labels is None else np.repeat(labels, steps)
    decoded = decode(endpoints, latents.reshape(-1, latents.shape[-1]), labels)
    shape = originals.shape[1:]
    moved = decoded.reshape(len(originals), steps, *shape)
    cells = np.concatenate([originals[:, np.newaxis], moved], axis=1)
    tiles = pictures.tile(cells.reshape(-1, *shape), columns=1 + steps)
    way = f"towards {attribute}" if origin is None else f"from {origin} to {attribute}"
    what = "pictures" if photos else "test images"
    title = f"{what}, and {-span:g} to {span:g} times the way {way}"
    return pictures.compose({title: tiles}, run.attribution)


def _choose_images(
    run: Any, images: Sequence[int], chooses: Callable[..., list[int]]
) -> tuple[np.ndarray, Any, np.ndarray]:
    """Returns latents, labels or None, and test images to be edited."""
    most = _NUM_IMAGES if "encode" in run.endpoints else _NUM_INVERTED
    num = max(most, 1 + max(images, default=0))
    encoding = encode_images(run.endpoints, run, "test", num)
    check_images(images, encoding)
    rows = list(images) or chooses(encoding, run.known_factors("test", num))
    labels = None if encoding.labels is None else encoding.labels[rows]
    return encoding.latents[rows], labels, run.test_images(max(rows) + 1)[rows]


def _find_direction(
    run: Any, attribute: str, origin: str | None, num_images: int
) -> tuple[np.ndarray, Callable[..., list[int]]]:
    """Returns the way to an attribute, and a function that chooses images to edit."""
    from tfgen.latent.attributes import Choices, find_direction

    factors = run.known_factors("train", num_images)
    choices = Choices(run.class_names, factors)
    wanted = choices.find("--attribute", attribute)
    start = None if origin is None else choices.find("--from", origin)
    if "encode" in run.endpoints:
        encoding = encode_images(run.endpoints, run, "train", num_images)
    else:
        encoding = encode_draws(run, num_images)

    def choose(encoding: Encoding, factors: Any) -> list[int]:
        lacks = ~wanted.of(encoding, factors)
        mask = lacks if start is None else start.of(encoding, factors)
        # If all test images have the attribute already, they are drawn.
        rows = np.flatnonzero(mask) if mask.any() else np.arange(len(mask))
        return rows[:_NUM_EDITED].tolist()

    return find_direction(encoding, factors, wanted, start), choose
