"""A small run of a small model on a folder of images, shared by the commands' tests."""

import numpy as np
import pytest
from PIL import Image

from tests.models import small
from tfgen.cli import main

SMALL = ("--filters", "4", "--latent-dim", "3", "--epochs", "2", "--batch-size", "16")


def tfgen(*arguments):
    """Runs a command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def write_images(folder, count=60, num_classes=3):
    """Writes blobs as PNG, a sub-folder a class."""
    images = small.images(count, (28, 28, 1))
    for index, image in enumerate(images):
        path = folder / f"class_{index % num_classes}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(255 * image[..., 0])).save(path)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def vae_run(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("runs") / "vae"
    assert tfgen("train", "vae_mnist_5k", "--data", folder, "--out", out, *SMALL) == 0
    return out


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("runs") / "conditional"
    flags = ("--data", folder, "--out", out, "--num-classes", "3", *SMALL)
    assert tfgen("train", "conditional_vae_mnist_5k", *flags) == 0
    return out


@pytest.fixture(scope="session")
def autoencoder_run(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("runs") / "autoencoder"
    flags = ("--data", folder, "--out", out, *SMALL)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 0
    return out


@pytest.fixture(scope="session")
def gan_run(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("runs") / "gan"
    flags = ("--data", folder, "--out", out, "--latent-dim", "5", "--num-classes", "3")
    small_gan = ("--filters", "4", "--epochs", "2", "--batch-size", "16")
    assert tfgen("train", "dcgan_mnist_5k", *flags, *small_gan) == 0
    return out
