"""Discrete codes of images: a region of one for another's, or drawn anew.

A prior over codes `p(c) = prod_t p(c_t | c before t)` does not say what a region is
given all of the others, those after it included. `vary_region` draws candidates of the
region's codes one after another, and keeps one of them by how probable it makes the
codes that stay:

    proposal   q(c) = prod over t in the region of      p(c_t | c before t)
    weight     w(c) = prod over t outside of the region p(c_t | c before t)

which are draws of p(region | rest) in the limit of many candidates.

Reference: [Rubin, 1988](https://doi.org/10.1093/oso/9780198522669.003.0026): sampling,
importance, resampling.
"""

import re
from typing import Any, NamedTuple

import numpy as np

from tfgen.errors import UserError


class Region(NamedTuple):
    """Rows and columns of a grid of codes, each from a first one up to a last."""

    rows: slice
    columns: slice

    def places(self, grid: tuple[int, int]) -> np.ndarray:
        """Returns which places of a grid it has, in the order of the codes."""
        numbers = np.arange(grid[0] * grid[1]).reshape(grid)
        return numbers[self.rows, self.columns].reshape(-1)


def read_region(text: str, grid: tuple[int, int]) -> Region:
    """Returns the region of "2:6,0:4": rows 2 to 5, and columns 0 to 3.

    Args:
        text: Of the command line.
        grid: `(rows, columns)` of the model's codes.

    Raises:
        UserError: It is none of the grid.
    """
    numbers = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", text.replace(" ", ""))
    if numbers:
        top, bottom, left, right = map(int, numbers.groups())
        if top < bottom <= grid[0] and left < right <= grid[1]:
            return Region(slice(top, bottom), slice(left, right))
    raise UserError(
        f"region {text!r}: it must be rows and columns of {grid[0]}x{grid[1]} codes, "
        f"such as 0:{(grid[0] + 1) // 2},0:{grid[1]}"
    )


def swap_region(codes: np.ndarray, donors: np.ndarray, region: Region) -> np.ndarray:
    """Returns codes with a region of others: `(n, rows, columns)`.

    Args:
        codes: Integers `(n, rows, columns)`.
        donors: Likewise, or `(rows, columns)` of one image for all.
        region: Of both grids.
    """
    swapped = np.array(codes)
    place = (..., region.rows, region.columns)
    swapped[place] = np.asarray(donors)[place]
    return swapped


def vary_region(
    model: Any,
    codes: np.ndarray,
    region: Region,
    num: int,
    seed: int = 0,
    label: int | None = None,
    num_candidates: int = 16,
) -> np.ndarray:
    """Returns codes whose region is drawn from the prior: `(num, rows, columns)`.

    Args:
        model: A model with a `prior` over codes.
        codes: Integers `(rows, columns)` of one image.
        region: Of this grid.
        num: Integer.
        seed: Integer.
        label: Integer of a conditional prior.
        num_candidates: Integer, of which each is chosen.

    Raises:
        UserError: The model has no prior.
    """
    if getattr(model, "prior", None) is None:
        raise UserError(
            f"{type(model).__name__} has no prior to vary codes by: train it with one, "
            "or swap a region for another image's"
        )
    rng, grid = np.random.default_rng(seed), codes.shape
    log_probs = _log_probs(model, label)
    places = region.places(grid)
    total = num * num_candidates
    candidates = np.tile(np.reshape(codes, (1, -1)).astype("int32"), (total, 1))
    for place in places:  # those before it are what they stay
        values = log_probs(candidates)[:, place]
        noise = rng.gumbel(size=values.shape)
        candidates[:, place] = (values + noise).argmax(axis=-1)
    values = log_probs(candidates)
    own = np.take_along_axis(values, candidates[..., np.newaxis], axis=-1)[..., 0]
    weights = np.delete(own, places, axis=1).sum(axis=1).reshape(num, num_candidates)
    chosen = (weights + rng.gumbel(size=weights.shape)).argmax(axis=1)
    rows = candidates.reshape(num, num_candidates, *grid)
    return rows[np.arange(num), chosen]


def _log_probs(model: Any, label: int | None) -> Any:
    """Returns a function of codes `(n, places)`: log p `(n, places, num_codes)`."""
    import tensorflow as tf

    @tf.function
    def log_probs(codes: Any) -> Any:
        labels = None if label is None else tf.fill((tf.shape(codes)[0],), label)
        return tf.nn.log_softmax(model.prior(codes, labels))

    return lambda codes: log_probs(tf.constant(codes)).numpy().astype(float)
