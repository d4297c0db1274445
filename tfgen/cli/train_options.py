"""The flags of `tfgen train`: those that all presets have, and those of some."""

from typing import Any

import click

from tfgen.cli.options import SIZE
from tfgen.degradations import EXAMPLE
from tfgen.presets import Argument, Preset
from tfgen.presets.preset import NONE
from tfgen.sizes import RESIZES
from tfgen.training.config import AUTO
from tfgen.training.strategy import STRATEGIES


class _StepsType(click.IntRange):
    """A number of steps, or "auto"."""

    def __init__(self) -> None:
        super().__init__(1)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if value == AUTO else super().convert(value, param, ctx)


class _RangeType(click.ParamType):
    """Two numbers, the lower first, as "LOW,HIGH"."""

    name = "range"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, list):
            return value
        try:
            low, high = map(float, value.split(","))
        except ValueError:
            low = high = 0.0
        if not low < high:
            self.fail(f"{value!r} is not two numbers, the lower first, such as 0,4095")
        return [low, high]


class _ArgumentType(click.ParamType):
    """What an argument of a preset takes; the word "none" is `None`."""

    def __init__(self, argument: Argument) -> None:
        self.argument = argument
        self.name = getattr(argument.type, "__name__", "size")

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return self.argument.parse(value) if isinstance(value, str) else value


DATA = click.Option(["--data"], help="Name of a TFDS data set, or a folder of images.")
DATA_DIR = click.Option(["--data-dir"], help="Where TFDS keeps its data.")
EPOCHS = click.Option(["--epochs"], type=click.IntRange(1))
DETECT_ANOMALY = click.Option(
    ["--detect-anomaly"],
    is_flag=True,
    help="Name the operation that makes the first NaN or infinity (slow).",
)

FILM = click.Option(
    ["--film"],
    metavar="FILE",
    help="Also film the fixed samples over epochs: a .gif, .webp or .mp4 file.",
)

_COMMON = (
    DATA,
    DATA_DIR,
    EPOCHS,
    click.Option(["--batch-size"], type=click.IntRange(1)),
    click.Option(
        ["--accumulate"],
        type=click.IntRange(1),
        default=1,
        show_default=True,
        metavar="BATCHES",
        help="Gradients of so many are one step: a larger batch than memory holds.",
    ),
    click.Option(["--out"], help="Run directory.  [default: runs/PRESET]"),
    click.Option(["--overwrite"], is_flag=True, help="Replace the run in --out."),
    click.Option(
        ["--seed"], type=click.IntRange(0, 2**31 - 1), default=0, show_default=True
    ),
    click.Option(
        ["--precision"],
        type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16", AUTO]),
        default="float32",
        show_default=True,
        help="auto: mixed_bfloat16 where a step is measured to be 1.2 times as fast.",
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
        ["--distance-every"],
        type=click.IntRange(1),
        metavar="EPOCHS",
        help="Measure val_kernel_distance, of what the model makes to test images.",
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
        ["--resize"],
        type=click.Choice(RESIZES),
        default="crop",
        show_default=True,
        help="What becomes of an image of another aspect than --image-size.",
    ),
    click.Option(
        ["--depth"],
        type=click.Choice(["8", "16"]),
        callback=lambda ctx, param, value: int(value),
        default="8",
        show_default=True,
        help="Bits that are kept of images, from files to those of `translate`.",
    ),
    click.Option(
        ["--value-range"],
        type=_RangeType(),
        metavar="LOW,HIGH",
        help="The values in files that are black and white, such as 0,4095 of scans of "
        "12 bits.",
    ),
    click.Option(
        ["--init-from"],
        metavar="PRESET|RUN|FILE",
        help="Start from its weights, where layers fit.",
    ),
    click.Option(
        ["--freeze"],
        multiple=True,
        metavar="PATTERN",
        help="Layers that stay as they are, such as 'discriminator/conv2d*'.",
    ),
    click.Option(
        ["--callback", "callbacks"],
        multiple=True,
        metavar="MODULE:CLASS",
        help="A Keras callback that is made without arguments.",
    ),
    DETECT_ANOMALY,
    FILM,
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
    click.Option(["--load-size"], type=SIZE, help="Before a random crop."),
    click.Option(["--mirror/--no-mirror"], default=None, help="At random."),
    click.Option(
        ["--distill-from"],
        metavar="PRESET|RUN|FILE",
        help="A larger model whose translations are learnt from too.",
    ),
    click.Option(
        ["--distill-weight"],
        type=click.FloatRange(0),
        default=10.0,
        show_default=True,
        help="Of the distance to these.",
    ),
)
_DIRECTION = click.Option(
    ["--direction"],
    type=click.Choice(["ab", "ba"]),
    default="ab",
    show_default=True,
    help="Which image of a pair is made of the other.",
)
_DEGRADE = click.Option(
    ["--degrade"],
    metavar=EXAMPLE,
    help="Make inputs from images by these, joined by commas: no pairs are needed.",
)
_COMMON_ARGUMENTS = ("seed", "num_steps")  # of presets, said by the common options


def preset_options(preset: Preset) -> list[click.Option]:
    """Returns the flags of a preset."""
    options = [*_COMMON]
    if preset.kind == "images":
        options.append(_CLASSES)
    else:
        options += _TRANSLATION
    if preset.kind == "pairs":
        options += [_DIRECTION, _DEGRADE]
    for name in preset_arguments(preset):
        argument = preset.arguments[name]
        flag = f"--{name.replace('_', '-')}"
        default = NONE if argument.default is None else argument.default
        text = f"{argument.help}: {argument.expected}  [default: {default}]"
        # `--recompute` alone is `--recompute true`.
        word = {"is_flag": False, "flag_value": "true"} if argument.type is bool else {}
        kind = _ArgumentType(argument)
        options.append(click.Option([flag], type=kind, help=text, **word))
    return options


def preset_arguments(preset: Preset) -> list[str]:
    """Returns the names of the arguments that are a preset's own flags."""
    return [name for name in preset.arguments if name not in _COMMON_ARGUMENTS]
