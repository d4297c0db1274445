"""Training a preset into a run directory: what `train` and `quickstart` share."""

import pathlib
import shutil
import sys
from typing import Any

import click

from tfgen import pictures
from tfgen.cli.panels import make_panels
from tfgen.cli.run import Config
from tfgen.errors import UserError
from tfgen.presets import Preset, create_model

_NUM_PICTURED = 10


def make_config(preset: Preset, overrides: dict[str, Any], **options: Any) -> Config:
    """Returns the run's configuration: the preset's values where nothing was said."""
    values = preset.resolve(overrides)
    given = {name: value for name, value in options.items() if value is not None}
    return Config(
        preset=preset.name,
        overrides=overrides,
        image_size=values["image_size"],
        channels=values["channels"],
        **{
            "data": preset.data,
            "data_dir": None,
            "epochs": preset.epochs,
            "batch_size": preset.batch_size,
            "seed": 0,
            "precision": "float32",
            **given,
        },
    )


def train(config: Config, out: pathlib.Path) -> Any:
    """Trains into `out`; returns the model."""
    import keras

    from tfgen import data

    keras.config.set_dtype_policy(config.precision)
    model = create_model(config.preset, **{**config.overrides, "seed": config.seed})
    labels = getattr(model, "num_classes", None) is not None
    _check_labels(model, config)
    train_set, test_set = _load(config, "train", labels), _load(config, "test", labels)
    config.attribution = data.describe(config.data, config.data_dir).attribution
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    config.write(out)
    click.echo(
        f"{config.preset}: {model.count_params():,} weights, {config.data} at "
        f"{config.image_size}x{config.image_size}x{config.channels}, {config.epochs} "
        f"epochs of {int(train_set.cardinality())} steps of {config.batch_size}; "
        f"writing {out}"
    )
    history = model.fit(
        train_set,
        validation_data=test_set,
        epochs=config.epochs,
        shuffle=False,  # the data set shuffles itself
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=_callbacks(model, config, out, test_set),
    )
    curves = pictures.plot_curves(history.history)
    pictures.save_png(curves, out / "curves.png")
    return model


def _load(config: Config, split: str, labels: bool) -> Any:
    from tfgen import data

    return data.load_images(
        config.data,
        split=split,
        image_size=config.image_size,
        channels=config.channels,
        batch_size=config.batch_size,
        shuffle=split == "train",
        seed=config.seed,
        data_dir=config.data_dir,
        labels=labels,
        skip_bad_images=config.skip_bad_images,
    )


def _check_labels(model: Any, config: Config) -> None:
    """One-hot codes of labels that are out of range would be zeros, silently."""
    from tfgen import data

    num_classes = getattr(model, "num_classes", None)
    if num_classes is None:
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

    from tfgen import callbacks

    test = next(test_set.unbatch().batch(256).as_numpy_iterator())
    images, classes = test if isinstance(test, tuple) else (test, None)
    few = None if classes is None else classes[:_NUM_PICTURED]
    panels = make_panels(model, images[:_NUM_PICTURED], few)
    found = [
        callbacks.SampleGrid(out / "samples", panels, config.attribution),
        callbacks.SaveModel(out / "model.keras"),
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs", write_graph=False),
    ]
    if hasattr(model, "kl_per_dim"):
        found.insert(0, callbacks.LatentDiagnostics(images, classes))
    return found
