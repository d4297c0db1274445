"""Grids of images, panels with titles, and files of them."""

import math
import os
import pathlib
import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfgen.files import replaced

_MIN_CELL = 48  # pixels: smaller images are enlarged by a whole factor, to be seen
_GAP = 2
_MARGIN = 8
_LINE = 22  # pixels, of text


def tile(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lays images out row by row.

    Args:
        images: `(n, height, width, channels)` in `[0, 1]`. One channel is grey; of
            others the first three are red, green and blue, and a third that is missing
            is 0.
        columns: Integer; `None` makes a square.

    Returns:
        One image `(rows, columns, 3)` as uint8, gaps white.
    """
    return tile_batches([images], len(images), columns)


def tile_batches(
    batches: Iterable[np.ndarray], count: int, columns: int | None = None
) -> np.ndarray:
    """Lays images out as `tile` does, with one batch at a time in memory.

    Args:
        batches: Of images, as in `tile`.
        count: Integer, the number of images in all batches.
        columns: As in `tile`.
    """
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    index, canvas = 0, None
    for batch in batches:
        cells = _make_cells(batch)
        height, width = (side + _GAP for side in cells.shape[1:3])
        if canvas is None:
            canvas = np.full((rows * height, columns * width, 3), 255, "uint8")
        for cell in cells:
            top, left = index // columns * height, index % columns * width
            canvas[top : top + height - _GAP, left : left + width - _GAP] = cell
            index += 1
    return canvas[:-_GAP, :-_GAP]


def _make_cells(images: np.ndarray) -> np.ndarray:
    """Returns images as uint8 in three channels, large enough to be seen."""
    images = np.asarray(images, "float32")[..., :3]
    if images.shape[-1] == 2:
        images = np.concatenate([images, np.zeros_like(images[..., :1])], axis=-1)
    pixels = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype("uint8")
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    factor = max(1, math.ceil(_MIN_CELL / min(pixels.shape[1:3])))
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def compose(
    panels: Mapping[str, np.ndarray], caption: str | None = None
) -> Image.Image:
    """Stacks titled panels (uint8 images, as from `tile`), with a caption below."""
    font = ImageFont.load_default(size=14)
    width = max(panel.shape[1] for panel in panels.values()) + 2 * _MARGIN
    characters = int((width - 2 * _MARGIN) / font.getlength("x"))
    lines = textwrap.wrap(caption or "", characters)
    height = sum(panel.shape[0] + _LINE + _MARGIN for panel in panels.values())
    picture = Image.new("RGB", (width, height + _LINE * len(lines)), "white")
    draw = ImageDraw.Draw(picture)
    top = 0
    for title, panel in panels.items():
        draw.text((_MARGIN, top + 4), title, fill="black", font=font)
        picture.paste(Image.fromarray(panel), (_MARGIN, top + _LINE))
        top += _LINE + panel.shape[0] + _MARGIN
    for line in lines:
        draw.text((_MARGIN, top), line, fill="gray", font=font)
        top += _LINE
    return picture


def save_picture(picture: Image.Image, path: str | os.PathLike) -> pathlib.Path:
    """Writes a picture to a file, whole or not at all, and returns its path.

    The format is that of the name's ending, or PNG if Pillow does not write that.
    """
    path = pathlib.Path(path).expanduser()
    endings = Image.registered_extensions()
    kind = endings.get(path.suffix.lower(), "PNG")
    if kind == "JPEG" and picture.mode == "RGBA":  # which JPEG cannot hold
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        # Only JPEG and WebP use the quality.
        picture.save(temporary, kind if kind in Image.SAVE else "PNG", quality=95)
    return path
