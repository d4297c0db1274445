"""`tfgen export RUN --out DIR`: a SavedModel and a .tflite, checked."""

import pathlib

import click

from tfgen.cli.check import show
from tfgen.cli.quiet import import_tensorflow
from tfgen.cli.run import Config, load_test_images
from tfgen.errors import UserError


@click.command("export", short_help="Export to SavedModel and TFLite.")
@click.argument("run")
@click.option("--out", required=True, help="Folder of the exported files.")
@click.option("--name", help="Name of the served model.  [default: the preset's]")
@click.option("--version", type=click.IntRange(1), default=1, show_default=True)
def command(run: str, out: str, name: str | None, version: int) -> None:
    """Write DIR/serving/NAME/VERSION and DIR/edge/NAME.tflite, and check both."""
    import_tensorflow()
    show(export_run(run, out, name, version))


def export_run(run: str, out: str, name: str | None = None, version: int = 1) -> list:
    """Exports a run and checks what it wrote; returns the check's rows."""
    import export
    from tfgen.loading import load, to_float32

    model = to_float32(load(run))
    name = name or Config.read(run).preset
    if pathlib.Path(name).name != name or name.startswith("."):
        raise UserError(f"--name {name!r} must be a plain name, without slashes")
    edge = pathlib.Path(out) / "edge" / f"{name}.tflite"
    examples = {"images": load_test_images(run, 8)}
    saved = export.export_saved_model(
        model, pathlib.Path(out) / "serving" / name, version, examples=examples
    )
    export.export_tflite(saved, edge)
    return export.check(out)
