"""The run directory: what `train` writes and the other commands read.

model.keras      the model after the last finished epoch
checkpoints/     what `train --resume` goes on from
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
from collections.abc import Iterator
from typing import Any

from tfgen.errors import UserError
from tfgen.files import replaced

_BATCH_SIZE = 256  # images that are looked at together, of a whole split
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
    kind: str = "images"
    direction: str = "ab"
    load_size: int | None = None
    mirror: bool = False
    strategy: str = "none"
    steps_per_execution: int = 1
    checkpoint_every: int | None = None
    keep_checkpoints: int = 3
    keep_best: str | None = None
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
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


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
    """Returns test images of the data that a run was trained on, in a fixed order.

    Those of a model that translates are the images that it takes.
    """
    config = Config.read(run)
    if config.kind != "images":
        return load_arrays(config, "test", num_images)[0]
    return load_arrays(config, "test", num_images, labels)


def load_training_images(config: Config, num_images: int) -> Any:
    """Returns the first training images that a run's model takes, in a fixed order."""
    images = load_arrays(config, "train", num_images)
    return images if config.kind == "images" else images[0]


def load_batches(
    config: Config, split: str, labels: bool = False, initial_epoch: int = 0
) -> Any:
    """Returns the batches that a run trains on or, unshuffled, those of its test."""
    from tfgen import data

    training = split == "train"
    options = {
        "batch_size": config.batch_size,
        "shuffle": training,
        "seed": config.seed,
        "initial_epoch": initial_epoch,
    }
    if config.kind == "images":
        options["labels"] = labels
    elif training:
        options |= {"load_size": config.load_size, "mirror": config.mirror}
    load = {
        "images": data.load_images,
        "pairs": data.load_pairs,
        "domains": data.load_domains,
    }
    return load[config.kind](config.data, split, **options, **_source(config))


def iterate_batches(
    config: Config, split: str, num_images: int | None = None, labels: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Yields batches `(images, classes)` of a split, in a fixed order.

    Args:
        config: Of a run with `kind="images"`.
        split: Of its data.
        num_images: How many at most; None for all, of which few are held at a time.
        labels: Whether there must be classes; else they are `None` where the data has
            none.

    Raises:
        UserError: There must be classes, and there are none.
    """
    from tfgen import data

    labels = labels or bool(data.class_names(config.data, config.data_dir))
    options = {"batch_size": _BATCH_SIZE, "shuffle": False, "labels": labels}
    batches = data.load_images(config.data, split, **options, **_source(config))
    if num_images is not None:
        batches = batches.unbatch().take(num_images).batch(_BATCH_SIZE)
    for batch in batches.as_numpy_iterator():
        yield batch if labels else (batch, None)


def load_known_factors(
    config: Config, split: str, num_images: int | None = None
) -> Any:
    """Returns `tfgen.data.Factors` of the first images of a split, or None.

    They are those of `iterate_batches`; there are none where the data has none.
    """
    from tfgen import data

    image_size, data_dir = config.image_size, config.data_dir
    if not data.has_factors(config.data, data_dir, image_size):
        return None
    return data.load_factors(config.data, split, num_images, image_size, data_dir)


def load_arrays(
    config: Config, split: str, num_images: int | None = None, labels: bool = False
) -> Any:
    """Returns the first images of a split, in a fixed order.

    For `kind="images"` an array, or `(images, labels)`; else `(images, targets)`.
    """
    from tfgen import data

    source = _source(config)
    if config.kind == "images":
        return data.load_array(config.data, split, num_images, labels=labels, **source)
    is_pairs = config.kind == "pairs"
    load = data.load_pair_arrays if is_pairs else data.load_domain_arrays
    return load(config.data, split, num_images, **source)


def _source(config: Config) -> dict[str, Any]:
    direction = {"direction": config.direction} if config.kind == "pairs" else {}
    return {
        "image_size": config.image_size,
        "channels": config.channels,
        "data_dir": config.data_dir,
        "skip_bad_images": config.skip_bad_images,
        **direction,
    }
