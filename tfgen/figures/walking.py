"""Pictures and films of walks through latent space.

As in `tfgen.figures.gallery`, each takes a `tfgen.Run`.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfgen.errors import UserError
from tfgen.figures import latent_walks, panels, pictures
from tfgen.latent.encoding import (
    Encoding,
    encode_images,
    require_latents,
)
from tfgen.latent.finding import (
    find_directions,
    name_directions,
    require_codes,
)
from tfgen.latent.naming import name_codes
from tfgen.latent.walks import code_walks, lerp

_NUM_IMAGES = 512  # test images that latent variables are ordered by
_NUM_FACTOR_IMAGES = 5_000  # likewise: a share of few images is high by chance


def traversal(
    run: Any,
    image: int | None = None,
    rows: int = 16,
    steps: int = 11,
    span: float = 3.0,
    *,
    directions: str | None = None,
    seed: int | None = None,
    photo: str | None = None,
) -> Image.Image:
    """Draws what each latent variable, or direction, means: one a row.

    Latent variables are ordered by how much they matter: their KL to the prior for a
    VAE, their standard deviation for an autoencoder. Directions are ordered by the
    share of the variance of images that goes with them. Where the factors of the data
    are known, a row names the one that its variable tells most of, and what share of
    it; where classes are, from which to which it leads, and what share of the variance
    along it lies between classes.

    Args:
        run: A `tfgen.Run` of a model that decodes latents.
        image: Integer, the test image that is moved; by default the first, or draw 0
            of the prior for a model that does not encode.
        rows: Integer, variables or directions at most.
        steps: Integer, images a row.
        span: Float: a row goes from -span to +span standard deviations.
        directions: "latents", the variables; "sefa", "ganspace" or "random"; "codes"
            of an InfoGAN, each by its name. By default the variables of a model that
            encodes, the codes of one that has some, and "sefa" of others.
        seed: Integer, to start from a draw of the prior; below 0 from its mean.
        photo: Path of an image file to start from.
    """
    endpoints = run.endpoints
    require_latents(endpoints)
    encodes = "encode" in endpoints
    directions = directions or _default(endpoints)
    if directions == "codes":
        walks, label, words = _walk_codes(run, image, rows, steps, span, seed, photo)
        drawn = latent_walks.code_panels(endpoints, walks, label)
        caption = "; ".join(filter(None, [f"around {words}", run.attribution]))
        return pictures.compose(drawn, caption)
    if directions == "latents" and encodes and seed is None and photo is None:
        return _variables(run, image or 0, rows, steps, span)
    start, label, words, found = _walk(run, image, rows, directions, seed, photo)
    options = {"kind": directions, "steps": steps, "span": span}
    options["notes"] = name_directions(run, found[0])
    drawn = latent_walks.direction_panels(endpoints, start, label, *found, **options)
    caption = "; ".join(filter(None, [f"around {words}", run.attribution]))
    return pictures.compose(drawn, caption)


def traversal_film(
    run: Any,
    num_frames: int,
    image: int | None = None,
    rows: int = 16,
    span: float = 3.0,
    directions: str | None = None,
    seed: int | None = None,
    photo: str | None = None,
) -> list[np.ndarray]:
    """Returns frames of what `traversal` draws, each direction going to and fro."""
    endpoints = run.endpoints
    require_latents(endpoints)
    directions = directions or _default(endpoints)
    if directions == "codes":
        walks, label, _ = _walk_codes(run, image, rows, num_frames, span, seed, photo)
        return latent_walks.code_frames(endpoints, walks, label, num_frames)
    start, label, _, found = _walk(run, image, rows, directions, seed, photo)
    options = {"span": span, "num_frames": num_frames}
    return latent_walks.direction_frames(endpoints, start, label, found[0], **options)


def _default(endpoints: Any) -> str:
    if "encode" in endpoints:
        return "latents"
    return "sefa" if getattr(endpoints.model, "codes", None) is None else "codes"


def _walk_codes(
    run: Any,
    image: int | None,
    rows: int,
    steps: int,
    span: float,
    seed: int | None,
    photo: str | None,
) -> tuple:
    """Returns the walks of `rows` codes, the label, and what their start is."""
    codes = require_codes(run.endpoints)
    latent, label, words = latent_walks.start_of(run, image, seed, photo)
    walks = code_walks(codes, latent, steps, span)
    return dict(itertools.islice(walks.items(), rows)), label, words


def _walk(
    run: Any,
    image: int | None,
    rows: int,
    directions: str,
    seed: int | None,
    photo: str | None,
) -> tuple:
    if image is None and seed is None and "encode" in run.endpoints:
        image = 0
    start = latent_walks.start_of(run, image, seed, photo)
    return *start, find_directions(run.endpoints, directions, rows)


def _variables(run: Any, image: int, rows: int, steps: int, span: float) -> Image.Image:
    endpoints = run.endpoints
    factors = run.known_factors("test", _NUM_FACTOR_IMAGES)
    num = _NUM_FACTOR_IMAGES if factors else _NUM_IMAGES
    encoding = encode_images(endpoints, run, "test", max(num, image + 1))
    check_images([image], encoding)
    classes = None if endpoints.takes_labels else encoding.classes
    notes = name_codes(encoding.latents, factors, classes, run.class_names)
    options = {"rows": rows, "steps": steps, "span": span, "notes": notes}
    rows_of_images = panels.traversal_panels(endpoints, encoding, image, **options)
    return pictures.compose(rows_of_images, run.attribution)


def interpolation(
    run: Any,
    rows: int = 6,
    steps: int = 11,
    seed: int = 0,
    *,
    photos: Sequence[str] = (),
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
        photos: Paths of two image files to go between instead.

    Raises:
        UserError: The model has no latents, or there is a single test image.
    """
    endpoints = run.endpoints
    if photos:
        require_latents(endpoints)
        points = latent_walks.points_of(run, photos=photos)
        ways = lerp(points[:1], points[1:], np.linspace(0.0, 1.0, steps))
        label = 0 if endpoints.takes_labels else None
        images = latent_walks.decode_with(endpoints, ways[0], label)
        originals = run.read_files(photos)
        cells = np.concatenate([originals[:1], images, originals[1:]])
        title = "a picture, the way between the latents of both, and the other picture"
        return pictures.compose({title: pictures.tile(cells, steps + 2)})
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


def interpolation_film(
    run: Any, num_frames: int, rows: int = 6, seed: int = 0, photos: Sequence[str] = ()
) -> list[np.ndarray]:
    """Returns frames of a smooth closed way.

    Args:
        run: As in `interpolation`.
        num_frames: Integer.
        rows: Integer, the draws from the prior, or the test images, that it passes.
        seed: Integer, of the draws.
        photos: As in `interpolation`.
    """
    endpoints = run.endpoints
    require_latents(endpoints)
    points = latent_walks.points_of(run, rows, seed, photos)
    label = 0 if endpoints.takes_labels else None
    return latent_walks.loop_frames(endpoints, points[np.newaxis], label, num_frames)


def check_images(numbers: Sequence[int], encoding: Encoding) -> None:
    """Raises a UserError unless all of these test images were encoded."""
    count = len(encoding.latents)
    if max(numbers, default=0) >= count:
        raise UserError(
            f"--image {max(numbers)}: the test split has {count} images, from 0"
        )
