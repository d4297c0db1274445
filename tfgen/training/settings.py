"""The configuration of a training, checked before anything runs."""

import os
from collections.abc import Mapping
from typing import Any

from tfgen.degradations import read_steps
from tfgen.errors import UserError
from tfgen.sizes import RESIZES, read_size, scale_size
from tfgen.training.config import AUTO, Config, kind_of
from tfgen.training.data_record import record_data, resolve_data
from tfgen.training.initial_weights import resolve_source
from tfgen.training.strategy import STRATEGIES

_LARGEST_SEED = 2**31 - 1
_COUNTS = ("epochs", "batch_size", "accumulate")
_COUNTS += ("checkpoint_every", "keep_checkpoints")
_COUNTS += ("distance_every",)


def preset_config(preset: Any, overrides: Mapping[str, Any], **options: Any) -> Config:
    """Returns the configuration of a run of a preset.

    Args:
        preset: A `tfgen.presets.Preset`.
        overrides: Arguments of the preset that differ from its own.
        options: Fields of `Config`; None stands for the preset's value or the default.

    Raises:
        UserError: An argument is unknown, or a value is out of range.
    """
    values = preset.resolve(overrides)
    load_size = scale_size(values["image_size"], preset.load_scale)
    defaults = {
        "data": preset.data,
        "epochs": preset.epochs,
        "batch_size": preset.batch_size,
        "load_size": load_size if preset.load_scale != 1.0 else None,
        "mirror": preset.mirror,
        "degrade": preset.degrade,
    }
    config = Config(
        preset=preset.name,
        overrides=dict(overrides),
        image_size=values["image_size"],
        channels=values["channels"],
        kind=preset.kind,
        **{**_DEFAULTS, **defaults, **_given(options)},
    )
    if config.data is None:
        raise UserError(
            f"{preset.name} has no data of its own: pass --data, a TFDS name or a "
            f"folder of {preset.takes}"
        )
    if config.init_from is not None:
        config.init_from = resolve_source(config.init_from)
    config.freeze = list(config.freeze)
    return check_config(config)


def model_config(model: Any, **options: Any) -> Config:
    """Returns the configuration of a run of a model of one's own.

    Args:
        model: A compiled model of tfgen's classes.
        options: As in `preset_config`; `data` is needed.

    Raises:
        UserError: As in `preset_config`, or the model is not compiled.
    """
    if getattr(model, "optimizer", None) is None:
        raise UserError("the model is not compiled: call `model.compile(...)` first")
    names = set(getattr(model, "signatures", dict)())
    if not names:
        raise UserError(
            f"`train` takes a preset's name or a model of tfgen. Received: {model!r}"
        )
    if not options.get("data"):
        raise UserError("a model of one's own has no data: pass data=...")
    if options.get("init_from") or options.get("freeze"):
        raise UserError(
            "`init_from` and `freeze` are for presets: give a model of your own its "
            "weights, and set layers' `trainable`, before it is compiled"
        )
    if options.get("accumulate", 1) != 1:
        raise UserError(
            "`accumulate` is for presets: give the optimizers of a model of your own "
            "gradient_accumulation_steps"
        )
    height, width, channels = _image_shape(model)
    return check_config(
        Config(
            preset=None,
            overrides={},
            image_size=height if height == width else (height, width),
            channels=channels,
            kind=kind_of(model),
            **{**_DEFAULTS, "epochs": 10, "batch_size": 128, **_given(options)},
        )
    )


def check_config(config: Config) -> Config:
    """Returns a configuration whose numbers are in range.

    Raises:
        UserError: One is not; it names the flag.
    """
    if config.degrade is not None:
        read_steps(config.degrade)
        if config.kind != "pairs" or config.direction != "ab":
            raise UserError(
                "--degrade makes the inputs of pairs from images: it goes with presets "
                "of pairs, and without --direction"
            )
    if config.distill_from is not None:
        if config.kind == "images":
            raise UserError("--distill-from goes with models that translate images")
        config.distill_from = resolve_source(config.distill_from, "--distill-from")
    if not config.distill_weight >= 0:
        raise UserError(
            f"--distill-weight must be a number from 0. Got: {config.distill_weight!r}"
        )
    if config.load_size is not None:
        config.load_size = read_size("--load-size", config.load_size)
    for name in _COUNTS:
        value = getattr(config, name)
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if value is not None and not is_count:
            raise UserError(f"{_flag(name)} must be an integer from 1. Got: {value!r}")
    if not isinstance(config.seed, int) or not 0 <= config.seed <= _LARGEST_SEED:
        raise UserError(
            f"--seed must be an integer from 0 to {_LARGEST_SEED}. Got: {config.seed!r}"
        )
    steps = config.steps_per_execution
    if steps != AUTO and not (isinstance(steps, int) and steps >= 1):
        raise UserError(
            f"--steps-per-execution must be an integer from 1, or {AUTO}. "
            f"Got: {steps!r}"
        )
    policies = (AUTO, "float32", "mixed_bfloat16", "mixed_float16")
    choices_of = {"strategy": STRATEGIES, "precision": policies, "resize": RESIZES}
    choices_of["depth"] = (8, 16)
    for name, choices in choices_of.items():
        if getattr(config, name) not in choices:
            raise UserError(
                f"{_flag(name)} must be one of {', '.join(map(str, choices))}. "
                f"Got: {getattr(config, name)!r}"
            )
    return config


def check_monitor(config: Config, model: Any) -> None:
    """Raises a UserError unless the epochs can have the figures that are asked for."""
    makes_images = {"sample", "translate", "translate_ab"} & set(model.signatures())
    if config.distance_every and not makes_images:
        raise UserError("--distance-every: this model neither samples nor translates")
    names = [metric.name for metric in model.metrics]
    names += [f"val_{name}" for name in names]
    if hasattr(model, "kl_per_dim"):
        names.append("active_units")
    if makes_images:
        names.append("val_kernel_distance")
    if config.keep_best is not None and config.keep_best not in names:
        raise UserError(
            f"--keep-best {config.keep_best}: the epochs have no such figure, but "
            f"{', '.join(names)}"
        )


def fit_classes(config: Config, preset: Any, log: Any) -> bool:
    """Returns whether the model is conditional; takes the data's number of classes.

    Raises:
        UserError: The number was given and is less than the data has: one-hot codes of
            labels out of range would be zeros.
    """
    from tfgen import data

    num_classes = preset.resolve(config.overrides).get("num_classes")
    if not num_classes:
        return False
    in_data = data.describe(config.data, config.data_dir).num_classes or 0
    is_given = "num_classes" in config.overrides
    if in_data > num_classes:
        raise UserError(
            f"the data has {in_data} classes, the model {num_classes}: pass "
            f"--num-classes {in_data}"
        )
    if 0 < in_data < num_classes:
        if is_given:
            log(f"the model has {num_classes} classes, the data {in_data} of them")
        else:
            log(f"the data has {in_data} classes, and so has the model")
            config.overrides = {**config.overrides, "num_classes": in_data}
    return True


def settle_data(config: Config) -> str:
    """Makes the name of a folder of data absolute, and keeps what it holds.

    Returns:
        What there is, in one line.
    """
    from tfgen import data

    config.data = resolve_data(config.data)
    config.data_record = record_data(config)
    description = data.describe(config.data, config.data_dir, config.reads_pairs)
    config.attribution = description.attribution
    return description.summary


_DEFAULTS = {
    "data_dir": None,
    "seed": 0,
    "precision": "float32",
    "steps_per_execution": AUTO,
}


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that were given; `~` stands for the home folder."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in {"data", "data_dir"} & set(given):
        given[name] = os.path.expanduser(given[name])
    return given


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _image_shape(model: Any) -> tuple[int, int, int]:
    for function in model.signatures().values():
        for spec in function.input_signature:
            if spec.shape.rank == 4:
                return tuple(spec.shape[1:])
    raise UserError("the model has no endpoint that takes images")
