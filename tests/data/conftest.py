"""Shared sources: one prepared mnist_5k, and folders of small drawn images."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import tfgen.data
from tests.made_once import made_once
from tfgen.data import loading
from tfgen.errors import UserError


@pytest.fixture(params=["memory", "stream"])
def storage(request, monkeypatch):
    """Whether sets are kept in memory, or read as they come."""
    if request.param == "stream":
        monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    return request.param


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A TFDS directory with mnist_5k prepared in it."""

    def prepare(folder):
        tfgen.data.load_images("mnist_5k", data_dir=folder)

    return made_once(tmp_path_factory, "mnist_5k", prepare)


@pytest.fixture(scope="session")
def openmoji_dir(tmp_path_factory):
    """A TFDS directory with the smallest configuration of openmoji, prepared."""

    def prepare(folder):
        tfds.load("openmoji/32", data_dir=folder)

    return made_once(tmp_path_factory, "openmoji_32", prepare)


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory):
    """A TFDS directory in which the first test prepares each of the tiny sets."""
    return tmp_path_factory.mktemp("tiny_sets")


@pytest.fixture(scope="session")
def fashion_dir():
    folder = Path(__file__).parents[3] / "shared" / "tfds"
    if not (folder / "fashion_mnist").is_dir():
        pytest.skip("needs fashion_mnist prepared in ../shared/tfds")
    return folder


def both_ways(in_memory, streamed):
    """Runs a test of one `source` in memory, another streamed; the rest is `large`."""
    large = pytest.mark.large
    return pytest.mark.parametrize(
        ("source", "storage"),
        [
            (in_memory, "memory"),
            (streamed, "stream"),
            pytest.param(in_memory, "stream", marks=large),
            pytest.param(streamed, "memory", marks=large),
        ],
        indirect=True,
    )


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


HEIGHT, WIDTH = 8, 10  # of the images of `draw_pair`


def draw_pair(number):
    """Returns A and B, whose pixels tell the number, their row and their column."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([np.full_like(rows, number), rows, columns], -1).astype(np.uint8)
    return image, image + np.uint8([0, 100, 100])


def save_pairs(folder, layout, train=24, test=6):
    """Saves numbered pairs (test from 100) in one of the conventions."""
    for split, first, count in (("train", 0, train), ("test", 100, test)):
        for number in range(first, first + count):
            a, b = draw_pair(number)
            if layout == "side by side":
                save_array(folder / split / f"{number:03}.png", np.hstack([a, b]))
                continue
            for name, image in (("a", a), ("B", b)):
                path = f"{split}/{name}" if layout == "split/a" else f"{name}/{split}"
                save_array(folder / path / f"{number:03}.png", image)
    return folder


def save_domains(folder, **counts):
    """Saves `trainA=5` and so on; the numbers start at 0 for A and at 100 for B."""
    for name, count in counts.items():
        for i in range(count):
            a, b = draw_pair(i + 100 * (name[-1] in "Bb"))
            save_array(folder / name / f"{i:03}.png", b if name[-1] in "Bb" else a)
    return folder


def save_array(path, pixels, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **kwargs)
    return path


def passes(dataset, count=1):
    """Returns of each pass the batches, as tuples of integer arrays."""
    return [
        [tuple(np.round(x).astype(int) for x in batch)
         for batch in dataset.as_numpy_iterator()]
        for _ in range(count)
    ]  # fmt: skip


def joined(batches):
    """Returns the components of all batches of a pass, each as one array."""
    return tuple(np.concatenate(column) for column in zip(*batches, strict=True))


def assert_epochs_depend_on_seed_and_number(load, **kwargs):
    def run(count, seed=3, **more):
        epochs = passes(load(**kwargs, seed=seed, **more), count)
        return [np.concatenate(joined(epoch)).tobytes() for epoch in epochs]

    first = run(3)
    assert len(set(first)) == 3
    assert run(3) == first
    assert run(2, initial_epoch=1) == first[1:]
    assert run(1, seed=4)[0] != first[0]


def assert_memory_and_stream_agree(load, folder, monkeypatch, **kwargs):
    kwargs |= {"value_range": (0, 255), "batch_size": 5}
    in_memory = joined(passes(load(folder, **kwargs))[0])
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    streamed = joined(passes(load(folder, **kwargs))[0])
    np.testing.assert_array_equal(in_memory, streamed)


def assert_fails(load, *fragments, **kwargs):
    """The message is one line, with all the fragments in it."""
    with pytest.raises(UserError) as caught:
        load(**kwargs)
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert str(fragment) in message
