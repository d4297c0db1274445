"""Training a preset into a run directory: what `train` and `quickstart` share."""

import contextlib
import functools
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import click

from tfgen._compat import optional_imports_hidden
from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.figures.panels import make_panels, make_translation_panels
from tfgen.inference import Translator
from tfgen.presets import Preset, create_model, get_preset
from tfgen.training import speed
from tfgen.training.run import Config, is_aligned, load_batches
from tfgen.training.strategy import check_same, is_chief, make_strategy

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
            "steps_per_execution": speed.AUTO,
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


def train(
    config: Config,
    out: pathlib.Path,
    *,
    resume: bool = False,
    detect_anomaly: bool = False,
) -> Any:
    """Trains into `out`, anew or from the newest checkpoint; returns the model."""
    _keep_order_of_sums(config)
    strategy = make_strategy(config.strategy)  # before any operation runs
    preset = get_preset(config.preset)
    labels = _takes_labels(preset, config)
    backup = _find_backup(config, out) if resume else None
    epoch = backup.initial_epoch if resume else 0
    train_set = load_batches(config, "train", labels, initial_epoch=epoch)
    test_set = load_batches(config, "test", labels)
    num_steps = int(train_set.cardinality())
    _check_workers(strategy, config, num_steps, backup)
    make_model = functools.partial(_create_model, preset, config, num_steps)
    model, chosen = speed.choose(
        config, strategy, make_model, train_set, detect_anomaly
    )
    if not resume:
        _start_anew(config, out)
        backup = _make_backup(config, out)
    if is_chief(config.strategy):
        _announce(model, config, num_steps, backup, out)
        click.echo(chosen)
    callbacks = [*_callbacks(model, config, out, test_set), backup]
    backup.callbacks = callbacks
    with _explained(backup), _numerics_checked(detect_anomaly):
        history = _fit(model, train_set, test_set, config, callbacks)
    vars(model).pop("train_step", None)  # the traced one, of `speed.choose`
    pictures.save_picture(pictures.plot_curves(history), out / "curves.png")
    return model


def _keep_order_of_sums(config: Config) -> None:
    import tensorflow as tf

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def _announce(
    model: Any, config: Config, num_steps: int, backup: Any, out: pathlib.Path
) -> None:
    click.echo(
        f"{config.preset}: {model.count_params():,} weights, {config.data} at "
        f"{config.image_size}x{config.image_size}x{config.channels}, {config.epochs} "
        f"epochs of {num_steps} steps of {config.batch_size}; writing {out}"
    )
    if backup.newest:
        step = f", step {backup.initial_step + 1}" if backup.initial_step else ""
        place = f"epoch {backup.initial_epoch + 1}{step}"
        click.echo(f"resuming at {place} from {backup.newest}")


def show_estimate(config: Config) -> None:
    """Prints what training will take, of which a few steps are taken on a copy."""
    from rich.console import Console
    from rich.table import Table

    from tfgen.training.estimate import describe, estimate

    _keep_order_of_sums(config)
    preset = get_preset(config.preset)
    train_set = load_batches(config, "train", _takes_labels(preset, config))
    num_steps = int(train_set.cardinality())
    make_model = functools.partial(_create_model, preset, config, num_steps)
    _, chosen = speed.choose(config, make_strategy("none"), make_model, train_set)
    found = estimate(make_model, train_set)
    table = Table(title=config.preset, show_header=False)
    for row in describe(found):
        table.add_row(*row)
    seconds = config.epochs * found.seconds_per_epoch
    table.add_row(f"time of {config.epochs:,} epochs", f"{seconds / 60:,.1f} min")
    click.echo(chosen)
    Console().print(table)


def _find_backup(config: Config, out: pathlib.Path) -> Any:
    """Returns the callback that goes on with a run.

    Raises:
        UserError: There is nothing to go on from, or nothing left to do.
    """
    backup = _make_backup(config, out)
    if backup.newest is None:
        raise UserError(
            f"{out} has no checkpoint that is whole: train anew with --overwrite"
        )
    if backup.initial_epoch >= config.epochs:
        raise UserError(f"{out} is finished: all {config.epochs} epochs are trained")
    return backup


def _make_backup(config: Config, out: pathlib.Path) -> Any:
    """Returns the callback that writes a run's checkpoints and resumes from them."""
    from tfgen import callbacks

    best = config.keep_best
    return callbacks.ExactBackup(
        out / "checkpoints",
        every=config.checkpoint_every,
        keep=config.keep_checkpoints,
        monitor=best,
        mode="min" if best is None or best.endswith("loss") else "max",
    )


def _check_workers(strategy: Any, config: Config, num_steps: int, backup: Any) -> None:
    """Raises unless all workers do the same; each may have the data elsewhere."""
    elsewhere = ("data", "data_dir", "versions")
    flags = {k: v for k, v in vars(config).items() if k not in elsewhere}
    newest = backup and backup.newest.name
    check_same(strategy, flags=flags, steps=num_steps, checkpoint=newest)


def _create_model(preset: Preset, config: Config, num_steps: int) -> Any:
    overrides = {**config.overrides, "seed": config.seed}
    if "num_steps" in preset.arguments:  # the learning rate ends with training
        overrides["num_steps"] = config.epochs * num_steps
    with optional_imports_hidden():  # of Keras 2, which TensorFlow Probability imports
        model = create_model(preset.name, **overrides)
    if config.steps_per_execution != speed.AUTO:
        model.steps_per_execution = config.steps_per_execution
    return model


def _fit(
    model: Any, train_set: Any, test_set: Any, config: Config, callbacks: list
) -> dict[str, list[float]]:
    """Returns the history."""
    return model.fit(
        train_set,
        validation_data=test_set,
        epochs=config.epochs,
        shuffle=False,  # the data set shuffles itself
        verbose=(1 if sys.stdout.isatty() else 2) if is_chief(config.strategy) else 0,
        callbacks=callbacks,
    ).history


@contextlib.contextmanager
def _explained(backup: Any) -> Iterator[None]:
    """Makes one line of what training may raise."""
    import tensorflow as tf

    from tfgen.callbacks import NotFiniteError
    from tfgen.models.translation import SINGLE_IMAGE

    try:
        yield
    except (NotFiniteError, OSError) as error:  # a full disk, for one
        last = backup.newest or "none was written yet"
        raise UserError(f"{error}. The last good checkpoint: {last}") from error
    except tf.errors.InvalidArgumentError as error:
        if SINGLE_IMAGE in str(error):  # met in the graph, which can't raise ours
            raise UserError(SINGLE_IMAGE) from error
        raise


@contextlib.contextmanager
def _numerics_checked(detect_anomaly: bool) -> Iterator[None]:
    """Checks every operation, if asked to, and names the first that isn't finite."""
    import tensorflow as tf

    if not detect_anomaly:
        yield
        return
    tf.debugging.enable_check_numerics()
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise UserError(_name_operation(error.message)) from error
    finally:
        tf.debugging.disable_check_numerics()


def _name_operation(message: str) -> str:
    """Returns one line of what TensorFlow's check says over many."""
    node = re.search(r"at node (\S+?)(/CheckNumericsV2\S*)? ", message)
    places = re.findall(r'File "[^"]*?(tfgen/[^"]+)", line (\d+), in (\w+)', message)
    where = "{}, line {}, in {}".format(*places[-1]) if places else "the model's step"
    operation = node[1] if node else "an operation"
    return f"training diverged: {operation} made the first NaN or infinity ({where})"


def _takes_labels(preset: Preset, config: Config) -> bool:
    """Returns whether the model is conditional.

    Raises:
        UserError: The data has labels out of its range, whose one-hot codes would be
            zeros, silently.
    """
    from tfgen import data

    num_classes = preset.resolve(config.overrides).get("num_classes")
    if not num_classes:
        return False
    found = data.describe(config.data, config.data_dir).num_classes or 0
    if found > num_classes:
        raise UserError(
            f"the data has {found} classes, the model {num_classes}: pass "
            f"--num-classes {found}"
        )
    return True


def _start_anew(config: Config, out: pathlib.Path) -> None:
    """Makes the directory of a new run; what an earlier run left there is removed."""
    from tfgen import data

    config.attribution = data.describe(
        config.data, config.data_dir, translation=config.kind != "images"
    ).attribution
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    config.write(out)


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
    for name in ("samples", "logs", "checkpoints"):
        shutil.rmtree(out / name, ignore_errors=True)


def _callbacks(model: Any, config: Config, out: pathlib.Path, test_set: Any) -> list:
    import keras

    from tfgen import callbacks
    from tfgen.data.loading import take

    test = next(take(test_set, 256, 256).as_numpy_iterator())
    images, others = test if isinstance(test, tuple) else (test, None)
    few = slice(None, _NUM_PICTURED)
    if config.kind == "images":
        labels = None if others is None else others[few]
        panels = make_panels(model, images[few], labels)
    else:
        aligned = is_aligned(config)
        translator = Translator(model, config.direction, config.seed)
        panels = make_translation_panels(translator, images[few], others[few], aligned)
    found = [
        callbacks.FiniteGuard(),
        callbacks.SampleGrid(out / "samples", panels, config.attribution),
        callbacks.SaveModel(out / "model.keras"),
        callbacks.HistoryFile(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs", write_graph=False),
    ]
    if hasattr(model, "kl_per_dim"):
        found.insert(1, callbacks.LatentDiagnostics(images, others))
    return found
