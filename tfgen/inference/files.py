"""Image files of any size, translated to files."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures.levels import save_levels
from tfgen.inference.fitting import map_picture
from tfgen.inference.tiling import map_tiles
from tfgen.inference.translator import Translator
from tfgen.progress import Progress, no_progress

_COARSEST_GRID = 4  # a generator with a smaller one sees the image as a whole


@dataclasses.dataclass
class TranslatedFiles:
    """What `translate_files` did.

    Attributes:
        written: Paths of the translations.
        problems: File that could not be read -> why.
    """

    written: list[pathlib.Path]
    problems: dict[pathlib.Path, str]


def translate_files(
    run: Any,
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    direction: str | None = None,
    tile: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress = no_progress,
) -> TranslatedFiles:
    """Translates an image file, or every image in a folder, to `out`.

    A model sees images of any size as it saw those that it was trained on, and none is
    distorted: see `tfgen.inference.fitting`. A translation has its input's size, and
    the depth that the run has. Files keep their names and formats. A file that cannot
    be read is passed over.

    Args:
        run: A `tfgen.Run` of a model that translates.
        source: A file or a folder.
        out: A file, or a folder where files keep their names.
        direction: `"ab"` or `"ba"`; by default what the run was trained on, "ab" if
            both.
        tile: Whether a fully convolutional generator translates images piece by piece
            at their full size.
        overwrite: Whether files in `out` may be replaced; an input never is.
        seed: Integer, of the noise of a model whose dropout is on.
        progress: Function `(iterable, description, total) -> iterable`.

    Raises:
        UserError: There is nothing to translate, a file would be overwritten, the model
            does not translate so, or no file could be read.
    """
    source, out = pathlib.Path(source).expanduser(), pathlib.Path(out).expanduser()
    pairs = _find_files(source, out, overwrite)
    translate = _make_translator(run, direction, tile, seed)
    result = TranslatedFiles([], {})
    for path, target in progress(pairs, "translating", len(pairs)):
        try:
            save_levels(translate(path), target)
        except UserError as error:
            # What training would do with such a file is of no use here.
            result.problems[path] = str(error).split(", or leave such files out")[0]
            continue
        result.written.append(target)
    if not result.written:
        raise UserError(next(iter(result.problems.values())))
    return result


def _find_files(
    source: pathlib.Path, out: pathlib.Path, overwrite: bool
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Returns what to read and where to write it; no output is an input."""
    from tfgen.data.decode import FILE_ENDINGS
    from tfgen.data.folders.listing import scan

    if source.is_dir():
        pairs = [(source / name, out / name) for name in scan(source).names]
        if out.is_file():
            raise UserError(f"{out} is a file: INPUT is a folder, name one as OUT")
    elif source.is_file():
        is_file = out.suffix.lower() in FILE_ENDINGS and not out.is_dir()
        pairs = [(source, out if is_file else out / source.name)]
    else:
        raise UserError(f"no file or folder at {source}")
    inputs = {path.resolve() for path, _ in pairs}
    for path, target in pairs:
        is_link = target.exists() and path.samefile(target)
        if is_link or target.resolve() in inputs:
            raise UserError(f"{target} is an input: name another OUT")
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists: name another OUT, or --overwrite")
    return pairs


def _make_translator(
    run: Any, direction: str | None, tile: bool, seed: int
) -> Callable[[pathlib.Path], np.ndarray]:
    """Returns a function from an image file to the levels of its translation."""
    from tfgen.data.decode import read_image
    from tfgen.data.pixels import Fit

    translator = Translator(run.endpoints, run.config.direction, seed)
    direction = direction or translator.directions[0]
    if direction not in translator.directions:
        raise UserError(
            f"{run.path} was trained to translate {run.config.direction}, not "
            f"{direction}: train it with --direction {direction}"
        )
    whole = _sees_whole(run.model, direction)
    if tile and whole:
        raise UserError(
            f"--tile needs a fully convolutional generator, and {whole} sees the image "
            "as a whole: leave --tile out"
        )
    height, width, channels = run.image_shape
    config = run.config
    fit = Fit(None, channels, config.value_range, depth=config.depth)

    def translate(file: pathlib.Path) -> np.ndarray:
        (image,) = read_image(file, fit)
        counts = [0]  # of the tiles before: each has noise of its own

        def run_tiles(tiles: np.ndarray) -> np.ndarray:
            counts.append(counts[-1] + len(tiles))
            images = tiles.astype("float32") / np.iinfo(tiles.dtype).max
            return translator(images, direction, counts[-2])

        if tile:
            output = map_tiles(run_tiles, image, (height, width), dtype=image.dtype)
        else:
            options = config.resize, not whole
            output = map_picture(run_tiles, image, (height, width), *options)
        del image  # of many megapixels
        return output

    return translate


def _sees_whole(model: Any, direction: str) -> str | None:
    """Returns the name of a generator that sees the whole image; None if it does not.

    Its tiles would differ where they meet.
    """
    one_way = getattr(model, "generator", None)
    generator = one_way or getattr(model, f"generator_{direction}")
    grids = [
        layer.output.shape[1:3]
        for layer in generator.layers
        if len(layer.output.shape) == 4
    ]
    return generator.name if min(map(min, grids)) < _COARSEST_GRID else None
