"""Directions that no label names, and what share of the images goes with each.

References:
- [Shen & Zhou, 2021](https://arxiv.org/abs/2007.06600), sec. 3.2: SeFa.
- [Harkonen et al., 2020](https://arxiv.org/abs/2004.02546), sec. 2.2: GANSpace.
- [Jansen, 1999](https://doi.org/10.1016/S0010-4655(98)00154-4), eq. 10: the total
  effect of a variable.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.latent.density import check_latents
from tfgen.latent.walks import Decode

_TOLERANCE = 1e-3  # relative: what float32 leaves of a sum


def sefa(first_map: npt.ArrayLike, num_directions: int | None = None) -> np.ndarray:
    """Returns the latent directions that move a network's first features most (SeFa).

        n* = argmax ||A n||^2  with  n' n = 1

    whose solutions are the eigenvectors of A' A, the largest eigenvalue first.

    Args:
        first_map: A', `(latent_dim, units)`: see `first_affine_map`.
        num_directions: Integer; all by default.

    Returns:
        Unit vectors, float32 `(num_directions, latent_dim)`. The largest component of
        each is positive.
    """
    directions, _, _ = np.linalg.svd(np.asarray(first_map, np.float64))
    return _signed(directions.T[:num_directions])


def ganspace(
    latents: npt.ArrayLike, features: npt.ArrayLike, num_directions: int | None = None
) -> np.ndarray:
    """Returns the latent directions of the features' principal components (GANSpace).

        u_k = argmin  sum_j ||u_k x_jk - (z_j - mean)||^2

    with x_jk the coordinate of features j along component k (eq. 3 there).

    Args:
        latents: `(n, latent_dim)`, drawn from the prior.
        features: `(n, ...)`: what a layer, or the decoder, makes of them.
        num_directions: Integer; all by default. There are at most as many as features.

    Returns:
        Unit vectors, float32 `(num_directions, latent_dim)`. The largest component of
        each is positive.
    """
    latents = check_latents(latents)
    features = np.asarray(features, np.float64).reshape(len(latents), -1)
    centred = features - features.mean(axis=0)
    # Left singular vectors are the coordinates, each of length 1.
    coordinates, _, _ = np.linalg.svd(centred, full_matrices=False)
    count = min(num_directions or latents.shape[1], *latents.shape)
    return _signed(coordinates[:, :count].T @ (latents - latents.mean(axis=0)))


def random_directions(latent_dim: int, num_directions: int, seed: int = 0) -> Any:
    """Returns unit vectors drawn uniformly, float32: what a direction should beat."""
    shape = (num_directions, latent_dim)
    return _signed(np.random.default_rng(seed).normal(size=shape))


def explained_variance(
    decode: Decode, latents: npt.ArrayLike, directions: npt.ArrayLike, seed: int = 0
) -> np.ndarray:
    """Returns the share of the variance of images that goes with each direction.

        E ||G(z) - G(z')||^2 / (2 Var G),   z' = z but drawn anew along the direction

    It is 1 if nothing else changes the images. Shares of orthogonal directions sum to 1
    for a linear decoder, and to more where directions act together.

    Args:
        decode: Function from latents `(n, latent_dim)` to images.
        latents: `(n, latent_dim)`, drawn from the prior.
        directions: Unit vectors `(num_directions, latent_dim)`.
        seed: Integer: the components along a direction are exchanged among latents.
    """
    latents = check_latents(latents)
    images = np.asarray(decode(latents.astype(np.float32)), np.float64)
    variance = np.square(images - images.mean(axis=0)).sum() / (len(images) - 1)
    rng, shares = np.random.default_rng(seed), []
    for direction in np.asarray(directions, np.float64):
        along = latents @ direction
        change = rng.permutation(along) - along
        moved = latents + change[:, np.newaxis] * direction
        difference = np.asarray(decode(moved.astype(np.float32))) - images
        shares.append(np.square(difference).sum() / (2.0 * len(images) * variance))
    return np.array(shares)


def first_affine_map(network: Any, num_extra_inputs: int = 0) -> np.ndarray:
    """Returns `A'`, `(latent_dim, units)`, of the last features affine in the latents.

    Layers are followed from the latents on for as long as their outputs are affine: a
    dense layer, and the batch normalisation behind it. Of a dense layer with an
    activation it is the kernel's.

    Args:
        network: A `keras.Model` from latents `(batch, latent_dim)` to images.
        num_extra_inputs: Integer, further inputs `(batch,)` such as labels, set to 0.

    Raises:
        ValueError: No layer is affine in the latents.
    """
    import keras

    layers = [x for x in network.layers if not isinstance(x, keras.layers.InputLayer)]
    layers = [x for x in layers if not isinstance(x.output, list | tuple)]
    outputs = [layer.output for layer in layers]
    dim = network.inputs[0].shape[-1]
    basis = np.eye(dim, dtype=np.float32)
    points = np.concatenate([np.zeros((1, dim), np.float32), basis, -2.0 * basis])
    inputs = [points] + num_extra_inputs * [np.zeros(len(points), np.int32)]
    inputs += [None] * (len(network.inputs) - len(inputs))  # what may be left out
    values, affine_map = [], None
    if outputs:
        values = keras.Model(network.inputs, outputs)(inputs, training=False)
    values = values if isinstance(values, list | tuple) else [values]
    for layer, value in zip(layers, values, strict=True):
        if len(value) != len(points):  # a constant
            continue
        value = np.asarray(value, np.float64).reshape(len(points), -1)
        once, twice = value[1 : 1 + dim] - value[0], value[1 + dim :] - value[0]
        scale = np.abs(once).max()
        if scale == 0.0:  # of the labels alone
            continue
        if np.abs(twice + 2.0 * once).max() > _TOLERANCE * scale:
            kernel = getattr(layer, "kernel", None)
            before = basis if affine_map is None else affine_map
            if kernel is not None and before.shape[1:] == tuple(kernel.shape[:-1]):
                affine_map = before @ np.asarray(kernel)
            break
        affine_map = once
    if affine_map is None:
        raise ValueError(f"no layer of `{network.name}` is affine in its first input")
    return affine_map


def middle_features(network: Any) -> Callable[..., np.ndarray]:
    """Returns a function of a network's inputs to the features half-way to its output.

    Args:
        network: A `keras.Model`.
    """
    import keras

    layer = network.layers[(len(network.layers) + 1) // 2]
    half = keras.Model(network.inputs, layer.output)
    left_out = [None] * len(network.inputs)

    def features(*inputs: Any) -> np.ndarray:
        taken = [*inputs, *left_out[len(inputs) :]]
        return np.asarray(half(taken, training=False))

    return features


def _signed(directions: np.ndarray) -> np.ndarray:
    """Returns unit vectors whose largest component is positive."""
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    lengths = np.linalg.norm(directions, axis=1)
    scaled = directions * (signs / np.where(lengths, lengths, 1.0))[:, np.newaxis]
    return scaled.astype(np.float32)
