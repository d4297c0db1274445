"""Checkpoints on disk: complete or absent, verified before they are read.

    checkpoints/
      step_00000120_epoch_0003/  training steps so far, current epoch
        arrays.npz   weights, optimizers, random states, metrics, states of callbacks
        state.json   position, history, and the hash of the arrays

A checkpoint is written into a temporary folder, flushed to disk and then renamed: if
the process is killed while writing, earlier checkpoints stay valid. A hash detects
later damage. (HDF5 is not used because its library crashes when the disk is full.)
"""

import errno
import hashlib
import json
import os
import pathlib
import shutil
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfgen.errors import UserError

ARRAYS, STATE = "arrays.npz", "state.json"
_PARTIAL = ".partial"
_DIGEST = "sha256"


class Checkpoint(NamedTuple):
    """The content of a verified checkpoint.

    Attributes:
        path: Its folder.
        state: The values of `state.json`.
        arrays: Name -> array.
    """

    path: pathlib.Path
    state: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def group(self, prefix: str) -> list[np.ndarray]:
        """Returns the arrays `prefix_0`, `prefix_1`, ..."""
        return [v for name, v in self.arrays.items() if name.startswith(f"{prefix}_")]

    def assign(self, prefix: str, variables: Sequence[Any]) -> None:
        """Assigns the arrays of a group to variables.

        Raises:
            UserError: The checkpoint belongs to another model.
        """
        values = self.group(prefix)
        if [value.shape for value in values] != [tuple(v.shape) for v in variables]:
            raise UserError(
                f"{self.path} belongs to another model than the one in training: "
                "use another directory"
            )
        for value, variable in zip(values, variables, strict=True):
            if value.dtype.kind == "V":  # a file of NumPy does not keep bfloat16
                value = value.view(variable.dtype)
            variable.assign(value)


class CheckpointStore:
    """The checkpoints of one training run, in one folder.

    Args:
        directory: The folder, created with the first checkpoint.
        keep: Integer, how many of the newest are kept.
        best: `"min"` or `"max"` also keeps the checkpoint with the lowest or highest
            score; None ignores scores.
    """

    def __init__(
        self, directory: str | os.PathLike, keep: int = 3, best: str | None = None
    ) -> None:
        if keep < 1:
            raise UserError(f"`keep` must be at least 1. Received: {keep}")
        if best not in (None, "min", "max"):
            raise UserError(f'`best` must be "min", "max" or None. Received: {best!r}')
        self.directory = pathlib.Path(directory).expanduser()
        self.keep = keep
        self.best = best

    def paths(self) -> list[pathlib.Path]:
        """Returns the folders of all checkpoints, the newest first."""
        return sorted(self.directory.glob("step_*"), reverse=True)

    def newest(self) -> Checkpoint | None:
        """Returns the newest intact checkpoint, or None; warns of damaged ones."""
        for path in self.paths():
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                warnings.warn(
                    f"{path} is damaged ({error}): the checkpoint before it is used",
                    stacklevel=2,
                )
        return None

    def write(
        self, state: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> pathlib.Path:
        """Writes a checkpoint and removes old ones.

        Args:
            state: JSON values. `total_steps` and `epoch` name the folder; `best`
                compares `score` where it is not None.
            arrays: Name -> array.

        Returns:
            The folder of the checkpoint.

        Raises:
            UserError: Writing failed; earlier checkpoints are untouched.
        """
        name = f"step_{state['total_steps']:08d}_epoch_{state['epoch']:04d}"
        path = self.directory / name
        partial = self.directory / f"{_PARTIAL}_{path.name}"
        try:
            self.remove_partial()
            partial.mkdir(parents=True)
            np.savez(partial / ARRAYS, **arrays)
            _write_state(partial, state)
            _flush(partial / ARRAYS)
            _flush(partial / STATE)
            if path.exists():  # it is damaged: an intact one would have been resumed
                shutil.rmtree(path)
            partial.rename(path)
            _flush(self.directory)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise UserError(self._explain(path, error)) from error
        self._prune()
        return path

    def remove_partial(self) -> None:
        """Removes the incomplete checkpoint of a killed process."""
        for path in self.directory.glob(f"{_PARTIAL}_*"):
            shutil.rmtree(path, ignore_errors=True)

    def _prune(self) -> None:
        paths = self.paths()
        kept = set(paths[: self.keep]) | {self._best(paths)}
        for path in paths:
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _best(self, paths: list[pathlib.Path]) -> pathlib.Path | None:
        if self.best is None:
            return None
        scores = {path: _read_score(path) for path in paths}
        scores = {path: score for path, score in scores.items() if score is not None}
        choose = min if self.best == "min" else max
        return choose(scores, key=scores.__getitem__, default=None)

    def _explain(self, path: pathlib.Path, error: OSError) -> str:
        paths = self.paths()
        left = f"the last good one is {paths[0]}" if paths else "there is none yet"
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if is_full else " ".join(str(error).split())
        return f"checkpoint {path} could not be written ({what}); {left}"


def _read(path: pathlib.Path) -> Checkpoint:
    state = json.loads((path / STATE).read_text())
    if state.pop(_DIGEST) != _digest_of(state):
        raise ValueError(f"{STATE} is not what was written")
    if _hash(path / ARRAYS) != state[ARRAYS]:
        raise ValueError(f"{ARRAYS} is not what was written")
    with np.load(path / ARRAYS, allow_pickle=False) as file:
        return Checkpoint(path, state, dict(file))


def _read_score(path: pathlib.Path) -> float | None:
    try:
        return json.loads((path / STATE).read_text()).get("score")
    except (OSError, ValueError):
        return None


def _write_state(partial: pathlib.Path, state: dict[str, Any]) -> None:
    state = {**state, ARRAYS: _hash(partial / ARRAYS)}
    state = json.loads(json.dumps(state))  # as it will be read
    state[_DIGEST] = _digest_of(state)
    (partial / STATE).write_text(json.dumps(state, indent=1))


def _digest_of(state: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _hash(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _flush(path: pathlib.Path) -> None:
    """Flushes a file, or the entries of a folder, to disk."""
    if os.name == "nt" and path.is_dir():  # Windows has no handle of a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
