"""PatchGAN: a discriminator of overlapping patches, a logit each.

    image -> C64 -> C128 -> ... (stride 2, `num_layers` of them) -> C512 -> logits

Every C is a 4x4 convolution with normalisation (not the first) and LeakyReLU; the last
C and the logits have stride 1. Several of them may judge the image at several scales.

References:
- [Isola et al., 2017](https://arxiv.org/abs/1611.07004), app. 6.1.2.
- [Wang et al., 2018](https://arxiv.org/abs/1711.11585), sec. 3.2: scales, features.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfgen.networks.normalization import check_normalization, normalize
from tfgen.sizes import show_size

# Stages of stride 2 -> pixels that a logit sees, in height and in width.
RECEPTIVE_FIELDS = {0: 1, 1: 16, 2: 34, 3: 70, 4: 142, 5: 286}

_KERNEL_SIZE = 4
_WIDEST = 8  # times `filters`


def build_patchgan_discriminator(
    image_shape: Sequence[int | None],
    *,
    filters: int = 64,
    num_layers: int = 3,
    num_scales: int = 1,
    with_features: bool = False,
    normalization: str | None = "instance",
    initial_stddev: float = 0.02,
) -> keras.Model:
    """Builds a discriminator from images in `[-1, 1]` to logits, one a patch.

    The logits are `(batch, height', width', 1)`: 30x30 for 256x256 and 3 layers. With
    several scales there is a list of them, the finest first. With features the outputs
    are a dict of two lists, an entry a scale: `"features"`, each a list of a stage's
    `(batch, height', width', width)`, and `"logits"`.

    Args:
        image_shape: `(height, width, channels)`. pix2pix's discriminator takes inputs
            and outputs side by side: the sum of their channels. `None` leaves a size
            open, and unchecked.
        filters: Channels after the first stage; each stage has twice as many, up to 8
            times as many.
        num_layers: Integer, stages of stride 2. A logit sees `RECEPTIVE_FIELDS` pixels:
            70x70 with 3. With 0, each pixel is judged alone, by 1x1 convolutions.
        num_scales: Integer, discriminators, each with weights of its own: the first
            sees the image, each further one half the size of the one before. pix2pixHD
            has 3.
        with_features: Whether the outputs of all stages are returned too, for feature
            matching (`Pix2Pix`).
        normalization: `"instance"`, `"batch"` or `None`.
        initial_stddev: Float, of the kernels.

    Raises:
        ValueError: If the image is too small for so many layers.
    """
    check_normalization(normalization, ("instance", "batch", None))
    _check_size(image_shape, num_layers, num_scales)
    images = keras.Input(image_shape, name="images")
    features, logits, scaled = [], [], images
    for scale in range(num_scales):
        if scale:
            scaled = keras.layers.AveragePooling2D(
                2, padding="same", data_format="channels_last"
            )(scaled)
        *stages, patches = _judge(
            scaled, filters, num_layers, normalization, initial_stddev
        )
        features.append(stages)
        logits.append(patches)
    outputs: Any = logits if num_scales > 1 else logits[0]
    if with_features:
        outputs = {"features": features, "logits": logits}
    return keras.Model(images, outputs, name="patchgan_discriminator")


def _judge(
    features: Any,
    filters: int,
    num_layers: int,
    normalization: str | None,
    initial_stddev: float,
) -> list[Any]:
    """Returns the features of each stage, and the logits of the last."""
    kernel_size = _KERNEL_SIZE if num_layers else 1

    def convolve(features: Any, width: int, strides: int, use_bias: bool) -> Any:
        padding = "same"
        if _differs(features.shape[1:3], kernel_size, strides):
            features = keras.layers.ZeroPadding2D(1, data_format="channels_last")(
                features
            )
            padding = "valid"
        # One initializer a layer: used again, it would repeat its values.
        initializer = keras.initializers.RandomNormal(stddev=initial_stddev)
        return keras.layers.Conv2D(
            width,
            kernel_size,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            use_bias=use_bias,
            kernel_initializer=initializer,
        )(features)

    outputs = []
    for stage in range(num_layers + 1 if num_layers else 2):
        features = convolve(
            features,
            filters * min(2**stage, _WIDEST),
            strides=2 if stage < num_layers else 1,
            use_bias=stage == 0 or normalization is None,
        )
        if stage:
            features = normalize(features, normalization)
        features = keras.layers.LeakyReLU(negative_slope=0.2)(features)
        outputs.append(features)
    return [*outputs, convolve(features, 1, strides=1, use_bias=True)]


def _differs(sizes: Sequence[int | None], kernel_size: int, strides: int) -> bool:
    """Returns whether "same" pads otherwise than the reference: one on each side."""
    is_even = all(size is not None and size % 2 == 0 for size in sizes)
    return kernel_size > 1 and not (strides == 2 and is_even)


def _check_size(
    image_shape: Sequence[int | None], num_layers: int, num_scales: int
) -> None:
    if num_layers not in RECEPTIVE_FIELDS:
        raise ValueError(
            f"`num_layers` must be one of {list(RECEPTIVE_FIELDS)}. "
            f"Received: {num_layers}"
        )
    if num_scales < 1:
        raise ValueError(f"`num_scales` must be at least 1. Received: {num_scales}")
    least = (3 * 2**num_layers if num_layers else 1) * 2 ** (num_scales - 1)
    if any(size is not None and size < least for size in image_shape[:2]):
        nearest = show_size([max(size or least, least) for size in image_shape[:2]])
        scales = f" and num_scales={num_scales}" if num_scales > 1 else ""
        raise ValueError(
            f"Height and width must be at least {least} for num_layers={num_layers}"
            f"{scales}. Received: image_shape={tuple(image_shape)}. The nearest size "
            f"is {nearest}; or pass fewer `num_layers`."
        )
