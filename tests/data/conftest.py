"""Shared sources: one prepared mnist_5k, and folders of small drawn images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tfgen.data


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A TFDS directory with mnist_5k prepared in it."""
    folder = tmp_path_factory.mktemp("tfds")
    tfgen.data.load_images("mnist_5k", data_dir=folder)
    return folder


@pytest.fixture(scope="session")
def fashion_dir():
    folder = Path(__file__).parents[3] / "shared" / "tfds"
    if not (folder / "fashion_mnist").is_dir():
        pytest.skip("needs fashion_mnist prepared in ../shared/tfds")
    return folder


def save_image(path, value=0, size=(8, 6), mode="RGB", **kwargs):
    """Saves a plain image of (height, width); `value` fills its first channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.zeros((*size, channels), np.uint8)
    pixels[..., 0] = value
    Image.fromarray(pixels if channels > 1 else pixels[..., 0]).save(path, **kwargs)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes, a train and a test folder; each image is known by its red value."""
    values = iter(range(255))
    for split, count in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            for i in range(count):
                save_image(tmp_path / split / name / f"{i:02}.png", next(values))
    return tmp_path
