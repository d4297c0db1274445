"""The data of a run: read as the run's configuration says, each opened once."""

import contextlib
import functools
import os
from typing import Any

from tfgen.errors import UserError
from tfgen.names import find_name, list_names
from tfgen.training.data_record import check_present


class RunData:
    """Base of `Run`, which adds the folder and its `config`."""

    config: Any

    def __init__(self) -> None:
        self._ordered_batches: dict[tuple, Any] = {}
        self._arrays: dict[tuple, tuple[int | None, tuple]] = {}

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        """What the classes of the data are called; empty without labels."""
        from tfgen import data

        return data.class_names(self._open_data(), self.config.data_dir)

    def find_class(self, name: str | int) -> int:
        """Returns the number of a class that is given by its name or its number.

        A folder called "2" may well be another class than the third. Where the data
        are not known any more, numbers are taken as they are.

        Raises:
            UserError: There is no such class.
        """
        names: tuple[str, ...] = ()
        with contextlib.suppress(UserError):
            names = self.class_names
        number = find_name(str(name), names)
        if number is None and str(name).isdecimal():
            return int(name)  # whether the model has it is seen later
        if number is None:
            known = list_names(names) if names else "numbers: the data are not known"
            raise UserError(f"there is no class {name!r}: choose of {known}")
        return number

    @property
    def kind(self) -> str:
        """`"images"`, `"pairs"` or `"domains"`."""
        return self.config.kind

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

    def read_files(self, paths: Any) -> Any:
        """Returns image files as the model takes them, `(n, height, width, channels)`.

        Args:
            paths: Of the files.
        """
        import numpy as np

        from tfgen.data.decode import read_image
        from tfgen.data.pixels import Fit

        height, width, channels = self.endpoints.image_shape
        config = self.config
        more = config.value_range, config.resize, config.depth
        fit = Fit((height, width), channels, *more)
        images = [read_image(os.path.expanduser(path), fit)[0] for path in paths]
        most = np.iinfo(images[0].dtype).max
        return np.stack(images).astype(np.float32) / most

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

        config = self.config
        if config.held_out_classes is None:
            return None
        unknown = [name.strip() for name in config.held_out_classes.split(",")]
        unknown = data.find_classes(self._open_data(), unknown, config.data_dir)
        known = [i for i in range(len(self.class_names)) if i not in unknown]
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

    # ---- Private ------------------------------------------------------------------

    def _in_order(self, split: str, labels: bool, held_out: bool) -> Any:
        key = (split, labels, held_out)
        if key not in self._ordered_batches:
            if self.kind == "images" and not labels and self.class_names:
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
            "pairs": lambda: {
                "direction": config.direction,
                "degrade": config.degrade,
            },
            "domains": dict,
        }
        return {
            "image_size": config.image_size,
            "channels": config.channels,
            "data_dir": config.data_dir,
            "skip_bad_images": config.skip_bad_images,
            "source_range": config.value_range,
            "resize": config.resize,
            "depth": config.depth,
            **by_kind[config.kind](),
        }
