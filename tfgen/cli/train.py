"""`tfgen train PRESET`: a subcommand a preset, whose flags are its arguments."""

from typing import Any

import click

from tfgen.cli import training
from tfgen.cli.quiet import import_tensorflow
from tfgen.cli.run import new_directory
from tfgen.presets.registry import Preset, get_preset, presets

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
        type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
        default="float32",
        show_default=True,
    ),
    click.Option(["--skip-bad-images"], is_flag=True, help="Go on without them."),
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
)
def command() -> None:
    """Train a preset; `tfgen train PRESET --help` shows its flags."""


def _preset_command(preset: Preset) -> click.Command:
    options = [*_COMMON]
    if preset.kind != "images":
        options += _TRANSLATION
    if preset.kind == "pairs":
        options.append(_DIRECTION)
    for argument in preset.arguments.values():
        if argument.name not in _SAID_ELSEWHERE:
            flag = f"--{argument.name.replace('_', '-')}"
            text = f"{argument.help}  [default: {argument.default}]"
            options.append(click.Option([flag], type=argument.type, help=text))

    def callback(out: str | None, overwrite: bool, **values: Any) -> None:
        arguments = set(preset.arguments) - set(_SAID_ELSEWHERE)
        overrides = {n: v for n, v in values.items() if n in arguments}
        overrides = {n: v for n, v in overrides.items() if v is not None}
        options = {n: v for n, v in values.items() if n not in arguments}
        config = training.make_config(preset, overrides, **options)
        path = new_directory(out, f"runs/{preset.name}", overwrite)
        import_tensorflow()
        try:
            training.train(config, path)
        except KeyboardInterrupt:
            saved = path / "model.keras"
            state = f"the last finished epoch is in {saved}"
            click.echo(f"\n{state if saved.exists() else 'no epoch was finished'}")
            raise
        click.echo(f"done: {path}")

    summary = f"{preset.summary} ({preset.paper})."
    return click.Command(preset.name, params=options, callback=callback, help=summary)
