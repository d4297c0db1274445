"""Residual encoders and decoders, for pictures of 64 to 256 pixels.

    encoder:  image -> 3x3 convolution -> [residual blocks -> half the size]* -> outputs
    decoder:  inputs -> [residual blocks -> twice the size]* -> 3x3 convolution -> image

Outputs of the encoder, and inputs of the decoder, are vectors, or grids of vectors for
discrete codes. The grid of 9 to 16 places a side has self-attention. A block is `x +
conv(relu(conv(relu(x))))`, its last kernel 0 at first: it starts as the identity and
needs no normalisation, which would take an image's contrast out of its code. Images
grow by interpolation: no texture can repeat with a stride.

References:
- [He et al., 2016](https://arxiv.org/abs/1603.05027), fig. 1: the block.
- [Zhang et al., 2019](https://arxiv.org/abs/1901.09321), sec. 3: starting from 0.
- [Esser et al., 2021](https://arxiv.org/abs/2012.09841), app. A: the shape of both.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.recompute import apply_block
from tfgen.networks.attention import is_grid_of_16, self_attention
from tfgen.networks.conditioning import add_labels
from tfgen.networks.conv import stage_widths
from tfgen.networks.grids import STAGE, convolution, upsample
from tfgen.sizes import nearest_size


def build_resnet_encoder(
    image_shape: Sequence[int],
    output_dim: int | Sequence[int],
    *,
    filters: int = 32,
    num_blocks: int = 1,
    num_classes: int | None = None,
    recompute: bool = False,
) -> keras.Model:
    """Builds an encoder from images to `(batch, *output_dim)`, without squashing.

    Args:
        image_shape: `(height, width, channels)`; height and width must be divisible by
            4, or be a power of 2 times those of `output_dim`.
        output_dim: Integer, size of a vector; or `(height, width, size)` of a grid.
        filters: Channels of the first grid; each smaller one has twice as many, up to 8
            times.
        num_blocks: Integer, residual blocks of each grid.
        num_classes: Integer for a network of vectors that takes `[images, labels]`.
        recompute: Whether training computes the blocks a second time for the gradient
            and does not keep their activations: less memory for a longer step.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    widths = _widths(image_shape, output_dim, filters, num_classes)
    images = inputs = keras.Input(image_shape, name="images")
    features = convolution(widths[0])(images)
    for width in widths[1:]:
        features = _residual_blocks(features, num_blocks, recompute)
        features = keras.layers.Conv2D(width, **STAGE)(features)
    features = _residual_blocks(features, num_blocks, recompute)
    features = keras.layers.ReLU()(features)
    if isinstance(output_dim, int):
        features = keras.layers.Flatten(data_format="channels_last")(features)
        features, inputs = add_labels(features, images, num_classes)
        outputs = keras.layers.Dense(output_dim)(features)
    else:
        outputs = convolution(output_dim[-1], 1)(features)
    return keras.Model(inputs, outputs, name="resnet_encoder")


def build_resnet_decoder(
    latent_dim: int | Sequence[int],
    image_shape: Sequence[int],
    *,
    filters: int = 32,
    num_blocks: int = 1,
    num_classes: int | None = None,
    recompute: bool = False,
) -> keras.Model:
    """Builds a decoder from latents to image-shaped logits or means, unsquashed.

    Args:
        latent_dim: Integer, size of a latent; or `(height, width, size)` of a grid.
        image_shape: `(height, width, channels)`, as in `build_resnet_encoder`.
        filters: Channels of the last grid, as in `build_resnet_encoder`.
        num_blocks: As in `build_resnet_encoder`.
        num_classes: Integer for a network of vectors that takes `[latents, labels]`.
        recompute: As in `build_resnet_encoder`.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    widths = _widths(image_shape, latent_dim, filters, num_classes)[::-1]
    shape = (latent_dim,) if isinstance(latent_dim, int) else tuple(latent_dim)
    latents = inputs = keras.Input(shape, name="latents")
    if isinstance(latent_dim, int):
        scale = 2 ** (len(widths) - 1)
        grid = (image_shape[0] // scale, image_shape[1] // scale, widths[0])
        features, inputs = add_labels(latents, latents, num_classes)
        features = keras.layers.Dense(math.prod(grid))(features)
        features = keras.layers.Reshape(grid)(features)
    else:
        features = convolution(widths[0])(latents)
    for width in widths[1:]:
        features = _residual_blocks(features, num_blocks, recompute)
        features = upsample(features, width, "bilinear")
    features = _residual_blocks(features, num_blocks, recompute)
    outputs = convolution(image_shape[-1])(keras.layers.ReLU()(features))
    return keras.Model(inputs, outputs, name="resnet_decoder")


def _widths(
    image_shape: Sequence[int],
    dim: int | Sequence[int],
    filters: int,
    num_classes: int | None,
) -> list[int]:
    """Returns the channels of every grid, from the image's to the smallest one."""
    if isinstance(dim, int):
        num_stages = len(stage_widths(image_shape, filters))
    else:

        def takes(height: int, width: int) -> bool:
            scale = 2 ** _count_doublings(height, dim)
            return (height, width) == (scale * dim[0], scale * dim[1])

        num_stages = _count_doublings(image_shape[0], dim)
        if not takes(*image_shape[:2]):
            raise ValueError(
                "Height and width must be a power of 2 times those of the grid "
                f"{tuple(dim)}. Received: image_shape={tuple(image_shape)}. The "
                f"nearest size is {nearest_size(image_shape, takes)}."
            )
        if num_classes is not None:
            raise ValueError(
                "A network of grids takes no labels. Received: "
                f"num_classes={num_classes}"
            )
    return [filters * min(2**stage, 8) for stage in range(num_stages + 1)]


def _count_doublings(height: int, grid: Sequence[int]) -> int:
    return max(height // grid[0], 1).bit_length() - 1


def _residual_blocks(features: Any, count: int, recompute: bool) -> Any:
    for _ in range(count):
        features = apply_block(_residual_block, features, recompute)
    if is_grid_of_16(features):
        attend = functools.partial(self_attention, normalization=None)
        features = apply_block(attend, features, recompute)
    return features


def _residual_block(features: Any) -> Any:
    width = features.shape[-1]
    residual = convolution(width)(keras.layers.ReLU()(features))
    residual = keras.layers.ReLU()(residual)
    residual = convolution(width, kernel_initializer="zeros")(residual)
    return keras.layers.Add()([features, residual])
