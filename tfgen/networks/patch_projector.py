"""What CUT compares patches in: a small network of each of the generator's layers.

    features of a place -> dense(units), ReLU -> dense(units) -> unit length

Reference: [Park et al., 2020](https://arxiv.org/abs/2007.15651), sec. 3 and app. C.1.
"""

from collections.abc import Sequence
from typing import Any

import keras


def build_patch_projector(
    generator: keras.Model,
    layers: Sequence[str],
    *,
    units: int = 256,
    initial_stddev: float = 0.02,
) -> keras.Model:
    """Builds a network from a generator's features to unit vectors.

    Args:
        generator: `keras.Model` that translates images.
        layers: Names of its layers: `"images"`, its input, is the pixels themselves.
        units: Integer, the length of the vectors.
        initial_stddev: Float, of the kernels.

    Returns:
        A `keras.Model` from a list of features of places, one `(batch, places,
        channels)` a layer and called as it is, to a list of vectors `(batch, places,
        units)`.

    Raises:
        ValueError: The generator has no layer of such a name.
    """
    names = [layer.name for layer in generator.layers]
    if unknown := [name for name in layers if name not in names]:
        raise ValueError(
            f"`layers`: the generator has no layer {', '.join(unknown)}. It has: "
            f"{', '.join(names)}"
        )
    if not layers:
        raise ValueError("`layers` must name at least one layer of the generator.")
    features = [
        keras.Input((None, generator.get_layer(name).output.shape[-1]), name=name)
        for name in layers
    ]
    return keras.Model(
        features,
        [_project(x, units, initial_stddev) for x in features],
        name="patch_projector",
    )


def _project(features: Any, units: int, stddev: float) -> Any:
    # In float32: what is drawn to unit length is small at first, its gradient large.
    for activation in ("relu", None):
        kernel = keras.initializers.RandomNormal(stddev=stddev)
        features = keras.layers.Dense(
            units, activation, kernel_initializer=kernel, dtype="float32"
        )(features)
    return keras.layers.UnitNormalization(axis=-1, dtype="float32")(features)
