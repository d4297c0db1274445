"""The run directory: what `train` writes and the other commands read.

model.keras      the model after the last finished epoch
config.json      preset, overrides, data, seed, versions
history.csv      a row an epoch
samples/         a picture an epoch
logs/            TensorBoard
metrics.json     what `evaluate` found
"""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import tempfile
from typing import Any

from tfgen.errors import UserError

_VERSIONS = ("tfgen", "tensorflow", "keras", "tensorflow-probability", "numpy")


@dataclasses.dataclass
class Config:
    """How a run was made: enough to make it again."""

    preset: str
    overrides: dict[str, Any]
    data: str
    data_dir: str | None
    epochs: int
    batch_size: int
    seed: int
    precision: str
    image_size: int
    channels: int
    skip_bad_images: bool = False
    attribution: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, run: str | os.PathLike) -> "Config":
        """Reads `config.json` of a run directory."""
        file = pathlib.Path(run) / "config.json"
        if not file.is_file():
            raise UserError(f"{run} is no run directory: it has no config.json")
        try:
            return cls(**json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise UserError(f"{file} is damaged: {error}") from error

    def write(self, run: pathlib.Path) -> None:
        """Writes `config.json`, with the versions in use now."""
        self.versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
        self.versions["python"] = platform.python_version()
        write_json(dataclasses.asdict(self), run / "config.json")


def write_json(value: Any, path: pathlib.Path) -> None:
    """Writes JSON under a temporary name, then renames it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".json")
    with os.fdopen(handle, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    pathlib.Path(name).chmod(0o644)
    pathlib.Path(name).replace(path)


def new_directory(out: str | None, default: str, overwrite: bool) -> pathlib.Path:
    """Returns the path of a directory that holds no run yet; it may not exist.

    Without `out` it is `default`, or the first free of `default-2`, `default-3`, ...
    """
    path = pathlib.Path(out or default)
    if out is None and not overwrite:
        number = 1
        while path.exists():
            number += 1
            path = pathlib.Path(f"{default}-{number}")
    elif path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file: choose another --out")
    elif path.exists() and any(path.iterdir()) and not overwrite:
        raise UserError(f"{path} is not empty: choose another --out, or --overwrite")
    return path


def attribution(run: str | os.PathLike) -> str | None:
    """Returns whom to name below pictures of a run; nobody for a bare model file."""
    has_config = (pathlib.Path(run) / "config.json").is_file()
    return Config.read(run).attribution if has_config else None


def load_test_images(
    run: str | os.PathLike, num_images: int | None, labels: bool = False
) -> Any:
    """Returns test images of the data that a run was trained on, in a fixed order."""
    from tfgen import data

    config = Config.read(run)
    return data.load_array(
        config.data,
        split="test",
        num_images=num_images,
        image_size=config.image_size,
        channels=config.channels,
        data_dir=config.data_dir,
        labels=labels,
        skip_bad_images=config.skip_bad_images,
    )
