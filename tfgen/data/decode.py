"""Image files to uint8 images: headers, pixels, and what is wrong with a file."""

import importlib.util
import re
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from tfgen.data import deep
from tfgen.data.pixels import WHOLE, Fit, count_channels, crop_and_fit, to_plain_mode
from tfgen.errors import UserError

HEIC_EXTENSIONS = (".heic", ".heif", ".hif")  # what telephones save, read by an extra
# What Pillow decodes by itself, of which an image or a scan is likely to be.
EXTENSIONS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif"),
    *(".tiff", ".bmp", ".dib", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc", ".tga"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pcx", ".psd", ".qoi", ".sgi", ".dds", ".ico"),
)
if importlib.util.find_spec("PIL._avif"):  # since Pillow 11.3
    EXTENSIONS = (*EXTENSIONS, ".avif", ".avifs")
if importlib.util.find_spec("pillow_heif"):
    EXTENSIONS = (*EXTENSIONS, *HEIC_EXTENSIONS)
FILE_ENDINGS = (*EXTENSIONS, deep.ARRAY)
MAX_PIXELS = 2**26  # 8192 x 8192; a header that claims more is taken for an attack

_SCALED_FORMATS = ("PNG", "PPM")  # where mode "I" is 0..65535, too
# Formats of scans of several pages, and of films.
_PAGED = ("TIFF", "GIF", "WEBP", "PNG")
_DIM = 2**12  # of 16-bit images, as 12-bit scans are
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


class Header(NamedTuple):
    """What a file says of itself.

    Attributes:
        shape: `(height, width, channels)`, upright.
        depth: "8", "16" (grey, the whole range of 16 bits), or what else the pixels
            are, whose range is not known: "32-bit or signed integer" for one.
        is_multipage: Whether it holds further pages, which are not read.
    """

    shape: tuple[int, int, int]
    depth: str
    is_multipage: bool


class DamagedImageError(UserError):
    """A file that cannot be read as an image; `skip_bad_images` leaves it out."""


def find_damaged_image(error: BaseException) -> DamagedImageError | None:
    """Returns the damaged file that an error of TensorFlow is about, in a streamed set.

    Args:
        error: What iterating a data set, or `fit`, raised.

    Returns:
        The error in one line, to raise in its place; None if the cause is another.
    """
    if isinstance(error, DamagedImageError):
        return error
    match = re.search(rf"\b{DamagedImageError.__name__}: ([^\n]*)", str(error))
    return DamagedImageError(match[1].strip()) if match else None


def read_header(path: Path) -> Header:
    """Reads what a file says of itself, without decoding it.

    Raises:
        DamagedImageError: The file is not an image that Pillow reads, or is too large.
    """
    try:
        if deep_header := deep.read_deep_header(path):
            shape, depth = deep_header
            if shape[0] * shape[1] > MAX_PIXELS:
                raise _too_large(path)
            return Header(shape, depth, False)
        with warnings.catch_warnings():
            # Pillow's own limits are higher than ours, and reported as ours.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with _open(path) as image:
                width, height = _upright_size(image)
                shape = height, width, count_channels(image)
                pages = image.format in _PAGED and image.is_animated
                header = Header(shape, _depth(image), pages)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path) from None
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    return header


def read_shape(path: str | Path) -> tuple[int, int, int]:
    """Returns `(height, width, channels)` of an image file, without decoding it."""
    return read_header(Path(path)).shape


def read_image(
    path: str | Path, fit: Fit, parts: Sequence[str] = (WHOLE,)
) -> tuple[np.ndarray, ...]:
    """Decodes one file, and warns if it is a 16-bit image that is almost black.

    Otherwise as `decode_image`.
    """
    path = Path(path)
    if fit.source_range is None and read_header(path).depth == "16":
        warn_if_dim([path], path)
    return decode_image(path, fit, parts)


def decode_image(
    path: str | Path, fit: Fit, parts: Sequence[str] = (WHOLE,)
) -> tuple[np.ndarray, ...]:
    """Decodes a file to images `(height, width, channels)`, one for each part.

    They are uint8, or uint16 if the depth is 16. Orientation tags are applied, palettes
    and transparent colours resolved, CIELAB and colours with a profile converted to
    sRGB, and 16 bits reduced to 8 unless the depth is 16.

    Raises:
        DamagedImageError: The pixels cannot be decoded, as in a truncated file; or
            which of their values are black and white is not known.
    """
    try:
        header = deep.read_deep_header(path)
        if header or (fit.is_deep and deep.has_deep_colours(path)):
            if header and header[1] not in ("8", "16") and fit.source_range is None:
                raise unknown_range(path, header[1])
            levels = deep.read_levels(path, None)
            return tuple(deep.fit_levels(levels, part, fit) for part in parts)
        with _open(path) as image:
            depth = _depth(image)
            if depth not in ("8", "16") and fit.source_range is None:
                raise unknown_range(path, depth)
            raw_mode = image.tile[0][3] if image.format == "PNG" else None
            image.load()  # a TIFF is upright only now
            if _orientation(image) != 1:
                image = ImageOps.exif_transpose(image)
            if fit.is_deep:
                levels = deep.read_levels(path, image)
                return tuple(deep.fit_levels(levels, part, fit) for part in parts)
            image = to_plain_mode(image, raw_mode, fit.source_range)
            return tuple(crop_and_fit(image, part, fit) for part in parts)
    except DamagedImageError:
        raise
    except UserError as error:
        raise DamagedImageError(f"{printable(path)}: {error}") from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def warn_if_dim(paths: Sequence[Path], source: Path | str) -> None:
    """Warns if all of some 16-bit images stay below 4096, as 12-bit scans do.

    Args:
        paths: Files of 16-bit images; damaged ones are passed over.
        source: Where they come from, for the message.
    """
    brightest = 0
    for path in paths:
        try:
            with _open(path) as image:
                brightest = max(brightest, int(np.asarray(image).max()))
        except _DAMAGE:
            continue
        if brightest >= _DIM:
            return
    if brightest:
        warnings.warn(
            f"The 16-bit images of {source} have no value above {brightest}, and so "
            "are almost black: if they are scans of 12 bits, pass "
            "source_range=(0, 4095) (--value-range 0,4095), the values that are black "
            "and white",
            stacklevel=2,
        )


def unknown_range(path: str | Path, depth: str) -> DamagedImageError:
    """Returns the error for pixels of which it is not known what is black or white."""
    return DamagedImageError(
        f"{printable(path)} has {depth} pixels, and which of their values are black "
        "and white is not known: pass source_range=(low, high) (--value-range LOW,HIGH)"
    )


def is_side_by_side(shape: tuple[int, int, int]) -> bool:
    """Whether an image of the shape may be two images beside one another."""
    height, width, _ = shape
    return width > height and width % 2 == 0


def printable(path: str | Path) -> str:
    """Returns a path as text that any terminal can show, in one line.

    Names need not be UTF-8, and may hold line breaks and what terminals obey.
    """
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _open(path: str | Path) -> Image.Image:
    if str(path).lower().endswith(HEIC_EXTENSIONS):
        import pillow_heif  # an extra

        pillow_heif.register_heif_opener()
    return Image.open(path)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns (width, height) after the orientation tag is applied."""
    width, height = image.size
    if image.format == "TIFF":  # newer versions of Pillow have turned it already
        width, height = image.tag_v2[256], image.tag_v2[257]
    turns = _orientation(image) >= 5  # those that turn by 90 degrees
    return (height, width) if turns else (width, height)


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asking a PNG for its tags would decode the pixels
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _depth(image: Image.Image) -> str:
    if image.mode == "F":
        return "floating-point"
    if image.mode == "I" and image.format not in _SCALED_FORMATS:
        return "32-bit or signed integer"
    return "16" if image.mode.startswith("I") else "8"


def _damaged(path: str | Path, error: Exception) -> DamagedImageError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DamagedImageError(
        f"{printable(path)} cannot be read as an image ({reason}): repair or remove "
        "it, or leave such files out with skip_bad_images=True (--skip-bad-images)"
    )


def _too_large(path: Path) -> DamagedImageError:
    return DamagedImageError(
        f"{printable(path)} has more than the {MAX_PIXELS:,} pixels that are read: "
        "shrink or remove it, or leave such files out with skip_bad_images=True "
        "(--skip-bad-images)"
    )
