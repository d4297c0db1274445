"""The residual networks of SNGAN: wider and deeper than DCGAN's, at constant width.

    generator:      latent -> dense 4x4 (or 7x7) -> [residual block, twice the size]*
                    -> batch norm, ReLU, 3x3 convolution -> image in [-1, 1]
    discriminator:  image -> [residual block, half the size]* down to 8x8 (or 7x7)
                    -> 2 residual blocks -> ReLU, sum over the grid -> logit

The defaults are the paper's table 3 (32x32), but for two things. Images grow by
bilinear interpolation, since nearest neighbours become 5-D copies in a .tflite file.
And a shortcut's 1x1 convolution runs on the smaller of its two grids: it commutes with
both ways of resizing, and so costs a quarter for the same result.

Reference: [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), app. B.4.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfgen.networks.conditioning import add_labels, project_labels
from tfgen.networks.grids import smallest_grid
from tfgen.networks.normalization import normalize, spectral

_LARGEST_END = 8  # size of the discriminator's last grid


def build_resnet_gan_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int = 256,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a generator from latents to images in `[-1, 1]`.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(size, size, channels)`; size is 4 or 7 times a power of 2, such
            as 28, 32, 64, and at least 16.
        filters: Channels of every residual block.
        num_classes: Integer for a network that takes `[latents, labels]`.
    """
    start, num_blocks = smallest_grid(image_shape, least_doublings=2)
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs = add_labels(latents, latents, num_classes)
    features = keras.layers.Dense(start * start * filters)(features)
    features = keras.layers.Reshape((start, start, filters))(features)
    for _ in range(num_blocks):
        features = _growing_block(features, filters)
    features = keras.layers.ReLU()(normalize(features, "batch"))
    outputs = _convolution(image_shape[-1], activation="tanh")(features)
    return keras.Model(inputs, outputs, name="resnet_gan_generator")


def build_resnet_gan_discriminator(
    image_shape: Sequence[int],
    *,
    filters: int = 128,
    normalization: str | None = "spectral",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a discriminator from images in `[-1, 1]` to logits `(batch, 1)`.

    Args:
        image_shape: As in `build_resnet_gan_generator`.
        filters: Channels of every residual block.
        normalization: `"spectral"`, as in the paper, `"batch"`, `"layer"` or `None`.
        num_classes: Integer for a projection discriminator, which takes
            `[images, labels]`.
    """
    smallest_grid(image_shape, least_doublings=2)
    images = keras.Input(image_shape, name="images")
    features = _first_block(images, filters, normalization)
    while features.shape[1] > _LARGEST_END:
        features = _block(features, filters, normalization, shrinks=True)
    for _ in range(2):
        features = _block(features, filters, normalization)
    features = keras.layers.ReLU()(normalize(features, normalization))
    features = keras.ops.sum(features, axis=(1, 2))
    logits = spectral(keras.layers.Dense(1), normalization)(features)
    logits, inputs = project_labels(
        logits, features, images, num_classes, normalization
    )
    return keras.Model(inputs, logits, name="resnet_gan_discriminator")


def _growing_block(features: keras.KerasTensor, filters: int) -> Any:
    """Returns features of twice the height and width."""
    shortcut = _grow(_convolution(filters, kernel_size=1)(features))
    features = keras.layers.ReLU()(normalize(features, "batch"))
    # Batch normalisation follows: a bias would be taken off again.
    features = _convolution(filters, use_bias=False)(_grow(features))
    features = keras.layers.ReLU()(normalize(features, "batch"))
    features = _convolution(filters)(features)
    return keras.layers.Add()([features, shortcut])


def _first_block(
    images: keras.KerasTensor, filters: int, normalization: str | None
) -> Any:
    """Returns features of half the size: no ReLU before it, which would cut pixels."""
    shortcut = _shrink(images)
    shortcut = spectral(_convolution(filters, 1), normalization)(shortcut)
    features = spectral(_convolution(filters), normalization)(images)
    features = keras.layers.ReLU()(normalize(features, normalization))
    features = _shrink(spectral(_convolution(filters), normalization)(features))
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
        shortcut = _shrink(features)
        shortcut = spectral(_convolution(filters, 1), normalization)(shortcut)
    for _ in range(2):
        features = keras.layers.ReLU()(normalize(features, normalization))
        features = spectral(_convolution(filters), normalization)(features)
    if shrinks:
        features = _shrink(features)
    return keras.layers.Add()([features, shortcut])


def _convolution(filters: int, kernel_size: int = 3, **kwargs: Any) -> Any:
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", data_format="channels_last", **kwargs
    )


def _grow(features: keras.KerasTensor) -> Any:
    return keras.layers.UpSampling2D(
        interpolation="bilinear", data_format="channels_last"
    )(features)


def _shrink(features: keras.KerasTensor) -> Any:
    return keras.layers.AveragePooling2D(2, data_format="channels_last")(features)
