"""How a run was made: `config.json`, and the command that makes the run again."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import Any

from tfgen.errors import UserError
from tfgen.files import replaced
from tfgen.presets.cards import preset_of, read_card
from tfgen.presets.preset import NONE
from tfgen.sizes import Size, show_size

FORMAT = 2  # of config.json; a newer tfgen counts on
_VERSIONS = ("tfgen", "tensorflow", "keras", "tensorflow-probability", "numpy")
_FILE = "config.json"
AUTO = "auto"


@dataclasses.dataclass
class Config:
    """How a run was made: enough to make it again.

    Attributes:
        preset: Name of the preset; None for a model of the user's own.
        overrides: Arguments of the preset that were given.
        data: Name of a TFDS data set or absolute path of a folder; None where a model
            of the user's own was trained on a data set in Python.
        data_dir: Where TFDS keeps its data sets.
        image_size: Integer, or `(height, width)`.
        resize: How images of another aspect are brought to it: `"crop"`, `"pad"` or
            `"stretch"`.
        depth: 8 or 16, the bits of images between reading and a translation's file.
        value_range: `[low, high]`, the values in files that are black and white.
        degrade: What makes the inputs of pairs from images: see `load_pairs`.
        kind: `"images"`, `"pairs"` or `"domains"`.
        steps_per_execution: Integer; `"auto"` until training begins.
        accumulate: Integer, batches whose mean gradient is one step of the optimizers.
        precision: Keras's dtype policy; `"auto"` until training begins.
        init_from: Preset, run or file whose weights training starts from.
        distill_from: Preset, run or file whose translations are learnt from too.
        distill_weight: Float, of the distance to them.
        freeze: Patterns of the layers that stay as they are.
        distance_every: Epochs from one `val_kernel_distance` to the next; None for
            none, unless it is what `keep_best` names.
        callbacks: Keras callbacks of the command line, as `"package.module:Class"`.
        data_record: What the data were: `tfgen.training.data_record.record`.
    """

    preset: str | None
    overrides: dict[str, Any]
    data: str | None
    data_dir: str | None
    epochs: int
    batch_size: int
    seed: int
    precision: str
    image_size: Size
    channels: int
    skip_bad_images: bool = False
    resize: str = "crop"
    depth: int = 8
    value_range: list[float] | None = None
    kind: str = "images"
    direction: str = "ab"
    degrade: str | None = None
    load_size: Size | None = None
    mirror: bool = False
    strategy: str = "none"
    steps_per_execution: int | str = 1
    accumulate: int = 1
    checkpoint_every: int | None = None
    keep_checkpoints: int = 3
    keep_best: str | None = None
    distance_every: int | None = None
    held_out_classes: str | None = None
    deterministic: bool = False
    init_from: str | None = None
    distill_from: str | None = None
    distill_weight: float = 10.0
    freeze: list[str] = dataclasses.field(default_factory=list)
    callbacks: list[str] = dataclasses.field(default_factory=list)
    attribution: str | None = None
    data_record: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    format: int = FORMAT

    @property
    def reads_pairs(self) -> bool:
        """Whether the data are pairs or domains, and not images."""
        return self.kind != "images" and self.degrade is None

    @classmethod
    def read(cls, run: str | os.PathLike) -> "Config":
        """Reads `config.json` of a run directory, or that of a trained preset.

        Raises:
            UserError: There is none, it is damaged, or a newer tfgen wrote it.
        """
        if preset_of(run) is not None:
            return cls(**read_card(os.fspath(run))["config"])
        file = pathlib.Path(run).expanduser() / _FILE
        if not file.is_file():
            raise UserError(f"{run} is not a run directory: it has no {_FILE}")
        try:
            values = json.loads(file.read_text())
            if values.get("format", 0) > FORMAT:
                raise UserError(
                    f"{file} was written by a newer tfgen "
                    f"({values.get('versions', {}).get('tfgen', 'unknown version')}): "
                    "update tfgen"
                )
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{file} is damaged: {error}") from error

    def write(self, run: pathlib.Path) -> None:
        """Writes `config.json`, with the versions in use now."""
        self.versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
        self.versions["python"] = platform.python_version()
        write_json(dataclasses.asdict(self), run / _FILE)

    def arguments(self, out: str | os.PathLike | None = None) -> list[str]:
        """Returns the words of the command that makes the run again.

        Args:
            out: Value of `--out`; None leaves it out.
        """
        names = ["data", "data_dir", "epochs", "batch_size", "seed", "precision"]
        names += ["steps_per_execution", "strategy", "checkpoint_every"]
        names += ["keep_checkpoints", "keep_best", "deterministic", "skip_bad_images"]
        names += ["accumulate", "resize", "depth", "value_range", "init_from"]
        names += ["distance_every"]
        if self.kind == "images":
            names.append("held_out_classes")
        else:
            names += ["load_size", "mirror", "distill_from"]
            names += ["distill_weight"] if self.distill_from else []
        if self.kind == "pairs":
            names.append("direction" if self.degrade is None else "degrade")
        flags = {name: getattr(self, name) for name in names}
        words = ["tfgen", "train", str(self.preset)]
        for callback in self.callbacks:
            words += ["--callback", callback]
        for pattern in self.freeze:
            words += ["--freeze", pattern]
        overrides = {n: NONE if v is None else v for n, v in self.overrides.items()}
        for name, value in {**flags, **overrides, "out": out}.items():
            words += _flag(name, value)
        return words


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if name == "mirror":
        return [flag if value else "--no-mirror"]
    if name in ("deterministic", "skip_bad_images"):
        return [flag] if value else []
    if name == "value_range":
        return [f"{flag}={value[0]},{value[1]}"] if value else []  # may begin with "-"
    if (name, value) in (("resize", "crop"), ("accumulate", 1), ("depth", 8)):
        return []
    if isinstance(value, tuple | list):
        value = show_size(value)
    return [] if value is None else [flag, str(value)]


def write_json(value: Any, path: pathlib.Path) -> None:
    """Writes JSON atomically."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def kind_of(model: Any) -> str:
    """Returns what a model is trained on: `"images"`, `"pairs"` or `"domains"`."""
    keys = getattr(model, "data_keys", ())
    if "images_b" in keys:
        return "domains"
    return "pairs" if "targets" in keys else "images"
