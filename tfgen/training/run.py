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
from typing import Any

from tfgen.errors import UserError
from tfgen.files import replaced

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
    steps_per_execution: int | str = 1  # "auto" until training begins
    checkpoint_every: int | None = None
    keep_checkpoints: int = 3
    keep_best: str | None = None
    held_out_classes: str | None = None
    deterministic: bool = False
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
    training = split == "train"
    options = {"shuffle": training, "initial_epoch": initial_epoch}
    if training and config.kind != "images":
        options |= {"load_size": config.load_size, "mirror": config.mirror}
    return _load(config, split, labels, **options)


def load_in_order(
    config: Config,
    split: str,
    num_images: int | None = None,
    labels: bool = False,
    held_out: bool = False,
) -> Any:
    """Returns batches of the first images of a split, in a fixed order.

    Args:
        config: Of the run.
        split: Of its data.
        num_images: How many at most; None for all, of which few are held at a time.
        labels: Whether the batches have them, of `kind="images"`.
        held_out: Whether the images are those of `held_out_classes` instead.
    """
    from tfgen.data.loading import take

    batches = _load(config, split, labels, held_out, shuffle=False)
    return take(batches, num_images, config.batch_size)


def load_known_factors(
    config: Config, split: str, num_images: int | None = None
) -> Any:
    """Returns `tfgen.data.Factors` of the first images of a split, or None.

    They are those of `load_in_order`; there are none where the data has none.
    """
    from tfgen import data

    image_size, data_dir = config.image_size, config.data_dir
    if not data.has_factors(config.data, data_dir, image_size):
        return None
    classes = known_classes(config)
    return data.load_factors(
        config.data, split, num_images, image_size, data_dir, classes
    )


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


def is_aligned(config: Config) -> bool:
    """Returns whether test images of a run that translates come with their truth."""
    from tfgen import data

    return config.kind == "pairs" or data.is_paired(config.data, config.data_dir)


def count_domains(config: Config, split: str) -> tuple[int, int]:
    """Returns the images of A and of B in a split, of a run on two domains."""
    from tfgen import data

    return data.count_domains(config.data, split, **_source(config))


def known_classes(config: Config, held_out: bool = False) -> list[int] | None:
    """Returns the classes that a run knows, or those held out; None for all there are.

    Raises:
        UserError: The data has no such classes, or no others.
    """
    from tfgen import data
    from tfgen.data.classes import find_classes

    if config.held_out_classes is None:
        return None
    names = data.class_names(config.data, config.data_dir)
    unknown = [name.strip() for name in config.held_out_classes.split(",")]
    unknown = find_classes(config.data, unknown, names)
    known = [number for number in range(len(names)) if number not in unknown]
    if not known:
        raise UserError(f"--held-out-classes: they are all that {config.data} has")
    return list(unknown) if held_out else known


def _load(
    config: Config, split: str, labels: bool, held_out: bool = False, **options: Any
) -> Any:
    from tfgen import data

    load = {
        "images": data.load_images,
        "pairs": data.load_pairs,
        "domains": data.load_domains,
    }
    options |= {"batch_size": config.batch_size, "seed": config.seed}
    if config.kind == "images":
        options["labels"] = labels
    source = _source(config, held_out)
    return load[config.kind](config.data, split, **options, **source)


def _source(config: Config, held_out: bool = False) -> dict[str, Any]:
    """Returns what every look at a run's data has in common."""
    own = {
        "images": {"classes": known_classes(config, held_out)},
        "pairs": {"direction": config.direction},
        "domains": {},
    }
    return {
        "image_size": config.image_size,
        "channels": config.channels,
        "data_dir": config.data_dir,
        "skip_bad_images": config.skip_bad_images,
        **own[config.kind],
    }
