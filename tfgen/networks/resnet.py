"""CycleGAN's generator: residual blocks at a quarter of the size.

    image -> c7s1-64 -> d128 -> d256 -> [R256]* -> u128 -> u64 -> c7s1-3 -> image

c7s1: 7x7 convolution; d, u: 3x3 convolution that halves, doubles the size; R: residual
block of two 3x3 convolutions. Instance normalisation and ReLU follow each.

Reference: [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), app. 7.2;
[Johnson et al., 2016](https://arxiv.org/abs/1603.08155).
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.recompute import apply_block
from tfgen.layers.reflection_padding import ReflectionPadding2D
from tfgen.networks.normalization import check_normalization, normalize

_HALVINGS = 2


def build_resnet_generator(
    image_shape: Sequence[int | None],
    *,
    output_channels: int | None = None,
    filters: int = 64,
    num_blocks: int = 9,
    normalization: str | None = "instance",
    padding: str = "reflect",
    initial_stddev: float = 0.02,
    recompute: bool = False,
) -> keras.Model:
    """Builds a generator from images to images of the same size, both in `[-1, 1]`.

    Args:
        image_shape: `(height, width, channels)`. Height and width must be divisible by
            4, and at least 8 to be reflected; `None` leaves them open, and unchecked.
        output_channels: Integer, or `None` for as many as `image_shape` has.
        filters: Channels of the first and the last grid; the blocks have 4 times as
            many.
        num_blocks: Integer, residual blocks: 9 in the paper, 6 below 256x256.
        normalization: `"instance"`, `"batch"` or `None`.
        padding: `"reflect"`, or `"zero"`, which is faster on phones.
        initial_stddev: Float, of the kernels.
        recompute: Whether training computes the residual blocks a second time for the
            gradient and does not keep their activations: less memory for a longer step.
            It does not go with `"batch"`.

    Raises:
        ValueError: If the size or a name is not one of these.
    """
    check_normalization(normalization, ("instance", "batch", None))
    _check_size(image_shape, padding)
    if output_channels is None:
        output_channels = image_shape[-1]

    def convolve(features: Any, width: int, kernel_size: int, **kwargs: Any) -> Any:
        if padding == "reflect":
            features = ReflectionPadding2D(kernel_size // 2)(features)
        return keras.layers.Conv2D(
            width,
            kernel_size,
            padding="valid" if padding == "reflect" else "same",
            data_format="channels_last",
            kernel_initializer=_initializer(initial_stddev),
            **kwargs,
        )(features)

    def resize(features: Any, width: int, layer_class: Any) -> Any:
        return layer_class(
            width,
            kernel_size=3,
            strides=2,
            padding="same",
            data_format="channels_last",
            use_bias=use_bias,
            kernel_initializer=_initializer(initial_stddev),
        )(features)

    def activate(features: Any) -> Any:
        return keras.layers.ReLU()(normalize(features, normalization))

    def add_residual(features: Any) -> Any:
        residual = activate(convolve(features, width, 3, use_bias=use_bias))
        residual = convolve(residual, width, 3, use_bias=use_bias)
        return keras.layers.Add()([features, normalize(residual, normalization)])

    use_bias = normalization is None
    images = keras.Input(image_shape, name="images")
    features = activate(convolve(images, filters, 7, use_bias=use_bias))
    for stage in range(1, _HALVINGS + 1):
        features = activate(resize(features, filters * 2**stage, keras.layers.Conv2D))
    width = filters * 2**_HALVINGS
    for _ in range(num_blocks):
        features = apply_block(add_residual, features, recompute)
    for stage in reversed(range(_HALVINGS)):
        size = filters * 2**stage
        features = activate(resize(features, size, keras.layers.Conv2DTranspose))
    outputs = convolve(features, output_channels, 7, activation="tanh")
    return keras.Model(images, outputs, name="resnet_generator")


def _initializer(stddev: float) -> Any:
    # One a layer: used again, it would repeat its values.
    return keras.initializers.RandomNormal(stddev=stddev)


def _check_size(image_shape: Sequence[int | None], padding: str) -> None:
    if padding not in ("reflect", "zero"):
        raise ValueError(
            f"`padding` must be 'reflect' or 'zero'. Received: {padding!r}"
        )
    least = 2 * 2**_HALVINGS if padding == "reflect" else 2**_HALVINGS
    for size in image_shape[:2]:
        if size is not None and (size % 2**_HALVINGS or size < least):
            raise ValueError(
                f"Height and width must be divisible by {2**_HALVINGS} and at least "
                f"{least}. Received: image_shape={tuple(image_shape)}. Resize the "
                "images."
            )
