"""Two properties that make a latent space one to walk in and to draw from.

Continuity: near latents decode to near images. Along a path z_0 .. z_T, with x_t the
decoded image of z_t and m the median distance of an image to the nearest other one,

    step_t = |x_t+1 - x_t| / m           jump   = max_t step_t
                                         detour = sum_t |x_t+1 - x_t| / |x_T - x_0|

Completeness: what is drawn from the prior decodes to images like those of the data,

    on_manifold = share of decoded samples inside some ball of the data
    density     = mean number of balls that one lies in, over k
    coverage    = share of the balls that hold a decoded sample

where a ball reaches from an image to its k-th nearest other one, in the features of a
network. Pixels are poor features for it: blurred images lie near the middle of the
data, inside many balls. They are also near each other, which makes steps small:
`detour`, which has no unit, does not reward it.

References: [Naeem et al., 2020](https://arxiv.org/abs/2002.09797), eqs. 3 and 4:
density and coverage; [Kynkaanniemi et al., 2019](https://arxiv.org/abs/1904.06991),
eq. 1: the share. Steps in units of m are this package's own.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn
from tfgen.metrics.features import extract_features
from tfgen.metrics.nearest import density_coverage, precision_recall


class Continuity(NamedTuple):
    """What `continuity` returns.

    Attributes:
        step: Mean step, over all steps of all paths, in units of the median distance of
            an image to the nearest other one.
        jump: Largest step of a path, a mean over the paths, likewise.
        detour: Length of the decoded path over the distance of its ends, a mean over
            the paths whose ends differ: 1 is straight.
        steps: Every step, float64 `(num_paths, num_steps)`.
        jump_at: Where along each path its largest step is, from 0 to 1: `(num_paths,)`.
    """

    step: float
    jump: float
    detour: float
    steps: np.ndarray
    jump_at: np.ndarray


class Completeness(NamedTuple):
    """What `completeness` returns.

    Attributes:
        on_manifold: Share of the decoded samples that lie among the images, in [0, 1].
        density: How densely images lie around decoded samples, about 1 for images.
        coverage: Share of the images that have a decoded sample near, in [0, 1].
    """

    on_manifold: float
    density: float
    coverage: float


def continuity(
    decode: Callable[[np.ndarray], Any], paths: npt.ArrayLike, images: npt.ArrayLike
) -> Continuity:
    """Measures how evenly decoded images move along paths of latents.

    Paths between the latents of images, by `tfgen.latent.lerp`, are in the unit of the
    latent space, and so comparable among models where the pairs of images and the
    number of steps are the same.

    Args:
        decode: Function from float32 latents `(n, latent_dim)` to images; it is called
            once a path.
        paths: `(num_paths, num_steps + 1, latent_dim)`.
        images: `(num_images, height, width, channels)` of the data, two or more.
    """
    paths = np.asarray(paths, np.float32)
    if paths.ndim != 3 or paths.shape[1] < 2 or not len(paths):
        raise ValueError(
            "`paths` must be (num_paths, 2 or more, latent_dim). "
            f"Received: {paths.shape}"
        )
    unit = _median_nearest(_flat(images))
    steps, ends = [], []
    for path in paths:
        decoded = _flat(decode(path))
        steps.append(np.linalg.norm(np.diff(decoded, axis=0), axis=1) / unit)
        ends.append(np.linalg.norm(decoded[-1] - decoded[0]) / unit)
    steps, ends = np.array(steps), np.array(ends)
    moved = ends > 0.0
    detours = steps.sum(axis=1)[moved] / ends[moved]
    return Continuity(
        step=float(steps.mean()),
        jump=float(steps.max(axis=1).mean()),
        detour=float(detours.mean()) if moved.any() else float("nan"),
        steps=steps,
        jump_at=(steps.argmax(axis=1) + 0.5) / steps.shape[1],
    )


def completeness(
    decoded: npt.ArrayLike | Iterable[Any],
    images: npt.ArrayLike | Iterable[Any],
    feature_network: Callable[[Any], Any],
    num_neighbors: int = 5,
) -> Completeness:
    """Measures how far decoded draws of a prior lie among images, and everywhere there.

    The figures depend on both numbers of images: those of as many real images in place
    of `decoded` are what a perfect model would have.

    Args:
        decoded: Images `(num_samples, height, width, channels)` in [0, 1] decoded from
            latents drawn from the prior, or batches of them. For a model without a
            prior, say which one it was given: a normal fitted to its latents is a
            kinder one than the standard normal.
        images: Images of the data, likewise, that the model was not trained with.
        feature_network: As of `extract_features`.
        num_neighbors: Integer k, below the number of images and of samples.
    """
    real = extract_features(images, feature_network)
    generated = extract_features(decoded, feature_network)
    on_manifold = precision_recall(real, generated, num_neighbors).precision
    return Completeness(on_manifold, *density_coverage(real, generated, num_neighbors))


def _flat(images: Any) -> np.ndarray:
    images = np.asarray(images, np.float64)
    return images.reshape(len(images), -1)


def _median_nearest(images: np.ndarray) -> float:
    """Returns the median distance of an image to the nearest other one."""
    if len(images) < 2:
        raise ValueError(f"Distances need 2 images. Received: {len(images)}")
    neighbors = import_sklearn("neighbors").NearestNeighbors(n_neighbors=1).fit(images)
    median = float(np.median(neighbors.kneighbors()[0]))  # of each but itself
    if not median > 0.0:
        raise ValueError("Half of the images are copies: pass images that differ.")
    return median
