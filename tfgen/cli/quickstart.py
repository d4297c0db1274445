"""`tfgen quickstart`: the whole path once, on real digits."""

import pathlib
import time
from collections.abc import Callable

import click

from tfgen.cli import evaluate, interpolate, reconstruct, sample, traverse
from tfgen.cli.export import export_run
from tfgen.cli.quiet import import_tensorflow
from tfgen.presets import get_preset
from tfgen.training.run_folder import claimed_new
from tfgen.training.settings import preset_config

_PRESET = "vae_mnist_5k"


@click.command("quickstart", short_help="The whole path once, on real digits.")
@click.option("--out", help="Run directory.  [default: quickstart]")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option("--epochs", type=click.IntRange(1), help="[default: the preset's]")
def command(out: str | None, overwrite: bool, epochs: int | None) -> None:
    """Train a VAE on 5,000 digits, look at it, measure, export and check it."""
    start = time.monotonic()
    config = preset_config(get_preset(_PRESET), {}, epochs=epochs)
    with claimed_new(out, "quickstart", overwrite) as folder:
        import_tensorflow()
        from tfgen.training.trainer import train_run

        train_run(config, folder, log=click.echo, verbose=2)
        run = folder.path
    _draw(run)
    click.echo("\nHow good it is on 1,000 digits that it has not seen:")
    found = evaluate.evaluate(str(run))
    evaluate.show(found)
    evaluate.write_report(str(run), found)
    click.echo("\nExporting, and running each file in a fresh process without tfgen:")
    _export(run, overwrite)
    seconds = time.monotonic() - start
    click.echo(f"\nDone in {seconds:.0f} s. Look at {run / 'report.html'}")


def _draw(run: pathlib.Path) -> None:
    pictures: dict[str, Callable] = {
        "samples.png": sample.command,
        "reconstructions.png": reconstruct.command,
        "traversal.png": traverse.command,
        "interpolation.png": interpolate.command,
    }
    for name, command in pictures.items():
        arguments = [str(run), "--out", str(run / name)]
        command.main(arguments, standalone_mode=False)


def _export(run: pathlib.Path, overwrite: bool) -> None:
    import shutil

    directory = run / "export"
    if overwrite:
        shutil.rmtree(directory, ignore_errors=True)
    quantizations = ("float32", "dynamic_int8")
    export_run(
        str(run), str(directory), quantizations=quantizations, latency_seconds=2.0
    )
