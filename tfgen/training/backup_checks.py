"""Checks of `ExactBackup` that what it writes, and resumes from, is exact."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfgen.callbacks.finite_guard import NotFiniteError
from tfgen.errors import UserError
from tfgen.training import stop_signals
from tfgen.training.checkpoints import Checkpoint


def refuse_steps_per_epoch(steps_per_epoch: int | None) -> None:
    """Raises a UserError where epochs would end amid the data."""
    if steps_per_epoch is not None:
        raise UserError(
            "`fit` with `steps_per_epoch` cannot be resumed exactly: epochs end amid "
            "the data. Leave it out; `dataset.take(steps)` has fewer batches"
        )


def check_position(
    checkpoint: Checkpoint, num_steps: int | None, steps_per_execution: int
) -> None:
    """Raises a UserError unless an execution can begin where a checkpoint was written.

    Args:
        checkpoint: A checkpoint that was written within an epoch.
        num_steps: Integer, the steps of an epoch now.
        steps_per_execution: Integer, now.
    """
    saved = checkpoint.state
    if saved["steps_per_epoch"] not in (None, num_steps):
        raise UserError(
            f"{checkpoint.path} was written in an epoch of {saved['steps_per_epoch']} "
            f"steps; the data make {num_steps} now: they are not the same"
        )
    if saved["step"] % steps_per_execution and saved["step"] != num_steps:
        raise UserError(
            f"{checkpoint.path} was written after {saved['step']} steps of an epoch: "
            f"executions of {steps_per_execution} steps do not begin there. Use the "
            f"`steps_per_execution` of before, {saved['steps_per_execution']}"
        )


def take_signals() -> stop_signals.StopSignals:
    """Returns the process's `StopSignals`, or a new one for this `fit`."""
    installed = stop_signals.installed()
    if installed is not None and installed.ends_process:
        return installed
    if installed is not None:  # of a `fit` that was left by an exception
        installed.restore()
    signals = stop_signals.StopSignals()
    signals.install()
    return signals


def plain(value: Any) -> Any:
    """Returns a scalar of NumPy or TensorFlow as a Python number."""
    return value.item() if hasattr(value, "item") else value


def read(variables: Iterable[Any]) -> list[np.ndarray]:
    """Returns the values of variables."""
    return [np.asarray(variable) for variable in variables]


def check_finite(weights: Iterable[Any], values: Iterable[np.ndarray]) -> None:
    """Raises rather than let a useless state replace a good one."""
    # The values of optimizers follow those of weights.
    for weight, value in zip(weights, values, strict=False):
        if not np.isfinite(value.astype("float32", copy=False)).all():
            raise NotFiniteError(
                f"training diverged: weights of {weight.path} are not finite, and were "
                "not saved. Lower the learning rate, or clip gradients"
            )
