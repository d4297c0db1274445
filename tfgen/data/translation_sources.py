"""Pairs and domains as sources, whether of a TFDS data set or of a folder."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tensorflow_datasets as tfds

from tfgen.data import folder_source, tfds_source
from tfgen.data.builders.preparing import make_builder
from tfgen.data.loading import (
    PathLike,
    Size,
    Source,
    check_split,
    find_folder,
    make_fit,
    make_size,
)
from tfgen.data.pixels import Fit
from tfgen.errors import UserError
from tfgen.progress import Progress, no_progress


@dataclass(frozen=True)
class Query:
    """Which pairs or domains are asked for: arguments as in `load_pairs`."""

    source: PathLike
    split: str
    image_size: Size = None
    channels: int | None = 3
    data_dir: PathLike | None = None
    skip_bad_images: bool = False
    source_range: tuple[float, float] | None = None
    progress: Progress = no_progress

    @cached_property
    def size(self) -> tuple[int, int] | None:
        """`(height, width)` of the images in the end; None for that of the files."""
        return self._fit.size

    def open_pairs(self, load_size: Size = None) -> Source:
        """Returns the pairs; `load_size` is the size that crops are taken from."""
        fit, origin = self._locate(load_size)
        if isinstance(origin, Path):
            options = self.skip_bad_images, self.progress
            return folder_source.open_pair_folder(origin, self.split, fit, *options)
        return tfds_source.open_named_pairs(origin, self.split, fit)

    def open_domains(self, load_size: Size = None) -> list[Source]:
        """Returns domains A and B, or pairs as one source; else as `open_pairs`."""
        fit, origin = self._locate(load_size)
        if isinstance(origin, Path):
            options = self.skip_bad_images, self.progress
            data = folder_source.open_domain_folder(origin, self.split, fit, *options)
        else:
            data = tfds_source.open_named_domains(origin, self.split, fit)
        if len({domain.image_shape for domain in data}) > 1:
            shapes = " and ".join(str(domain.image_shape) for domain in data)
            raise UserError(
                f"The domains of {self.source} differ in shape (height, width, "
                f"channels): {shapes}. Pass image_size and channels to make them equal"
            )
        return data

    @cached_property
    def _fit(self) -> Fit:
        return make_fit(self.image_size, self.channels, self.source_range)

    def _locate(self, load_size: Size) -> tuple[Fit, Path | tfds.core.DatasetBuilder]:
        """Returns what images are made to be at first, and a folder or a builder."""
        fit = self._fit
        if load_size is not None:
            fit = fit._replace(size=self._check_load_size(load_size))
        check_split(self.split)
        folder = find_folder(self.source)
        if folder is not None:
            return fit, folder
        return fit, make_builder(os.fspath(self.source), self.data_dir, self.size)

    def _check_load_size(self, load_size: Size) -> tuple[int, int]:
        size = make_size("load_size", load_size)
        if self.size is None:
            raise UserError(
                "load_size needs image_size, the size that is cropped from it: pass "
                "both"
            )
        if size[0] < self.size[0] or size[1] < self.size[1]:
            raise UserError(
                "load_size must be at least image_size, which is cropped from it. "
                f"Received: load_size={load_size} and image_size={self.image_size}"
            )
        return size
