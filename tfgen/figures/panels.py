"""Rows of images that show a model: titles and pictures, from its endpoints.

A panel is an image `(rows, columns, 3)` uint8, as `pictures.tile` makes it; panels are
a dict from their titles.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.figures import pictures
from tfgen.inference import Endpoints, Translator
from tfgen.latent import walks
from tfgen.latent.encoding import Encoding
from tfgen.latent.finding import draw_latents

Panels = dict[str, np.ndarray]


def _go_on() -> None:
    """Is called before each part that takes its time, and may raise to end it."""


def make_panels(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray | None,
    go_on: Callable[[], None] = _go_on,
) -> Callable[[], Panels]:
    """Returns a function that draws fixed samples and fixed reconstructions.

    Args:
        model: A model that `Endpoints` takes.
        images: `(n, height, width, channels)` in [0, 1], to reconstruct.
        labels: Integers `(n,)`, for a conditional model.
        go_on: Called before each panel; what it raises ends the picture.
    """
    endpoints = Endpoints(model)

    def panels() -> Panels:
        drawn = {}
        go_on()
        if "sample" in endpoints:
            drawn["samples"] = pictures.tile(endpoints.sample(40, seed=0), columns=10)
        go_on()
        if "reconstruct" in endpoints:
            drawn |= reconstruction_panels(endpoints, images, labels)
        return drawn

    return panels


def reconstruction_panels(
    endpoints: Endpoints, images: np.ndarray, labels: np.ndarray | None
) -> Panels:
    """Returns one panel: rows of images, each above its reconstructions."""
    outputs = endpoints.run("reconstruct", images, labels)["images"]
    title = "test images, and below each its reconstruction"
    return {title: in_pairs(images, outputs)}


def in_pairs(images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Lays out rows of images, each above its own output."""
    columns = min(10, len(images))
    # The last row is filled with white, so that what is below is below.
    missing = -len(images) % columns
    padding = [(0, missing)] + 3 * [(0, 0)]
    rows = [
        np.pad(array, padding, constant_values=1.0).reshape(
            -1, columns, *array.shape[1:]
        )
        for array in (images, outputs)
    ]
    cells = np.stack(rows, axis=1).reshape(-1, *images.shape[1:])
    return pictures.tile(cells, columns)


def make_translation_panels(
    translator: Translator,
    images: np.ndarray,
    targets: np.ndarray,
    aligned: bool,
    go_on: Callable[[], None] = _go_on,
) -> Callable[[], Panels]:
    """Returns a function that draws fixed images and their translations.

    Args:
        translator: Of the model.
        images: `(n, height, width, channels)` in [0, 1]: inputs, or images of A.
        targets: `(m, height, width, channels)`: targets, or images of B.
        aligned: Whether they are pairs, so that the targets are the truth.
        go_on: As in `make_panels`.
    """

    def panels() -> Panels:
        drawn = {}
        for direction in translator.directions:
            # What a one-way model takes and returns is in the order of its direction.
            is_back = translator.is_two_way and direction == "ba"
            inputs, truth = (targets, images) if is_back else (images, targets)
            go_on()
            rows = {"input": inputs, "output": translator(inputs, direction)}
            if aligned:
                rows["truth"] = truth
            if translator.is_two_way:
                go_on()
                rows["and back"] = translator(rows["output"], direction[::-1])
            title = f"{' to '.join(direction)}, from above: {', '.join(rows)}"
            tiles = np.concatenate([_as_rgb(row) for row in rows.values()])
            drawn[title] = pictures.tile(tiles, columns=len(inputs))
        return drawn

    return panels


def traversal_panels(
    endpoints: Endpoints,
    encoding: Encoding,
    image: int,
    *,
    rows: int = 16,
    steps: int = 11,
    span: float = 3.0,
    notes: list[str] | None = None,
) -> Panels:
    """Returns a panel a latent variable, moved from -span to +span deviations.

    Rows are ordered by how much their variable matters.

    Args:
        endpoints: Of a model that decodes.
        encoding: Of images.
        image: Integer, the one whose other latent variables are kept.
        rows: Integer, variables at most.
        steps: Integer, images a row.
        span: Float, standard deviations.
        notes: For each latent variable what to add to its title.
    """
    latent = encoding.latents[image]
    label = None if encoding.labels is None else encoding.labels[image]

    def decode(latents: np.ndarray) -> np.ndarray:
        labels = None if label is None else np.full(len(latents), label)
        return endpoints.run("decode", latents, labels)["images"]

    panels = {}
    for dim in np.argsort(-encoding.importance)[:rows]:
        offsets = np.linspace(-span, span, steps) * encoding.spread[dim]
        values = encoding.centre[dim] + offsets
        images = walks.traverse(decode, latent, [int(dim)], values)
        title = f"latent {dim}: {encoding.importance[dim]:.2f} {encoding.unit}"
        title += notes[dim] if notes else ""
        panels[title] = pictures.tile(images[0], columns=steps)
    return panels


def prior_interpolation_panels(
    endpoints: Endpoints, *, rows: int = 6, steps: int = 11, seed: int = 0
) -> Panels:
    """Returns one panel: a row a pair of draws from the prior, on the great circle."""
    drawn = draw_latents(endpoints, 2 * rows, seed)
    starts, ends = drawn[:rows], drawn[rows:]
    labels = endpoints.labels(rows)
    decode = _decode(endpoints, "generate", labels, steps)
    images = walks.interpolate(decode, starts, ends, steps, spherical=True)
    return {"between draws from the prior": _tile_grid(images)}


def interpolation_panels(
    endpoints: Endpoints, encoding: Encoding, *, steps: int = 11
) -> Panels:
    """Returns one panel: a row a pair of images, on the line between their latents.

    A conditional model keeps the class of the first image of the pair.

    Args:
        endpoints: Of a model that decodes.
        encoding: Of the images: of the first pair, of the second pair, ...
        steps: Integer, images a row.
    """
    stop = len(encoding.latents) // 2 * 2
    starts, ends = encoding.latents[0:stop:2], encoding.latents[1:stop:2]
    labels = None if encoding.labels is None else encoding.labels[0:stop:2]
    decode = _decode(endpoints, "decode", labels, steps)
    images = walks.interpolate(decode, starts, ends, steps)
    return {"from one test image to another": _tile_grid(images)}


def _decode(
    endpoints: Endpoints, name: str, labels: np.ndarray | None, steps: int
) -> Callable[[np.ndarray], np.ndarray]:
    repeated = None if labels is None else np.repeat(labels, steps)
    return lambda latents: endpoints.run(name, latents, repeated)["images"]


def _tile_grid(images: np.ndarray) -> np.ndarray:
    """Tiles images `(rows, columns, height, width, channels)`."""
    return pictures.tile(images.reshape(-1, *images.shape[2:]), images.shape[1])


def _as_rgb(images: np.ndarray) -> np.ndarray:
    """Returns images in three channels: A and B may differ in theirs."""
    images = images[..., :3]
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
