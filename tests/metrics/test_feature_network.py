"""The classifier is trained once, really, and found again by what it was made of."""

import os

import keras
import numpy as np
import pytest
from PIL import Image

from tfgen import metrics
from tfgen.errors import UserError
from tfgen.metrics import feature_network

CLASSES = ["columns", "rows", "squares"]


def draw(rng, kind):
    """A noisy 16x16 image in [0, 1] of stripes one way, the other way, or both."""
    stripes = np.arange(16) // 2 % 2
    stripes = np.roll(stripes, rng.integers(4))
    image = {
        "columns": np.tile(stripes, (16, 1)),
        "rows": np.tile(stripes[:, np.newaxis], (1, 16)),
        "squares": stripes ^ stripes[:, np.newaxis],
    }[kind]
    return np.clip(0.25 + 0.5 * image + 0.1 * rng.normal(size=image.shape), 0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 training images of each class."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("stripes")
    for kind in CLASSES:
        (root / "train" / kind).mkdir(parents=True)
        (root / "test" / kind).mkdir(parents=True)
        for i in range(41):
            image = Image.fromarray((255 * draw(rng, kind)).astype(np.uint8))
            image.save(root / ("train" if i else "test") / kind / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def network(folder, cache):
    keras.config.set_dtype_policy("mixed_float16")
    return metrics.build_feature_network(folder, epochs=15, cache_dir=cache)


def unseen():
    rng = np.random.default_rng(1)
    images = [draw(rng, kind) for kind in CLASSES for _ in range(20)]
    labels = np.repeat(np.arange(3), 20)
    return np.array(images, np.float32)[..., np.newaxis], labels


def no_fit(*arguments, **kwargs):
    raise AssertionError("trained again")


def test_features_are_those_of_a_classifier_that_is_right(network, cache):
    images, labels = unseen()
    (file,) = cache.iterdir()
    classifier = keras.saving.load_model(file)
    scores = np.asarray(classifier(images))
    assert scores.shape == (60, 3)
    assert np.mean(scores.argmax(-1) == labels) > 0.95
    features = np.asarray(network(images))
    assert features.shape == (60, 64)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.square(features).mean(axis=1), 1.0, atol=0.05)
    kernel, bias = classifier.get_layer("logits").get_weights()
    np.testing.assert_allclose(features @ kernel + bias, scores, atol=1e-4)
    assert not network.trainable_variables
    assert network.name == f"classifier_{file.stem[:8]}"


def test_it_is_trained_once(network, folder, cache, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", no_fit)
    again = metrics.build_feature_network(folder, epochs=15, cache_dir=cache)
    images, _ = unseen()
    np.testing.assert_array_equal(again(images), network(images))
    assert again.name == network.name
    with pytest.raises(AssertionError, match="trained again"):
        metrics.build_feature_network(folder, epochs=14, cache_dir=cache)


def test_it_does_not_depend_on_global_seeds(folder, tmp_path):
    found = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        network = metrics.build_feature_network(
            folder, num_images=70, epochs=1, cache_dir=tmp_path / str(seed)
        )
        found.append(network(unseen()[0]))
    np.testing.assert_allclose(*found, atol=1e-4)
    assert np.std(found[0], axis=0).max() > 0.01


def test_a_few_of_sorted_files_have_all_classes(folder):
    images, labels = feature_network._load(folder, 30, 0, {"channels": 3})
    assert images.shape == (30, 16, 16, 3)
    assert set(labels) == {0, 1, 2}
    again, _ = feature_network._load(folder, 30, 0, {"channels": 3})
    np.testing.assert_array_equal(images, again)


def test_all_that_makes_the_network_is_in_its_hash(tmp_path, monkeypatch):
    images, labels = unseen()
    found = [feature_network._hash(images, labels, 5, 0)]
    assert feature_network._hash(images.copy(), labels.copy(), 5, 0) == found[0]
    changed = images.copy()
    changed[3, 2, 1, 0] += 1e-3
    found.append(feature_network._hash(changed, labels, 5, 0))
    found.append(feature_network._hash(images, np.roll(labels, 1), 5, 0))
    found.append(feature_network._hash(images.reshape(60, 8, 32, 1), labels, 5, 0))
    found.append(feature_network._hash(images, labels, 6, 0))
    found.append(feature_network._hash(images, labels, 5, 1))
    code = tmp_path / "feature_network.py"
    with open(feature_network.__file__) as file:
        code.write_text(file.read() + "\n")
    monkeypatch.setattr(feature_network, "__file__", str(code))
    found.append(feature_network._hash(images, labels, 5, 0))
    assert len(set(found)) == len(found)


def test_cache_is_where_the_user_keeps_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    place = ("tfgen", "feature_networks")
    assert feature_network._cache_folder(None) == tmp_path.joinpath("xdg", *place)
    for unset in (
        lambda: monkeypatch.setenv("XDG_CACHE_HOME", ""),
        lambda: monkeypatch.delenv("XDG_CACHE_HOME"),
    ):
        unset()
        found = feature_network._cache_folder(None)
        assert found == tmp_path.joinpath(".cache", *place)
    assert feature_network._cache_folder("~/mine") == tmp_path / "mine"


def test_a_damaged_file_is_replaced(folder, tmp_path):
    arguments = {"num_images": 30, "epochs": 1, "cache_dir": tmp_path}
    first = metrics.build_feature_network(folder, **arguments)
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size // 2)
    second = metrics.build_feature_network(folder, **arguments)
    images, _ = unseen()
    np.testing.assert_allclose(first(images), second(images), atol=1e-4)
    assert list(tmp_path.iterdir()) == [file]
    kept = keras.saving.load_model(file).get_layer("features").output.shape
    assert kept == second.output_shape


def test_a_failed_write_leaves_nothing_and_says_what_to_do(tmp_path, monkeypatch):
    def fill_the_disk(self, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fill_the_disk)
    model = feature_network._build_classifier((8, 8, 1), 2, 0)
    with pytest.raises(UserError, match=r"No space left on device.*XDG_CACHE_HOME"):
        feature_network._write(model, tmp_path / "x.keras")
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        feature_network._write(model, tmp_path / "file" / "x.keras")


@pytest.mark.parametrize("shape", [(4, 4, 1), (28, 28, 1), (3, 9, 3), (65, 200, 3)])
def test_images_of_any_size_are_halved_until_small(shape):
    model = feature_network._build_classifier(shape, 5, 0)
    assert model.output_shape == (None, 5)
    flat = next(x for x in model.layers if isinstance(x, keras.layers.Flatten))
    assert min(flat.input.shape[1:3]) in (3, 4)


def test_without_labels_the_name_says_that_nothing_was_trained(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        image = Image.fromarray((255 * draw(rng, "rows")).astype(np.uint8))
        image.save(tmp_path / f"{i}.png")
    network = metrics.build_feature_network(
        tmp_path, cache_dir=tmp_path / "cache", image_size=8
    )
    assert network.name == "random_features"
    assert network.input_shape == (None, 8, 8, 1)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"num_images": 0}])
def test_arguments_are_checked(folder, arguments):
    with pytest.raises(UserError, match="at least 1"):
        metrics.build_feature_network(folder, **arguments)
