"""`classes`: images of some classes only, numbered and ordered as ever."""

import math

import numpy as np
import pytest

import tests.data.tiny_sets  # noqa: F401 (registers them)
from tests.data.conftest import save_image
from tfgen.data import class_names, load_array, load_factors, load_images
from tfgen.errors import UserError

BATCH = 7


@pytest.fixture(params=["named", "folder"])
def source(request, data_dir, folder):
    if request.param == "named":
        return {"source": "mnist_5k", "split": "train[:90]", "data_dir": data_dir}
    return {"source": folder, "split": "train"}


def contents(dataset):
    """Returns the images of a pass and their labels, as pairs."""
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    assert all(len(x) == BATCH for x, _ in batches[:-1])
    return [
        (x.tobytes(), int(y)) for part in batches for x, y in zip(*part, strict=True)
    ]


def test_only_they_come_once_an_epoch_in_an_order_of_seed_and_epoch(source, storage):
    images, labels = load_array(**source, labels=True)
    names = class_names(source["source"], source.get("data_dir"))
    expected = [
        (image.tobytes(), int(label))
        for image, label in zip(images, labels, strict=True)
        if label > 0
    ]
    assert 0 < len(expected) < len(images)
    options = {**source, "classes": names[1:], "batch_size": BATCH}
    fixed = load_images(**options, labels=True, shuffle=False)
    assert len(fixed) == math.ceil(len(expected) / BATCH)  # before any was read
    assert contents(fixed) == expected
    dataset = load_images(**options, labels=True, seed=3)
    epochs = [contents(dataset) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [sorted(expected)] * 3
    assert epochs[0] != epochs[1]
    again = load_images(**options, labels=True, seed=3, initial_epoch=2)
    assert contents(again) == epochs[2]
    alone = np.concatenate(list(load_images(**options, seed=3)))  # without labels
    assert [image.tobytes() for image in alone] == [image for image, _ in epochs[0]]


def test_names_come_before_numbers(tmp_path):
    for value, name in enumerate(("1", "2", "dog")):
        save_image(tmp_path / "train" / name / "0.png", 50 * value)
        save_image(tmp_path / "test" / name / "0.png", 50 * value)

    def labels(*classes):
        return load_array(tmp_path, labels=True, classes=classes)[1].tolist()

    assert labels("1") == labels(1) == labels("1", 1) == [0]
    assert labels("dog") == [2]
    assert labels("0", "dog") == labels(0, "dog") == [0, 2]


def test_files_of_other_classes_are_not_looked_at(folder):
    (folder / "train" / "dog" / "00.png").write_bytes(b"damaged")
    assert load_array(folder, "train", classes=["cat"]).shape == (12, 8, 6, 3)
    with pytest.raises(UserError, match="cannot be read"):
        load_array(folder, "train", classes=["dog"])


def test_factors_are_those_of_the_same_images(tiny_dir):
    options = {"data_dir": tiny_dir, "classes": [1]}
    images = load_array("tiny_factors", "train", value_range=(0, 255), **options)
    numbers = np.round(images[:, 0, 0, 0]).astype(int)
    assert set(numbers) == set(range(1, 21, 2))
    factors = load_factors("tiny_factors", "train", **options)
    assert factors.names == ("object_shape", "third")
    np.testing.assert_array_equal(factors.values.T, [numbers // 7, numbers % 3])
    assert factors.categorical == (0,)  # dsprites and its like number their shapes


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ((), "classes must be names or numbers"),
        ("cat", "classes must be names or numbers of classes, one or more"),
        (3, "classes must be names or numbers"),
        (["cow"], "has no class 'cow': choose of cat, dog"),
        ([2], "has no class '2': choose of cat, dog"),
        ([-1], "has no class '-1'"),
        ([True], "has no class 'True'"),
    ],
)
def test_mistakes(folder, classes, words):
    with pytest.raises(UserError, match=words) as caught:
        load_images(folder, classes=classes)
    assert "\n" not in str(caught.value)


def test_nothing_to_choose_by_and_nothing_left(folder, data_dir, tmp_path):
    for path in (folder / "test" / "dog").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"'test' of .* has no image of these classes"):
        load_images(folder, "test", classes=["dog"])
    few = {"split": "train[:2]", "data_dir": data_dir}
    _, labels = load_array("mnist_5k", **few, labels=True)
    others = sorted({*range(10)} - {*labels.tolist()})
    with pytest.raises(UserError, match="has no image of these classes"):
        load_images("mnist_5k", **few, classes=others)
    save_image(folder / "train" / "stray.png")
    with pytest.raises(UserError, match="has no labels to choose classes by"):
        load_images(folder, classes=["cat"])
    with pytest.raises(UserError, match="no class 'cat': choose of smileys-emotion,"):
        load_images("openmoji", classes=["cat"], data_dir=tmp_path)
