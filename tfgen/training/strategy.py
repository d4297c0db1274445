"""Training on several devices or machines: strategies by name, and who writes.

With `multi_worker` the same command runs on every machine. The environment variable
TF_CONFIG names all workers and this one's index. Every worker runs the same callbacks,
because some need figures that all workers compute together, but only one of them, the
chief, writes the run directory.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from tfgen._compat import in_multi_worker_mode
from tfgen.errors import UserError

STRATEGIES = ("none", "mirrored", "multi_worker")
WORKER_LOST_CODE = 75  # "temporary failure": start all workers again, with --resume

_EXPECTED = (
    '{"cluster": {"worker": ["host-0:12345", "host-1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


class WorkerLostError(UserError):
    """Another worker died, or can no longer be reached."""


def is_chief(name: str) -> bool:
    """Returns whether this process writes the run directory.

    Raises:
        UserError: With "multi_worker" there is no valid TF_CONFIG.
    """
    if name != "multi_worker":
        return True
    cluster, task = _read_tf_config()
    return task["index"] == 0 and task["type"] == min(cluster)  # "chief" < "worker"


def make_strategy(name: str) -> Any:
    """Returns a `tf.distribute.Strategy`; with "none" the default one.

    Call it before TensorFlow runs its first operation: "multi_worker" waits for the
    other workers and starts this worker's server.

    Args:
        name: "none"; "mirrored" for all GPUs of this machine (all logical CPUs if it
            has none); or "multi_worker" for the devices of all machines in TF_CONFIG.

    Raises:
        UserError: As in `is_chief`, or this worker's port is taken.
    """
    import tensorflow as tf

    if name == "mirrored":
        return _mirrored()
    if name == "multi_worker":
        cluster, task = _read_tf_config()
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.UnknownError as error:
            own = cluster[task["type"]][task["index"]]
            raise UserError(f"can't listen at {own}: is its port taken?") from error
    return tf.distribute.get_strategy()


@functools.cache
def _mirrored() -> Any:
    # One per process: a second strategy would reuse the collective keys of the first,
    # and fail where shapes differ.
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    return tf.distribute.MirroredStrategy(devices)


@contextlib.contextmanager
def workers_watched() -> Iterator[None]:
    """Raises a one-line `WorkerLostError` when another worker is lost."""
    import tensorflow as tf

    try:
        yield
    except (
        tf.errors.UnavailableError,  # it died
        tf.errors.AbortedError,  # it was started again
        tf.errors.DeadlineExceededError,  # it hangs, or the network does
    ) as error:
        said = error.message.split("aborted by: ")[-1].strip().splitlines()
        cause = " ".join(said[:2])  # the error, and the worker that it came from
        raise WorkerLostError(
            "another worker died or can't be reached, so this one stops: start all "
            f"workers again, with --resume ({cause})"
        ) from error


@contextlib.contextmanager
def scratch_folder(run: pathlib.Path | None = None) -> Iterator[pathlib.Path]:
    """Yields a temporary run directory for a worker that is not the chief.

    Args:
        run: The run whose configuration and checkpoints are copied into it.
    """
    with tempfile.TemporaryDirectory(prefix="tfgen_worker_") as directory:
        scratch = pathlib.Path(directory)
        if run is not None:
            shutil.copy(run / "config.json", scratch)
            if (run / "checkpoints").is_dir():
                shutil.copytree(run / "checkpoints", scratch / "checkpoints")
        yield scratch


def check_same(strategy: Any, **values: Any) -> None:
    """Checks that all workers have the same values.

    Raises:
        UserError: Some differ. Every worker raises it and names them.
    """
    import tensorflow as tf

    if not in_multi_worker_mode(strategy):
        return
    for name, value in values.items():
        digest = hashlib.sha256(repr(value).encode()).digest()
        own = tf.constant([int.from_bytes(digest[:4], "big")], tf.int64)
        if len(set(strategy.gather(own, axis=0).numpy().tolist())) > 1:
            raise UserError(
                f"workers differ in their {name}: start all of them with the same "
                f"command on the same files. This worker has: {value}"
            )


def least(strategy: Any, value: float) -> float:
    """Returns the smallest of all workers' values."""
    import tensorflow as tf

    if not in_multi_worker_mode(strategy):
        return value
    return float(tf.reduce_min(strategy.gather(tf.constant([value]), axis=0)))


def _read_tf_config() -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Returns the cluster and the task of this process."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UserError(f"multi_worker needs TF_CONFIG in the environment: {_EXPECTED}")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        _ = cluster[task["type"]][task["index"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _config_error(f"{type(error).__name__}: {error}", text) from error
    addresses = [address for hosts in cluster.values() for address in hosts]
    if not set(cluster) <= {"chief", "worker"} or task["index"] < 0:
        raise _config_error("tasks are of type worker, or one is chief", text)
    if not all(re.fullmatch(r"[^/\s]+:\d+", str(address)) for address in addresses):
        raise _config_error("an address is host:port", text)
    if len(set(addresses)) < len(addresses):
        raise _config_error("two workers have the same address", text)
    return cluster, task


def _config_error(reason: str, text: str) -> UserError:
    return UserError(f"TF_CONFIG is {text!r} ({reason}), expected as in {_EXPECTED}")
