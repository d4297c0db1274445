"""`tfgen translate RUN INPUT OUT`: images of one domain into the other."""

import pathlib
from collections.abc import Callable
from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.training.run import Config

_COARSEST_GRID = 4  # a generator with a smaller one sees the image as a whole


@click.command("translate", short_help="Translate images into the other domain.")
@click.argument("run")
@click.argument("input", metavar="INPUT")
@click.argument("out", metavar="OUT")
@click.option(
    "--direction",
    type=click.Choice(["ab", "ba"]),
    help="[default: what the run was trained on; ab if both]",
)
@click.option("--tile", is_flag=True, help="Tile by tile at full size, not resized.")
@click.option("--overwrite", is_flag=True, help="Replace files in OUT.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def command(
    run: str,
    input: str,
    out: str,
    direction: str | None,
    tile: bool,
    overwrite: bool,
    seed: int,
) -> None:
    """Translate an image file, or every image in a folder, to OUT.

    Images of any size are resized to the model's and back; with --tile, a fully
    convolutional generator translates them piece by piece, in all their detail. Files
    keep their names. The seed is of the noise of a model whose dropout is on.
    """
    import_tensorflow()
    pairs = _find_files(pathlib.Path(input), pathlib.Path(out), overwrite)
    translate = _make_translator(run, direction, tile, seed)
    import rich.console
    import rich.progress

    console = rich.console.Console(stderr=True)
    for source, target in rich.progress.track(
        pairs,
        "Translating",
        console=console,
        disable=len(pairs) < 2 or not console.is_terminal,
    ):
        pictures.save_picture(_to_picture(translate(source)), target)
    click.echo(out if len(pairs) == 1 else f"{len(pairs)} images in {out}")


def _find_files(
    source: pathlib.Path, out: pathlib.Path, overwrite: bool
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Returns what to read and where to write it; no output is an input."""
    from tfgen.data.images import EXTENSIONS, list_images

    if source.is_dir():
        paths = list_images(source)
        pairs = [(path, out / path.relative_to(source)) for path in paths]
        if out.is_file():
            raise UserError(f"{out} is a file: INPUT is a folder, name one as OUT")
    elif source.is_file():
        is_file = out.suffix.lower() in EXTENSIONS and not out.is_dir()
        pairs = [(source, out if is_file else out / source.name)]
    else:
        raise UserError(f"no file or folder at {source}")
    inputs = {source.resolve() for source, _ in pairs}
    for source, target in pairs:
        is_link = target.exists() and source.samefile(target)
        if is_link or target.resolve() in inputs:
            raise UserError(f"{target} is an input: name another OUT")
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists: name another OUT, or --overwrite")
    return pairs


def _make_translator(
    run: str, direction: str | None, tile: bool, seed: int
) -> Callable[[pathlib.Path], Any]:
    """Returns a function from an image file to its translation `(h, w, c)` uint8."""
    import numpy as np

    from tfgen import tiling
    from tfgen.data.images import Fit, read_image
    from tfgen.inference import Translator
    from tfgen.presets.loading import load

    model, config = load(run), Config.read(run)
    translator = Translator(model, config.direction, seed)
    direction = direction or translator.directions[0]
    if direction not in translator.directions:
        raise UserError(
            f"{run} was trained to translate {config.direction}, not {direction}: "
            f"train it with --direction {direction}"
        )
    if tile:
        _check_tiles(model, direction)
    size = (config.image_size, config.image_size)

    def run_model(images: np.ndarray) -> np.ndarray:
        return translator(images.astype("float32") / 255.0, direction)

    def translate(file: pathlib.Path) -> np.ndarray:
        (image,) = read_image(file, Fit(None, config.channels))
        if tile:
            output = tiling.map_tiles(run_model, image, size)
            return np.uint8(np.round(255.0 * output))
        resized = _resize(image, size)
        output = np.uint8(np.round(255.0 * run_model(resized[np.newaxis])[0]))
        return _resize(output, image.shape[:2])

    return translate


def _check_tiles(model: Any, direction: str) -> None:
    """Refuses a generator that sees the whole image at once: its tiles would differ."""
    one_way = getattr(model, "generator", None)
    generator = one_way or getattr(model, f"generator_{direction}")
    grids = [layer.output.shape[1:3] for layer in generator.layers]
    if min(min(grid) for grid in grids) < _COARSEST_GRID:
        raise UserError(
            f"--tile needs a fully convolutional generator, and {generator.name} sees "
            "the image as a whole: leave --tile out"
        )


def _resize(image: Any, size: tuple[int, int]) -> Any:
    import numpy as np
    from PIL import Image

    resized = _to_picture(image).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(resized).reshape(*size, image.shape[-1])


def _to_picture(image: Any) -> Any:
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
