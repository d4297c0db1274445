"""Twins of endpoints that take and return encoded images, as HTTP clients have them.

`add_twins` gives an endpoint `translate` whose input and output are `images` a twin
`translate_bytes`: `image_bytes`, PNG or JPEG files as strings, in; `image_bytes`, PNG
files, out. Names end in `_bytes`, so that TF Serving's REST interface takes and sends
them in base64. All of it is standard TensorFlow operations: it runs where the
SavedModel does, and reads no other file.

A picture that comes in is treated as `tfgen.data` treats the files of a folder: EXIF
orientation of JPEGs applied, 16 bits reduced to 8, alpha laid over white unless the
endpoint takes 4 channels, colour to luma, the centre cropped to the aspect and resized
by an antialiased bicubic filter. A picture of the endpoint's own size is not touched.
What PNGs have at rare times is not read: an orientation, or one colour that is clear.

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

MAX_PIXELS = 2**24  # 4096 x 4096: more than a model takes, and 0.5 GB while decoding

_CHANNELS = (1, 3, 4)
_GREY, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 3, 4, 6  # colour types of PNG
_HEADER_BYTES = 26  # of a PNG: the signature, and IHDR up to the colour type
_PNG_START = [*b"\x89PNG\r\n\x1a\n", 0, 0, 0, 13, *b"IHDR"]
_JPEG_START = [0xFF, 0xD8, 0xFF]
_ORIENTATION = 0x0112  # EXIF tag
_FAST = 1  # of zlib: a third faster than its default, files a tenth larger
_MOST_SEGMENTS = 64  # of a JPEG that are searched for EXIF; it stands first or second


def add_twins(
    endpoints: Mapping[str, Any], max_pixels: int = MAX_PIXELS
) -> dict[str, Any]:
    """Returns the endpoints, then a twin `<endpoint>_bytes` of those with images.

    An image is a float tensor named `images` or `<x>_images` of rank 4 with 1, 3 or 4
    channels. The twin has `image_bytes` or `<x>_image_bytes`, strings `(batch,)`, in
    its place; all else is unchanged. The height and width of an input must be known,
    or there is nothing to resize to: an endpoint with another input of such a name has
    no twin. An output may be of any size.

    The twin decodes PNG and JPEG (see the module), feeds `uint8 / 255` to the endpoint,
    and encodes `round(255 * clip(images, 0, 1))` as 8-bit PNG. It raises
    `InvalidArgument` for a row that is no whole PNG or JPEG, or whose header claims no
    pixel or more than `max_pixels`, before it is decoded; and for an output with NaN or
    infinity, which no PNG can hold. A batch may have no rows.

    Args:
        endpoints: `tf.function`s by name, with an `input_signature` of named specs,
            that return dicts of tensors. They are traced.
        max_pixels: Positive integer, the most pixels that one picture may have.

    Returns:
        A dict in the order of `endpoints`, the twins after them: `tf.function`s like
        theirs, for the same use.

    Raises:
        ExportError: A twin's name, or that of its tensors, is taken; an endpoint does
            not return a dict; or `max_pixels` is no positive integer.
    """
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int):
        raise ExportError(f"`max_pixels` must be an integer. Received: {max_pixels!r}")
    if max_pixels < 1:
        raise ExportError(f"`max_pixels` must be positive. Received: {max_pixels}")
    # One decoder for equal inputs: it is most of a twin's graph.
    make_decoder = functools.cache(functools.partial(_make_decoder, max_pixels))
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
        twins[twin] = _make_twin(function, outputs, make_decoder)
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


# Which tensors are images, and what they are called when encoded.


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
    function: Any, outputs: Mapping[str, Any], make_decoder: Callable[..., Any]
) -> Any:
    specs = function.input_signature
    encoded = [
        tf.TensorSpec((None,), tf.string, name=_renamed(spec.name))
        if _is_image_name(spec.name)
        else spec
        for spec in specs
    ]

    def twin(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = [
            make_decoder(_renamed(spec.name), tuple(spec.shape[1:]), spec.dtype)(tensor)
            if _is_image_name(spec.name)
            else tensor
            for tensor, spec in zip(tensors, specs, strict=True)
        ]
        return {
            (_renamed(name) if _is_image(name, outputs[name]) else name): (
                _encode(tensor, name) if _is_image(name, outputs[name]) else tensor
            )
            for name, tensor in function(*inputs).items()
        }

    return tf.function(twin, input_signature=encoded, autograph=False)


# From files to images.


def _make_decoder(
    max_pixels: int, name: str, shape: tuple[int, int, int], dtype: tf.DType
) -> Any:
    """Returns a function from strings `(batch,)` to images `(batch, *shape)`."""

    def decode(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        index, file = row
        label = tf.strings.join([f"{name}[", tf.strings.as_string(index), "]"])
        pixels = _decode_file(file, label, shape[-1], max_pixels)
        return tf.ensure_shape(_fit(pixels, *shape), shape)

    def decode_all(files: tf.Tensor) -> tf.Tensor:
        with tf.device("CPU:0"):  # codecs run there; small steps to and fro would cost
            rows = (tf.range(tf.size(files)), files)
            pixels = tf.map_fn(
                decode, rows, fn_output_signature=tf.TensorSpec(shape, tf.uint8)
            )
        # Looked up: Grappler turns `/ 255` into a product that is not `uint8 / 255`.
        levels = tf.constant(np.arange(256, dtype=np.float32) / np.float32(255.0))
        return tf.cast(tf.gather(levels, tf.cast(pixels, tf.int32)), dtype)

    spec = tf.TensorSpec((None,), tf.string)
    return tf.function(decode_all, input_signature=[spec], autograph=False)


def _decode_file(
    file: tf.Tensor, label: tf.Tensor, channels: int, max_pixels: int
) -> tf.Tensor:
    """From a scalar string to pixels `(height, width, channels)` uint8, checked."""
    header = tf.io.decode_raw(file, tf.uint8, fixed_length=_HEADER_BYTES)
    is_png, is_jpeg = _starts(header, _PNG_START), _starts(header, _JPEG_START)
    known = _require(is_png | is_jpeg, label, " must be a PNG or JPEG")
    with tf.control_dependencies([known]):
        height, width = tf.cond(
            is_png, lambda: _png_size(header), lambda: _jpeg_size(file)
        )
    # Divided, for the product of what a header claims may overflow.
    fits = (width > 0) & (height > 0) & (height <= max_pixels // tf.maximum(width, 1))
    width_name, height_name = tf.strings.as_string(width), tf.strings.as_string(height)
    size = tf.strings.join([width_name, " x ", height_name])
    limit = f" pixels: it must have 1 to {max_pixels}"
    small = _require(fits, label, " is ", size, limit)
    with tf.control_dependencies([small]):
        return _decode_pixels(file, header, is_jpeg, channels)


def _starts(header: tf.Tensor, start: list[int]) -> tf.Tensor:
    return tf.reduce_all(header[: len(start)] == tf.constant(start, tf.uint8))


def _require(condition: tf.Tensor, *message: Any) -> tf.Operation:
    return tf.debugging.Assert(condition, [tf.strings.join(message)])


def _png_size(header: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _number(header, 20, 4), _number(header, 16, 4)


def _jpeg_size(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.image.extract_jpeg_shape(file, tf.int32)  # reads the header only
    return tf.cast(shape[0], tf.int64), tf.cast(shape[1], tf.int64)


def _decode_pixels(
    file: tf.Tensor, header: tf.Tensor, is_jpeg: tf.Tensor, channels: int
) -> tf.Tensor:
    depth, colour_type = header[24], header[25]
    has_alpha = (colour_type == _GREY_ALPHA) | (colour_type == _RGB_ALPHA)
    kinds = [
        (is_jpeg, _decode_jpeg),
        (colour_type == _PALETTE, _decode_palette),
        (has_alpha, _decode_alpha),
        ((colour_type == _GREY) & (depth == 16), _decode_deep_grey),
        (True, _decode_opaque),
    ]
    is_kind = tf.cast(tf.stack([is_kind for is_kind, _ in kinds]), tf.int32)
    first = tf.argmax(is_kind, output_type=tf.int32)
    decoders = [functools.partial(decode, file, channels) for _, decode in kinds]
    return tf.switch_case(first, decoders)


def _decode_jpeg(file: tf.Tensor, channels: int) -> tf.Tensor:
    # The method that Pillow uses, to the bit; TensorFlow's default is a rough one.
    pixels = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")
    return _from_rgb(_turn(pixels, _orientation(file)), channels)


def _decode_palette(file: tf.Tensor, channels: int) -> tf.Tensor:
    # Asked for 4 channels, TensorFlow 2.21 makes up a wrong alpha for small palettes.
    pixels = tf.io.decode_png(file, channels=0)  # 3, or 4 with transparency
    missing = 4 - tf.shape(pixels)[-1]
    pixels = tf.pad(pixels, [[0, 0], [0, 0], [0, missing]], constant_values=255)
    return _from_rgba(tf.ensure_shape(pixels, (None, None, 4)), channels)


def _decode_alpha(file: tf.Tensor, channels: int) -> tf.Tensor:
    return _from_rgba(tf.io.decode_png(file, channels=4), channels)


def _decode_deep_grey(file: tf.Tensor, channels: int) -> tf.Tensor:
    values = tf.cast(tf.io.decode_png(file, channels=1, dtype=tf.uint16), tf.int32)
    pixels = tf.cast((values + 128) // 257, tf.uint8)  # rounded; colours are cut
    return _from_rgb(tf.repeat(pixels, 3, axis=-1), channels)


def _decode_opaque(file: tf.Tensor, channels: int) -> tf.Tensor:
    return _from_rgb(tf.io.decode_png(file, channels=3), channels)


# Channels, with the arithmetic of Pillow.


def _from_rgb(pixels: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 1:
        # Whole numbers below 2**24, which float32 holds, and sums fast.
        weights = tf.constant([19595.0, 38470.0, 7471.0])  # of 65536
        luma = tf.linalg.matvec(tf.cast(pixels, tf.float32), weights)
        return tf.cast(tf.floor((luma + 32768.0) / 65536.0), tf.uint8)[..., tf.newaxis]
    if channels == 4:
        return tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=255)
    return pixels


def _from_rgba(pixels: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 4:
        return pixels
    colours, alpha = _split_alpha(pixels)
    over_white = _divide_by_255(colours * alpha + 255.0 * (255.0 - alpha))
    return _from_rgb(tf.cast(over_white, tf.uint8), channels)


def _split_alpha(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    pixels = tf.cast(pixels, tf.float32)
    return pixels[..., :3], pixels[..., 3:]


def _divide_by_255(values: tf.Tensor) -> tf.Tensor:
    return tf.floor((values + 127.0) / 255.0)


# Size.


def _fit(pixels: tf.Tensor, height: int, width: int, channels: int) -> tf.Tensor:
    """Crops the centre to the aspect and resizes, unless the size is right."""
    same = tf.reduce_all(tf.shape(pixels)[:2] == [height, width])

    def resize() -> tf.Tensor:
        if channels < 4:
            return _resize(pixels, height, width)
        # Clear pixels have no say in the colour of their neighbours.
        colours, alpha = _split_alpha(pixels)
        weighed = tf.concat([_divide_by_255(colours * alpha), alpha], -1)
        resized = _resize(tf.cast(weighed, tf.uint8), height, width)
        colours, alpha = _split_alpha(resized)
        colours = tf.floor(255.0 * colours / tf.maximum(alpha, 1.0))
        colours = tf.minimum(colours, 255.0)
        return tf.cast(tf.concat([colours, alpha], -1), tf.uint8)

    return tf.cond(same, lambda: pixels, resize)


def _resize(pixels: tf.Tensor, height: int, width: int) -> tf.Tensor:
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scale = tf.reduce_max([height, width] / size)
    top, left = tf.unstack((size * scale - [height, width]) / 2)
    # Columns, then rows, with 8 bits in between, as Pillow does it.
    pixels = tf.transpose(pixels, [1, 0, 2])
    pixels = _resample_rows(pixels, width, scale, left)
    pixels = tf.transpose(pixels, [1, 0, 2])
    return _resample_rows(pixels, height, scale, top)


def _resample_rows(
    pixels: tf.Tensor, num_rows: int, scale: tf.Tensor, start: tf.Tensor
) -> tf.Tensor:
    """Samples with the kernel of Pillow's BICUBIC, which widens where it shrinks."""
    resampled = tf.raw_ops.ScaleAndTranslate(
        images=pixels[tf.newaxis],
        size=tf.stack([num_rows, tf.shape(pixels)[1]]),
        scale=tf.stack([scale, 1.0]),
        translation=tf.stack([-start, 0.0]),
        kernel_type="keyscubic",
        antialias=True,
    )
    rounded = tf.round(tf.clip_by_value(resampled[0], 0.0, 255.0))
    return tf.cast(rounded, tf.uint8)


# EXIF: phones store a portrait lying, and say so.


def _turn(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Shows stored pixels upright; EXIF counts the eight ways from 1."""

    def has(orientations: list[int]) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(orientations, tf.int64))

    def turn() -> tf.Tensor:
        order = tf.where(has([5, 6, 7, 8]), [1, 0, 2], [0, 1, 2])
        down = tf.where(has([3, 4, 7, 8]), -1, 1)
        across = tf.where(has([2, 3, 6, 7]), -1, 1)
        return tf.transpose(pixels, order)[::down, ::across]

    return tf.cond(orientation == 1, lambda: pixels, turn)


def _orientation(file: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a JPEG, int64 scalar in 1..8; 1 if it has none."""
    data = tf.io.decode_raw(file, tf.uint8)

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        marks = _number(data, at, 2) == 0xFFE1
        return marks & (_number(data, at + 4, 4) == int.from_bytes(b"Exif", "big"))

    def is_other(at: tf.Tensor) -> tf.Tensor:
        marker = _number(data, at, 2)
        is_extra = (marker >= 0xFFE0) & (marker <= 0xFFEF) | (marker == 0xFFFE)
        return is_extra & ~is_exif(at)

    (at,) = tf.while_loop(
        is_other,
        lambda at: (at + 2 + _number(data, at + 2, 2),),
        (tf.constant(2, tf.int64),),
        maximum_iterations=_MOST_SEGMENTS,
    )
    one = tf.constant(1, tf.int64)
    return tf.cond(is_exif(at), lambda: _read_tag(data, at + 10), lambda: one)


def _read_tag(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Returns the orientation from the first directory of the TIFF data at `start`."""
    is_little = _number(data, start, 2) == int.from_bytes(b"II", "big")

    def number(at: tf.Tensor, size: int) -> tf.Tensor:
        little = _number(data, at, size, little=True)
        return tf.where(is_little, little, _number(data, at, size))

    directory = start + number(start + 4, 4)
    entries = directory + 2 + 12 * tf.range(number(directory, 2))
    found = tf.boolean_mask(entries, number(entries, 2) == _ORIENTATION)
    # A default after them, for there may be none.
    value = tf.concat([number(found + 8, 2), [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _number(data: tf.Tensor, at: Any, size: int, little: bool = False) -> tf.Tensor:
    """Reads unsigned integers of `size` bytes at the places `at`, int64.

    Beyond the end the last byte repeats: what is damaged is read as something else,
    and raises nothing.
    """
    places = tf.cast(at, tf.int64)[..., tf.newaxis] + tf.range(size, dtype=tf.int64)
    places = tf.clip_by_value(places, 0, tf.size(data, tf.int64) - 1)
    weights = [256**i for i in (range(size) if little else reversed(range(size)))]
    values = tf.cast(tf.gather(data, places), tf.int64)
    return tf.reduce_sum(values * tf.constant(weights, tf.int64), -1)


# From images to files.


def _encode(images: tf.Tensor, name: str) -> tf.Tensor:
    """From images `(batch, height, width, channels)` to PNG files `(batch,)`."""
    images = tf.debugging.check_numerics(images, f"output '{name}' is not finite")
    pixels = tf.cast(tf.round(255.0 * tf.clip_by_value(images, 0.0, 1.0)), tf.uint8)
    with tf.device("CPU:0"):
        return tf.io.encode_png(pixels, compression=_FAST)
