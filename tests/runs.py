"""Small runs of small models on folders of images, trained once for all test files.

A test that changes one takes a copy. A conftest.py imports the fixtures that its
folder uses.
"""

import gc
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

import tfgen.data
from tests.made_once import made_once, shared_folder
from tests.models import small
from tfgen.cli import main

SMALL = ("--filters", "4", "--latent-dim", "3", "--epochs", "2", "--batch-size", "16")
SMALL_TRANSLATOR = (
    *("--image-size", "16", "--filters", "4", "--discriminator-filters", "4"),
    *("--patch-layers", "1", "--epochs", "2", "--batch-size", "8"),
)
# Of the quickstart, and of the same path in Python.
OVERRIDES = {"filters": 4, "latent_dim": 3, "learning_rate": 0.01}
OPTIONS = {"epochs": 1, "batch_size": 16}


def run_tfgen(*arguments):
    """Runs a command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    gc.freeze()  # a command ends with a collection: the next one looks at what is new
    return stop.value.code


def write_images(folder, count=60, num_classes=3):
    """Writes blobs as PNG, a sub-folder a class."""
    images = small.images(count, (28, 28, 1))
    for index, image in enumerate(images):
        path = folder / f"class_{index % num_classes}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(255 * image[..., 0])).save(path)
    return folder


def write_pairs(folder, count=40, size=16):
    """Writes pairs as `a/` and `b/`: grey blobs, and the same in colours on white."""
    blobs = small.images(count, (size, size, 1))
    tints = np.random.default_rng(1).uniform(size=(count, 1, 1, 3))
    for name, images in (("a", 1.0 - blobs), ("b", 1.0 - blobs * tints)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(images):
            pixels = np.uint8(255 * np.broadcast_to(image, (size, size, 3)))
            Image.fromarray(pixels).save(folder / name / f"{index:03d}.png")
    return folder


def _train(tmp_path_factory, name, preset, *flags):
    def make(out):
        assert run_tfgen("train", preset, "--out", out, *flags) == 0

    return made_once(tmp_path_factory, name, make)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Where `evaluate` keeps the networks that it trains."""
    with pytest.MonkeyPatch.context() as patch:
        cache = shared_folder(tmp_path_factory) / "cache"
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return made_once(tmp_path_factory, "images", write_images)


@pytest.fixture(scope="session")
def many_images(tmp_path_factory):
    """Enough images that test images can be compared with drawn ones."""
    return made_once(
        tmp_path_factory, "many_images", lambda path: write_images(path, 200)
    )


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    return made_once(tmp_path_factory, "pairs", write_pairs)


@pytest.fixture(scope="session")
def pix2pix_run(tmp_path_factory, pairs_folder):
    flags = ("--data", pairs_folder, *SMALL_TRANSLATOR, "--direction", "ba")
    return _train(tmp_path_factory, "pix2pix_run", "pix2pix_256", *flags)


@pytest.fixture(scope="session")
def cyclegan_run(tmp_path_factory, pairs_folder):
    flags = ("--data", pairs_folder, *SMALL_TRANSLATOR)
    more = ("--num-blocks", "1", "--pool-size", "5")
    return _train(tmp_path_factory, "cyclegan_run", "cyclegan_256", *flags, *more)


@pytest.fixture(scope="session")
def vae_run(tmp_path_factory, folder):
    flags = ("--data", folder, *SMALL)
    return _train(tmp_path_factory, "vae_run", "vae_mnist_5k", *flags)


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory, folder):
    flags = ("--data", folder, "--num-classes", "3", *SMALL)
    name = "conditional_vae_mnist_5k"
    return _train(tmp_path_factory, "conditional_run", name, *flags)


@pytest.fixture(scope="session")
def autoencoder_run(tmp_path_factory, folder):
    flags = ("--data", folder, *SMALL)
    return _train(tmp_path_factory, "autoencoder_run", "autoencoder_mnist_5k", *flags)


@pytest.fixture(scope="session")
def gan_run(tmp_path_factory, folder):
    flags = ("--data", folder, "--latent-dim", "5", "--num-classes", "3")
    small_gan = ("--filters", "4", "--epochs", "2", "--batch-size", "16")
    return _train(tmp_path_factory, "gan_run", "dcgan_mnist_5k", *flags, *small_gan)


@pytest.fixture(scope="session")
def sprites_run(tmp_path_factory):
    """A VAE of sprites, whose factors are known."""
    name = "sprites/32_2000"

    def prepare(folder):
        tfgen.data.load_array(name, "test", 1, data_dir=folder)

    data_dir = made_once(tmp_path_factory, "sprites_data", prepare)
    flags = ("--data", name, "--data-dir", data_dir, "--image-size", 32)
    network = ("--filters", 4, "--latent-dim", 3, "--epochs", 1, "--batch-size", 100)
    return _train(tmp_path_factory, "sprites_run", "vae_mnist_5k", *flags, *network)


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory, many_images):
    """The run directory of a small `tfgen quickstart`: trained, measured, exported.

    Besides it holds `opened.json`: how often models were loaded, and data were read.
    """
    from tfgen import data
    from tfgen.cli import quickstart

    def walk(path):
        import keras

        calls = []

        def counted(function, name):
            def call(*args, **kwargs):
                calls.append((name, *map(str, args)))
                return function(*args, **kwargs)

            return call

        with pytest.MonkeyPatch.context() as patch:
            load = counted(keras.saving.load_model, "model")
            patch.setattr(keras.saving, "load_model", load)
            read = counted(data.load_images, "data")
            patch.setattr(data, "load_images", read)
            options = {**OPTIONS, "data": str(many_images)}
            quickstart.walk(path, False, OVERRIDES, 0.0, **options)
        (path / "opened.json").write_text(json.dumps(calls))

    return made_once(tmp_path_factory, "quick_run", walk)


def read_metrics(run):
    return json.loads((pathlib.Path(run) / "metrics.json").read_text())
