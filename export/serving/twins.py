"""Twins of endpoints that take and return encoded images, as HTTP clients have them.

`add_twins` gives an endpoint `translate` whose input and output are `images` a twin
`translate_bytes`: `image_bytes`, PNG or JPEG files as strings, in; `image_bytes`, PNG
files, out. Names end in `_bytes`, so that TF Serving's REST interface takes and sends
them in base64. All of it is standard TensorFlow operations: it runs where the
SavedModel does, and reads no other file.

A picture that comes in is treated as `tfgen.data` treats the files of a folder: EXIF
orientation of JPEGs applied, 16 bits reduced to 8 unless the depth is 16, alpha laid
over white unless the endpoint takes 4 channels, colour to luma, and resized by an
antialiased bicubic filter: the centre cropped to the aspect, or by another of
`RESIZES`, as the model was trained.
A picture of the endpoint's own size is not touched. What is not read: colour profiles,
which clients must convert to sRGB, and what PNGs have at rare times, an orientation, or
one colour that is clear.

A picture that cannot be decoded is an `InvalidArgument` error of its request. Where TF
Serving merges requests into batches, the error reaches all requests of that batch.
"""

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from export.errors import ExportError
from export.serving.decoding import make_decoder
from export.serving.resampling import RESIZES

MAX_PIXELS = 2**24  # 4096 x 4096: more than a model takes, and 0.5 GB while decoding

_CHANNELS = (1, 3, 4)
_DTYPES = {8: tf.uint8, 16: tf.uint16}  # of levels, by the depth
_FAST = 1  # of zlib: a third faster than its default, files a tenth larger


def add_twins(
    endpoints: Mapping[str, Any],
    max_pixels: int = MAX_PIXELS,
    resize: str = "crop",
    depth: int = 8,
) -> dict[str, Any]:
    """Returns the endpoints, then a twin `<endpoint>_bytes` of those with images.

    An image is a float tensor named `images` or `<x>_images` of rank 4 with 1, 3 or 4
    channels. The twin has `image_bytes` or `<x>_image_bytes`, strings `(batch,)`, in
    its place; all else is unchanged. The height and width of an input must be known,
    or there is nothing to resize to: an endpoint with another input of such a name has
    no twin. An output may be of any size.

    The twin decodes PNG and JPEG (see the module), feeds `uint8 / 255` to the endpoint,
    and encodes `round(255 * clip(images, 0, 1))` as 8-bit PNG; of a depth of 16 both
    are `65535`, and PNGs have 16 bits. It raises
    `InvalidArgument` for a row that is not a whole PNG or JPEG, or whose header claims
    0 pixels or more than `max_pixels`, before it is decoded; and for an output with NaN
    or infinity, which no PNG can hold. A batch may have no rows.

    Args:
        endpoints: `tf.function`s by name, with an `input_signature` of named specs,
            that return dicts of tensors. They are traced.
        max_pixels: Positive integer, the most pixels that one picture may have.
        resize: What becomes of a picture of another aspect: `"crop"`, its centre is
            taken, `"pad"`, it is fitted whole into black (clear, if it has alpha), or
            `"stretch"`.
        depth: 8 or 16, the bits that levels keep from files to files.

    Returns:
        A dict in the order of `endpoints`, the twins after them: `tf.function`s like
        theirs, for the same use.

    Raises:
        ExportError: A twin's name, or that of its tensors, is taken; an endpoint does
            not return a dict; `max_pixels` is not a positive integer; or `resize` or
            `depth` is unknown.
    """
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int):
        raise ExportError(f"`max_pixels` must be an integer. Received: {max_pixels!r}")
    if max_pixels < 1:
        raise ExportError(f"`max_pixels` must be positive. Received: {max_pixels}")
    if resize not in RESIZES:
        raise ExportError(
            f"`resize` must be one of {', '.join(RESIZES)}. Received: {resize!r}"
        )
    if depth not in _DTYPES:
        raise ExportError(f"`depth` must be 8 or 16. Received: {depth!r}")
    # One decoder for equal inputs: it is most of a twin's graph.
    cached_decoder = functools.cache(
        functools.partial(make_decoder, max_pixels, resize, depth)
    )
    twins = {}
    for name, function in endpoints.items():
        specs, outputs = function.input_signature, _trace(name, function)
        if not _has_twin(specs, outputs):
            continue
        twin = f"{name}_bytes"
        if twin in endpoints:
            raise ExportError(
                f"endpoint '{twin}' takes the name of the twin of '{name}' on encoded "
                "images: rename one of the two"
            )
        for kind, names in (("input", [s.name for s in specs]), ("output", outputs)):
            _check_names(twin, kind, [_renamed(name) for name in names])
        twins[twin] = _make_twin(function, outputs, cached_decoder, depth)
    return {**endpoints, **twins}


def example_bytes(images: np.ndarray) -> np.ndarray:
    """Encodes images as PNG, as a client does: examples for a twin's `image_bytes`.

    Args:
        images: Float `(batch, height, width, channels)` in `[0, 1]`, with 1, 3 or 4
            channels; rounded to 8 bits.

    Returns:
        Bytes `(batch,)` of NumPy's kind `S`, which cuts zeros off the end of a value: a
        PNG has none there, for it ends in the checksum of its last, empty chunk.

    Raises:
        ExportError: The array is of another shape, or is not finite.
    """
    from PIL import Image

    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in _CHANNELS or not images.size:
        raise ExportError(
            "images to encode must be (batch, height, width, channels) with 1, 3 or 4 "
            f"channels. Received: {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ExportError("images to encode must be finite. Received NaN or infinity")
    files = []
    for pixels in np.round(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8):
        file = io.BytesIO()
        grey = pixels.shape[-1] == 1
        Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "PNG")
        files.append(file.getvalue())
    return np.array(files)


# ---- Which tensors are images, and what they are called when encoded -----------------


def _trace(endpoint: str, function: Any) -> dict[str, Any]:
    """Returns the outputs by name, each with `shape` and `dtype`."""
    outputs = function.get_concrete_function().structured_outputs
    if not isinstance(outputs, dict) or not outputs:
        raise ExportError(f"endpoint '{endpoint}' must return a dict of tensors")
    return outputs


def _has_twin(specs: Sequence[Any], outputs: Mapping[str, Any]) -> bool:
    inputs = [spec for spec in specs if _is_image_name(spec.name)]
    if not all(_is_image(spec.name, spec) for spec in inputs):
        return False
    if any(None in spec.shape[1:] for spec in inputs):
        return False
    return bool(inputs) or any(_is_image(*output) for output in outputs.items())


def _is_image(name: str, tensor: Any) -> bool:
    return (
        _is_image_name(name)
        and tensor.dtype.is_floating
        and tensor.shape.rank == 4
        and tensor.shape[-1] in _CHANNELS
    )


def _is_image_name(name: str) -> bool:
    return name == "images" or name.endswith("_images")


def _renamed(name: str) -> str:
    if _is_image_name(name):
        return name.removesuffix("images") + "image_bytes"
    return name


def _check_names(endpoint: str, kind: str, names: Sequence[str]) -> None:
    if taken := sorted({name for name in names if names.count(name) > 1}):
        raise ExportError(
            f"endpoint '{endpoint}' would have two {kind}s called '{taken[0]}', of "
            "which one is the encoded image: rename the other"
        )


def _make_twin(
    function: Any,
    outputs: Mapping[str, Any],
    decoder: Callable[..., Any],
    depth: int,
) -> Any:
    specs = function.input_signature
    encode = functools.partial(_encode, depth=depth)
    encoded = [
        tf.TensorSpec((None,), tf.string, name=_renamed(spec.name))
        if _is_image_name(spec.name)
        else spec
        for spec in specs
    ]

    def twin(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = [
            decoder(_renamed(spec.name), tuple(spec.shape[1:]), spec.dtype)(tensor)
            if _is_image_name(spec.name)
            else tensor
            for tensor, spec in zip(tensors, specs, strict=True)
        ]
        return {
            (_renamed(name) if _is_image(name, outputs[name]) else name): (
                encode(tensor, name) if _is_image(name, outputs[name]) else tensor
            )
            for name, tensor in function(*inputs).items()
        }

    return tf.function(twin, input_signature=encoded, autograph=False)


def _encode(images: tf.Tensor, name: str, depth: int) -> tf.Tensor:
    """From images `(batch, height, width, channels)` to PNG files `(batch,)`."""
    images = tf.debugging.check_numerics(images, f"output '{name}' is not finite")
    levels = (2.0**depth - 1.0) * tf.clip_by_value(images, 0.0, 1.0)
    pixels = tf.cast(tf.round(levels), _DTYPES[depth])
    with tf.device("CPU:0"):
        return tf.io.encode_png(pixels, compression=_FAST)
