"""Any model, with the data that it is used on, as a `Run`."""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

from tfgen.errors import UserError
from tfgen.presets import cards, hub
from tfgen.training.config import Config, kind_of
from tfgen.training.run import Run

_BATCH_SIZE = 64


def open_run(
    model_or_run: Any,
    data: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    log: Callable[[str], Any] = warnings.warn,
) -> Run:
    """Returns the `Run` of a run, its folder, a `.keras` file or a model.

    Args:
        model_or_run: A `Run`, a run directory, a `.keras` file, or a model; the name of
            a trained preset, where no such path exists; or `"hf://USER/NAME"`.
        data: Name of a TFDS data set, or a folder; by default what the run was trained
            on. A model, or a file alone, knows no data.
        data_dir: Where TFDS keeps its data sets.
        log: Called with a line where a path is taken and not the preset of that name.

    Raises:
        UserError: The model has no endpoints.
    """
    if isinstance(model_or_run, Run):
        return _with_data(model_or_run, data, data_dir)
    if not isinstance(model_or_run, str | os.PathLike):
        path = pathlib.Path(type(model_or_run).__name__)
        return _of_model(model_or_run, path, data, data_dir)
    if line := cards.clash(model_or_run):
        log(line)
    if hub.is_address(model_or_run):
        model_or_run = hub.download(model_or_run)
    run = Run(model_or_run, data, data_dir)
    if run.has_config:
        return run
    return _of_model(run.model, run.path, data, data_dir)


def _with_data(run: Run, data: Any, data_dir: Any) -> Run:
    if data is None and data_dir is None:
        return run
    moved = {"data": data, "data_dir": data_dir}
    moved = {key: os.fspath(x) for key, x in moved.items() if x is not None}
    result = Run.of(run.path, dataclasses.replace(run.config, **moved))
    vars(result)["model"] = run.model
    return result


def _of_model(model: Any, path: pathlib.Path, data: Any, data_dir: Any) -> Run:
    """Returns the run of a model that has no run directory."""
    from tfgen import data as tfgen_data
    from tfgen.inference import Endpoints

    if not hasattr(model, "signatures"):
        raise UserError(
            f"{type(model).__name__} has no method signatures(): pass a model of tfgen"
        )
    endpoints = Endpoints(model)
    kind = kind_of(model)
    height, width, channels = endpoints.image_shape
    attribution = None
    if data is not None:
        source = tfgen_data.describe(data, data_dir, translation=kind != "images")
        attribution = source.attribution
    config = Config(
        preset=None,
        overrides={},
        data=None if data is None else os.fspath(data),
        data_dir=None if data_dir is None else os.fspath(data_dir),
        epochs=0,
        batch_size=_BATCH_SIZE if kind == "images" else 1,
        seed=0,
        precision=model.dtype_policy.name,
        image_size=height if height == width else (height, width),
        channels=channels,
        kind=kind,
        attribution=attribution,
    )
    run = Run.of(path, config)
    vars(run).update(model=model, endpoints=endpoints)
    return run
