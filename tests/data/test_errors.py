"""Every mistake is one line that says what was wrong and what to do."""

import re
import socket
import zlib

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from tests.data.conftest import save_image
from tfgen.data import decode, find_damaged_image, load_array, load_images, loading
from tfgen.data.builders.preparing import resolve_split
from tfgen.errors import UserError


def _fails(*fragments, source, **kwargs):
    with pytest.raises(UserError) as caught:
        load_images(source, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert str(fragment) in message
    return message


@pytest.mark.parametrize(
    ("kwargs", "fragment"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1. Received: 0"),
        ({"batch_size": 1.5}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"initial_epoch": -1}, "initial_epoch"),
        ({"value_range": (1.0, 0.0)}, "value_range"),
        ({"value_range": 3}, "value_range"),
        ({"value_range": (0.0, float("inf"))}, "value_range"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": (8, 8, 3)}, "image_size"),
        ({"resize": "squeeze"}, "resize must be one of crop, pad, stretch"),
        (
            {"channels": 2},
            "An image has 3 channels, and 2 are asked for",
        ),
        ({"split": "dev"}, "has no split 'dev': choose one of test, train"),
        ({"split": 3}, "split"),
        ({"source": None}, "source"),
        ({"source": ""}, "source"),
    ],
)
def test_arguments(folder, kwargs, fragment):
    _fails(fragment, **{"source": folder, **kwargs})


def test_unknown_name():
    _fails("'mnist_6k'", "no folder", "mnist_5k", source="mnist_6k")
    _fails("no folder", source="./no/such/folder")


def test_unknown_configuration(tmp_path):
    _fails("corrupted", "identity", source="mnist_corrupted/oops", data_dir=tmp_path)


def test_unknown_split(data_dir):
    for split in ("dev", "train[:x]", "dev[:3]"):
        _fails("choose one of test, train", source="mnist_5k", split=split,
               data_dir=data_dir)  # fmt: skip
    _fails("is empty", source="mnist_5k", split="train[:0]", data_dir=data_dir)


def test_no_images_no_labels_no_size(tmp_path):
    _fails("has no images", source="imdb_reviews", data_dir=tmp_path)
    _fails("has no labels", source="smallnorb", labels=True, data_dir=tmp_path)
    _fails("pass image_size", source="cats_vs_dogs", data_dir=tmp_path)


def test_no_network(tmp_path, monkeypatch):
    def refuse(*args):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    _fails("mnist/3.0.1 must be downloaded", "data_dir", source="mnist",
           data_dir=tmp_path)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "fragment"),
    [
        (
            OSError("Not enough disk space.\nNeeded: 3 GB"),
            "Not enough disk space. Needed",
        ),
        (ModuleNotFoundError("No module named 'x'", name="x"), "run pip install x"),
        (
            AssertionError("Manual directory\ndoes not exist"),
            "by hand: Manual directory",
        ),
    ],
)
def test_preparing_fails(tmp_path, monkeypatch, error, fragment):
    def fail(self):
        raise error

    builder = tfds.builder_cls("mnist_5k")
    monkeypatch.setattr(builder, "download_and_prepare", fail)
    _fails("mnist_5k/1.0.0", fragment, source="mnist_5k", data_dir=tmp_path)


class _Info:
    full_name = "some/1.0.0"

    def __init__(self, splits):
        infos = {name: tfds.core.SplitInfo(
            name=name, shard_lengths=[100], num_bytes=0,
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=".", dataset_name="some", split=name,
                filetype_suffix="tfrecord"),
        ) for name in splits}  # fmt: skip
        self.splits = tfds.core.splits.SplitDict(list(infos.values()))


@pytest.mark.parametrize(
    ("splits", "split", "expected", "size"),
    [
        (["train", "test"], "test", "test", 100),
        (["train", "validation"], "test", "validation", 100),
        (["train", "validation"], "test[:10]", "validation[:10]", 10),
        (["train", "validation"], "train", "train", 100),
        (["train"], "test", "train[90%:]", 10),
        (["train"], "train", "train[:90%]", 90),
        (["train"], "train[:7]", "train[:7]", 7),
    ],
)
def test_a_missing_test_split_is_made_up(splits, split, expected, size):
    builder = type("Builder", (), {"info": _Info(splits)})
    assert resolve_split(builder, split) == expected
    assert builder.info.splits[expected].num_examples == size


def test_empty_folder(tmp_path):
    (tmp_path / "notes.txt").touch()
    _fails(tmp_path, "holds no images", ".png", source=tmp_path)
    _fails("is a file", source=tmp_path / "notes.txt")


def test_a_split_without_images(tmp_path):
    save_image(tmp_path / "0.png")
    _fails("too few for the split 'train'", "Add images", source=tmp_path)


def test_mixed_channels(folder):
    odd = save_image(folder / "train" / "dog" / "x.png", mode="L")
    _fails(
        folder / "train" / "cat" / "00.png", odd, "channels=1, 3 or 4", source=folder
    )
    assert load_array(folder, "train", channels=3).shape == (25, 8, 6, 3)


def test_mixed_sizes(folder):
    odd = save_image(folder / "train" / "dog" / "x.png", size=(9, 6))
    _fails(folder / "train" / "cat" / "00.png", odd, "(9, 6)", "Pass image_size",
           source=folder)  # fmt: skip
    assert load_array(folder, "train", image_size=8).shape == (25, 8, 8, 3)


def test_missing_labels(tmp_path):
    for i in range(3):
        save_image(tmp_path / f"{i}.png")
    _fails("has no labels", "one sub-folder a class", source=tmp_path, labels=True)
    for i in range(9):
        save_image(tmp_path / "cat" / f"{i}.png")
    _fails(tmp_path, "has no label: ", source=tmp_path, labels=True)


def _truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _plant_noise(path):
    """Saves an image whose file is long enough to lose its half after the header."""
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    return path


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("damage", ["truncated", "not an image", "empty"])
def test_damaged_files(folder, ending, damage):
    bad = _plant_noise(folder / "train" / "dog" / f"x{ending}")
    if damage == "truncated":
        _truncate(bad)
    else:
        bad.write_bytes(b"not an image" if damage == "not an image" else b"")
    kwargs = {"image_size": 8, "labels": True}
    _fails(bad, "skip_bad_images=True", "--skip-bad-images", source=folder, **kwargs)
    with pytest.warns(
        UserWarning, match=rf"1 of 25 images.*{re.escape(str(bad))}"
    ) as w:
        pixels, labels = load_array(folder, "train", skip_bad_images=True, **kwargs)
    assert len(w) == 1
    assert pixels.shape == (24, 8, 8, 3)
    assert labels.tolist() == [0] * 12 + [1] * 12


def test_damaged_files_of_a_stream(folder, monkeypatch):
    bad = _plant_noise(folder / "train" / "dog" / "x.jpg")
    _truncate(bad)
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    with pytest.raises(tf.errors.OpError) as error:
        list(load_images(folder, image_size=8))
    damaged = find_damaged_image(error.value)
    assert isinstance(damaged, UserError)
    assert re.match(
        rf"{re.escape(str(bad))} cannot.*--skip-bad-images\)$", str(damaged)
    )
    assert find_damaged_image(damaged) is damaged
    assert find_damaged_image(ValueError("of anything else")) is None
    with pytest.warns(UserWarning, match="1 of 25 images"):
        dataset = load_images(folder, image_size=8, skip_bad_images=True)
    assert sum(len(batch) for batch in dataset) == 24


def test_nothing_but_damaged_files(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"no")
    _fails("None of the 2 images", source=tmp_path, skip_bad_images=True)


@pytest.mark.parametrize("limit", ["ours", "Pillow's"])
def test_absurd_size_is_refused_by_its_header(folder, monkeypatch, limit):
    bad = folder / "train" / "dog" / "x.png"
    side = 9000 if limit == "ours" else 100_000
    header = side.to_bytes(4, "big") * 2
    content = bytearray(save_image(bad).read_bytes())
    content[16:24] = header
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    bad.write_bytes(bytes(content))

    def fail(*args):
        raise AssertionError("decoded")

    monkeypatch.setattr(decode, "decode_image", fail)
    _fails(bad, "pixels that are read", "skip_bad_images", source=folder, image_size=8)
