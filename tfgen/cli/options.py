"""Arguments that several commands share."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from tfgen.errors import UserError
from tfgen.sizes import Size, read_size


class PathType(click.ParamType):
    """A path, or the name of a data set; `~` is expanded."""

    name = "path"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Returns the path, expanded."""
        return os.path.expanduser(value)


class SizeType(click.ParamType):
    """The size of an image, as "64" or "96x64": height x width."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> Size:
        """Returns an integer, or height and width."""
        try:
            return read_size("it", value)
        except UserError as error:
            self.fail(str(error), param, ctx)


class ListType(click.ParamType):
    """Names separated by commas, each one of those that are known."""

    name = "list"

    def __init__(self, known: Sequence[str]):
        self.known = known

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Returns the names."""
        if not isinstance(value, str):
            return tuple(value)
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        if unknown := [name for name in names if name not in self.known]:
            known = ", ".join(self.known)
            asked = ", ".join(map(repr, unknown))
            self.fail(f"{asked}: choose of {known}", param, ctx)
        return names


PATH = PathType()
SIZE = SizeType()
run_argument = click.argument("run", type=PATH)


def data_options(command: Callable) -> Callable:
    """Adds `--data` and `--data-dir`: where the data are, if they moved."""
    for flag, text in (
        ("--data-dir", "Where TFDS keeps its data sets."),
        ("--data", "Where the data are.  [default: where the run found them]"),
    ):
        command = click.option(flag, type=PATH, help=text)(command)
    return command


def picture_option(name: str) -> Callable:
    """Adds `--out`, the PNG file that is written."""
    return click.option(
        "--out", type=PATH, default=name, show_default=True, help="A PNG file."
    )


def film_options(command: Callable) -> Callable:
    """Adds `--film`, `--seconds` and `--fps`."""
    for flag, kind, default, text in (
        ("--fps", click.FloatRange(1.0, 100.0), 20.0, "Frames a second."),
        ("--seconds", click.FloatRange(0.1, 600.0), 6.0, "How long the film is."),
    ):
        option = click.option(flag, type=kind, default=default, help=text)
        command = option(command)
    text = "Write a film instead: a .gif, .webp or .mp4 file."
    return click.option("--film", type=PATH, help=text)(command)


def open_run(run: str, data: str | None = None, data_dir: str | None = None) -> Any:
    """Returns the `Run` of a run directory, a model file or a trained preset."""
    from tfgen.cli.quiet import import_tensorflow
    from tfgen.presets import hub, loading

    if not hub.is_address(run):
        loading.find_file(run)  # a mistake is told before TensorFlow starts
    import_tensorflow()
    from tfgen.training.opening import open_run

    return open_run(run, data, data_dir, lambda line: click.echo(line, err=True))


def draw(
    name: str,
    run: str,
    out: str,
    data: str | None = None,
    data_dir: str | None = None,
    **options: Any,
) -> None:
    """Writes a picture of `tfgen.figures.gallery`, by its name, and prints its path."""
    opened = open_run(run, data, data_dir)
    from tfgen.figures import gallery, pictures

    picture = getattr(gallery, name)(opened, **options)
    click.echo(pictures.save_picture(picture, out))


def draw_or_film(
    name: str, out: str, film: str | None, seconds: float, fps: float, **options: Any
) -> None:
    """Writes a picture of the gallery, as `draw` does, or the film of that name."""
    if film is None:
        draw(name, out=out, **options)
        return
    from tfgen.figures import films

    films.check_ending(film)
    where = {key: options.pop(key, None) for key in ("run", "data", "data_dir")}
    opened = open_run(*where.values())
    from tfgen.figures import gallery

    options.pop("steps", None)
    frames = getattr(gallery, f"{name}_film")(opened, round(seconds * fps), **options)
    click.echo(films.save_film(frames, film, fps))
