"""Directions in a latent space: towards an attribute, and of most variance.

Reference: [Larsen et al., 2016](https://arxiv.org/abs/1512.09300): attribute vectors as
differences of means.
"""

import numpy as np
import numpy.typing as npt

from tfgen.latent.density import check_latents


def attribute_direction(
    latents: npt.ArrayLike, has_attribute: npt.ArrayLike
) -> np.ndarray:
    """Returns the direction from images without an attribute to images with it.

    Added to the latent of an image, it gives the image the attribute; subtracted, it
    takes the attribute away. What comes with the attribute in the data comes with it
    here too.

    Args:
        latents: `(num_images, latent_dim)`, such as posterior means.
        has_attribute: Booleans `(num_images,)`, of which some are true, some not.

    Returns:
        The difference of the two mean latents, float32 `(latent_dim,)`.
    """
    latents, has_attribute = check_latents(latents), np.asarray(has_attribute)
    if has_attribute.shape != latents.shape[:1] or has_attribute.dtype != bool:
        raise ValueError(
            "`has_attribute` must be a boolean for each of the latents "
            f"{latents.shape}. Received: {has_attribute.dtype} {has_attribute.shape}"
        )
    if has_attribute.all() or not has_attribute.any():
        raise ValueError("`has_attribute` must be true of some images, not of all.")
    direction = latents[has_attribute].mean(axis=0)
    direction -= latents[~has_attribute].mean(axis=0)
    return direction.astype(np.float32)


def principal_components(
    latents: npt.ArrayLike, num_components: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Projects latents onto the directions along which they vary most (PCA).

    Args:
        latents: `(num_images, latent_dim)`.
        num_components: Integer. Those beyond the rank of the latents are 0.

    Returns:
        Coordinates around the mean, float64 `(num_images, num_components)`, and the
        share of the variance along each direction, `(num_components,)` in [0, 1]. The
        largest component of a direction is positive.
    """
    centred = check_latents(latents)
    centred = centred - centred.mean(axis=0)
    _, scales, directions = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    points = centred @ (directions * signs[:, np.newaxis])[:num_components].T
    variances = np.square(scales)
    shares = variances[:num_components] / max(variances.sum(), np.finfo(float).tiny)
    missing = max(num_components - len(shares), 0)
    return np.pad(points, ((0, 0), (0, missing))), np.pad(shares, (0, missing))
