"""`train`: a preset or a model of one's own, trained into a run directory."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from tfgen._compat import optional_imports_hidden
from tfgen.errors import UserError
from tfgen.training import settings, speed
from tfgen.training.config import AUTO, Config
from tfgen.training.data_record import (
    check_present,
    check_record,
    record_data,
    resolve_data,
)
from tfgen.training.explain import explained, numerics_checked
from tfgen.training.run import Run
from tfgen.training.run_callbacks import import_callbacks, make_callbacks
from tfgen.training.run_folder import RunFolder, claimed_new, claimed_run
from tfgen.training.strategy import (
    check_same,
    is_chief,
    make_strategy,
    workers_watched,
)

Log = Callable[[str], None]


def no_log(line: str) -> None:
    """Does nothing with a line that tells what happens."""


def train(
    preset_or_model: Any = None,
    data: str | os.PathLike | None = None,
    out: str | os.PathLike | None = None,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    precision: str = "float32",
    strategy: str = "none",
    callbacks: Sequence[Any] = (),
    resume: str | os.PathLike | None = None,
    overwrite: bool = False,
    other_data: bool = False,
    detect_anomaly: bool = False,
    verbose: int | str | None = 0,
    log: Log = no_log,
    **overrides: Any,
) -> Run:
    """Trains a preset, or a model of one's own, into a run directory.

    Args:
        preset_or_model: Name of a preset; or a compiled model of tfgen, which is
            trained as it is. None with `resume`.
        data: Name of a TFDS data set, or a folder; None for the preset's own. With
            `resume` where the data are now.
        out: The run directory; None for `runs/PRESET`, or the first free one of
            `runs/PRESET-2`, ...
        epochs: Integer; None for the preset's, or 10 for a model. With `resume` the
            number to go on to, also of a run that is finished.
        batch_size: Integer; None for the preset's, or 128 for a model.
        seed: Integer in `[0, 2**31)`: of initial weights, draws and orders.
        precision: `"float32"`, `"mixed_bfloat16"`, `"mixed_float16"`, or `"auto"`,
            which measures whether bfloat16 pays. A model keeps its own.
        strategy: `"none"`, `"mirrored"` or `"multi_worker"`; see
            `tfgen.training.strategy`.
        callbacks: Keras callbacks that `fit` gets besides the run's own.
        resume: Run directory to go on with, from its newest checkpoint. The result is,
            to the bit, that of a run that nothing interrupted.
        overwrite: Whether a run in `out` may be replaced. It goes when the new run has
            its first checkpoint.
        other_data: Whether to resume though the data have changed.
        detect_anomaly: Whether to check every operation, and name the first that is not
            finite. Slow.
        verbose: As in `fit`.
        log: Called with each line that tells what happens.
        **overrides: Fields of `tfgen.training.Config` such as `checkpoint_every`, and
            arguments of the preset such as `latent_dim`.

    Returns:
        The `Run`.

    Raises:
        UserError: A mistake in an argument or in the data; training diverged; the disk
            is full. In one line.
        TrainingStopped: A signal came, and the state was saved.

    Example:
        >>> run = tfgen.train("vae_mnist_5k", epochs=5, latent_dim=16)
        >>> run.history["val_loss"][-1]
        105.3
    """
    options = {"detect_anomaly": detect_anomaly, "verbose": verbose, "log": log}
    if resume is not None:
        if preset_or_model is not None:
            raise UserError("`resume` goes on with a run: it takes no preset or model")
        with claimed_run(resume) as folder:
            return resume_run(
                folder, data, epochs, other_data, callbacks=callbacks, **options
            )
    given = {"data": data, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    given |= {"precision": precision, "strategy": strategy}
    config, model = _configure(preset_or_model, given, overrides)
    default = f"runs/{config.preset or type(model).__name__.lower()}"
    with claimed_new(out, default, overwrite, config.data, strategy) as folder:
        return train_run(config, folder, model, callbacks=callbacks, **options)


@workers_watched()
def train_run(
    config: Config, folder: RunFolder, model: Any = None, **options: Any
) -> Run:
    """Trains a new run into a folder that is claimed; the rest is as in `train`."""
    _keep_order_of_sums(config)
    strategy = make_strategy(config.strategy)  # before any operation runs
    training = _Training(config, folder, strategy, **options)
    training.log(settings.settle_data(config))
    return training.start(model)


@workers_watched()
def resume_run(
    folder: RunFolder,
    data: str | os.PathLike | None = None,
    epochs: int | None = None,
    other_data: bool = False,
    **options: Any,
) -> Run:
    """Goes on with the run in a folder that is claimed; the rest is as in `train`."""
    config = Config.read(folder.path)
    _keep_order_of_sums(config)
    strategy = make_strategy(config.strategy)
    training = _Training(config, folder, strategy, **options)
    if epochs is not None and epochs != config.epochs:
        _extend(config, epochs)
    training.find_checkpoint()
    check_present(config.data if data is None else resolve_data(data))
    if data is not None:
        config.data = resolve_data(data)
    actual = record_data(config)
    if not other_data:
        check_record(config.data, config.data_record, actual)
    elif actual["digest"] != config.data_record.get("digest"):
        training.backup.begin_epoch_anew()
    config.data_record = actual
    return training.resume()


def estimate_run(config: Config, log: Log = no_log) -> Any:
    """Returns what a run of a preset will take: a `tfgen.training.estimate.Estimate`.

    A few steps are taken; nothing is written.
    """
    from tfgen.training.estimate import estimate

    _keep_order_of_sums(config)
    run = Run.of(pathlib.Path(), config)
    labels = settings.fit_classes(config, run.preset, log)
    train_set = run.batches("train", labels)
    make_model = model_maker(run, int(train_set.cardinality()))
    strategy = make_strategy("none")
    _, chosen = speed.choose(config, strategy, make_model, train_set)
    log(chosen)
    return estimate(make_model, train_set)


class _Training:
    """One call of `fit` on a run.

    Args:
        config: Of the run.
        folder: Claimed for it.
        strategy: A `tf.distribute.Strategy`.
        callbacks: Besides the run's own.
        detect_anomaly: As in `train`.
        verbose: As in `train`.
        log: As in `train`.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        strategy: Any,
        callbacks: Sequence[Any] = (),
        detect_anomaly: bool = False,
        verbose: int | str | None = 0,
        log: Log = no_log,
    ) -> None:
        self.config, self.folder, self.strategy = config, folder, strategy
        self.callbacks = [*callbacks, *import_callbacks(config.callbacks)]
        self.detect_anomaly, self.verbose = detect_anomaly, verbose
        self.log = log if is_chief(config.strategy) else no_log
        self.run = Run.of(folder.path, config)
        self.backup: Any = None

    def start(self, model: Any = None) -> Run:
        """Trains anew; a model of one's own is trained as it is."""
        self._prepare(model)
        self.folder.begin()
        self.config.write(self.folder.path)
        self.backup = self._make_backup()
        return self._fit()

    def resume(self) -> Run:
        """Goes on from the newest checkpoint."""
        self._prepare(self.run.model if self.config.preset is None else None)
        self.config.write(self.folder.path)
        return self._fit()

    def find_checkpoint(self) -> None:
        """Opens the newest checkpoint.

        Raises:
            UserError: There is none, or nothing left to do.
        """
        self.backup, path = self._make_backup(), self.folder.path
        epochs = self.config.epochs
        if self.backup.newest is None:
            raise UserError(
                f"{path} has no checkpoint that is whole: train anew with --overwrite"
            )
        if self.backup.initial_epoch >= epochs:
            raise UserError(
                f"{path} is finished: all {epochs} epochs are trained. To go on, pass "
                f"--epochs with a number above {self.backup.initial_epoch}"
            )

    def _prepare(self, model: Any) -> None:
        """Opens the data, makes the model, and measures what is to be chosen."""
        config, run = self.config, self.run
        epoch = self.backup.initial_epoch if self.backup else 0
        if model is not None:
            labels = bool(getattr(model, "num_classes", None))
        else:
            labels = settings.fit_classes(config, run.preset, self.log)
        self.train_set = run.batches("train", labels, epoch)
        self.test_set = run.batches("test", labels)
        self.num_steps = int(self.train_set.cardinality())
        _check_workers(self.strategy, config, self.num_steps, self.backup)
        make_model = model_maker(run, self.num_steps)
        self.model, self.chosen = speed.choose(
            config,
            self.strategy,
            make_model,
            self.train_set,
            self.detect_anomaly,
            model,
        )
        if not self.callbacks:
            settings.check_monitor(config, self.model)

    def _make_backup(self) -> Any:
        from tfgen.training.exact_backup import ExactBackup

        config = self.config
        best = config.keep_best
        return ExactBackup(
            self.folder.path / "checkpoints",
            every=config.checkpoint_every,
            keep=config.keep_checkpoints,
            monitor=best,
            mode="min" if best is None or best.endswith("loss") else "max",
        )

    def _fit(self) -> Run:
        from tfgen.figures import pictures, plots

        config, out, model = self.config, self.folder.path, self.model
        self._announce()
        with explained(self.backup), numerics_checked(self.detect_anomaly):
            own = make_callbacks(self.run, model, out, self.test_set)
            callbacks = [*own, *self.callbacks, self.backup]
            self.backup.callbacks = callbacks
            history = model.fit(
                self.train_set,
                validation_data=self.test_set,
                epochs=config.epochs,
                shuffle=False,  # the data set shuffles itself
                verbose=self.verbose if is_chief(config.strategy) else 0,
                callbacks=[*callbacks, _settling(self.folder)],
            ).history
        pictures.save_picture(plots.plot_curves(history), out / "curves.png")
        self.run.model = model
        return self.run

    def _announce(self) -> None:
        config, backup = self.config, self.backup
        size = "x".join(map(str, self.run.image_shape))
        self.log(
            f"{config.preset or type(self.model).__name__}: "
            f"{self.model.count_params():,} weights, {config.data} at {size}, "
            f"{config.epochs} epochs of {self.num_steps} steps of {config.batch_size}; "
            f"writing {self.folder.path}"
        )
        if backup.newest:
            step = f", step {backup.initial_step + 1}" if backup.initial_step else ""
            place = f"epoch {backup.initial_epoch + 1}{step}"
            self.log(f"resuming at {place} from {backup.newest}")
        self.log(self.chosen)


def model_maker(run: Run, num_steps: int) -> Callable[[], Any]:
    """Returns a function that makes the model of a run of a preset.

    Args:
        run: The run.
        num_steps: Integer, of an epoch: some learning rates end with training.
    """
    return functools.partial(_create_model, run, num_steps)


def _create_model(run: Run, num_steps: int) -> Any:
    from tfgen.presets import create_model

    config = run.config
    overrides = {**config.overrides, "seed": config.seed}
    if "num_steps" in run.preset.arguments:
        overrides["num_steps"] = config.epochs * num_steps
    with optional_imports_hidden():  # of Keras 2, which TensorFlow Probability imports
        model = create_model(config.preset, **overrides)
    if config.steps_per_execution != AUTO:
        model.steps_per_execution = config.steps_per_execution
    return model


def _configure(
    preset_or_model: Any, given: dict[str, Any], overrides: dict[str, Any]
) -> tuple[Config, Any]:
    """Returns the configuration, and the model if it is one's own."""
    fields = {name for name in Config.__dataclass_fields__ if name not in _DERIVED}
    options = {k: v for k, v in overrides.items() if k in fields}
    arguments = {k: v for k, v in overrides.items() if k not in fields}
    if isinstance(preset_or_model, str):
        from tfgen.presets import get_preset

        preset = get_preset(preset_or_model)
        return settings.preset_config(preset, arguments, **given, **options), None
    if arguments:
        raise UserError(f"`train` of a model takes no argument {next(iter(arguments))}")
    for name, expected in (("strategy", "none"), ("precision", "float32")):
        if given.pop(name) != expected:
            raise UserError(
                f"`{name}` is for presets: a model of one's own is trained as it is"
            )
    precision = getattr(preset_or_model, "dtype_policy", None)
    name = getattr(precision, "name", "float32")
    config = settings.model_config(preset_or_model, precision=name, **given, **options)
    return config, preset_or_model


# Fields of `Config` that are arguments of presets too, or are not the caller's to say.
_DERIVED = ("preset", "overrides", "image_size", "channels", "kind", "attribution")
_DERIVED += ("data_record", "versions", "format")


def _extend(config: Config, epochs: int) -> None:
    """Makes a run longer or shorter.

    Raises:
        UserError: Its learning rate ends with the training.
    """
    from tfgen.presets import get_preset

    if config.preset and "num_steps" in get_preset(config.preset).arguments:
        raise UserError(
            f"--epochs {epochs}: the learning rate of {config.preset} falls to its end "
            f"over the {config.epochs} epochs that were asked for, so other epochs "
            "would be another training: train anew"
        )
    config.epochs = epochs
    settings.check_config(config)


def _keep_order_of_sums(config: Config) -> None:
    import tensorflow as tf

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def _check_workers(strategy: Any, config: Config, num_steps: int, backup: Any) -> None:
    """Raises unless all workers do the same; each may have the data elsewhere."""
    elsewhere = ("data", "data_dir", "versions")
    flags = {k: v for k, v in vars(config).items() if k not in elsewhere}
    newest = backup and backup.newest.name
    check_same(strategy, flags=flags, steps=num_steps, checkpoint=newest)


def _settling(folder: RunFolder) -> Any:
    """Returns a callback that lets the former run go once there is a checkpoint."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: folder.settle_at_checkpoint()
    )
