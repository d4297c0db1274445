"""Small convolutional networks: each stage halves, or doubles, height and width.

Their depth comes from the image: 2 stages at 28 and 32, 3 at 64 and 96x64, 4 at 128, 5
at 256, each of twice the channels until there are 8 times as many as in the first.
"""

from collections.abc import Sequence

import keras

from tfgen.networks.conditioning import add_labels
from tfgen.networks.grids import STAGE
from tfgen.sizes import nearest_size


def build_conv_encoder(
    image_shape: Sequence[int],
    output_dim: int,
    *,
    filters: int | Sequence[int] = 32,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds an encoder from images to `(batch, output_dim)`, without squashing.

    Args:
        image_shape: `(height, width, channels)`; height and width must be divisible by
            4, or by 2 for each of the `filters`.
        output_dim: Integer: `latent_dim` for an autoencoder, twice that for a VAE.
        filters: Channels after the first stage; or a sequence, after each stage.
        num_classes: Integer for a network that takes `[images, labels]`.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    widths = stage_widths(image_shape, filters)
    images = keras.Input(image_shape, name="images")
    features = images
    for count in widths:
        features = keras.layers.Conv2D(count, activation="relu", **STAGE)(features)
    features = keras.layers.Flatten(data_format="channels_last")(features)
    features, inputs = add_labels(features, images, num_classes)
    outputs = keras.layers.Dense(output_dim)(features)
    return keras.Model(inputs, outputs, name="conv_encoder")


def build_conv_decoder(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int | Sequence[int] = 32,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a decoder from latents to image-shaped logits or means, unsquashed.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: As in `build_conv_encoder`.
        filters: Channels before the last stage; or a sequence, before each stage.
        num_classes: Integer for a network that takes `[latents, labels]`.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    if isinstance(filters, int):
        filters = stage_widths(image_shape, filters)[::-1]
    widths = stage_widths(image_shape, filters)
    height, width, channels = image_shape
    scale = 2 ** len(widths)
    grid = (height // scale, width // scale, widths[0])
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs = add_labels(latents, latents, num_classes)
    units = grid[0] * grid[1] * grid[2]
    features = keras.layers.Dense(units, activation="relu")(features)
    features = keras.layers.Reshape(grid)(features)
    for count in widths[1:]:
        features = keras.layers.Conv2DTranspose(count, activation="relu", **STAGE)(
            features
        )
    outputs = keras.layers.Conv2DTranspose(channels, **STAGE)(features)
    return keras.Model(inputs, outputs, name="conv_decoder")


def stage_widths(
    image_shape: Sequence[int], filters: int | Sequence[int]
) -> Sequence[int]:
    """Returns the channels of each stage; from one number as many as the image takes.

    One more is taken while the shorter side of the grid is above 8, and at least two.

    Raises:
        ValueError: If the strides do not divide the image.
    """
    height, width, _ = image_shape
    if isinstance(filters, int):
        num_stages = 2
        while _divides(2 ** (num_stages + 1), image_shape) and (
            min(height, width) > 8 * 2**num_stages
        ):
            num_stages += 1
        filters = [filters * min(2**stage, 8) for stage in range(num_stages)]
    scale = 2 ** len(filters)
    if not filters or not _divides(scale, image_shape):
        nearest = nearest_size(image_shape, lambda *sizes: _divides(scale, sizes))
        raise ValueError(
            f"Height and width must be divisible by {scale}: {len(filters)} stage(s) "
            f"of stride 2. Received: image_shape={tuple(image_shape)}. The nearest "
            f"size is {nearest}; or pass fewer `filters`."
        )
    return filters


def _divides(scale: int, image_shape: Sequence[int]) -> bool:
    return not any(size % scale for size in image_shape[:2])
