"""Training a preset into a run directory: what `train` and `quickstart` share."""

import pathlib
import shutil
import sys
from typing import Any

import click

from tfgen import pictures
from tfgen.cli.panels import Translator, make_panels, make_translation_panels
from tfgen.cli.run import Config, load_batches
from tfgen.errors import UserError
from tfgen.presets import Preset, create_model, get_preset

_NUM_PICTURED = 10


def make_config(preset: Preset, overrides: dict[str, Any], **options: Any) -> Config:
    """Returns the run's configuration: the preset's values where nothing was said."""
    values = preset.resolve(overrides)
    given = {name: value for name, value in options.items() if value is not None}
    load_size = round(preset.load_scale * values["image_size"])
    config = Config(
        preset=preset.name,
        overrides=overrides,
        image_size=values["image_size"],
        channels=values["channels"],
        kind=preset.kind,
        **{
            "data": preset.data,
            "data_dir": None,
            "epochs": preset.epochs,
            "batch_size": preset.batch_size,
            "seed": 0,
            "precision": "float32",
            "load_size": load_size if preset.load_scale != 1.0 else None,
            "mirror": preset.mirror,
            **given,
        },
    )
    if config.data is None:
        raise UserError(
            f"{preset.name} has no data of its own: pass --data, a TFDS name or a "
            f"folder of {preset.kind}"
        )
    return config


def train(config: Config, out: pathlib.Path) -> Any:
    """Trains into `out`; returns the model."""
    import keras

    from tfgen import data

    keras.config.set_dtype_policy(config.precision)
    preset = get_preset(config.preset)
    labels = bool(preset.resolve(config.overrides).get("num_classes"))
    _check_labels(preset, config)
    train_set, test_set = (load_batches(config, s, labels) for s in ("train", "test"))
    num_steps = int(train_set.cardinality())
    model = _create_model(preset, config, num_steps)
    config.attribution = data.describe(
        config.data, config.data_dir, translation=config.kind != "images"
    ).attribution
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    config.write(out)
    click.echo(
        f"{config.preset}: {model.count_params():,} weights, {config.data} at "
        f"{config.image_size}x{config.image_size}x{config.channels}, {config.epochs} "
        f"epochs of {num_steps} steps of {config.batch_size}; writing {out}"
    )
    history = _fit(model, train_set, test_set, config, out)
    curves = pictures.plot_curves(history)
    pictures.save_picture(curves, out / "curves.png")
    return model


def _create_model(preset: Preset, config: Config, num_steps: int) -> Any:
    overrides = {**config.overrides, "seed": config.seed}
    if "num_steps" in preset.arguments:  # the learning rate ends with training
        overrides["num_steps"] = config.epochs * num_steps
    return create_model(preset.name, **overrides)


def _fit(
    model: Any, train_set: Any, test_set: Any, config: Config, out: pathlib.Path
) -> dict[str, list[float]]:
    """Returns the history."""
    import tensorflow as tf

    from tfgen.models.translation import SINGLE_IMAGE

    try:
        return model.fit(
            train_set,
            validation_data=test_set,
            epochs=config.epochs,
            shuffle=False,  # the data set shuffles itself
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=_callbacks(model, config, out, test_set),
        ).history
    except tf.errors.InvalidArgumentError as error:
        if SINGLE_IMAGE in str(error):  # met in the graph, which can't raise ours
            raise UserError(SINGLE_IMAGE) from error
        raise


def _check_labels(preset: Preset, config: Config) -> None:
    """One-hot codes of labels that are out of range would be zeros, silently."""
    from tfgen import data

    num_classes = preset.resolve(config.overrides).get("num_classes")
    if not num_classes:
        return
    found = data.describe(config.data, config.data_dir).num_classes or 0
    if found > num_classes:
        raise UserError(
            f"the data has {found} classes, the model {num_classes}: pass "
            f"--num-classes {found}"
        )


def _clear(out: pathlib.Path) -> None:
    """Removes what an earlier run left, so that two runs are never mixed."""
    for name in (
        "config.json",
        "history.csv",
        "curves.png",
        "model.keras",
        "metrics.json",
    ):
        (out / name).unlink(missing_ok=True)
    for name in ("samples", "logs"):
        shutil.rmtree(out / name, ignore_errors=True)


def _callbacks(model: Any, config: Config, out: pathlib.Path, test_set: Any) -> list:
    import keras

    from tfgen import callbacks, data

    test = next(test_set.unbatch().batch(256).as_numpy_iterator())
    images, others = test if isinstance(test, tuple) else (test, None)
    few = slice(None, _NUM_PICTURED)
    if config.kind == "images":
        labels = None if others is None else others[few]
        panels = make_panels(model, images[few], labels)
    else:
        aligned = config.kind == "pairs" or data.is_paired(config.data, config.data_dir)
        translator = Translator(model, config.direction, config.seed)
        panels = make_translation_panels(translator, images[few], others[few], aligned)
    found = [
        callbacks.SampleGrid(out / "samples", panels, config.attribution),
        callbacks.SaveModel(out / "model.keras"),
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs", write_graph=False),
    ]
    if hasattr(model, "kl_per_dim"):
        found.insert(0, callbacks.LatentDiagnostics(images, others))
    return found
