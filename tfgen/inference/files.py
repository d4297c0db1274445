"""Image files of any size, translated to files."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures.levels import save_levels
from tfgen.inference.fitting import map_seen, resize_array, seen_size
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
    num: int = 1,
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
        num: Integer, outputs for an image: those of `seed`, `seed + 1`, ... With more
            than one, `cat.png` becomes `cat-1.png`, `cat-2.png`, ... and
            `cat-grid.png`, which shows them beside the input.
        progress: Function `(iterable, description, total) -> iterable`.

    Raises:
        UserError: There is nothing to translate, a file would be overwritten, the model
            does not translate so, or no file could be read.
    """
    source, out = pathlib.Path(source).expanduser(), pathlib.Path(out).expanduser()
    if num > 1 and "sample" not in run.endpoints:
        raise UserError(
            f"--num {num}: {run.path} has one output for one input. Several have "
            "models with noise: train with --dropout-at-inference or --noise-dim"
        )
    files = _find_files(source, out, overwrite, num)
    translators = [_make_translator(run, direction, tile, seed + i) for i in range(num)]
    result = TranslatedFiles([], {})
    for path, targets in progress(files, "translating", len(files)):
        try:
            outputs = [translate(path) for translate in translators]
        except UserError as error:
            # What training would do with such a file is of no use here.
            result.problems[path] = str(error).split(", or leave such files out")[0]
            continue
        if num > 1:
            outputs.append(_lay_out(_read(run, path), outputs))
        for target in targets:
            save_levels(outputs.pop(0), target)  # of many megapixels
        result.written += targets
    if not result.written:
        raise UserError(next(iter(result.problems.values())))
    return result


def _find_files(
    source: pathlib.Path, out: pathlib.Path, overwrite: bool, num: int
) -> list[tuple[pathlib.Path, list[pathlib.Path]]]:
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
    files = [(path, _number(target, num)) for path, target in pairs]
    inputs = {path.resolve() for path, _ in files}
    for path, target in ((path, x) for path, targets in files for x in targets):
        is_link = target.exists() and path.samefile(target)
        if is_link or target.resolve() in inputs:
            raise UserError(f"{target} is an input: name another OUT")
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists: name another OUT, or --overwrite")
    return files


def _number(target: pathlib.Path, num: int) -> list[pathlib.Path]:
    """Returns the file, or those of several outputs and of their grid."""
    if num == 1:
        return [target]
    names = [*range(1, num + 1), "grid"]
    return [target.with_name(f"{target.stem}-{x}{target.suffix}") for x in names]


def _lay_out(image: np.ndarray, outputs: list[np.ndarray]) -> np.ndarray:
    """Returns an image and its outputs side by side, with white between them."""
    height, width, channels = outputs[0].shape
    if image.shape[-1] != channels:  # grey to colour; or the first of many channels
        image = np.repeat(image[..., :1], channels, axis=-1)
    white = np.full((height, max(1, width // 32), channels), np.iinfo(image.dtype).max)
    panels = [image]
    for output in outputs:
        panels += [white.astype(image.dtype), output]
    return np.concatenate(panels, axis=1)


def _make_translator(
    run: Any, direction: str | None, tile: bool, seed: int
) -> Callable[[pathlib.Path], np.ndarray]:
    """Returns a function from an image file to the levels of its translation."""
    from tfgen.data.decode import read_shape

    translator = Translator(run.endpoints, run.config.direction, seed)
    direction = direction or translator.directions[0]
    if direction not in translator.directions:
        raise UserError(
            f"{run.path} was trained to translate {run.config.direction}, not "
            f"{direction}: train it with --direction {direction}"
        )
    whole = _sees_whole(run.endpoints.model, direction)
    if tile and whole:
        raise UserError(
            f"--tile needs a fully convolutional generator, and {whole} sees the image "
            "as a whole: leave --tile out"
        )
    height, width, _ = run.image_shape
    size, resize = (height, width), run.config.resize

    def translate(file: pathlib.Path) -> np.ndarray:
        counts = [0]  # of the tiles before: each has noise of its own

        def run_tiles(tiles: np.ndarray) -> np.ndarray:
            counts.append(counts[-1] + len(tiles))
            images = tiles.astype("float32") / np.iinfo(tiles.dtype).max
            return translator(images, direction, counts[-2])

        if tile:
            image = _read(run, file)
            return map_tiles(run_tiles, image, size, dtype=image.dtype)
        # Read at once as it is seen: of many megapixels, no array is in memory.
        own = read_shape(file)[:2]
        image = _read(run, file, seen_size(own, size, resize, not whole))
        return resize_array(map_seen(run_tiles, image, size, resize), own)

    return translate


def _read(
    run: Any, file: pathlib.Path, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Returns the levels of an image, with the channels that the model takes.

    Of a size, if one is given, that has the image's aspect or is to be stretched to.
    """
    from tfgen.data.decode import read_image
    from tfgen.data.pixels import Fit

    config = run.config
    channels = run.image_shape[-1]
    fit = Fit(size, channels, config.value_range, "stretch", config.depth)
    (image,) = read_image(file, fit)
    return image


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
