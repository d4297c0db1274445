"""Small convolutional networks: each stage halves, or doubles, height and width."""

from collections.abc import Sequence

import keras

from tfgen.networks.conditioning import add_labels
from tfgen.networks.grids import STAGE


def build_conv_encoder(
    image_shape: Sequence[int],
    output_dim: int,
    *,
    filters: Sequence[int] = (32, 64),
    num_classes: int | None = None,
) -> keras.Model:
    """Builds an encoder from images to `(batch, output_dim)`, without squashing.

    Args:
        image_shape: `(height, width, channels)`; height and width must be divisible by
            `2 ** len(filters)`.
        output_dim: Integer: `latent_dim` for an autoencoder, twice that for a VAE.
        filters: Channels after each stage of stride 2.
        num_classes: Integer for a network that takes `[images, labels]`.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    _check_strides(image_shape, filters)
    images = keras.Input(image_shape, name="images")
    features = images
    for count in filters:
        features = keras.layers.Conv2D(count, activation="relu", **STAGE)(features)
    features = keras.layers.Flatten(data_format="channels_last")(features)
    features, inputs = add_labels(features, images, num_classes)
    outputs = keras.layers.Dense(output_dim)(features)
    return keras.Model(inputs, outputs, name="conv_encoder")


def build_conv_decoder(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: Sequence[int] = (64, 32),
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a decoder from latents to image-shaped logits or means, unsquashed.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(height, width, channels)`; height and width must be divisible by
            `2 ** len(filters)`.
        filters: Channels before each stage of stride 2.
        num_classes: Integer for a network that takes `[latents, labels]`.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    _check_strides(image_shape, filters)
    height, width, channels = image_shape
    scale = 2 ** len(filters)
    grid = (height // scale, width // scale, filters[0])
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs = add_labels(latents, latents, num_classes)
    units = grid[0] * grid[1] * grid[2]
    features = keras.layers.Dense(units, activation="relu")(features)
    features = keras.layers.Reshape(grid)(features)
    for count in filters[1:]:
        features = keras.layers.Conv2DTranspose(count, activation="relu", **STAGE)(
            features
        )
    outputs = keras.layers.Conv2DTranspose(channels, **STAGE)(features)
    return keras.Model(inputs, outputs, name="conv_decoder")


def _check_strides(image_shape: Sequence[int], filters: Sequence[int]) -> None:
    scale = 2 ** len(filters)
    height, width, _ = image_shape
    if not filters or height % scale or width % scale:
        raise ValueError(
            f"Height and width must be divisible by {scale}: {len(filters)} stage(s) "
            f"of stride 2. Received: image_shape={tuple(image_shape)}. Resize the "
            "images or pass fewer `filters`."
        )
