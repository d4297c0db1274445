"""A run: what `train` writes into a folder and everything else reads.

model.keras      the model after the last finished epoch
checkpoints/     what `train --resume` goes on from
config.json      preset, overrides, data, seed, versions
history.csv      a row an epoch
samples/         a picture an epoch
logs/            TensorBoard
metrics.json     what `evaluate` measured
"""

import csv
import functools
import os
import pathlib
from typing import Any

from tfgen.errors import UserError
from tfgen.training.config import Config
from tfgen.training.data_record import check_present


class Run:
    """A run directory: its model, its figures and its data, each opened once.

    Args:
        path: Folder that `tfgen train` wrote, or a `.keras` file, which has a model but
            knows no data.
        data: Where the data are now, if not where they were during training.
        data_dir: Where TFDS keeps its data sets now.

    Attributes:
        path: The folder, or the file.

    Example:
        >>> run = tfgen.Run("runs/vae_mnist_5k")
        >>> run.sample(8).shape
        (8, 28, 28, 1)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        data: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        self.path = pathlib.Path(path).expanduser()
        self._data, self._data_dir = data, data_dir
        self._ordered_batches: dict[tuple, Any] = {}
        self._arrays: dict[tuple, tuple[int | None, tuple]] = {}

    @classmethod
    def of(cls, path: pathlib.Path, config: Config) -> "Run":
        """Returns the run of a configuration that is not written yet."""
        run = cls(path)
        vars(run)["config"] = config
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # ---- What the folder holds ----------------------------------------------------

    @property
    def has_config(self) -> bool:
        """Whether it is a run directory, and not a model file alone."""
        return "config" in vars(self) or (self.path / "config.json").is_file()

    @functools.cached_property
    def config(self) -> Config:
        """The run's `tfgen.training.Config`; a UserError for a model file alone."""
        config = Config.read(self.path)
        if self._data is not None:
            config.data = os.path.expanduser(self._data)
        if self._data_dir is not None:
            config.data_dir = os.path.expanduser(self._data_dir)
        return config

    @functools.cached_property
    def model(self) -> Any:
        """The compiled model after the last finished epoch."""
        from tfgen.presets.loading import load

        return load(self.path)

    @property
    def history(self) -> dict[str, list[float]]:
        """Figures of every epoch by name, as in `fit`'s history."""
        path = self.path / "history.csv"
        if not path.is_file():
            raise UserError(f"{self.path} has no finished epoch")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            name: [float(row[name]) for row in rows if row[name]]
            for name in (rows[0] if rows else {})
            if name != "epoch"
        }

    @property
    def preset(self) -> Any:
        """The `Preset` that was trained; None for a model of the user's own."""
        from tfgen.presets import get_preset

        name = self.config.preset
        return None if name is None else get_preset(name)

    @property
    def attribution(self) -> str | None:
        """Whom to name below pictures of the data; None for a model file alone."""
        return self.config.attribution if self.has_config else None

    @property
    def kind(self) -> str:
        """`"images"`, `"pairs"` or `"domains"`."""
        return self.config.kind

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images that the model takes."""
        size = self.config.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return height, width, self.config.channels

    # ---- Data ---------------------------------------------------------------------

    def train_images(self, n: int | None = None) -> Any:
        """Returns the first `n` training images that the model takes, in fixed order.

        Returns:
            `(n, height, width, channels)` float32 in [0, 1].
        """
        images = self.arrays("train", n)
        return images if self.kind == "images" else images[0]

    def test_images(self, n: int | None = None, labels: bool = False) -> Any:
        """Returns the first `n` test images that the model takes, in fixed order.

        Returns:
            `(n, height, width, channels)` float32 in [0, 1]; with `labels` also
            integers `(n,)`.
        """
        if self.kind != "images":
            return self.arrays("test", n)[0]
        return self.arrays("test", n, labels)

    def arrays(
        self, split: str, num_images: int | None = None, labels: bool = False
    ) -> Any:
        """Returns the first images of a split, in fixed order, decoded once.

        Returns:
            For `kind="images"` an array, or `(images, labels)`; else `(images,
            targets)`.
        """
        from tfgen.data.loading import collect

        key = (split, labels)
        length, arrays = self._arrays.get(key, (0, ()))
        if length is not None and (num_images is None or length < num_images):
            batches = self._in_order(split, labels, held_out=False)
            arrays = collect(batches, num_images, self.config.batch_size)
            if self.kind == "domains":  # the smaller was repeated
                counts = self.count_domains(split)
                arrays = tuple(x[:n] for x, n in zip(arrays, counts, strict=True))
            self._arrays[key] = (num_images, arrays)
        arrays = tuple(array[:num_images] for array in arrays)
        return arrays if len(arrays) > 1 else arrays[0]

    def batches(self, split: str, labels: bool = False, initial_epoch: int = 0) -> Any:
        """Returns the batches that the run trains on or, unshuffled, those of its test.

        They are a `tf.data.Dataset` whose first pass is the epoch `initial_epoch`.
        """
        training = split == "train"
        options = {"shuffle": training, "initial_epoch": initial_epoch}
        if training and self.kind != "images":
            config = self.config
            options |= {"load_size": config.load_size, "mirror": config.mirror}
        return self._load(split, labels, **options)

    def in_order(
        self,
        split: str,
        num_images: int | None = None,
        labels: bool = False,
        held_out: bool = False,
    ) -> Any:
        """Returns batches of the first images of a split, in fixed order.

        Args:
            split: `"train"` or `"test"`.
            num_images: How many at most; None for all, of which few are held at a time.
            labels: Whether the batches have them, for `kind="images"`.
            held_out: Whether the images are those of `held_out_classes` instead.
        """
        from tfgen.data.loading import take

        batches = self._in_order(split, labels, held_out)
        return take(batches, num_images, self.config.batch_size)

    def known_factors(self, split: str, num_images: int | None = None) -> Any:
        """Returns `tfgen.data.Factors` of the images of `in_order`; None without."""
        from tfgen import data

        config = self.config
        source = (self._open_data(), config.data_dir, config.image_size)
        if not data.has_factors(*source):
            return None
        return data.load_factors(
            config.data,
            split,
            num_images,
            config.image_size,
            config.data_dir,
            self.known_classes(),
        )

    def known_classes(self, held_out: bool = False) -> list[int] | None:
        """Returns the classes that the run knows, or those held out; None for all.

        Raises:
            UserError: The data has no such classes, or no other ones.
        """
        from tfgen import data
        from tfgen.data.classes import find_classes

        config = self.config
        if config.held_out_classes is None:
            return None
        names = data.class_names(self._open_data(), config.data_dir)
        unknown = [name.strip() for name in config.held_out_classes.split(",")]
        unknown = find_classes(config.data, unknown, names)
        known = [number for number in range(len(names)) if number not in unknown]
        if not known:
            raise UserError(f"--held-out-classes: they are all that {config.data} has")
        return list(unknown) if held_out else known

    @property
    def is_aligned(self) -> bool:
        """Whether test images of a run that translates come with their truth."""
        from tfgen import data

        config = self.config
        return config.kind == "pairs" or data.is_paired(
            self._open_data(), config.data_dir
        )

    def count_domains(self, split: str) -> tuple[int, int]:
        """Returns the numbers of images of A and of B, of a run on two domains."""
        from tfgen import data

        return data.count_domains(self._open_data(), split, **self._source())

    # ---- Use ----------------------------------------------------------------------

    @functools.cached_property
    def endpoints(self) -> Any:
        """The model's `tfgen.inference.Endpoints`, each traced once."""
        from tfgen.inference import Endpoints

        return Endpoints(self.model)

    def sample(self, n: int, seed: int = 0, labels: Any = None) -> Any:
        """Returns `n` drawn images `(n, height, width, channels)` in [0, 1].

        Image i is what the served `sample` makes of `seed * 2**32 + i`.

        Args:
            n: Integer.
            seed: Integer in [0, 2**31).
            labels: Integers `(n,)`, for a conditional model; None for its classes in
                turn.
        """
        from tfgen import inference

        return inference.sample(self.endpoints, n, seed, labels)

    def reconstruct(self, n: int) -> tuple[Any, Any]:
        """Returns the first `n` test images, and their reconstructions in [0, 1]."""
        from tfgen import inference

        self.endpoints.require("reconstruct", why="it does not encode images")
        images, labels = self.test_images(n), None
        if self.endpoints.takes_labels:
            images, labels = self.test_images(n, labels=True)
        return images, inference.reconstruct(self.endpoints, images, labels)

    def evaluate(self, **options: Any) -> Any:
        """Measures on the test split: `tfgen.evaluate(self, **options)`."""
        from tfgen import evaluation

        return evaluation.evaluate(self, **options)

    def export(self, out: str | os.PathLike, **options: Any) -> Any:
        """Exports the model: `tfgen.training.exporting.export_run(self, out, ...)`."""
        from tfgen.training.exporting import export_run

        return export_run(self, out, **options)

    def demo(self, out: str | os.PathLike, **options: Any) -> Any:
        """Makes a page that runs the model in a browser: see `export`."""
        options = {"formats": ("web",), "latency_seconds": 0.0, **options}
        return self.export(out, **options)

    # ---- Private ------------------------------------------------------------------

    @functools.cached_property
    def _has_classes(self) -> bool:
        from tfgen import data

        return bool(data.class_names(self._open_data(), self.config.data_dir))

    def _in_order(self, split: str, labels: bool, held_out: bool) -> Any:
        key = (split, labels, held_out)
        if key not in self._ordered_batches:
            if self.kind == "images" and not labels and self._has_classes:
                labelled = self._in_order(split, True, held_out)
                batches = labelled.map(lambda images, labels: images)
            else:
                batches = self._load(split, labels, held_out, shuffle=False)
            self._ordered_batches[key] = batches
        return self._ordered_batches[key]

    def _open_data(self) -> Any:
        """Returns the name or folder of the data; a UserError if it is gone."""
        check_present(self.config.data)
        return self.config.data

    def _load(
        self, split: str, labels: bool, held_out: bool = False, **options: Any
    ) -> Any:
        from tfgen import data

        config = self.config
        load = {
            "images": data.load_images,
            "pairs": data.load_pairs,
            "domains": data.load_domains,
        }
        options |= {"batch_size": config.batch_size, "seed": config.seed}
        if config.kind == "images":
            options["labels"] = labels
        source = self._source(held_out)
        return load[config.kind](self._open_data(), split, **options, **source)

    def _source(self, held_out: bool = False) -> dict[str, Any]:
        """Returns the arguments that every look at the data has in common."""
        config = self.config
        by_kind = {
            "images": lambda: {"classes": self.known_classes(held_out)},
            "pairs": lambda: {"direction": config.direction},
            "domains": dict,
        }
        return {
            "image_size": config.image_size,
            "channels": config.channels,
            "data_dir": config.data_dir,
            "skip_bad_images": config.skip_bad_images,
            "source_range": config.value_range,
            **by_kind[config.kind](),
        }
