"""Files at their depth: 16 bits in PNG and TIFF, any channels in TIFF, .npy."""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tfgen.errors import UserError
from tfgen.figures.pictures import save_picture
from tfgen.files import replaced

_TIFFS = (".tif", ".tiff")


def save_levels(image: np.ndarray, path: pathlib.Path) -> pathlib.Path:
    """Writes an image to a file, whole or not at all, and returns its path.

    What is not PNG, TIFF or .npy has 8 bits: 16 are rounded to them.

    Args:
        image: `(height, width, channels)` uint8 or uint16.
        path: Of the file, whose ending says the format.

    Raises:
        UserError: The format does not hold so many channels, or tifffile is missing.
    """
    ending, channels = path.suffix.lower(), image.shape[-1]
    is_plain, is_deep = channels in (1, 3, 4), image.dtype != np.uint8
    if ending == ".npy":
        return _write(path, lambda file: np.save(file, image))
    if ending in _TIFFS and (not is_plain or (is_deep and channels > 1)):
        kind = {"photometric": "rgb" if channels in (3, 4) else "minisblack"}
        kind |= {"planarconfig": "contig", "metadata": None}
        return _write(path, lambda file: _tifffile(path).imwrite(file, image, **kind))
    if not is_plain:
        raise UserError(
            f"{path} does not hold images of {channels} channels: name a .tif or .npy "
            "file"
        )
    if is_deep and ending == ".png" and channels > 1:
        import tensorflow as tf

        data = tf.io.encode_png(tf.constant(image)).numpy()
        return _write(path, lambda file: file.write(data))
    if is_deep and not (channels == 1 and ending in (".png", *_TIFFS)):
        image = np.uint8(np.round(image / 257.0))
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    return save_picture(picture, path)


def _write(path: pathlib.Path, write: Callable[[Any], Any]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary, open(temporary, "wb") as file:
        write(file)
    return path


def _tifffile(path: pathlib.Path) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise UserError(
            f"{path}: TIFF files of such images need tifffile: tfgen[tiff]"
        ) from error
    return tifffile
