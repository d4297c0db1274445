"""pix2pix's U-Net: down to one pixel and up again, with every grid handed across.

    image -> C64 -> C128 -> C256 -> C512 -> ... -> C512
                |       |       |       |            |
    image <- C64 <- C128 <- C256 <- C512 <- ... <- CD512

Every C is a 4x4 convolution of stride 2 with normalisation, CD has dropout too, whose
draws are the generator's noise, its second input. As in the authors' code, an
activation comes before each convolution.

A transposed convolution has other weights for each of four neighbours, and flat areas
get a woven texture. With `upsampling="bilinear"`, images grow by interpolation and a
3x3 convolution ([Odena et al., 2016](https://doi.org/10.23915/distill.00003)), and the
last one sees the input too, whose lines thus stay sharp.

Dropout changes outputs little. With `noise_dim` the noise is a latent instead, which
shifts the channels of every stage down: as if it stood beside them at every pixel.

References:
- [Isola et al., 2017](https://arxiv.org/abs/1611.07004), app. 6.1.1.
- [Zhu et al., 2017](https://arxiv.org/abs/1711.11586), sec. 4: a latent in all stages.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.noise_dropout import NoiseDropout
from tfgen.layers.recompute import apply_block
from tfgen.networks.grids import grow
from tfgen.networks.normalization import check_normalization, normalize
from tfgen.networks.separable import check_convolution, separable
from tfgen.sizes import nearest_size

_SHRINK = {"kernel_size": 4, "strides": 2, "padding": "same"}
_MIN_STAGES, _MAX_STAGES = 2, 8
_WIDEST = 8  # times `filters`
_UPSAMPLINGS = ("transposed", "bilinear")
_DROPOUTS = 3  # stages, the paper's CD512


def build_unet_generator(
    image_shape: Sequence[int],
    *,
    output_channels: int | None = None,
    filters: int = 64,
    max_filters: int | None = None,
    normalization: str | None = "instance",
    upsampling: str = "transposed",
    convolution: str = "plain",
    dropout: float = 0.5,
    noise_dim: int = 0,
    initial_stddev: float = 0.02,
    recompute: bool = False,
) -> keras.Model:
    """Builds a generator from images to images of the same size, both in `[-1, 1]`.

    If it has dropout it takes `[images, noise]`, with uniform draws in (0, 1) as noise
    `(batch, noise_dim)`, or `None` for no dropout; with `noise_dim` it takes `[images,
    noise]` that is never `None`; else images alone.

    Args:
        image_shape: `(height, width, channels)`. Height and width are halved as often
            as both can be, at most 8 times; they must be divisible by 4.
        output_channels: Integer, or `None` for as many as `image_shape` has.
        filters: Channels after the first stage; each stage has twice as many.
        max_filters: Most channels of a stage; `None` for `8 * filters`.
        normalization: `"instance"`, `"batch"` or `None`. There is none on the first
            stage and the innermost, where one pixel alone would become zero.
        upsampling: `"transposed"`, as in the paper, or `"bilinear"`.
        convolution: `"plain"`, or `"separable"`: that of every one which is not
            transposed, between the first and the last (`tfgen/networks/separable.py`),
            for phones.
        dropout: Float, rate of the first three stages up that have `max_filters`
            channels, or 0 for none. Images halved 4 times or less have no such stage.
        noise_dim: Integer, of a latent in place of dropout; 0 for none.
        initial_stddev: Float, of the kernels.
        recompute: Whether training computes each stage a second time for the gradient
            and does not keep what lies within it: less memory for a longer step. It
            does not go with `"batch"`.

    Raises:
        ValueError: If the image cannot be halved twice.
    """
    check_normalization(normalization, ("instance", "batch", None))
    if upsampling not in _UPSAMPLINGS:
        raise ValueError(
            f"`upsampling` must be one of {_UPSAMPLINGS}. Received: {upsampling!r}"
        )
    num_stages = _count_halvings(image_shape)
    widest = max_filters or _WIDEST * filters
    widths = [min(filters * 2**stage, widest) for stage in range(num_stages)]
    check_convolution(convolution)
    stages = _Stages(widths, normalization, upsampling, convolution, initial_stddev)

    has_dropout = dropout and not noise_dim
    num_draws = _count_draws(image_shape, widths, widest) if has_dropout else {}
    images = keras.Input(image_shape, name="images")
    inputs, start = images, 0
    if size := noise_dim or sum(num_draws.values()):
        noise = keras.Input((size,), name="noise", optional=not noise_dim)
        inputs = [images, noise]
    features = images
    grids = []
    for stage in range(num_stages):
        shrink = functools.partial(stages.shrink, stage=stage)
        features = apply_block(shrink, features, recompute)
        if noise_dim:
            features = keras.layers.Add()([features, stages.shift(noise, stage)])
        grids.append(features)

    features = grids.pop()
    for stage in reversed(range(num_stages - 1)):
        grow = functools.partial(stages.grow, stage=stage)
        features = apply_block(grow, features, recompute)
        if stage in num_draws:
            features = NoiseDropout(dropout, start)([features, noise])
            start += num_draws[stage]
        features = keras.layers.Concatenate()([features, grids.pop()])

    features = keras.layers.ReLU()(features)
    width = output_channels or image_shape[-1]
    outputs = stages.enlarge(features, width, images, activation="tanh")
    return keras.Model(inputs, outputs, name="unet_generator")


def _count_draws(
    image_shape: Sequence[int], widths: Sequence[int], widest: int
) -> dict[int, int]:
    """Returns the stages up that have dropout, and how many features each has."""
    stages = [s for s in range(len(widths) - 1) if widths[s] == widest]
    return {
        stage: math.prod(n >> stage + 1 for n in image_shape[:2]) * widest
        for stage in reversed(stages[-_DROPOUTS:])
    }


@dataclasses.dataclass(frozen=True)
class _Stages:
    """The stages down and up, from the outermost (0) to the innermost."""

    widths: list[int]
    normalization: str | None
    upsampling: str
    convolution: str
    initial_stddev: float

    def shrink(self, features: Any, stage: int) -> Any:
        """Returns features of half the size."""
        is_normalized = 0 < stage < len(self.widths) - 1
        use_bias = not is_normalized or self.normalization is None
        if stage:
            features = keras.layers.LeakyReLU(negative_slope=0.2)(features)
        width = self.widths[stage]
        layer = self.convolve(width, is_edge=stage == 0, use_bias=use_bias)
        features = layer(features)
        return normalize(features, self.normalization if is_normalized else None)

    def shift(self, noise: Any, stage: int) -> Any:
        """Returns what a latent adds to the channels of a stage down."""
        width = self.widths[stage]
        initializer = keras.initializers.RandomNormal(stddev=self.initial_stddev)
        noise = keras.layers.Rescaling(2.0, -1.0)(noise)
        shift = keras.layers.Dense(
            width, use_bias=False, kernel_initializer=initializer
        )(noise)
        return keras.layers.Reshape((1, 1, width))(shift)

    def grow(self, features: Any, stage: int) -> Any:
        """Returns features of twice the size."""
        use_bias = self.normalization is None
        features = keras.layers.ReLU()(features)
        features = self.enlarge(features, self.widths[stage], use_bias=use_bias)
        return normalize(features, self.normalization)

    def enlarge(
        self, features: Any, width: int, images: Any = None, **kwargs: Any
    ) -> Any:
        """Returns features of twice the size; interpolated ones stand by `images`."""
        if self.upsampling == "transposed":
            layer = self.make_layer(keras.layers.Conv2DTranspose, width, **kwargs)
            return layer(features)
        features = grow(features)
        if images is not None:
            features = keras.layers.Concatenate()([features, images])
        kwargs |= {"kernel_size": 3, "strides": 1}
        return self.convolve(width, is_edge=images is not None, **kwargs)(features)

    def convolve(self, width: int, is_edge: bool, **kwargs: Any) -> Any:
        """Returns a layer that is plain at images, where there are few channels."""
        if self.convolution == "plain" or is_edge:
            return self.make_layer(keras.layers.Conv2D, width, **kwargs)
        kwargs = {**_SHRINK, **kwargs}
        return separable(width, initial_stddev=self.initial_stddev, **kwargs)

    def make_layer(self, layer_class: Any, width: int, **kwargs: Any) -> Any:
        # One initializer a layer: used again, it would repeat its values.
        initializer = keras.initializers.RandomNormal(stddev=self.initial_stddev)
        return layer_class(
            width,
            data_format="channels_last",
            kernel_initializer=initializer,
            **{**_SHRINK, **kwargs},
        )


def _count_halvings(image_shape: Sequence[int]) -> int:
    """Returns how often both height and width can be halved, at most 8."""
    height, width, _ = image_shape
    for count in range(_MAX_STAGES, _MIN_STAGES - 1, -1):
        if height % 2**count == width % 2**count == 0:
            return count
    scale = 2**_MIN_STAGES
    nearest = nearest_size(image_shape, lambda h, w: h % scale == w % scale == 0)
    raise ValueError(
        "Height and width must be divisible by 4: at least 2 stages of stride 2. "
        f"Received: image_shape={tuple(image_shape)}. The nearest size is {nearest}."
    )
