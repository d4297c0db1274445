"""The directions of a model's latents: found, measured and named."""

from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.inference import Endpoints, decode
from tfgen.latent import unsupervised
from tfgen.latent.encoding import Encoding, encode_images, make_encoding
from tfgen.latent.naming import name_codes

DIRECTIONS = ("latents", "sefa", "ganspace", "random", "codes")
_NUM_DRAWN = 256  # latents that shares of the variance are measured on
_NUM_FEATURES = 2000  # latents that GANSpace's components are of
_MOST_AT_ONCE = 250
_MOST_CLASSIFIED = 10_000  # training images of the classifier
_MOST_DRAWN = 4_000


def find_directions(
    endpoints: Endpoints, kind: str, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns unit vectors, and the share of the images' variance with each.

    The largest share comes first.

    Args:
        endpoints: Of a model that decodes.
        kind: One of `DIRECTIONS`; not "codes", which `walks.code_walks` moves.
        count: Integer, directions at most.
        seed: Integer, of the draws that they are measured on.

    Raises:
        UserError: The model has no latents, or SeFa finds no layer to look at.
    """
    dim = endpoints.model.latent_dim
    network = _network(endpoints.model)
    labels = endpoints.labels(_NUM_DRAWN)
    if kind == "sefa":
        num_labels = int(endpoints.takes_labels)
        try:
            affine = unsupervised.first_affine_map(network, num_labels)
        except ValueError as error:
            raise UserError(f"SeFa: {error}: choose other --directions") from error
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


def name_directions(run: Any, directions: np.ndarray) -> list[str]:
    """Returns what each direction changes, as `name_codes` says it, or "".

    The data say it: known factors of test images, or their classes. A model that does
    not encode images is asked by its draws, whose classes a classifier of the data
    tells. Of a conditional model the class is an input.

    Args:
        run: A `tfgen.Run`.
        directions: Unit vectors `(num_directions, latent_dim)`.
    """
    encodes = "encode" in run.endpoints
    try:
        factors = run.known_factors("test", _MOST_DRAWN) if encodes else None
        if factors is None and (run.endpoints.takes_labels or not run.class_names):
            return [""] * len(directions)
        if encodes:
            encoding = encode_images(run.endpoints, run, "test", _MOST_DRAWN)
        else:
            encoding = encode_draws(run, _MOST_DRAWN)
        class_names = run.class_names
    except UserError:  # the data are not there
        return [""] * len(directions)
    codes = encoding.latents @ directions.T
    classes = None if run.endpoints.takes_labels else encoding.classes
    return name_codes(codes, factors, classes, class_names)


def draw_latents(endpoints: Endpoints, count: int, seed: int) -> np.ndarray:
    """Returns draws of the prior, float32 `(count, latent_dim)`.

    It is standard normal, or what the endpoint `draw_latents` makes of that: codes.
    """
    if "draw_latents" not in endpoints:
        return _normal(count, endpoints.model.latent_dim, seed)
    (noise, *_) = endpoints.functions["draw_latents"].input_signature
    inputs = _normal(count, noise.shape[-1], seed), endpoints.labels(count)
    return endpoints.run("draw_latents", *inputs)["latents"]


def require_codes(endpoints: Endpoints) -> Any:
    """Returns the `tfgen.auxiliary.Codes` of a GAN; raises a UserError without any."""
    codes = getattr(endpoints.model, "codes", None)
    if codes is None:
        raise UserError(
            f"--directions codes: this {type(endpoints.model).__name__} has none; "
            "train a GAN with --auxiliary codes"
        )
    return codes


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


def _normal(count: int, dim: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


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
