"""Pictures: grids of images with titles, and curves, written as PNG."""

import math
import os
import pathlib
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
        images: `(n, height, width, channels)` in `[0, 1]`, with 1, 3 or 4 channels.
        columns: Integer; `None` makes a square.

    Returns:
        One image `(rows, columns, 3)` as uint8, gaps white.
    """
    return tile_batches([images], len(images), columns)


def tile_batches(
    batches: Iterable[np.ndarray], count: int, columns: int | None = None
) -> np.ndarray:
    """Lays images out as `tile` does, of which only a batch is in memory.

    Args:
        batches: Of images, as of `tile`.
        count: Integer, how many they are together.
        columns: As of `tile`.
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
    pixels = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype("uint8")
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    factor = max(1, math.ceil(_MIN_CELL / min(pixels.shape[1:3])))
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def compose(
    panels: Mapping[str, np.ndarray], caption: str | None = None
) -> Image.Image:
    """Stacks titled panels (uint8 images, as of `tile`), with a caption below."""
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
    """Writes a picture under a temporary name, then renames it: never half of it.

    The format is that of the name's ending, or PNG if it has none that Pillow writes.
    """
    path = pathlib.Path(path)
    endings = Image.registered_extensions()
    kind = endings.get(path.suffix.lower(), "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        # The quality is heeded by JPEG and WebP.
        picture.save(temporary, kind if kind in Image.SAVE else "PNG", quality=95)
    return path


def plot_curves(history: Mapping[str, Sequence[float]]) -> Image.Image:
    """Draws one small plot a figure of `fit`'s history, with `val_` beside it."""
    names = [name for name in history if not name.startswith("val_")]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(3.2 * columns, 2.2 * rows)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        for key, label in ((name, "train"), (f"val_{name}", "test")):
            if key in history:
                values = history[key]
                epochs = range(1, len(values) + 1)
                marker = "o" if len(values) == 1 else None  # no line joins it
                axes.plot(epochs, values, label=label, marker=marker)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.supxlabel("epoch", fontsize=8)
    return Image.fromarray(draw_figure(figure))


def plot_rocs(rocs: Mapping[str, Any]) -> Image.Image:
    """Draws receiver operating characteristics, with chance as a dashed line.

    Args:
        rocs: Score -> `tfgen.metrics.Roc`.
    """
    figure = new_figure(4.2, 3.6)
    axes = figure.add_subplot()
    for name, roc in rocs.items():
        label = f"{name.replace('_', ' ')}: {roc.auc:.3f}"
        axes.plot(roc.false_positive_rate, roc.true_positive_rate, label=label)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel("share of usual images that are flagged", fontsize=8)
    axes.set_ylabel("share of anomalies that are flagged", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right", title="area", title_fontsize=7)
    return Image.fromarray(draw_figure(figure))


def new_figure(width: float, height: float) -> Any:
    """Returns a matplotlib figure of so many inches, of 100 pixels each.

    It needs no screen, and leaves `pyplot` as it is.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_figure(figure: Any) -> np.ndarray:
    """Returns a figure of `new_figure` as an image `(height, width, 3)` uint8."""
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]
