"""The conventions of folders: splits and classes."""

import numpy as np
import pytest

from tests.data.conftest import save_image
from tfgen.data import load_array
from tfgen.data.folders.listing import scan
from tfgen.data.folders.splits import find_split, list_classes
from tfgen.errors import UserError


def _names(folder, split):
    return {*find_split(scan(folder), split).names}


def _touch(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_train_and_test_folders_are_used(folder):
    assert load_array(folder, "train").shape == (24, 8, 6, 3)
    assert load_array(folder, "test").shape == (6, 8, 6, 3)


def test_one_image_in_ten_is_held_out(tmp_path):
    _touch(tmp_path, [f"{i}.png" for i in range(500)])
    train, test = _names(tmp_path, "train"), _names(tmp_path, "test")
    assert not train & test
    assert len(train | test) == 500
    assert 30 < len(test) < 70
    _touch(tmp_path, [f"more/{i}.png" for i in range(100)])
    assert test <= _names(tmp_path, "test")  # nothing moves when images are added
    assert train <= _names(tmp_path, "train")


def test_a_handful_of_images_has_a_test_set(tmp_path):
    _touch(tmp_path, ["a.png", "b.png", "c.png"])
    assert len(_names(tmp_path, "test")) == 1
    assert len(_names(tmp_path, "train")) == 2


def test_one_image_is_too_few(tmp_path):
    _touch(tmp_path, ["a.png"])
    with pytest.raises(UserError, match="has 1 image: too few for the split 'train'"):
        find_split(scan(tmp_path), "train")


def test_validation_stands_in_for_test(tmp_path):
    _touch(tmp_path, ["train/a.png", "val/b.png"])
    assert _names(tmp_path, "test") == _names(tmp_path, "val") == {"b.png"}
    assert _names(tmp_path, "train") == {"a.png"}


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "valid"), ("train", "dev"), ("Train", "TEST"), ("training", "testing")],
)
def test_splits_have_other_names_elsewhere(tmp_path, train, test):
    _touch(
        tmp_path, [f"{train}/cats/a.png", f"{train}/dogs/b.png", f"{test}/cats/c.png"]
    )
    assert _names(tmp_path, "train") == {"cats/a.png", "dogs/b.png"}
    assert _names(tmp_path, "test") == {"cats/c.png"}
    assert list_classes(scan(tmp_path)) == ["cats", "dogs"]
    _touch(tmp_path, ["TRAIN/cats/d.png"])
    with pytest.raises(UserError, match=r"TRAIN and .* are one split"):
        find_split(scan(tmp_path), "train")


def test_train_alone_is_divided(tmp_path):
    _touch(tmp_path, [f"train/{i}.png" for i in range(100)])
    train, test = _names(tmp_path, "train"), _names(tmp_path, "test")
    assert test
    assert len(train) + len(test) == 100


def test_train_may_be_a_class(tmp_path):
    _touch(
        tmp_path, [f"{name}/{i}.png" for name in ("train", "ship") for i in range(9)]
    )
    assert {name.split("/")[0] for name in _names(tmp_path, "train")} == {
        "train",
        "ship",
    }
    assert list_classes(scan(tmp_path)) == ["ship", "train"]


def test_hidden_files_and_other_endings_are_ignored(tmp_path):
    _touch(tmp_path, ["train/._a.png", "train/a.txt", "train/b.JPG", "test/c.png"])
    assert _names(tmp_path, "train") == {"b.JPG"}


def test_labels_number_the_sorted_names_over_all_splits(tmp_path):
    for split, names in (("train", "bd"), ("test", "abcd")):
        for name in names:
            save_image(tmp_path / split / name / "0.png", ord(name))
    images, labels = load_array(tmp_path, "train", labels=True, value_range=(0, 255))
    assert labels.tolist() == [1, 3]
    assert np.round(images[:, 0, 0, 0]).tolist() == [ord("b"), ord("d")]
