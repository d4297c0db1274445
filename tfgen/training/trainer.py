"""`train`: a preset or a model of one's own, trained into a run directory."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfgen.errors import UserError
from tfgen.training import settings, speed
from tfgen.training.config import Config
from tfgen.training.data_record import (
    check_present,
    check_record,
    record_data,
    resolve_data,
)
from tfgen.training.fitting import Fitting, Log, model_maker, no_log
from tfgen.training.run import Run
from tfgen.training.run_folder import RunFolder, claimed_new, claimed_run
from tfgen.training.strategy import (
    make_strategy,
    workers_watched,
)


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
    init_from: str | os.PathLike | None = None,
    freeze: Sequence[str] = (),
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
        init_from: Trained preset, run directory or `.keras` file whose weights training
            starts from, where layers fit. `log` is told which start anew.
        freeze: Patterns of layers that stay as they are, such as
            `["discriminator/conv2d", "encoder/*"]`: those next to the images of a
            discriminator are FreezeD's ([Mo et al.,
            2020](https://arxiv.org/abs/2002.10964)).
        verbose: As in `fit`.
        log: Called with each line that tells what happens.
        **overrides: Fields of `tfgen.training.Config` such as `checkpoint_every` or
            `distill_from`, a model whose translations are learnt from too, and
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
    given |= {"init_from": init_from, "freeze": [*freeze]}
    config, model = _configure(preset_or_model, given, overrides)
    default = f"runs/{config.preset or type(model).__name__.lower()}"
    with claimed_new(out, default, overwrite, config.data, strategy) as folder:
        return train_run(config, folder, model, callbacks=callbacks, **options)


@workers_watched()
def train_run(
    config: Config, folder: RunFolder, model: Any = None, **options: Any
) -> Run:
    """Trains a new run into a folder that is claimed; the rest is as in `train`."""
    keep_order_of_sums(config)
    strategy = make_strategy(config.strategy)  # before any operation runs
    training = Fitting(config, folder, strategy, **options)
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
    keep_order_of_sums(config)
    strategy = make_strategy(config.strategy)
    training = Fitting(config, folder, strategy, **options)
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

    keep_order_of_sums(config)
    run = Run.of(pathlib.Path(), config)
    labels = settings.fit_classes(config, run.preset, log)
    train_set = run.batches("train", labels)
    make_model = model_maker(run, int(train_set.cardinality()))
    strategy = make_strategy("none")
    _, chosen = speed.choose(config, strategy, make_model, train_set)
    log(chosen)
    return estimate(make_model, train_set)


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


def keep_order_of_sums(config: Config) -> None:
    """Makes operations deterministic if the configuration asks for it."""
    import tensorflow as tf

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
