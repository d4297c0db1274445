"""What the page of a model shows beside its files: names, and where latents lie."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.errors import UserError

_NUM_IMAGES = 512  # that latent variables are ordered by
_NUM_FACTOR_IMAGES = 5_000  # of the shares too: one of few images is high by chance
_MOST_DIRECTIONS = 24
_NUM_UNSUPERVISED = 8


def describe_page(
    run: Any, log: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Returns the page's part of an export: plain JSON, see `export/web/README.md`.

    Latent variables are ordered and labelled as `tfgen traverse` does it. Directions
    are those of `tfgen edit`, and of a GAN also those of SeFa. What the data say is
    left out where they are not there.

    Args:
        run: A `tfgen.Run`.
        log: Function of a line about what was left out.
    """
    page: dict[str, Any] = {"resize": run.config.resize, "depth": run.config.depth}
    endpoints = run.endpoints
    try:
        if "generate" in endpoints:
            page["directions"] = _unsupervised(run)
        if endpoints.takes_labels:
            page["classes"] = _class_names(run)
        if endpoints.has_latents:
            page["latents"] = _latents(run)
        if endpoints.has_latents or "generate" in endpoints:
            page["directions"] = _directions(run) + page.get("directions", [])
    except UserError as error:
        log(f"The page does not say what latent variables mean: {error}")
    return page


def _class_names(run: Any) -> list[str]:
    known = run.known_classes()
    names = enumerate(run.class_names)
    return [str(name) for i, name in names if known is None or i in known]


def _latents(run: Any) -> list[dict[str, Any]]:
    """Returns the latent variables, the one that matters most first."""
    from tfgen.latent.encoding import encode_images
    from tfgen.latent.naming import name_codes

    factors = run.known_factors("test", _NUM_FACTOR_IMAGES)
    num = _NUM_FACTOR_IMAGES if factors else _NUM_IMAGES
    encoding = encode_images(run.endpoints, run, "test", num)
    classes = None if run.endpoints.takes_labels else encoding.classes
    notes = name_codes(encoding.latents, factors, classes, run.class_names)
    return [
        {
            "index": int(dim),
            "label": f"latent {dim}: {encoding.importance[dim]:.2f} {encoding.unit}"
            f"{notes[dim]}",
            "centre": float(encoding.centre[dim]),
            "spread": float(encoding.spread[dim]),
        }
        for dim in np.argsort(-encoding.importance)
    ]


def _unsupervised(run: Any) -> list[dict[str, Any]]:
    """Returns the directions of `tfgen traverse`, 3 standard deviations each way."""
    from tfgen.latent.finding import find_directions, name_directions

    directions, shares = find_directions(run.endpoints, "sefa", _NUM_UNSUPERVISED)
    notes = name_directions(run, directions)
    return [
        {
            "label": f"SeFa {index}: {share:.0%} of the variance{note}",
            "vector": direction.tolist(),
            "span": 3.0,
        }
        for index, (direction, share, note) in enumerate(
            zip(directions, shares, notes, strict=True)
        )
    ]


def _directions(run: Any) -> list[dict[str, Any]]:
    """Returns the ways to the attributes of the data, as `tfgen edit` goes them."""
    from tfgen.latent.attributes import Choices, find_direction
    from tfgen.latent.encoding import encode_images
    from tfgen.latent.finding import encode_draws

    if run.endpoints.takes_labels:  # its latents do not tell the class
        return []
    factors = run.known_factors("train", _NUM_FACTOR_IMAGES)
    texts = [str(name) for name in run.class_names]
    if factors:
        texts = [
            f"{factors.names[factor]}={value}"
            for factor in factors.categorical  # a position is not an attribute
            for value in factors.value_names[factor]
        ]
    if not texts or len(texts) > _MOST_DIRECTIONS:
        return []
    choices = Choices(run.class_names, factors)
    if "generate" in run.endpoints:
        encoding = encode_draws(run, _NUM_FACTOR_IMAGES)
    else:
        encoding = encode_images(run.endpoints, run, "train", _NUM_FACTOR_IMAGES)
    directions = []
    for text in texts:
        attribute = choices.find("attribute", text)
        has = attribute.of(encoding, factors)
        if has.any() and not has.all():
            vector = find_direction(encoding, factors, attribute, None)
            described = {"label": f"towards {text}", "vector": vector.tolist()}
            directions.append(described)
    return directions
