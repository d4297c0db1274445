"""Images of more than 8 bits, or of any number of channels, kept at their depth.

PNG and TIFF files of 16 bits, TIFF files of many channels (by `tifffile`), and arrays
`(height, width)` or `(height, width, channels)` in .npy files. All else is read by
Pillow, as in `decode`, and has 8 bits.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfgen.data.pixels import LEFT, LUMA, RIGHT, Fit, resize_picture, to_plain_mode
from tfgen.errors import UserError

ARRAY, TIFFS, TIFFFILE = ".npy", (".tif", ".tiff"), "tifffile"
_COLOURS = (2, 4, 6)  # of PNG: RGB, grey with alpha, RGB with alpha
_CMYK = 5  # of TIFF, which Pillow reads with a fifth channel, too
_PNG_HEADER = 26


def read_deep_header(path: str | Path) -> tuple[tuple[int, int, int], str] | None:
    """Returns what a file says of itself that Pillow does not read at all.

    Returns:
        `((height, width, channels), depth)`, the depth as in `decode.Header`; None for
        all that Pillow reads.
    """
    if str(path).lower().endswith(ARRAY):
        array = _open_array(path)
        channels = 1 if array.ndim == 2 else array.shape[2]
        return (*array.shape[:2], channels), _depth_of(array.dtype)
    page = _read_page(path)
    if page is None or page.samplesperpixel <= 4 or page.photometric == _CMYK:
        return None
    shape = page.imagelength, page.imagewidth, page.samplesperpixel
    return shape, _depth_of(page.dtype)


def has_deep_colours(path: str | Path) -> bool:
    """Returns whether a file has colours of 16 bits, which Pillow cuts to 8."""
    if page := _read_page(path):
        return page.samplesperpixel in (3, 4) and _depth_of(page.dtype) == "16"
    if not str(path).lower().endswith(".png"):
        return False
    with open(path, "rb") as file:
        header = file.read(_PNG_HEADER)
    return len(header) == _PNG_HEADER and header[24] == 16 and header[25] in _COLOURS


def read_levels(path: str | Path, image: Image.Image | None) -> np.ndarray:
    """Returns the pixels `(height, width, channels)` as they are in a file.

    Args:
        path: Of the file.
        image: Opened by Pillow, upright; None for what Pillow does not read whole.
    """
    name = str(path).lower()
    if image is not None:
        is_deep = image.mode[0] in "IF"
        array = np.asarray(image if is_deep else to_plain_mode(image, None, None))
        if image.mode == "I" and array.min() >= 0:  # of PNG, which has 16 bits
            array = array.astype(np.uint16)
    elif name.endswith(ARRAY):
        array = np.array(_open_array(path))
    elif name.endswith(TIFFS):
        import tifffile

        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            array = page.asarray()
            if page.planarconfig == 2:  # a plane for each channel
                array = np.moveaxis(array, 0, -1)
    else:
        import tensorflow as tf

        data = tf.io.read_file(str(path))
        array = tf.io.decode_png(data, dtype=tf.uint16).numpy()
        if array.shape[-1] == 2:  # grey with alpha
            array = array[..., [0, 0, 0, 1]]
    return array if array.ndim == 3 else array[..., np.newaxis]


def fit_levels(array: np.ndarray, part: str, fit: Fit) -> np.ndarray:
    """Returns a part of an image, brought to the size, the channels and the depth.

    Args:
        array: `(height, width, channels)` of any real type.
        part: One of `WHOLE`, `LEFT` and `RIGHT`.
        fit: What the image is made to be. Without a `source_range`, the values of 8 and
            of 16 bits are the whole range.

    Returns:
        uint8 or, of a depth of 16, uint16.

    Raises:
        UserError: The channels are others, and not those of grey or colour.
    """
    half = array.shape[1] // 2
    columns = {LEFT: slice(half), RIGHT: slice(half, 2 * half)}.get(part, slice(None))
    low, high = fit.source_range or (0, np.iinfo(array.dtype).max)
    values = (array[:, columns].astype(np.float32) - low) / (high - low)
    values = _convert(np.nan_to_num(np.clip(values, 0.0, 1.0)), fit.channels)
    if fit.size and values.shape[:2] != fit.size:
        planes = (Image.fromarray(plane) for plane in np.moveaxis(values, -1, 0))
        planes = [np.asarray(resize_picture(plane, fit)) for plane in planes]
        values = np.clip(np.stack(planes, axis=-1), 0.0, 1.0)
    dtype = np.uint16 if fit.depth == 16 else np.uint8
    return np.round(np.iinfo(dtype).max * values).astype(dtype)


def _convert(values: np.ndarray, channels: int | None) -> np.ndarray:
    """Returns values in [0, 1] with other channels, by the rules of 8 bits."""
    given = values.shape[-1]
    if channels in (None, given):
        return values
    if given == 4 and channels in (1, 3):  # alpha, over white
        alpha = values[..., 3:]
        return _convert(values[..., :3] * alpha + 1.0 - alpha, channels)
    if given == 1 and channels in (3, 4):
        return _convert(np.repeat(values, 3, axis=-1), channels)
    if given == 3 and channels == 4:
        return np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
    if given == 3 and channels == 1:
        return (values @ LUMA)[..., np.newaxis]
    raise UserError(
        f"An image has {given} channels, and {channels} are asked for: pass "
        f"channels={given} (--channels {given})"
    )


def _open_array(path: str | Path) -> np.ndarray:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim not in (2, 3) or array.dtype.kind not in "uif" or not array.size:
        raise ValueError(
            f"an array must be (height, width) or (height, width, channels), of "
            f"numbers, and is {array.dtype} of {array.shape}"
        )
    return array


def _read_page(path: str | Path) -> Any:
    """Returns the first page of a TIFF file; None for others, and without tifffile."""
    if not str(path).lower().endswith(TIFFS) or not importlib.util.find_spec(TIFFFILE):
        return None
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return file.pages[0]
    except Exception:  # what is damaged is Pillow's to name
        return None


def _depth_of(dtype: np.dtype) -> str:
    dtype = np.dtype(dtype)
    names = {np.dtype(np.uint8): "8", np.dtype(np.uint16): "16"}
    kind = "floating-point" if dtype.kind == "f" else f"{8 * dtype.itemsize}-bit"
    return names.get(dtype.newbyteorder("="), kind)
