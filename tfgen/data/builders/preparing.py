"""TFDS builders by name: found, prepared on first use, their splits resolved."""

import difflib
import os
import socket
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path

import tensorflow_datasets as tfds

from tfgen.errors import UserError
from tfgen.files import waiting_lock

OWN_NAMES = ("binary_mnist", "mnist_5k", "openmoji", "sprites")


def make_builder(
    name: str, data_dir: str | os.PathLike | None, size: tuple[int, int] | None = None
) -> tfds.core.DatasetBuilder:
    """Returns the builder of a data set that TFDS knows or `data_dir` holds.

    A name without a configuration, such as `openmoji`, is the configuration made for
    images of `size` (`openmoji/32` for 32 x 32 pixels) where there is one.
    """
    data_dir = data_dir and os.path.expanduser(data_dir)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if size and name == builder.name and size[0] == size[1]:
            config = str(size[0])
            if config in builder.builder_configs:
                return tfds.builder(f"{name}/{config}", data_dir=data_dir)
        return builder
    except tfds.core.DatasetNotFoundError:
        raise _unknown_name(name) from None
    except ImportError as error:
        raise _missing_package(name, error) from error
    except ValueError as error:
        base = base_name(name)
        if not is_known(base):
            raise _unknown_name(name) from error
        configs = ", ".join(tfds.builder_cls(base).builder_configs) or "none"
        raise UserError(
            f"{name!r} names no configuration or version of {base}. Configurations: "
            f"{configs}; without one, {base} is its default"
        ) from error


def base_name(source: str) -> str:
    """Returns the data set in `name/config:version`."""
    return source.split("/")[0].split(":")[0]


def is_known(name: str) -> bool:
    """Returns whether the builder of a data set is installed.

    Our own are looked at first: TFDS imports hundreds of modules for its list.
    """
    return name in OWN_NAMES or name in known_names()


def known_names() -> list[str]:
    """Returns the data sets whose builders are installed, ours among them."""
    return tfds.list_builders(with_community_datasets=False)


def prepare(builder: tfds.core.DatasetBuilder) -> None:
    """Downloads and writes the data set, unless that was done before.

    One process does so at a time: others wait for it, and read what it wrote.
    """
    if _was_prepared(builder):
        return
    name, folder = builder.info.full_name, builder.data_dir_root
    advice = (
        f"Prepare it on a machine with a network (tfds build {name}), copy the folder "
        "here and pass it as data_dir"
    )
    _check_network(builder, advice)
    try:
        # Beside the data set's folder, in which TFDS looks for versions.
        with waiting_lock(Path(folder, f".{builder.name}.lock"), _say_waits(builder)):
            if not _was_prepared(builder):
                builder.download_and_prepare()
    except UserError:
        raise
    except ImportError as error:
        raise _missing_package(name, error) from error
    except AssertionError as error:  # so TFDS reports files that it may not fetch
        raise UserError(
            f"{name} must be downloaded by hand: {_brief(error)}"
        ) from error
    except (OSError, ValueError, tfds.download.DownloadError) as error:
        if _was_prepared(builder):  # by another process, where files have no locks
            return
        raise UserError(
            f"{name} could not be prepared in {folder}: {_brief(error)}. {advice}"
        ) from error


def _was_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    """Whether the data set is there; if it was not when the builder was, it is read."""
    if not builder.is_prepared():
        return False
    if not builder.info.initialized:
        builder.info.read_from_directory(builder.data_path)
    return True


def _say_waits(builder: tfds.core.DatasetBuilder) -> Callable[[], None]:
    text = (
        f"Another process prepares {builder.info.full_name} in "
        f"{builder.data_dir_root}: waiting for it"
    )
    return lambda: warnings.warn(text, stacklevel=3)


def resolve_split(builder: tfds.core.DatasetBuilder, split: str) -> str:
    """Returns the split in TFDS's own words.

    Where there is no "test" split, "validation" takes its place; where there is none
    either, the last tenth of "train" does, and "train" is the rest.
    """
    splits = builder.info.splits
    if "test" not in splits and "validation" in splits:
        name, bracket, rest = split.partition("[")
        split = ("validation" if name == "test" else name) + bracket + rest
    elif "test" not in splits and "train" in splits:
        split = {"train": "train[:90%]", "test": "train[90%:]"}.get(split, split)
    try:
        splits[split]
    except (KeyError, ValueError, AssertionError) as error:
        known = ", ".join(sorted({"test", *splits} if "train" in splits else splits))
        raise UserError(
            f"{builder.info.full_name} has no split {split!r}: choose one of {known}, "
            "or a slice such as train[:100]"
        ) from error
    return split


def _unknown_name(source: str) -> UserError:
    """Returns the error for a name that is neither a data set nor a folder."""
    near = difflib.get_close_matches(base_name(source), known_names(), n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UserError(
        f"No TFDS data set is called {source!r}, and no folder of that name exists."
        f"{hint} Pass a name listed at https://www.tensorflow.org/datasets/catalog "
        "or the path of a folder of images"
    )


def _check_network(builder: tfds.core.DatasetBuilder, advice: str) -> None:
    # TFDS retries for over three minutes before it says that there is no network.
    urls = builder.url_infos or {}
    records = Path(builder.data_dir_root, "downloads").rglob("*.INFO")
    fetched = "".join(record.read_text("utf-8") for record in records)
    if urllib.request.getproxies() or any(url in fetched for url in urls):
        return  # names may resolve elsewhere, or nothing is left to fetch
    hosts = {urllib.parse.urlparse(url).hostname for url in urls}
    for host in sorted(hosts - {None})[:1]:
        try:
            socket.getaddrinfo(host, 443)
        except OSError as error:
            raise UserError(
                f"{builder.info.full_name} must be downloaded, and {host} cannot be "
                f"reached ({_brief(error)}). {advice}"
            ) from error


def _missing_package(name: str, error: ImportError) -> UserError:
    package = getattr(error, "name", None) or "the package it names"
    return UserError(
        f"The data set {name} needs a package that is not installed "
        f"({_brief(error)}): run pip install {package}"
    )


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
