"""Deep convolutional GAN: stages of stride 2, without pooling or hidden dense layers.

    latent -> dense 4x4 (or 7x7) -> [double, half the channels]* -> image in [-1, 1]

Reference: [Radford et al., 2016](https://arxiv.org/abs/1511.06434), sec. 3.
"""

from collections.abc import Sequence

import keras

from tfgen.networks.conditioning import add_labels, project_labels
from tfgen.networks.grids import STAGE, smallest_grid
from tfgen.networks.normalization import normalize, spectral


def build_dcgan_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int = 64,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a generator from latents to images in `[-1, 1]`.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(size, size, channels)`; size is 4 or 7 times a power of 2, such
            as 28, 32, 64, 128.
        filters: Channels before the last stage; each stage before has twice as many.
        num_classes: Integer for a network that takes `[latents, labels]`.
    """
    start, num_stages = smallest_grid(image_shape, least_doublings=1)
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs = add_labels(latents, latents, num_classes)
    width = filters * 2 ** (num_stages - 1)
    features = keras.layers.Dense(start * start * width, use_bias=False)(features)
    features = keras.layers.Reshape((start, start, width))(features)
    features = keras.layers.ReLU()(normalize(features, "batch"))
    for stage in range(1, num_stages):
        features = keras.layers.Conv2DTranspose(
            width // 2**stage, use_bias=False, **STAGE
        )(features)
        features = keras.layers.ReLU()(normalize(features, "batch"))
    outputs = keras.layers.Conv2DTranspose(image_shape[-1], activation="tanh", **STAGE)(
        features
    )
    return keras.Model(inputs, outputs, name="dcgan_generator")


def build_dcgan_discriminator(
    image_shape: Sequence[int],
    *,
    filters: int = 64,
    normalization: str | None = "batch",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a discriminator from images in `[-1, 1]` to logits `(batch, 1)`.

    Args:
        image_shape: As in `build_dcgan_generator`.
        filters: Channels after the first stage; each stage has twice as many.
        normalization: `"batch"`, `"layer"`, `"spectral"` or `None`. A gradient penalty
            is defined for each image alone: it goes with all but `"batch"`.
        num_classes: Integer for a projection discriminator, which takes
            `[images, labels]`.
    """
    _, num_stages = smallest_grid(image_shape, least_doublings=1)
    images = keras.Input(image_shape, name="images")
    features = images
    for stage in range(num_stages):
        convolution = keras.layers.Conv2D(filters * 2**stage, **STAGE)
        features = spectral(convolution, normalization)(features)
        if stage:  # as in the paper, not on the first
            features = normalize(features, normalization)
        features = keras.layers.LeakyReLU(negative_slope=0.2)(features)
    features = keras.layers.Flatten(data_format="channels_last")(features)
    logits = spectral(keras.layers.Dense(1), normalization)(features)
    logits, inputs = project_labels(
        logits, features, images, num_classes, normalization
    )
    return keras.Model(inputs, logits, name="dcgan_discriminator")
