"""What a source of images is, and how a name or a folder becomes one.

A source reads; it neither batches, shuffles an epoch, nor scales.
"""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import tfgen.data.builders  # noqa: F401 (registers our data sets)
from tfgen.errors import UserError


@dataclass(frozen=True)
class Source:
    """Examples of one split: one image or a pair of one shape, some with a label.

    Attributes:
        name: What the user calls it.
        num_examples: Integer, the examples of the split.
        image_shape: `(height, width, channels)` of every image.
        read: Returns all examples as arrays in the fixed order: for each image of an
            example `(num_examples, height, width, channels)` uint8 and, if there are
            labels, `(num_examples,)` int32.
        stream: From a seed `(2,)` int64, or None for the fixed order, to a
            `tf.data.Dataset` of single examples.
        num_images: Integer, the images of an example.
    """

    name: str
    num_examples: int
    image_shape: tuple[int, int, int]
    read: Callable[[], tuple[np.ndarray, ...]]
    stream: Callable[[tf.Tensor | None], tf.data.Dataset]
    num_images: int = 1

    @property
    def num_bytes(self) -> int:
        """The memory that all images take as uint8."""
        return self.num_examples * self.num_images * int(np.prod(self.image_shape))


def find_folder(source: str | os.PathLike) -> Path | None:
    """Returns the folder that `source` means, or None where it names a data set.

    A name that TFDS knows is that data set, also where a folder is called the same:
    `./name` is the folder.

    Raises:
        UserError: `source` is neither a data set that TFDS knows nor a folder.
    """
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise UserError(
            "source must be the name of a TFDS data set or a folder of images. "
            f"Received: {source!r}"
        )
    if isinstance(source, str) and base_name(source) in known_names():
        return None
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(f"{source} is a file: pass the folder that holds the images")
    return None


def unknown_name(source: str) -> UserError:
    """Returns the error for a name that is neither a data set nor a folder."""
    near = difflib.get_close_matches(base_name(source), known_names(), n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UserError(
        f"No TFDS data set is called {source!r}, and no folder of that name exists."
        f"{hint} Pass a name listed at https://www.tensorflow.org/datasets/catalog "
        "or the path of a folder of images"
    )


def no_such_images(name: str, split: str) -> UserError:
    """Returns the error for a split that has no image of the classes asked for."""
    return UserError(
        f"The split {split!r} of {name} has no image of these classes: choose others"
    )


def base_name(source: str) -> str:
    """Returns the data set in `name/config:version`."""
    return source.split("/")[0].split(":")[0]


def known_names() -> list[str]:
    """Returns the data sets whose builders are installed, ours among them."""
    return tfds.list_builders(with_community_datasets=False)
