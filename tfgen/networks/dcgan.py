"""Deep convolutional GAN: stages of stride 2, without pooling or hidden dense layers.

    latent -> dense 4x4 (or 7x7) -> [double, half the channels]* -> image in [-1, 1]

References:
- [Radford et al., 2016](https://arxiv.org/abs/1511.06434), sec. 3.
- [Odena et al., 2016](https://doi.org/10.23915/distill.00003): `upsampling="bilinear"`.
"""

import math
from collections.abc import Sequence

import keras

from tfgen.networks.conditioning import (
    add_output,
    condition_generator,
    project_labels,
)
from tfgen.networks.grids import STAGE, smallest_grid, upsample
from tfgen.networks.normalization import normalize, spectral


def build_dcgan_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    filters: int = 64,
    upsampling: str = "transposed",
    num_classes: int | None = None,
    conditioning: str = "latents",
) -> keras.Model:
    """Builds a generator from latents to images in `[-1, 1]`.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(height, width, channels)`: a power of 2 times a grid whose
            shorter side is 4 to 7, such as 28, 32, 48 x 64, 128.
        filters: Channels before the last stage; each stage before has twice as many.
        upsampling: `"transposed"`, as in the paper; or `"bilinear"`, interpolation and
            a convolution, whose images have no woven texture.
        num_classes: Integer for a network that takes `[latents, labels]`.
        conditioning: `"latents"`, the label beside them, or `"normalization"`, a scale
            and a shift for each class after every batch normalisation.
    """
    grid, num_stages = smallest_grid(image_shape, least_doublings=1)
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs, normalized = condition_generator(
        latents, num_classes, conditioning
    )
    width = filters * 2 ** (num_stages - 1)
    features = keras.layers.Dense(math.prod(grid) * width, use_bias=False)(features)
    features = keras.layers.Reshape((*grid, width))(features)
    features = keras.layers.ReLU()(normalized(features))
    for stage in range(1, num_stages):
        features = upsample(features, width // 2**stage, upsampling, use_bias=False)
        features = keras.layers.ReLU()(normalized(features))
    outputs = upsample(features, image_shape[-1], upsampling, activation="tanh")
    return keras.Model(inputs, outputs, name="dcgan_generator")


def build_dcgan_discriminator(
    image_shape: Sequence[int],
    *,
    filters: int = 64,
    normalization: str | None = "batch",
    num_classes: int | None = None,
    num_outputs: int | None = None,
    with_features: bool = False,
) -> keras.Model:
    """Builds a discriminator from images in `[-1, 1]` to logits `(batch, 1)`.

    Args:
        image_shape: As in `build_dcgan_generator`.
        filters: Channels after the first stage; each stage has twice as many.
        normalization: `"batch"`, `"layer"`, `"spectral"` or `None`. A gradient penalty
            is defined for each image alone: it goes with all but `"batch"`.
        num_classes: Integer for a projection discriminator, which takes
            `[images, labels]`.
        num_outputs: Integer for a second output `(batch, num_outputs)`, an affine map
            of the last features: what `auxiliary` of a `GAN` is trained on.
        with_features: Whether the outputs are a dict of two lists, as those of
            `build_patchgan_discriminator`: `"features"`, a list of those of each stage
            `(batch, height', width', channels')`, and `"logits"`. For `VAEGAN`.
    """
    if with_features and num_outputs is not None:
        raise ValueError("`with_features` goes without `num_outputs`.")
    _, num_stages = smallest_grid(image_shape, least_doublings=1)
    images = keras.Input(image_shape, name="images")
    features, stages = images, []
    for stage in range(num_stages):
        convolution = keras.layers.Conv2D(filters * 2**stage, **STAGE)
        features = spectral(convolution, normalization)(features)
        if stage:  # as in the paper, not on the first
            features = normalize(features, normalization)
        features = keras.layers.LeakyReLU(negative_slope=0.2)(features)
        stages.append(features)
    features = keras.layers.Flatten(data_format="channels_last")(features)
    logits = spectral(keras.layers.Dense(1), normalization)(features)
    logits, inputs = project_labels(
        logits, features, images, num_classes, normalization
    )
    outputs = add_output(logits, features, num_outputs)
    if with_features:
        outputs = {"features": [stages], "logits": [logits]}
    return keras.Model(inputs, outputs, name="dcgan_discriminator")
