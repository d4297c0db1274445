"""Pairs: mistakes in arguments and in folders, each in one line."""

import pytest

from tests.data import tiny_sets  # noqa: F401 (registers them)
from tests.data.conftest import assert_fails, save_domains, save_image, save_pairs
from tfgen.data import load_pairs


@pytest.mark.parametrize(
    ("kwargs", "fragment"),
    [
        ({"direction": "a2b"}, "direction must be 'ab' or 'ba'. Received: 'a2b'"),
        ({"load_size": 9}, "load_size needs image_size"),
        ({"load_size": 7, "image_size": 8}, "load_size must be at least image_size"),
        ({"load_size": (9, 7), "image_size": 8}, "load_size=(9, 7) and image_size=8"),
        ({"load_size": 0, "image_size": 8}, "load_size must be an integer"),
        (
            {"load_size": (1, 2, 3), "image_size": 1},
            "or HEIGHTxWIDTH",
        ),
        ({"image_size": 0}, "image_size must be an integer"),
        ({"channels": 0}, "channels must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"split": 3}, "split must be a name"),
        ({"split": "dev"}, "has no split 'dev': choose one of test, train"),
        ({"source": "no_such_thing"}, "No TFDS data set"),
    ],
)
def test_arguments(tmp_path, kwargs, fragment):
    folder = save_pairs(tmp_path, "split/a", 3, 3)
    assert_fails(load_pairs, fragment, **{"source": folder, **kwargs})


def test_sets_without_pairs(tmp_path):
    for name in ("tiny_single", "tiny_triple"):
        assert_fails(load_pairs, name, "has no pairs", source=name, data_dir=tmp_path)
    assert_fails(
        load_pairs, "two domains", source=save_domains(tmp_path, trainA=1, trainB=1)
    )


@pytest.mark.parametrize("size", [(8, 15), (8, 8), (10, 8)])
def test_files_that_are_not_side_by_side(tmp_path, size):
    folder = save_pairs(tmp_path, "side by side")
    bad = save_image(folder / "train" / "x.png", size=size)
    assert_fails(
        load_pairs,
        bad,
        f"{size[1]} pixels wide and {size[0]} high",
        "a/ and b/",
        source=folder,
    )


def test_files_without_a_partner(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    for name in ("x", "y"):
        path = save_image(folder / "train" / "B" / f"{name}.png")
    assert_fails(load_pairs, path.with_stem("x"), "no partner", folder / "train" / "a",
           "one of 2 such files", source=folder)  # fmt: skip
    for path in (folder / "train" / "B").glob("[xy].png"):
        path.unlink()
    path = folder / "train" / "B" / "000.png"
    path.unlink()
    assert_fails(
        load_pairs, folder / "train" / "a" / "000.png", "one of 1 such", source=folder
    )


def test_two_files_of_one_name(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    path = save_image(folder / "train" / "a" / "000.bmp")
    assert_fails(
        load_pairs, path, path.with_suffix(".png"), "have one name", source=folder
    )


def test_a_split_without_the_two_folders(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    (folder / "test" / "B").rename(folder / "test" / "c")
    assert_fails(
        load_pairs,
        folder / "test",
        "has no sub-folders a/ and b/",
        source=folder,
        split="test",
    )
