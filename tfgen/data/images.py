"""Image files and arrays to uint8 images of one size and one number of channels.

Everything goes through Pillow, so an image looks the same whichever source it is from.
"""

import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from tfgen.errors import UserError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
MAX_PIXELS = 2**26  # 8192 x 8192; a header that claims more is taken for an attack

# What of a file is an image: a pair may lie side by side in one file.
WHOLE, LEFT, RIGHT = "whole", "left", "right"

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY_MODES = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N")
# What Pillow's readers raise on a damaged file; anything else is a defect.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)


class Fit(NamedTuple):
    """What every image is made to be; None leaves a property as it is.

    Attributes:
        size: `(height, width)` in pixels, or None.
        channels: 1 (grey), 3 (RGB), 4 (RGBA), or None.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None

    def shape_of(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Returns the shape that an image of the given shape is brought to."""
        return (*(self.size or (height, width)), self.channels or channels)


class DamagedImageError(UserError):
    """A file that cannot be read as an image; `skip_bad_images` leaves it out."""


def read_shape(path: Path) -> tuple[int, int, int]:
    """Returns `(height, width, channels)` from the header, without decoding.

    Raises:
        DamagedImageError: The file is no image that Pillow reads, or is too large.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own limits are higher than ours, and reported as ours.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                if _orientation(image) >= 5:  # those that turn by 90 degrees
                    width, height = height, width
                channels = _count_channels(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path) from None
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    return height, width, channels


def read_image(
    path: str | Path, fit: Fit, parts: Sequence[str] = (WHOLE,)
) -> tuple[np.ndarray, ...]:
    """Decodes a file to uint8 images `(height, width, channels)`, one for each part.

    Orientation tags are applied, palettes resolved, and 16 bits reduced to 8.

    Raises:
        DamagedImageError: The pixels cannot be decoded, a truncated file for one.
    """
    try:
        with Image.open(path) as image:
            if _orientation(image) != 1:
                image = ImageOps.exif_transpose(image)
            image = _to_plain_mode(image)
            return tuple(_fit(_crop(image, part), fit) for part in parts)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def is_side_by_side(shape: tuple[int, int, int]) -> bool:
    """Whether an image of the shape may be two images beside one another."""
    height, width, _ = shape
    return width > height and width % 2 == 0


def fit_array(array: np.ndarray, fit: Fit) -> np.ndarray:
    """Brings one uint8 image `(height, width, channels)` to the size and channels."""
    if array.shape[-1] not in _MODES:
        raise UserError(
            f"Images have 1, 3 or 4 channels. Received: {array.shape[-1]} channels"
        )
    grey = array.shape[-1] == 1
    return _fit(Image.fromarray(array[..., 0] if grey else array), fit)


def _crop(image: Image.Image, part: str) -> Image.Image:
    if part == WHOLE:
        return image
    width, height = image.size
    left = 0 if part == LEFT else width // 2
    return image.crop((left, 0, left + width // 2, height))


def _fit(image: Image.Image, fit: Fit) -> np.ndarray:
    if fit.channels:
        image = _convert(image, _MODES[fit.channels])
    if fit.size and image.size != fit.size[::-1]:
        # `ImageOps.fit` crops the centre to the aspect, then resizes; Pillow's
        # filters widen with the scale, so that shrinking does not alias.
        image = ImageOps.fit(image, fit.size[::-1], Image.Resampling.BICUBIC)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "RGBA" and mode != "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == mode else image.convert(mode)


def _to_plain_mode(image: Image.Image) -> Image.Image:
    """Returns the image as L, RGB or RGBA, as `_count_channels` promised."""
    if image.mode.startswith("I"):  # 16-bit grey; older Pillows open PNG as 32-bit
        values = np.clip(np.asarray(image).astype(np.float32) / 257.0, 0.0, 255.0)
        return Image.fromarray(np.round(values).astype(np.uint8))
    return image.convert(_MODES[_count_channels(image)])


def _count_channels(image: Image.Image) -> int:
    if image.mode in _GREY_MODES:
        return 1
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    has_clear_colour = image.mode == "P" and "transparency" in image.info
    return 4 if "A" in image.getbands() or has_clear_colour else 3


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asking a PNG for its tags would decode the pixels
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _damaged(path: str | Path, error: Exception) -> DamagedImageError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DamagedImageError(
        f"{path} cannot be read as an image ({reason}): repair or remove it, or leave "
        "such files out with skip_bad_images=True (--skip-bad-images)"
    )


def _too_large(path: Path) -> DamagedImageError:
    return DamagedImageError(
        f"{path} has more than the {MAX_PIXELS:,} pixels that are read: shrink or "
        "remove it, or leave such files out with skip_bad_images=True "
        "(--skip-bad-images)"
    )
