"""One call of `fit` on a run: opens what it needs, and writes the run's folder."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tfgen._compat import optional_imports_hidden
from tfgen.errors import UserError
from tfgen.training import settings, speed
from tfgen.training.config import AUTO, Config
from tfgen.training.distilling import teach
from tfgen.training.explain import explained, iterators_ended, numerics_checked
from tfgen.training.initial_weights import freeze, initialize
from tfgen.training.run import Run
from tfgen.training.run_callbacks import import_callbacks, make_callbacks
from tfgen.training.run_folder import RunFolder
from tfgen.training.strategy import check_same, is_chief

Log = Callable[[str], None]


def no_log(line: str) -> None:
    """Ignores a line of the log."""


class Fitting:
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
            teach(model, config)
            labels = bool(getattr(model, "num_classes", None))
        else:
            labels = settings.fit_classes(config, run.preset, self.log)
        self.train_set = run.batches("train", labels, epoch)
        self.test_set = run.batches("test", labels)
        self.num_steps = int(self.train_set.cardinality())
        _check_workers(self.strategy, config, self.num_steps, self.backup)
        # A checkpoint has all weights, wherever they began.
        make_model = model_maker(run, self.num_steps, self.log, self.backup is None)
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
            mode="max" if best and not best.endswith(("loss", "distance")) else "min",
        )

    def _fit(self) -> Run:
        from tfgen.figures import pictures, plots

        config, out, model = self.config, self.folder.path, self.model
        self._announce()
        with (
            explained(self.backup),
            numerics_checked(self.detect_anomaly),
            iterators_ended(),
        ):
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


def model_maker(
    run: Run, num_steps: int, log: Log = no_log, is_new: bool = True
) -> Callable[[], Any]:
    """Returns a function that makes the model of a run of a preset.

    Args:
        run: The run.
        num_steps: Integer, of an epoch: some learning rates end with training.
        log: Is told which layers start anew, where the run starts from others' weights.
        is_new: Whether the run begins.
    """
    return functools.partial(_create_model, run, num_steps, log, is_new)


def _create_model(run: Run, num_steps: int, log: Log, is_new: bool) -> Any:
    from tfgen.presets import create_model

    config = run.config
    overrides = {**config.overrides, "seed": config.seed}
    if "num_steps" in run.preset.arguments:
        overrides["num_steps"] = config.epochs * num_steps
    with optional_imports_hidden():  # of Keras 2, which TensorFlow Probability imports
        model = create_model(config.preset, **overrides)
    if config.accumulate > 1:
        accumulate(model, config.accumulate)
    if config.init_from is not None and is_new:
        initialize(model, config.init_from, log)
    freeze(model, config.freeze)
    teach(model, config)
    if config.steps_per_execution != AUTO:
        model.steps_per_execution = config.steps_per_execution
    return model


def accumulate(model: Any, steps: int) -> None:
    """Compiles a model anew, so that its optimizers step once in so many batches.

    Args:
        model: A compiled model.
        steps: Integer, batches whose mean gradient is a step's.
    """

    def edit(optimizer: dict[str, Any]) -> None:
        values = optimizer["config"]
        if "inner_optimizer" in values:  # which scales the loss for float16
            edit(values["inner_optimizer"])
        else:
            values["gradient_accumulation_steps"] = steps

    config = model.get_compile_config()
    for name, value in config.items():
        if name.endswith("optimizer"):
            edit(value)
    model.compile_from_config(config)


def _check_workers(strategy: Any, config: Config, num_steps: int, backup: Any) -> None:
    """Raises unless all workers do the same; each may have the data elsewhere."""
    elsewhere = ("data", "data_dir", "versions")
    flags = {k: v for k, v in vars(config).items() if k not in elsewhere}
    newest = backup and backup.newest.name
    check_same(strategy, flags=flags, steps=num_steps, checkpoint=newest)


def _settling(folder: RunFolder) -> Any:
    """Returns a callback that removes the former run once there is a checkpoint."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: folder.settle_at_checkpoint()
    )
