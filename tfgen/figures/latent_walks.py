"""Where walks through latent space start, and what they show: pictures and films."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.figures.panels import Panels
from tfgen.inference import Endpoints, decode
from tfgen.latent.encoding import encode_images, locate
from tfgen.latent.finding import draw_latents
from tfgen.latent.walks import loop


def start_of(
    run: Any, image: int | None, seed: int | None, photo: str | None
) -> tuple[np.ndarray, Any, str]:
    """Returns a latent `(latent_dim,)`, its label or None, and what it is, in words.

    Args:
        run: A `tfgen.Run`.
        image: Integer, a test image.
        seed: Integer, of a draw from the prior; below 0 it is the prior's mean.
        photo: Path of an image file. By default draw 0 of a model that generates.
    """
    endpoints = run.endpoints
    label = np.int32(0) if endpoints.takes_labels else None
    if photo is not None:
        labels = None if label is None else label[np.newaxis]
        latents = locate(endpoints, run.read_files([photo]), labels)
        return _means(latents)[0], label, os.path.basename(photo)
    if image is not None:
        encoding = encode_images(endpoints, run, "test", image + 1)
        if image >= len(encoding.latents):
            raise UserError(
                f"--image {image}: the test split has {len(encoding.latents)} images, "
                "from 0"
            )
        own = None if encoding.labels is None else encoding.labels[image]
        return encoding.latents[image], own, f"test image {image}"
    if seed is not None and seed < 0:
        mean = np.zeros(endpoints.model.latent_dim, np.float32)
        if (codes := getattr(endpoints.model, "codes", None)) is not None:
            for width, columns in zip(codes.categorical, codes.columns(), strict=False):
                mean[columns] = np.eye(width)[0]  # a category is not between others
        return mean, label, "0"
    return draw_latents(endpoints, 1, seed or 0)[0], label, f"seed {seed or 0}"


def direction_panels(
    endpoints: Endpoints,
    start: np.ndarray,
    label: Any,
    directions: np.ndarray,
    shares: np.ndarray,
    notes: Sequence[str],
    *,
    kind: str,
    steps: int,
    span: float,
) -> Panels:
    """Returns a panel a direction: images from -span to +span along it.

    Args:
        endpoints: Of a model that decodes.
        start: Latent `(latent_dim,)` in the middle.
        label: Integer, or None.
        directions, shares: As `tfgen.latent.finding.find_directions` returns them.
        notes: As `name_directions` returns them.
        kind: What the directions are.
        steps: Integer, images a row.
        span: Float.
    """
    offsets = np.linspace(-span, span, steps)
    panels = {}
    rows = zip(directions, shares, notes, strict=True)
    for index, (direction, share, note) in enumerate(rows):
        latents = start + offsets[:, np.newaxis] * direction
        title = f"{kind} {index}: {100.0 * share:.1f} % of the variance of images{note}"
        panels[title] = pictures.tile(decode_with(endpoints, latents, label), steps)
    return panels


def code_panels(
    endpoints: Endpoints, walks: dict[str, np.ndarray], label: Any
) -> Panels:
    """Returns a panel a code, of its name: images of what `code_walks` returns."""
    return {
        name: pictures.tile(decode_with(endpoints, latents, label), len(latents))
        for name, latents in walks.items()
    }


def code_frames(
    endpoints: Endpoints, walks: dict[str, np.ndarray], label: Any, num_frames: int
) -> list[np.ndarray]:
    """Returns frames of all codes side by side: numbers to and fro, categories in turn.

    Args:
        endpoints: Of a model that decodes.
        walks: As `code_walks` returns them.
        label: Integer, or None.
        num_frames: Integer.
    """
    shares = np.arange(num_frames) / num_frames
    ways = []
    for name, latents in walks.items():
        last = len(latents) - 1
        if name.startswith("number"):
            places = np.rint(last * (0.5 - 0.5 * np.cos(2.0 * np.pi * shares)))
        else:
            places = np.floor(shares * len(latents))
        ways.append(latents[places.astype(int)])
    return _frames(endpoints, np.stack(ways, axis=1), label)


def direction_frames(
    endpoints: Endpoints,
    start: np.ndarray,
    label: Any,
    directions: np.ndarray,
    *,
    span: float,
    num_frames: int,
) -> list[np.ndarray]:
    """Returns frames of all directions side by side, each going to and fro."""
    swings = span * np.sin(2.0 * np.pi * np.arange(num_frames) / num_frames)
    latents = start + swings[:, np.newaxis, np.newaxis] * directions
    return _frames(endpoints, latents, label)


def loop_frames(
    endpoints: Endpoints, points: np.ndarray, label: Any, num_frames: int
) -> list[np.ndarray]:
    """Returns frames of closed ways, side by side.

    Args:
        endpoints: Of a model that decodes.
        points: `(num_ways, num_points, latent_dim)`: see `tfgen.latent.loop`.
        label: Integer, or None.
        num_frames: Integer.
    """
    ways = np.stack([loop(way, num_frames) for way in points], axis=1)
    return _frames(endpoints, ways, label)


def _frames(endpoints: Endpoints, latents: np.ndarray, label: Any) -> list[np.ndarray]:
    """Decodes latents `(frames, cells, latent_dim)` to one picture a frame."""
    images = decode_with(endpoints, latents.reshape(-1, latents.shape[-1]), label)
    cells = images.reshape(*latents.shape[:2], *images.shape[1:])
    return [pictures.tile(frame) for frame in cells]


def points_of(
    run: Any, count: int = 2, seed: int = 0, photos: Sequence[str] = ()
) -> np.ndarray:
    """Returns latents to walk through, `(n, latent_dim)`.

    They are those of image files; or else draws of a model that generates, or latents
    of test images.
    """
    endpoints = run.endpoints
    if photos:
        labels = np.zeros(len(photos), "int32") if endpoints.takes_labels else None
        return _means(locate(endpoints, run.read_files(photos), labels))
    if "generate" in endpoints:
        return draw_latents(endpoints, count, seed)
    return encode_images(endpoints, run, "test", count).latents


def decode_with(endpoints: Endpoints, latents: np.ndarray, label: Any) -> np.ndarray:
    """Returns images of latents, all of one label if the model takes any."""
    labels = None if label is None else np.full(len(latents), label)
    return decode(endpoints, latents.astype(np.float32), labels)


def _means(outputs: dict[str, np.ndarray]) -> np.ndarray:
    return outputs["mean"] if "mean" in outputs else outputs["latents"]
