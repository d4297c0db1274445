"""From PNG and JPEG files to images, in TensorFlow operations, as Pillow does it.

What is read of a file, and what becomes of it: see `export.serving.twins`.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from export.serving.exif import number, orientation, turn
from export.serving.resampling import RESIZES

_GREY, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 3, 4, 6  # colour types of PNG
_HEADER_BYTES = 26  # of a PNG: the signature, and IHDR up to the colour type
_PNG_START = [*b"\x89PNG\r\n\x1a\n", 0, 0, 0, 13, *b"IHDR"]
_LUMA = [19595.0, 38470.0, 7471.0]  # of 65536
_SHARES = [share / 65536 for share in _LUMA]
_JPEG_START = [0xFF, 0xD8, 0xFF]


def make_decoder(
    max_pixels: int,
    resize: str,
    depth: int,
    name: str,
    shape: tuple[int, int, int],
    dtype: tf.DType,
) -> Any:
    """Returns a function from strings `(batch,)` to images `(batch, *shape)`."""
    is_deep = depth == 16
    work, fit = (_decode_deep, _fit_deep) if is_deep else (_decode_pixels, _fit)

    def decode(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        index, file = row
        label = tf.strings.join([f"{name}[", tf.strings.as_string(index), "]"])
        pixels = _decode_file(file, label, shape[-1], max_pixels, work)
        return tf.ensure_shape(fit(pixels, *shape, resize), shape)

    def decode_all(files: tf.Tensor) -> tf.Tensor:
        kind = tf.TensorSpec(shape, tf.float32 if is_deep else tf.uint8)
        with tf.device("CPU:0"):  # codecs run there; small steps to and fro would cost
            rows = (tf.range(tf.size(files)), files)
            pixels = tf.map_fn(decode, rows, fn_output_signature=kind)
        if is_deep:
            return tf.cast(pixels, dtype)
        # Looked up: Grappler turns `/ 255` into a product that is not `uint8 / 255`.
        levels = tf.constant(np.arange(256, dtype=np.float32) / np.float32(255.0))
        return tf.cast(tf.gather(levels, tf.cast(pixels, tf.int32)), dtype)

    spec = tf.TensorSpec((None,), tf.string)
    return tf.function(decode_all, input_signature=[spec], autograph=False)


def _decode_file(
    file: tf.Tensor, label: tf.Tensor, channels: int, max_pixels: int, decode: Any
) -> tf.Tensor:
    """From a scalar string to what `decode` makes of a file of the right size."""
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
        return decode(file, header, is_jpeg, channels)


def _starts(header: tf.Tensor, start: list[int]) -> tf.Tensor:
    return tf.reduce_all(header[: len(start)] == tf.constant(start, tf.uint8))


def _require(condition: tf.Tensor, *message: Any) -> tf.Operation:
    return tf.debugging.Assert(condition, [tf.strings.join(message)])


def _png_size(header: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return number(header, 20, 4), number(header, 16, 4)


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
    return _first_of(kinds, file, channels)


def _first_of(kinds: list[tuple[Any, Any]], file: tf.Tensor, channels: int) -> Any:
    """Returns what the first function whose condition holds makes of a file."""
    is_kind = tf.cast(tf.stack([is_kind for is_kind, _ in kinds]), tf.int32)
    first = tf.argmax(is_kind, output_type=tf.int32)
    decoders = [functools.partial(decode, file, channels) for _, decode in kinds]
    return tf.switch_case(first, decoders)


def _decode_jpeg(file: tf.Tensor, channels: int) -> tf.Tensor:
    # The method that Pillow uses, to the bit; TensorFlow's default is a rough one.
    pixels = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")
    return _from_rgb(turn(pixels, orientation(file)), channels)


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


# ---- Channels, with the arithmetic of Pillow -----------------------------------------


def _from_rgb(pixels: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 1:
        # Whole numbers below 2**24, which float32 holds, and sums fast.
        luma = tf.linalg.matvec(tf.cast(pixels, tf.float32), tf.constant(_LUMA))
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


# ---- 16 bits: float32 in [0, 1], as in `tfgen.data.deep` -----------------------------


def _decode_deep(
    file: tf.Tensor, header: tf.Tensor, is_jpeg: tf.Tensor, channels: int
) -> tf.Tensor:
    """From a scalar string to an image `(height, width, channels)`, not rounded."""
    colour_type = header[25]
    has_alpha = (colour_type == _GREY_ALPHA) | (colour_type == _RGB_ALPHA)
    kinds = [
        (is_jpeg, lambda file, _: _opaque(_decode_jpeg(file, 3))),
        (colour_type == _PALETTE, lambda file, _: _unit(_decode_palette(file, 4))),
        (has_alpha, lambda file, _: _unit(_decode_levels(file, 4))),
        (True, lambda file, _: _opaque(_decode_levels(file, 3))),
    ]
    image = tf.ensure_shape(_first_of(kinds, file, channels), (None, None, 4))
    if channels == 4:
        return image
    colours, alpha = image[..., :3], image[..., 3:]
    colours = colours * alpha + (1.0 - alpha)
    return colours if channels == 3 else tf.linalg.matvec(colours, _SHARES)[..., None]


def _decode_levels(file: tf.Tensor, channels: int) -> tf.Tensor:
    return tf.io.decode_png(file, channels, tf.uint16)


def _unit(levels: tf.Tensor) -> tf.Tensor:
    return tf.cast(levels, tf.float32) / levels.dtype.max


def _opaque(levels: tf.Tensor) -> tf.Tensor:
    return tf.pad(_unit(levels), [[0, 0], [0, 0], [0, 1]], constant_values=1.0)


def _fit_deep(
    image: tf.Tensor, height: int, width: int, channels: int, resize: str
) -> tf.Tensor:
    same = tf.reduce_all(tf.shape(image)[:2] == [height, width])
    fitted = tf.cond(same, lambda: image, lambda: RESIZES[resize](image, height, width))
    return tf.round(65535.0 * tf.clip_by_value(fitted, 0.0, 1.0)) / 65535.0


# ---- Size ----------------------------------------------------------------------------


def _fit(
    pixels: tf.Tensor, height: int, width: int, channels: int, resize: str
) -> tf.Tensor:
    """Brings pixels to the size, unless they have it: by one of `RESIZES`."""
    same = tf.reduce_all(tf.shape(pixels)[:2] == [height, width])

    def resized() -> tf.Tensor:
        if channels < 4:
            return RESIZES[resize](pixels, height, width)
        # Clear pixels have no say in the colour of their neighbours.
        colours, alpha = _split_alpha(pixels)
        weighed = tf.concat([_divide_by_255(colours * alpha), alpha], -1)
        pixels_weighed = tf.cast(weighed, tf.uint8)
        colours, alpha = _split_alpha(RESIZES[resize](pixels_weighed, height, width))
        colours = tf.floor(255.0 * colours / tf.maximum(alpha, 1.0))
        colours = tf.minimum(colours, 255.0)
        return tf.cast(tf.concat([colours, alpha], -1), tf.uint8)

    return tf.cond(same, lambda: pixels, resized)
