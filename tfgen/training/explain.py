"""Errors of training as one line, in place of a traceback."""

import contextlib
import gc
import re
import traceback
from collections.abc import Iterator
from typing import Any

from tfgen.errors import UserError
from tfgen.training import stop_signals


@contextlib.contextmanager
def explained(backup: Any) -> Iterator[None]:
    """Turns the errors that `fit` may raise into a UserError.

    Args:
        backup: The `ExactBackup` of this `fit`. Where its state is exactly known, a
            checkpoint is written first.
    """
    import tensorflow as tf

    from tfgen.callbacks import NotFiniteError

    try:
        yield
    except NotFiniteError as error:
        raise UserError(_with_checkpoint(str(error), backup)) from error
    except (OSError, MemoryError) as error:  # a full disk, for one
        installed = stop_signals.installed()
        if installed is not None and installed.received is not None:
            raise  # the terminal is gone
        message = str(error) or "there is not enough memory"
        raise UserError(_with_checkpoint(message, backup)) from error
    except tf.errors.ResourceExhaustedError as error:
        message = "the device's memory is not enough: choose a smaller --batch-size"
        raise UserError(_with_checkpoint(message, backup)) from error
    except (
        tf.errors.InvalidArgumentError,
        tf.errors.UnknownError,
        tf.errors.InternalError,
    ) as error:
        raise UserError(_explain_operation(error, backup)) from error


@contextlib.contextmanager
def iterators_ended() -> Iterator[None]:
    """Ends the iterators that an exception's frames hold, before it goes on.

    Their threads decode images in Python. Were they to end with the interpreter, when
    no other thread may run Python any more, the process would wait for them forever.
    """
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        raise


def _explain_operation(error: Any, backup: Any) -> str:
    from tfgen.data.decode import find_damaged_image
    from tfgen.models.translation import SINGLE_IMAGE

    if SINGLE_IMAGE in str(error):  # met in the graph, which cannot raise ours
        return SINGLE_IMAGE
    damaged = find_damaged_image(error)
    if damaged is not None:
        backup.save()
        return _with_checkpoint(str(damaged), backup) + _loss(backup)
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    asserted = [line for line in lines if "assertion failed" in line]
    return _with_checkpoint((asserted or lines or ["an operation failed"])[0], backup)


def _loss(backup: Any) -> str:
    """Returns what the last checkpoint lacks, where none could be written by now."""
    # None: met before the first step, where pictures of test images are prepared.
    size = 1 if backup.model is None else backup.model.steps_per_execution
    if size == 1:
        return ""
    return (
        f". Later steps are lost, for an execution of {size} steps was left amid them: "
        "--checkpoint-every N loses N at most"
    )


def _with_checkpoint(message: str, backup: Any) -> str:
    last = backup.newest or "none was written yet"
    return f"{message}. The last good checkpoint: {last}"


@contextlib.contextmanager
def numerics_checked(detect_anomaly: bool) -> Iterator[None]:
    """Checks every operation, if asked to, and names the first that is not finite."""
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
