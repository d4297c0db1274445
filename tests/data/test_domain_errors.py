"""Domains: mistakes in arguments and in folders, each in one line."""

import pytest

from tests.data import tiny_sets  # noqa: F401 (registers them)
from tests.data.conftest import assert_fails, save_domains, save_image, save_pairs
from tfgen.data import load_domain_arrays, load_domains
from tfgen.errors import UserError


@pytest.mark.parametrize(
    ("kwargs", "fragment"),
    [
        ({"load_size": 9}, "load_size needs image_size"),
        ({"load_size": 7, "image_size": 8}, "load_size must be at least image_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"split": None}, "split must be a name"),
        ({"split": "dev"}, "has no split 'dev': choose one of test, train"),
        ({"source": "no_such_thing"}, "No TFDS data set"),
    ],
)
def test_arguments(tmp_path, kwargs, fragment):
    folder = save_domains(tmp_path, trainA=3, trainB=3, testA=1, testB=1)
    assert_fails(load_domains, fragment, **{"source": folder, **kwargs})
    if "source" not in kwargs and "split" not in kwargs:
        return
    with pytest.raises(UserError, match=fragment.split(":")[0]):
        load_domain_arrays(**{"source": folder, **kwargs})


def test_sets_without_domains(tmp_path):
    assert_fails(
        load_domains,
        "tiny_single/1.0.0 has neither pairs",
        "trainA",
        source="tiny_single",
        data_dir=tmp_path,
    )
    save_image(tmp_path / "x" / "train" / "0.png")
    save_image(tmp_path / "x" / "test" / "0.png")
    assert_fails(load_domains, "trainA", "trainB", source=tmp_path / "x", split="test")


def test_too_few_pairs(tmp_path):
    folder = save_pairs(tmp_path, "split/a", train=1, test=1)
    assert_fails(load_domains, "too few pairs", source=folder)
    assert_fails(
        load_domains,
        "too small for two domains",
        source="tiny_pairs",
        split="train[:1]",
        data_dir=tmp_path,
    )


def test_domains_of_unequal_shape(tmp_path):
    folder = save_domains(tmp_path, trainA=3, testA=1)
    for name in ("trainB", "testB"):
        save_image(folder / name / "0.png", size=(9, 9))
    assert_fails(
        load_domains,
        "differ in shape",
        "(8, 10, 3) and (9, 9, 3)",
        "image_size",
        source=folder,
    )
    assert len(load_domains(folder, image_size=8)) == 3


def test_an_empty_domain(tmp_path):
    folder = save_domains(tmp_path, trainA=3)
    (folder / "trainB").mkdir()
    assert_fails(load_domains, "images in trainA and none in trainB", source=folder)
