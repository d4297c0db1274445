"""Where walks through latent space start, the directions they take, and their films."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.figures.panels import Panels
from tfgen.inference import Endpoints, decode
from tfgen.latent import unsupervised
from tfgen.latent.encoding import Encoding, encode_images, locate, make_encoding
from tfgen.latent.walks import loop

DIRECTIONS = ("latents", "sefa", "ganspace", "random")
_NUM_DRAWN = 256  # latents that shares of the variance are measured on
_NUM_FEATURES = 2000  # latents that GANSpace's components are of
_MOST_AT_ONCE = 250
_MOST_CLASSIFIED = 10_000  # training images of the classifier
_MOST_DRAWN = 4_000


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
        found = locate(endpoints, run.read_files([photo]), labels)
        return _means(found)[0], label, os.path.basename(photo)
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
        return np.zeros(_latent_dim(endpoints), np.float32), label, "0"
    return draw_latents(endpoints, 1, seed or 0)[0], label, f"seed {seed or 0}"


def draw_latents(endpoints: Endpoints, count: int, seed: int) -> np.ndarray:
    """Returns draws of a standard normal prior, float32 `(count, latent_dim)`."""
    shape = (count, _latent_dim(endpoints))
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def find_directions(
    endpoints: Endpoints, kind: str, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns unit vectors, and the share of the images' variance with each.

    The largest share comes first.

    Args:
        endpoints: Of a model that decodes.
        kind: One of `DIRECTIONS`.
        count: Integer, directions at most.
        seed: Integer, of the draws that they are measured on.
    """
    dim = _latent_dim(endpoints)
    network = _network(endpoints.model)
    labels = endpoints.labels(_NUM_DRAWN)
    if kind == "sefa":
        num_labels = int(endpoints.takes_labels)
        affine = unsupervised.first_affine_map(network, num_labels)
        directions = unsupervised.sefa(affine, count)
    elif kind == "ganspace":
        directions = _ganspace(endpoints, network, count, seed)
    elif kind == "random":
        directions = unsupervised.random_directions(dim, count, seed)
    else:
        directions = np.eye(dim, dtype=np.float32)
    latents = draw_latents(endpoints, _NUM_DRAWN, seed + 1)
    shares = unsupervised.explained_variance(
        lambda z: decode(endpoints, z, labels), latents, directions
    )
    order = np.argsort(-shares)[:count]
    return directions[order], shares[order]


def direction_panels(
    endpoints: Endpoints,
    start: np.ndarray,
    label: Any,
    directions: np.ndarray,
    shares: np.ndarray,
    *,
    kind: str,
    steps: int,
    span: float,
) -> Panels:
    """Returns a panel a direction: images from -span to +span along it."""
    offsets = np.linspace(-span, span, steps)
    panels = {}
    for index, (direction, share) in enumerate(zip(directions, shares, strict=True)):
        latents = start + offsets[:, np.newaxis] * direction
        title = f"{kind} {index}: {100.0 * share:.1f} % of the variance of images"
        panels[title] = pictures.tile(decode_with(endpoints, latents, label), steps)
    return panels


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


def encode_draws(run: Any, count: int) -> Encoding:
    """Returns the `Encoding` of a GAN's samples, with the classes that they look like.

    A sample's class is the one whose training images have the nearest mean features, of
    a classifier of the data.

    Raises:
        UserError: The class is an input of the model.
    """
    from tfgen.metrics import build_feature_network

    endpoints = run.endpoints
    if endpoints.takes_labels:
        raise UserError(
            "the class is an input of this model, not a direction of its latents: see "
            "`tfgen sample --label`"
        )
    images, classes = run.arrays("train", min(count, _MOST_CLASSIFIED), labels=True)
    network = build_feature_network(images, classes)
    known, present = network.predict(images, verbose=0), np.unique(classes)
    means = np.stack([known[classes == c].mean(axis=0) for c in present])
    latents = draw_latents(endpoints, min(count, _MOST_DRAWN), 0)
    features = network.predict(decode(endpoints, latents), verbose=0)
    distances = np.square(features[:, np.newaxis] - means).sum(axis=-1)
    drawn_classes = present[distances.argmin(axis=1)]
    return make_encoding({"latents": latents}, endpoints.model, drawn_classes)


def decode_with(endpoints: Endpoints, latents: np.ndarray, label: Any) -> np.ndarray:
    """Returns images of latents, all of one label if the model takes any."""
    labels = None if label is None else np.full(len(latents), label)
    return decode(endpoints, latents.astype(np.float32), labels)


def _ganspace(endpoints: Any, network: Any, count: int, seed: int) -> np.ndarray:
    latents = draw_latents(endpoints, _NUM_FEATURES, seed)
    labels = endpoints.labels(len(latents))
    features, middle = [], unsupervised.middle_features(network)
    for first in range(0, len(latents), _MOST_AT_ONCE):
        rows = slice(first, first + _MOST_AT_ONCE)
        inputs = [latents[rows]] + ([] if labels is None else [labels[rows]])
        features.append(middle(*inputs))
    return unsupervised.ganspace(latents, np.concatenate(features), count)


def _network(model: Any) -> Any:
    """Returns the network from latents to images that is served."""
    for name in ("ema_generator", "generator", "decoder"):
        if getattr(model, name, None) is not None:
            return getattr(model, name)
    raise UserError(f"{type(model).__name__} has no latents to move along")


def _latent_dim(endpoints: Endpoints) -> int:
    return endpoints.model.latent_dim


def _means(outputs: dict[str, np.ndarray]) -> np.ndarray:
    return outputs["mean"] if "mean" in outputs else outputs["latents"]
