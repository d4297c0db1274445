"""The residual networks of SNGAN: wider and deeper than DCGAN's, at constant width.

    generator:      latent -> dense 4x4 (or 7x7) -> [residual block, twice the size]*
                    -> batch norm, ReLU, 3x3 convolution -> image in [-1, 1]
    discriminator:  image -> [residual block, half the size]* down to 8x8 (or 7x7)
                    -> 2 residual blocks -> ReLU, sum over the grid -> logit

The defaults are the paper's table 3 (32x32), with class-conditional batch normalisation
if there are labels (sec. 5 of the second paper), but for two things. Images grow by
bilinear interpolation, since nearest neighbours become 5-D copies in a .tflite file.
And a shortcut's 1x1 convolution runs on the smaller of its two grids: it commutes with
both ways of resizing, and so costs a quarter for the same result.

References:
- [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), app. B.4.
- [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637), sec. 5.
- [Zhang et al., 2019](https://arxiv.org/abs/1805.08318), sec. 3: `attention`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfgen.networks.attention import is_grid_of_16, self_attention
from tfgen.networks.conditioning import (
    add_output,
    condition_generator,
    project_labels,
)
from tfgen.networks.grids import convolution, grow, shrink, smallest_grid
from tfgen.networks.normalization import normalize, spectral

_LARGEST_END = 8  # size of the discriminator's last grid


def build_resnet_gan_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int = 256,
    max_filters: int | None = None,
    attention: bool = False,
    num_classes: int | None = None,
    conditioning: str = "normalization",
) -> keras.Model:
    """Builds a generator from latents to images in `[-1, 1]`.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(height, width, channels)`: a power of 2 times a grid whose
            shorter side is 4 to 7, such as 28, 32, 48 x 64, and at least 16.
        filters: Channels of the last residual block; each before has twice as many.
        max_filters: Most channels of a block; `None` for `filters` in all.
        attention: Whether the grid of 16 (or 10, 12, 14) attends to itself.
        num_classes: Integer for a network that takes `[latents, labels]`.
        conditioning: `"normalization"`, a scale and a shift for each class after every
            batch normalisation, or `"latents"`, the label beside them.
    """
    grid, num_blocks = smallest_grid(image_shape, least_doublings=2)
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs, normalized = condition_generator(
        latents, num_classes, conditioning
    )
    widths = [filters * 2**left for left in range(num_blocks)]
    widths = [min(width, max_filters or filters) for width in reversed(widths)]
    features = keras.layers.Dense(math.prod(grid) * widths[0])(features)
    features = keras.layers.Reshape((*grid, widths[0]))(features)
    for width in widths:
        features = _growing_block(features, width, normalized)
        if attention and is_grid_of_16(features):
            features = self_attention(features, normalization=None)
    features = keras.layers.ReLU()(normalized(features))
    outputs = convolution(image_shape[-1], activation="tanh")(features)
    return keras.Model(inputs, outputs, name="resnet_gan_generator")


def build_resnet_gan_discriminator(
    image_shape: Sequence[int],
    *,
    filters: int = 128,
    max_filters: int | None = None,
    normalization: str | None = "spectral",
    attention: bool = False,
    num_classes: int | None = None,
    num_outputs: int | None = None,
) -> keras.Model:
    """Builds a discriminator from images in `[-1, 1]` to logits `(batch, 1)`.

    Args:
        image_shape: As in `build_resnet_gan_generator`.
        filters: Channels of the first block; each that shrinks has twice as many.
        max_filters: As in `build_resnet_gan_generator`.
        normalization: `"spectral"`, as in the paper, `"batch"`, `"layer"` or `None`.
        attention: As in `build_resnet_gan_generator`.
        num_classes: Integer for a projection discriminator, which takes
            `[images, labels]`.
        num_outputs: Integer for a second output `(batch, num_outputs)`, an affine map
            of the last features: what `auxiliary` of a `GAN` is trained on.
    """
    smallest_grid(image_shape, least_doublings=2)
    images = keras.Input(image_shape, name="images")
    features, width = _first_block(images, filters, normalization), filters
    while True:
        if attention and is_grid_of_16(features):
            features = self_attention(features, normalization)
        if min(features.shape[1:3]) <= _LARGEST_END:
            break
        width = min(2 * width, max_filters or filters)
        features = _block(features, width, normalization, shrinks=True)
    for _ in range(2):
        features = _block(features, width, normalization)
    features = keras.layers.ReLU()(normalize(features, normalization))
    features = keras.ops.sum(features, axis=(1, 2))
    logits = spectral(keras.layers.Dense(1), normalization)(features)
    logits, inputs = project_labels(
        logits, features, images, num_classes, normalization
    )
    outputs = add_output(logits, features, num_outputs)
    return keras.Model(inputs, outputs, name="resnet_gan_discriminator")


def _growing_block(
    features: keras.KerasTensor, filters: int, normalized: Callable[[Any], Any]
) -> Any:
    """Returns features of twice the height and width."""
    shortcut = grow(convolution(filters, kernel_size=1)(features))
    features = keras.layers.ReLU()(normalized(features))
    # Batch normalisation follows: a bias would be taken off again.
    features = convolution(filters, use_bias=False)(grow(features))
    features = keras.layers.ReLU()(normalized(features))
    features = convolution(filters)(features)
    return keras.layers.Add()([features, shortcut])


def _first_block(
    images: keras.KerasTensor, filters: int, normalization: str | None
) -> Any:
    """Returns features of half the size: no ReLU before it, which would cut pixels."""
    shortcut = shrink(images)
    shortcut = spectral(convolution(filters, 1), normalization)(shortcut)
    features = spectral(convolution(filters), normalization)(images)
    features = keras.layers.ReLU()(normalize(features, normalization))
    features = shrink(spectral(convolution(filters), normalization)(features))
    return keras.layers.Add()([features, shortcut])


def _block(
    features: keras.KerasTensor,
    filters: int,
    normalization: str | None,
    shrinks: bool = False,
) -> Any:
    """Returns features of the same size, or of half of it."""
    shortcut = features
    if shrinks:
        shortcut = shrink(features)
        shortcut = spectral(convolution(filters, 1), normalization)(shortcut)
    for _ in range(2):
        features = keras.layers.ReLU()(normalize(features, normalization))
        features = spectral(convolution(filters), normalization)(features)
    if shrinks:
        features = shrink(features)
    return keras.layers.Add()([features, shortcut])
