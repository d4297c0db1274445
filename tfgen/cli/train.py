"""`tfgen train PRESET`: a subcommand a preset, whose flags are its arguments."""

import pathlib
from typing import Any

import click
from click.core import ParameterSource

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.presets import Argument, Preset, get_preset, presets
from tfgen.presets.preset import NONE
from tfgen.training import trainer as training
from tfgen.training.run import Config, new_directory
from tfgen.training.speed import AUTO
from tfgen.training.strategy import (
    STRATEGIES,
    WORKER_LOST_CODE,
    WorkerLostError,
    is_chief,
    run_directory,
    workers_watched,
)


class _StepsType(click.IntRange):
    """A number of steps, or "auto"."""

    def __init__(self) -> None:
        super().__init__(1)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if value == AUTO else super().convert(value, param, ctx)


class _ArgumentType(click.ParamType):
    """What an argument of a preset takes; the word "none" is `None`."""

    def __init__(self, argument: Argument) -> None:
        self.argument = argument
        self.name = argument.type.__name__

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return self.argument.parse(value) if isinstance(value, str) else value


_COMMON = (
    click.Option(["--data"], help="Name of a TFDS data set, or a folder of images."),
    click.Option(["--data-dir"], help="Where TFDS keeps its data."),
    click.Option(["--epochs"], type=click.IntRange(1)),
    click.Option(["--batch-size"], type=click.IntRange(1)),
    click.Option(["--out"], help="Run directory.  [default: runs/PRESET]"),
    click.Option(["--overwrite"], is_flag=True, help="Replace the run in --out."),
    click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True),
    click.Option(
        ["--precision"],
        type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16", AUTO]),
        default="float32",
        show_default=True,
        help="auto: mixed_bfloat16 where a probe finds it 1.2 times as fast.",
    ),
    click.Option(
        ["--strategy"],
        type=click.Choice(STRATEGIES),
        default="none",
        show_default=True,
        help="mirrored: all GPUs. multi_worker: all machines in TF_CONFIG.",
    ),
    click.Option(
        ["--checkpoint-every"],
        type=click.IntRange(1),
        metavar="STEPS",
        help="Checkpoints between those at the end of epochs.",
    ),
    click.Option(
        ["--keep-checkpoints"],
        type=click.IntRange(1),
        default=3,
        show_default=True,
        help="How many of the newest.",
    ),
    click.Option(
        ["--keep-best"],
        metavar="FIGURE",
        help="Keep the epoch's checkpoint that is best by it too, such as val_loss.",
    ),
    click.Option(
        ["--steps-per-execution"],
        type=_StepsType(),
        default=AUTO,
        show_default=True,
        metavar="[auto|STEPS]",
        help="In one call: auto times a few, and takes up to 32 that last 0.25 s. The "
        "result is the same.",
    ),
    click.Option(
        ["--deterministic"],
        is_flag=True,
        help="The same to the bit on a GPU too (slower, without XLA); CPUs always are.",
    ),
    click.Option(["--skip-bad-images"], is_flag=True, help="Go on without them."),
    click.Option(
        ["--detect-anomaly"],
        is_flag=True,
        help="Name the operation that makes the first NaN or infinity (slow).",
    ),
    click.Option(
        ["--estimate"],
        is_flag=True,
        help="Only say what parameters, memory and time training will take.",
    ),
)
# Of presets of images, which alone may have classes.
_CLASSES = click.Option(
    ["--held-out-classes"],
    metavar="A,B",
    help="Train without them; `evaluate` takes them for anomalies.",
)
# Of presets that translate images.
_TRANSLATION = (
    click.Option(["--load-size"], type=click.IntRange(1), help="Before a random crop."),
    click.Option(["--mirror/--no-mirror"], default=None, help="At random."),
)
_DIRECTION = click.Option(
    ["--direction"],
    type=click.Choice(["ab", "ba"]),
    default="ab",
    show_default=True,
    help="Which image of a pair is made of the other.",
)
_SAID_ELSEWHERE = ("seed", "num_steps")  # by the common options


class _TrainGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(presets())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return _preset_command(get_preset(cmd_name))


@click.group(
    "train",
    cls=_TrainGroup,
    subcommand_metavar="PRESET [OPTIONS]",
    short_help="Train a preset.",
    invoke_without_command=True,
)
@click.option("--resume", metavar="RUN", help="Go on with a run that was stopped.")
@click.option(
    "--detect-anomaly",
    is_flag=True,
    help="With --resume: as of a preset.",
)
@click.pass_context
def command(ctx: click.Context, resume: str | None, detect_anomaly: bool) -> None:
    """Train a preset; `tfgen train PRESET --help` shows its flags.

    Ctrl-C and SIGTERM save and stop; `tfgen train --resume RUN` goes on, to the bit as
    if nothing had happened.
    """
    if resume is None:
        if ctx.invoked_subcommand is None:
            raise click.exceptions.NoArgsIsHelpError(ctx)
        return
    if ctx.invoked_subcommand is not None:
        raise UserError("--resume goes on with a run: it takes no preset")
    config = Config.read(resume)
    import_tensorflow()
    _train(config, pathlib.Path(resume), resume=True, detect_anomaly=detect_anomaly)


def _train(
    config: Config, run: pathlib.Path, resume: bool = False, **options: Any
) -> None:
    from tfgen.callbacks import TrainingStopped
    from tfgen.training.checkpoints import CheckpointStore

    try:
        with run_directory(run, config.strategy, resume) as out, workers_watched():
            training.train(config, out, resume=resume, **options)
    except WorkerLostError as error:
        click.echo(f"tfgen: error: {error}", err=True)
        raise click.exceptions.Exit(WORKER_LOST_CODE) from error
    except TrainingStopped as stop:
        _say_how_to_go_on(run, stop.checkpoint)
        raise click.exceptions.Exit(128 + stop.signal_number) from stop
    except KeyboardInterrupt:  # the second one, which waits for nothing
        checkpoints = CheckpointStore(run / "checkpoints").paths()
        _say_how_to_go_on(run, next(iter(checkpoints), None))
        raise
    click.echo(f"done: {run}")


def _say_how_to_go_on(run: pathlib.Path, checkpoint: pathlib.Path | None) -> None:
    if checkpoint is None:
        click.echo("\nstopped before anything was saved")
        return
    click.echo(f"\nsaved {checkpoint}")
    click.echo(f"go on with: tfgen train --resume {run}")


def _preset_command(preset: Preset) -> click.Command:
    options = [*_COMMON]
    if preset.kind == "images":
        options.append(_CLASSES)
    else:
        options += _TRANSLATION
    if preset.kind == "pairs":
        options.append(_DIRECTION)
    for argument in preset.arguments.values():
        if argument.name not in _SAID_ELSEWHERE:
            flag = f"--{argument.name.replace('_', '-')}"
            default = NONE if argument.default is None else argument.default
            text = f"{argument.help}: {argument.expected}  [default: {default}]"
            kind = _ArgumentType(argument)
            options.append(click.Option([flag], type=kind, help=text))

    def callback(
        out: str | None,
        overwrite: bool,
        detect_anomaly: bool,
        estimate: bool,
        **values: Any,
    ) -> None:
        arguments = set(preset.arguments) - set(_SAID_ELSEWHERE)
        source = click.get_current_context().get_parameter_source
        given = {n for n in arguments if source(n) is not ParameterSource.DEFAULT}
        overrides = {n: v for n, v in values.items() if n in given}
        options = {n: v for n, v in values.items() if n not in arguments}
        config = training.make_config(preset, overrides, **options)
        if estimate:
            import_tensorflow()
            training.show_estimate(config)
            return
        path = pathlib.Path(out or f"runs/{preset.name}")
        if is_chief(config.strategy):  # it may have written there already
            path = new_directory(out, f"runs/{preset.name}", overwrite)
        import_tensorflow()
        _train(config, path, detect_anomaly=detect_anomaly)

    summary = f"{preset.summary} ({preset.paper})."
    return click.Command(preset.name, params=options, callback=callback, help=summary)
