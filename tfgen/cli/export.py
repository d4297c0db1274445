"""`tfgen export RUN --out DIR`: files to serve and for the edge, and a report."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from tfgen.cli.options import PATH, ListType, data_options, open_run, run_argument
from tfgen.cli.tables import print_export

QUANTIZATIONS = ("float32", "float16", "dynamic_int8", "int8")
_FORMATS = ("serving", "edge", "onnx", "web")


@click.command("export", short_help="Export for TF Serving and the edge, checked.")
@run_argument
@click.option("--out", type=PATH, required=True, help="Folder of the exported files.")
@click.option("--name", help="Name of the served model.  [default: the preset's]")
@click.option("--version", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--quantize",
    "quantizations",
    type=ListType(QUANTIZATIONS),
    default="float32",
    show_default=True,
    help=f"One .tflite file for each of: {', '.join(QUANTIZATIONS)}.",
)
@click.option(
    *("--format", "--formats", "formats"),
    type=ListType(_FORMATS),
    default="serving,edge",
    show_default=True,
    help=f"Some of: {', '.join(_FORMATS)}.",
)
@click.option(
    "--latency-seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="How long to time each endpoint; 0: not at all.",
)
@data_options
def command(
    run: str, out: str, data: str | None, data_dir: str | None, **options: Any
) -> None:
    """Write DIR/serving/NAME/VERSION, DIR/edge/*.tflite and a report, all checked.

    Without the run's data the files are compared on golden examples alone.
    """
    opened = open_run(run, data, data_dir)
    with exporting() as progress:
        entry = opened.export(out, progress=progress, log=click.echo, **options)
    print_export(entry)
    click.echo(f"Look at {pathlib.Path(out) / 'report.html'}")


@contextlib.contextmanager
def exporting() -> Iterator[Callable[[str], None]]:
    """Shows the step that runs."""
    from rich.console import Console

    with Console(stderr=True).status("Exporting") as status:
        yield lambda step: status.update(f"Exporting: {step}")
