"""`tfgen quickstart`: the whole path once, on real digits."""

import time
from typing import Any

import click

from tfgen.cli.export import exporting
from tfgen.cli.options import PATH
from tfgen.cli.progress import track
from tfgen.cli.quiet import import_tensorflow
from tfgen.cli.tables import print_evaluation, print_export
from tfgen.presets import get_preset
from tfgen.training.run_folder import claimed_new
from tfgen.training.settings import preset_config

_PRESET = "vae_mnist_5k"


@click.command("quickstart", short_help="The whole path once, on real digits.")
@click.option("--out", type=PATH, help="Run directory.  [default: quickstart]")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option("--epochs", type=click.IntRange(1), help="[default: the preset's]")
def command(out: str | None, overwrite: bool, epochs: int | None) -> None:
    """Train a VAE on 5,000 digits, look at it, measure, export and check it."""
    walk(out, overwrite, {}, epochs=epochs)


def walk(
    out: str | None,
    overwrite: bool,
    overrides: dict[str, Any],
    latency_seconds: float = 2.0,
    **options: Any,
) -> None:
    """Trains, draws, measures and exports.

    Args:
        out: The run directory.
        overwrite: Whether a run there is replaced.
        overrides: Arguments of the preset.
        latency_seconds: Float, how long each endpoint is timed.
        **options: Of training.
    """
    start = time.monotonic()
    config = preset_config(get_preset(_PRESET), overrides, **options)
    with claimed_new(out, "quickstart", overwrite) as folder:
        import_tensorflow()
        from tfgen.training.trainer import train_run

        run = train_run(config, folder, log=click.echo, verbose=2)
    path = run.path
    _draw(run)
    click.echo("\nHow good it is on images that it has not seen:")
    evaluation = run.evaluate(progress=track)
    evaluation.write(path / "metrics.json")
    print_evaluation(evaluation)
    evaluation.write_report(path / "report.html")
    click.echo("\nExporting, and running each file in a fresh process without tfgen:")
    with exporting() as progress:
        entry = run.export(
            path / "export",
            quantizations=("float32", "dynamic_int8"),
            latency_seconds=latency_seconds,
            progress=progress,
        )
    print_export(entry)
    seconds = time.monotonic() - start
    click.echo(f"\nDone in {seconds:.0f} s. Look at {path / 'report.html'}")


def _draw(run: Any) -> None:
    from tfgen.figures import gallery, pictures

    for name, draw in (
        ("samples.png", gallery.samples),
        ("reconstructions.png", gallery.reconstructions),
        ("traversal.png", gallery.traversal),
        ("interpolation.png", gallery.interpolation),
    ):
        click.echo(pictures.save_picture(draw(run), run.path / name))
