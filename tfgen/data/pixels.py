"""Pixels of any kind to uint8 images of one size and one number of channels.

Everything goes through Pillow, so an image looks the same whichever source it is from.
"""

import functools
import io
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tfgen.errors import UserError

# What of a file is an image: a pair may lie side by side in one file.
WHOLE, LEFT, RIGHT = "whole", "left", "right"

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
# Shares of red, green and blue in grey, as Pillow has them.
LUMA = np.array([19595, 38470, 7471], np.float32) / 65536
_BAND = 256  # rows
_LEVELS = 2  # of 255, by which profiles of sRGB differ
_NO_CACHE = 0x40  # of LittleCMS, whose cache of one pixel threads would share
# What a grey value of a PNG of few bits becomes when Pillow reads it.
_SCALES = {"L;2": 85, "L;4": 17}


class Fit(NamedTuple):
    """What every image is made to be; None leaves a property as it is.

    Attributes:
        size: `(height, width)` in pixels, or None.
        channels: 1 (grey), 3 (RGB), 4 (RGBA), or None; another number is of files that
            have as many (see `deep`).
        source_range: `(low, high)`, the values in files that are black and white. None:
            the whole range of 8 and 16 bits.
        resize: One of `tfgen.sizes.RESIZES`: how an image of another aspect is brought
            to the size.
        depth: 8 or 16, the bits that levels have in memory.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    source_range: tuple[float, float] | None = None
    resize: str = "crop"
    depth: int = 8

    @property
    def is_deep(self) -> bool:
        """Whether images have more bits or channels than Pillow's."""
        return self.depth != 8 or self.channels not in (None, 1, 3, 4)

    def shape_of(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Returns the shape that an image of the given shape is brought to."""
        return (*(self.size or (height, width)), self.channels or channels)


def fit_array(array: np.ndarray, fit: Fit) -> np.ndarray:
    """Brings one uint8 image `(height, width, channels)` to the size and channels."""
    if not {array.shape[-1], fit.channels or array.shape[-1]} <= _MODES.keys():
        raise UserError(
            f"Images have 1, 3 or 4 channels. Received: {array.shape[-1]} channels, of "
            f"which {fit.channels or 'all'} are asked for"
        )
    grey = array.shape[-1] == 1
    return _fit(Image.fromarray(array[..., 0] if grey else array), fit)


def crop_and_fit(image: Image.Image, part: str, fit: Fit) -> np.ndarray:
    """Returns a part of an image in a plain mode, brought to the size and channels."""
    if part != WHOLE:
        half = image.width // 2
        left = 0 if part == LEFT else half
        image = image.crop((left, 0, left + half, image.height))
    return _fit(image, fit)


def count_channels(image: Image.Image) -> int:
    """Returns 1, 3 or 4, what `to_plain_mode` makes of an image."""
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return 4
    return 1 if image.mode in _GREY_MODES else 3


def _fit(image: Image.Image, fit: Fit) -> np.ndarray:
    if fit.channels:
        image = _convert(image, _MODES[fit.channels])
    return _to_array(resize_picture(image, fit))


def _to_array(image: Image.Image) -> np.ndarray:
    """Returns the pixels of an image of mode L, RGB or RGBA.

    Pillow makes an array by two copies; of many megapixels they are made in bands.
    """
    (width, height), channels = image.size, len(image.getbands())
    if height <= _BAND:
        return np.asarray(image).reshape(height, width, channels)
    array = np.empty((height, width, channels), np.uint8)
    for top in range(0, height, _BAND):
        band = np.asarray(image.crop((0, top, width, min(top + _BAND, height))))
        array[top : top + _BAND] = band.reshape(-1, width, channels)
    return array


def resize_picture(image: Image.Image, fit: Fit) -> Image.Image:
    """Returns an image of any mode that is brought to the size."""
    if fit.size is None or image.size == fit.size[::-1]:
        return image
    return _RESIZES[fit.resize](image, fit.size[::-1])


# Pillow's filters widen with the scale, so that shrinking does not alias.


def _crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Crops the centre to the aspect of `(width, height)`, then resizes."""
    return ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def _stretch_to(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC)


def _pad(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Fits the whole image into `(width, height)`, in the middle of zeros."""
    inner = contain(image.size, size)
    left, top = ((size[i] - inner[i]) // 2 for i in (0, 1))
    padded = Image.new(image.mode, size)
    padded.paste(_stretch_to(image, inner), (left, top))
    return padded


_RESIZES = {"crop": _crop, "pad": _pad, "stretch": _stretch_to}


def contain(size: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int]:
    """Returns the largest size of the same aspect that is within two limits."""
    scale = min(limit / side for limit, side in zip(limits, size, strict=True))
    sides = zip(limits, size, strict=True)
    one, other = (min(limit, max(1, round(scale * side))) for limit, side in sides)
    return one, other


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "RGBA" and mode != "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == mode else image.convert(mode)


def to_plain_mode(
    image: Image.Image, raw_mode: str | None, source_range: tuple[float, float] | None
) -> Image.Image:
    """Returns the image as L, RGB or RGBA, as `count_channels` promised."""
    channels, clear = count_channels(image), image.info.get("transparency")
    profile, alpha = image.info.get("icc_profile"), None
    if clear is not None and image.mode in ("1", "L", "RGB", "I", "I;16", "I;16B"):
        alpha = _alpha(image, raw_mode, clear)
    if image.mode[0] in "IF":
        image = _to_eight_bits(image, source_range or (0, 2**16 - 1))
    elif image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    elif source_range:
        image = _stretch(image, channels, source_range)
    if image.mode == "CMYK":
        image = _to_srgb(image, profile)
    if alpha is not None:
        image = image.convert("RGB")
        image.putalpha(alpha)
    image = image if image.mode == _MODES[channels] else image.convert(_MODES[channels])
    return _to_srgb(image, profile)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Returns the image, as RGB or RGBA in sRGB if its profile is of other colours."""
    is_grey = image.mode == "L"  # a profile of colours belongs to its former mode
    transform = None if is_grey or not profile else _transform(profile, image.mode)
    if transform is None:
        return image
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    colours = ImageCms.applyTransform(colours, transform)
    if image.mode == "RGBA":
        colours.putalpha(image.getchannel("A"))
    return colours


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> Any:
    """Returns the transform of a profile to sRGB; None if there is none to apply."""
    space = mode = "CMYK" if mode == "CMYK" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != space:
            return None
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, mode, "RGB", flags=_NO_CACHE)
    except (ImageCms.PyCMSError, OSError):
        return None  # as browsers do
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: Any) -> bool:
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(6, 36, 3)
    converted = ImageCms.applyTransform(Image.fromarray(colours), transform)
    return np.abs(np.asarray(converted).astype(int) - colours).max() <= _LEVELS


def _alpha(
    image: Image.Image, raw_mode: str | None, clear: int | tuple[int, ...]
) -> Image.Image:
    """Returns the alpha channel of an image one of whose colours is transparent."""
    if image.mode == "1":  # of which Pillow numbers white 1 or, since lately, 255
        image, clear = image.convert("L"), 255 * bool(clear)
    values, clear = np.asarray(image), np.asarray(clear) * _SCALES.get(raw_mode, 1)
    if raw_mode == "RGB;16B":
        clear = clear >> 8
    is_clear = values == clear
    if is_clear.ndim == 3:
        is_clear = is_clear.all(axis=-1)
    return Image.fromarray(np.where(is_clear, 0, 255).astype(np.uint8))


def _to_eight_bits(
    image: Image.Image, source_range: tuple[float, float]
) -> Image.Image:
    low, high = source_range
    values = (np.asarray(image).astype(np.float64) - low) / (high - low)
    values = np.nan_to_num(np.round(255.0 * np.clip(values, 0.0, 1.0)))
    return Image.fromarray(values.astype(np.uint8))


def _stretch(
    image: Image.Image, channels: int, source_range: tuple[float, float]
) -> Image.Image:
    """Maps 8-bit values so that `source_range` is black and white; not alpha."""
    low, high = source_range
    image = image.convert(_MODES[channels])
    values = np.clip((np.arange(256) - low) / (high - low), 0.0, 1.0)
    table = np.round(255.0 * values).astype(int).tolist()
    return image.point(table * min(channels, 3) + list(range(256)) * (channels == 4))
