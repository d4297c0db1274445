"""CycleGAN's generator: residual blocks at a quarter of the size.

    image -> c7s1-64 -> d128 -> d256 -> [R256]* -> u128 -> u64 -> c7s1-3 -> image

c7s1: 7x7 convolution; d, u: 3x3 convolution that halves, doubles the size; R: residual
block of two 3x3 convolutions. Instance normalisation and ReLU follow each. With
`upsampling="bilinear"`, u interpolates before a plain convolution: a transposed one
leaves a woven texture on flat areas.

The features of `d128`, `d256` and of each `R256` are the outputs of the layers
`down_1`, `down_2`, `block_1`, `block_2`, ...

Reference: [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), app. 7.2;
[Johnson et al., 2016](https://arxiv.org/abs/1603.08155).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.recompute import apply_block
from tfgen.layers.reflection_padding import ReflectionPadding2D
from tfgen.networks.grids import grow
from tfgen.networks.normalization import check_normalization, normalize
from tfgen.networks.separable import check_convolution, separable
from tfgen.sizes import nearest_size

_HALVINGS = 2
_UPSAMPLINGS = ("transposed", "bilinear")


def build_resnet_generator(
    image_shape: Sequence[int | None],
    *,
    output_channels: int | None = None,
    filters: int = 64,
    num_blocks: int = 9,
    normalization: str | None = "instance",
    padding: str = "reflect",
    upsampling: str = "transposed",
    convolution: str = "plain",
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
        upsampling: `"transposed"`, as in the paper, or `"bilinear"`.
        convolution: `"plain"`, or `"separable"`: that of every 3x3 one which is not
            transposed (`tfgen/networks/separable.py`), for phones.
        initial_stddev: Float, of the kernels.
        recompute: Whether training computes the residual blocks a second time for the
            gradient and does not keep their activations: less memory for a longer step.
            It does not go with `"batch"`.

    Raises:
        ValueError: If the size or a name is not one of these.
    """
    check_normalization(normalization, ("instance", "batch", None))
    _check_size(image_shape, padding)
    if upsampling not in _UPSAMPLINGS:
        raise ValueError(
            f"`upsampling` must be one of {_UPSAMPLINGS}. Received: {upsampling!r}"
        )
    check_convolution(convolution)
    stages = _Stages(normalization, padding, convolution, initial_stddev)
    images = keras.Input(image_shape, name="images")
    features = stages.convolve(images, filters, kernel_size=7)
    for stage in range(1, _HALVINGS + 1):
        features = stages.resize(features, filters * 2**stage, keras.layers.Conv2D)
        features = keras.layers.Identity(name=f"down_{stage}")(features)
    for block in range(1, num_blocks + 1):
        features = apply_block(stages.add_residual, features, recompute)
        features = keras.layers.Identity(name=f"block_{block}")(features)
    for stage in reversed(range(_HALVINGS)):
        width = filters * 2**stage
        if upsampling == "bilinear":
            features = stages.convolve(grow(features), width, kernel_size=3)
        else:
            features = stages.resize(features, width, keras.layers.Conv2DTranspose)
    outputs = stages.pad_and_convolve(
        features, output_channels or image_shape[-1], kernel_size=7, activation="tanh"
    )
    return keras.Model(images, outputs, name="resnet_generator")


@dataclasses.dataclass(frozen=True)
class _Stages:
    """The layers of the network, with what they have in common."""

    normalization: str | None
    padding: str
    convolution: str
    initial_stddev: float

    def convolve(self, features: Any, width: int, kernel_size: int) -> Any:
        return self._activate(self._convolve(features, width, kernel_size))

    def add_residual(self, features: Any) -> Any:
        width = features.shape[-1]
        residual = self.convolve(features, width, kernel_size=3)
        residual = normalize(self._convolve(residual, width, 3), self.normalization)
        return keras.layers.Add()([features, residual])

    def resize(self, features: Any, width: int, layer_class: Any) -> Any:
        kwargs = {"strides": 2, "padding": "same", **self._bias}
        return self._activate(self._layer(layer_class, width, 3, **kwargs)(features))

    def pad_and_convolve(
        self, features: Any, width: int, kernel_size: int, **kwargs: Any
    ) -> Any:
        """Returns features of the same height and width, not normalised."""
        if self.padding == "reflect":
            features = ReflectionPadding2D(kernel_size // 2)(features)
        kwargs["padding"] = "valid" if self.padding == "reflect" else "same"
        layer = self._layer(keras.layers.Conv2D, width, kernel_size, **kwargs)
        return layer(features)

    def _convolve(self, features: Any, width: int, kernel_size: int) -> Any:
        return self.pad_and_convolve(features, width, kernel_size, **self._bias)

    def _activate(self, features: Any) -> Any:
        return keras.layers.ReLU()(normalize(features, self.normalization))

    @property
    def _bias(self) -> dict[str, bool]:
        # Before a normalisation, which takes a bias off again, there is none.
        return {"use_bias": self.normalization is None}

    def _layer(
        self, layer_class: Any, width: int, kernel_size: int, **kwargs: Any
    ) -> Any:
        is_plain = layer_class is not keras.layers.Conv2D or kernel_size != 3
        if self.convolution == "separable" and not is_plain:
            return separable(width, kernel_size, self.initial_stddev, **kwargs)
        # One initializer a layer: used again, it would repeat its values.
        initializer = keras.initializers.RandomNormal(stddev=self.initial_stddev)
        kwargs |= {"data_format": "channels_last", "kernel_initializer": initializer}
        return layer_class(width, kernel_size, **kwargs)


def _check_size(image_shape: Sequence[int | None], padding: str) -> None:
    if padding not in ("reflect", "zero"):
        raise ValueError(
            f"`padding` must be 'reflect' or 'zero'. Received: {padding!r}"
        )
    scale = 2**_HALVINGS
    least = 2 * scale if padding == "reflect" else scale

    def takes(*sizes: int | None) -> bool:
        return all(n is None or (n % scale == 0 and n >= least) for n in sizes)

    if not takes(*image_shape[:2]):
        sizes = [size or least for size in image_shape[:2]]
        raise ValueError(
            f"Height and width must be divisible by {scale} and at least {least}. "
            f"Received: image_shape={tuple(image_shape)}. The nearest size is "
            f"{nearest_size(sizes, takes)}."
        )
