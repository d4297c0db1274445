"""`tfgen train PRESET`: a subcommand a preset, whose flags are its arguments."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from tfgen.cli.quiet import import_tensorflow
from tfgen.cli.train_options import (
    DATA,
    DETECT_ANOMALY,
    EPOCHS,
    FILM,
    preset_arguments,
    preset_options,
)
from tfgen.errors import UserError
from tfgen.presets import Preset, get_preset, presets
from tfgen.training.config import Config
from tfgen.training.run import Run
from tfgen.training.run_folder import RunFolder, claimed_new, claimed_run
from tfgen.training.settings import preset_config
from tfgen.training.stop_signals import TrainingStopped
from tfgen.training.strategy import WORKER_LOST_CODE, WorkerLostError, is_chief


class _TrainGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(presets())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        preset = get_preset(cmd_name)
        return click.Command(
            preset.name,
            params=preset_options(preset),
            callback=lambda **values: _train(preset, **values),
            help=f"{preset.summary} ({preset.paper}).",
        )


@click.pass_context
def _resume(
    ctx: click.Context,
    resume: str | None,
    detect_anomaly: bool,
    film: str | None,
    **options: Any,
) -> None:
    """Train a preset; `tfgen train PRESET --help` shows its flags.

    Ctrl-C, SIGTERM and SIGHUP save and stop; `tfgen train --resume RUN` goes on, to the
    bit as if nothing had happened. `--resume RUN --epochs N` goes on with a run that is
    finished; `--resume RUN --film FILE` films one.
    """
    if resume is None:
        if ctx.invoked_subcommand is None:
            raise click.exceptions.NoArgsIsHelpError(ctx)
        if any(options.values()) or film:
            raise UserError("flags of training come after the preset's name")
        return
    if ctx.invoked_subcommand is not None:
        raise UserError("--resume goes on with a run: it takes no preset")
    _check_film(film)
    if film and options["epochs"] is None and Run(resume).is_finished:
        import_tensorflow()
        _film(Run(resume), film)
        return
    with claimed_run(resume) as folder, _stops_explained(resume, folder):
        import_tensorflow()
        from tfgen.training.trainer import resume_run

        options |= {**_output(), "detect_anomaly": detect_anomaly}
        _film(resume_run(folder, **options), film)
    click.echo(f"done: {folder.path}")


command = _TrainGroup(
    "train",
    callback=_resume,
    subcommand_metavar="PRESET [OPTIONS]",
    short_help="Train a preset.",
    help=_resume.__doc__,
    invoke_without_command=True,
    params=[
        click.Option(["--resume"], metavar="RUN", help="Go on with a run."),
        DATA,
        EPOCHS,
        click.Option(
            ["--other-data"],
            is_flag=True,
            help="With --resume: go on though the data have changed.",
        ),
        DETECT_ANOMALY,
        FILM,
    ],
)


def _train(
    preset: Preset,
    out: str | None,
    overwrite: bool,
    detect_anomaly: bool,
    film: str | None,
    estimate: bool,
    callbacks: tuple[str, ...],
    **values: Any,
) -> None:
    _check_film(film)
    source = click.get_current_context().get_parameter_source
    arguments = {name: values.pop(name) for name in preset_arguments(preset)}
    overrides = {
        name: value
        for name, value in arguments.items()
        if source(name) is not ParameterSource.DEFAULT
    }
    config = preset_config(preset, overrides, callbacks=[*callbacks], **values)
    if estimate:
        _estimate(config)
        return
    default = f"runs/{preset.name}"
    with (
        claimed_new(out, default, overwrite, config.data, config.strategy) as folder,
        _stops_explained(out or folder.path, folder),
    ):
        import_tensorflow()
        from tfgen.training.trainer import train_run

        options = {**_output(), "detect_anomaly": detect_anomaly}
        _film(train_run(config, folder, **options), film)
    click.echo(f"done: {out or folder.path}")


def _check_film(film: str | None) -> None:
    if film is not None:
        from tfgen.figures import films

        films.check_ending(film)


def _film(run: Any, film: str | None) -> None:
    """Writes the film that was asked for, and says so where it is not of samples."""
    if film is None or not is_chief(run.config.strategy):
        return
    if run.kind == "images" and "sample" not in run.endpoints:
        kind = type(run.model).__name__
        click.echo(f"{kind} draws no samples: the film is of its reconstructions")
    click.echo(run.film(film))


def _estimate(config: Config) -> None:
    import_tensorflow()
    from rich.console import Console
    from rich.table import Table

    from tfgen.training.trainer import estimate_run

    result = estimate_run(config, log=click.echo)
    table = Table(title=config.preset, show_header=False)
    for row in result.rows():
        table.add_row(*row)
    minutes = config.epochs * result.seconds_per_epoch / 60
    table.add_row(f"time of {config.epochs:,} epochs", f"{minutes:,.1f} min")
    Console().print(table)


def _output() -> dict[str, Any]:
    return {"log": click.echo, "verbose": 1 if sys.stdout.isatty() else 2}


@contextlib.contextmanager
def _stops_explained(run: str | os.PathLike, folder: RunFolder) -> Iterator[None]:
    """Says what is saved when training ends before its end."""
    try:
        yield
    except WorkerLostError as error:
        click.echo(f"tfgen: error: {error}", err=True)
        raise click.exceptions.Exit(WORKER_LOST_CODE) from error
    except KeyboardInterrupt as stop:
        from tfgen.training.checkpoints import CheckpointStore

        with contextlib.suppress(OSError):  # the terminal may be gone
            paths = CheckpointStore(folder.path / "checkpoints").paths()
            if paths:
                click.echo(f"\nsaved {paths[0]}")
                click.echo(f"go on with: tfgen train --resume {run}")
            else:
                click.echo("\nstopped before anything was saved")
        if isinstance(stop, TrainingStopped):
            raise click.exceptions.Exit(128 + stop.signal_number) from stop
        raise
