"""The generator of StyleGAN2: a latent becomes a style, which scales every convolution.

    latent -> [dense]* -> w,   truncated: mean + truncation (w - mean)
    constant 4x4 (or 7x7) -> [double the size, 2 convolutions of style w, noise]*
    image = tanh of the sum of each grid's 1x1 convolution to colours, grown

A style is an affine map of `w`, one a convolution. The mean of `w` is a moving average
of training. Smaller than the paper's: latents are not normalised, so that their first
map is affine; weights are not scaled at runtime; images grow by bilinear interpolation;
and styles are not mixed, nor path lengths penalised. Its discriminator is
`build_resnet_gan_discriminator` with `normalization=None`.

References:
- [Karras et al., 2020](https://arxiv.org/abs/1912.04958), sec. 2 and 4.1 (skips).
- [Karras et al., 2019](https://arxiv.org/abs/1812.04948), sec. 2: noise, the mapping.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.modulation import (
    LearnedConstant,
    ModulatedConv2D,
    PixelNoise,
    StyleTruncation,
)
from tfgen.networks.conditioning import add_labels
from tfgen.networks.grids import grow, smallest_grid

_GAIN = math.sqrt(2.0)


def build_style_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int = 32,
    max_filters: int | None = None,
    style_dim: int = 128,
    num_mapping_layers: int = 4,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a generator from latents to images in `[-1, 1]`.

    It takes `[latents, noise, truncation]`, with `num_classes` `[latents, labels,
    noise, truncation]`. The last two may be `None`: standard normal draws `(batch,
    noise_dim)` for pixels of all grids, and `(batch, 1)`, where 1 keeps styles as they
    are and 0 makes all of them their mean.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(height, width, channels)`: a power of 2 times a grid whose
            shorter side is 4 to 7, such as 28, 32, 48 x 64, 128.
        filters: Channels at the image's size; each grid before has twice as many.
        max_filters: Most channels of a grid; `None` for 8 times `filters`.
        style_dim: Integer, size of `w`.
        num_mapping_layers: Integer, dense layers from a latent to `w`: 8 in the paper.
        num_classes: Integer for a network that takes labels, beside the latent.
    """
    grid, num_doublings = smallest_grid(image_shape, least_doublings=1)
    grids = [
        tuple(side * 2**stage for side in grid) for stage in range(num_doublings + 1)
    ]
    pixels = [math.prod(sides) for sides in grids]
    noise_dim = pixels[0] + 2 * sum(pixels[1:])
    latents = keras.Input((latent_dim,), name="latents")
    noise = keras.Input((noise_dim,), name="noise", optional=True)
    truncation = keras.Input((1,), name="truncation", optional=True)
    styles, inputs = add_labels(latents, latents, num_classes)
    for _ in range(num_mapping_layers):
        styles = keras.layers.Dense(style_dim, kernel_initializer="he_normal")(styles)
        styles = keras.layers.LeakyReLU(negative_slope=0.2)(styles)
    styles = StyleTruncation()([styles, truncation])

    features = image = None
    start, most = 0, max_filters or 8 * filters
    for stage, sides in enumerate(grids):
        width = min(filters * 2 ** (num_doublings - stage), most)
        if features is None:
            features = LearnedConstant((*sides, width))(styles)
        else:
            features, image = grow(features), grow(image)
        for _ in range(1 if image is None else 2):
            features = _convolve(features, styles, width, noise, start)
            start += math.prod(sides)
        colours = _modulated(features, styles, image_shape[-1], 1, demodulate=False)
        image = colours if image is None else keras.layers.Add()([image, colours])
    outputs = keras.layers.Activation("tanh")(image)
    inputs = [*(inputs if num_classes is not None else [inputs]), noise, truncation]
    return keras.Model(inputs, outputs, name="style_generator")


def _convolve(features: Any, styles: Any, width: int, noise: Any, start: int) -> Any:
    """Returns features after a convolution of a style, noise and an activation."""
    features = _modulated(features, styles, width, 3, gain=_GAIN)
    features = PixelNoise(start)([features, noise])
    return keras.layers.LeakyReLU(negative_slope=0.2)(features)


def _modulated(features: Any, styles: Any, *size: int, **kwargs: Any) -> Any:
    """Returns a `ModulatedConv2D` of the style that is an affine map of `w`."""
    affine = keras.layers.Dense(features.shape[-1], bias_initializer="ones")
    return ModulatedConv2D(*size, **kwargs)([features, affine(styles)])
