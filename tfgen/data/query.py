"""A request for pairs or domains, and where their files are."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tfgen.data.builders import tfds_source
from tfgen.data.builders.preparing import make_builder
from tfgen.data.folders import folder_source
from tfgen.data.loading import (
    PathLike,
    Size,
    Source,
    check_split,
    find_folder,
    make_fit,
)
from tfgen.data.pixels import Fit
from tfgen.errors import UserError
from tfgen.progress import Progress, no_progress
from tfgen.sizes import both_sides, read_size


@dataclass(frozen=True)
class Query:
    """A request for pairs or domains: arguments as in `load_pairs`."""

    source: PathLike
    split: str
    image_size: Size = None
    channels: int | None = 3
    data_dir: PathLike | None = None
    skip_bad_images: bool = False
    source_range: tuple[float, float] | None = None
    resize: str = "crop"
    depth: int = 8
    progress: Progress = no_progress
    load_size: Size = None

    def open_pairs(self) -> Source:
        """Returns the pairs as one source."""
        fit, folder, builder = self._locate()
        if folder is None:
            return tfds_source.open_named_pairs(builder, self.split, fit)
        options = self.skip_bad_images, self.progress
        return folder_source.open_pair_folder(folder, self.split, fit, *options)

    def open_images(self) -> Source:
        """Returns single images, as `load_images` does."""
        fit, folder, _ = self._locate()
        if folder is None:
            return tfds_source.open_named(
                str(self.source), self.split, fit, False, self.data_dir
            )
        options = self.skip_bad_images, None, self.progress
        return folder_source.open_folder(folder, self.split, fit, False, *options)

    def open_domains(self) -> list[Source]:
        """Returns domains A and B, or pairs as one source."""
        fit, folder, builder = self._locate()
        if folder is None:
            data = tfds_source.open_named_domains(builder, self.split, fit)
        else:
            options = self.skip_bad_images, self.progress
            data = folder_source.open_domain_folder(folder, self.split, fit, *options)
        if len({domain.image_shape for domain in data}) > 1:
            shapes = " and ".join(str(domain.image_shape) for domain in data)
            raise UserError(
                f"The domains of {self.source} differ in shape (height, width, "
                f"channels): {shapes}. Pass image_size and channels to make them equal"
            )
        return data

    @cached_property
    def fit(self) -> Fit:
        """What images are made to be in the end, after a crop if there is one."""
        return make_fit(
            self.image_size,
            self.channels,
            self.source_range,
            self.resize,
            self.depth,
        )

    def _locate(self) -> tuple[Fit, Any, Any]:
        """Returns what images are before a crop, and a folder or a builder."""
        fit = self.fit
        if self.load_size is not None:
            fit = fit._replace(size=self._check_load_size())
        check_split(self.split)
        if folder := find_folder(self.source):
            return fit, folder, None
        builder = make_builder(os.fspath(self.source), self.data_dir, self.fit.size)
        return fit, None, builder

    def _check_load_size(self) -> tuple[int, int]:
        height, width = both_sides(read_size("load_size", self.load_size))
        if self.fit.size is None:
            raise UserError("load_size needs image_size, which is cropped from it")
        if height < self.fit.size[0] or width < self.fit.size[1]:
            raise UserError(
                "load_size must be at least image_size, which is cropped from it. "
                f"Received: load_size={self.load_size} and "
                f"image_size={self.image_size}"
            )
        return height, width
