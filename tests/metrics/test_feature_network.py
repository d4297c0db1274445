"""The classifier is really trained, once, and is name again by what it depends on."""

import importlib.util
import os
import pathlib

import keras
import numpy as np
import pytest

from tfgen import metrics
from tfgen.errors import UserError
from tfgen.metrics import feature_network

KINDS = ["columns", "rows", "squares"]


def draw(rng, kind):
    """A noisy 16x16 image in [0, 1] of stripes one way, the other way, or both."""
    stripes = np.roll(np.arange(16) // 2 % 2, rng.integers(4))
    image = {
        "columns": np.tile(stripes, (16, 1)),
        "rows": np.tile(stripes[:, np.newaxis], (1, 16)),
        "squares": stripes ^ stripes[:, np.newaxis],
    }[kind]
    return np.clip(0.25 + 0.5 * image + 0.1 * rng.normal(size=image.shape), 0, 1)


def make_examples(seed, count):
    """`count` images of each class, class by class, and their labels."""
    rng = np.random.default_rng(seed)
    images = [draw(rng, kind) for kind in KINDS for _ in range(count)]
    return np.float32(images)[..., np.newaxis], np.repeat(np.arange(3), count)


IMAGES, LABELS = make_examples(0, 40)
UNSEEN, UNSEEN_LABELS = make_examples(1, 20)
FEW = IMAGES[::10, ::2, ::2], LABELS[::10]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def network(cache):
    keras.config.set_dtype_policy("mixed_float16")
    return metrics.build_feature_network(IMAGES, LABELS, epochs=15, cache_dir=cache)


@pytest.fixture
def trainings(monkeypatch):
    """The number of epochs that are trained, one by one."""
    calls, fit = [], keras.Model.fit

    def count(self, *arguments, **kwargs):
        calls.append(self)
        return fit(self, *arguments, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", count)
    return calls


def test_features_are_those_of_a_classifier_that_is_right(network, cache):
    (file,) = cache.iterdir()
    classifier = keras.saving.load_model(file)
    logits = np.asarray(classifier(UNSEEN))
    assert logits.shape == (60, 3)
    assert np.mean(logits.argmax(-1) == UNSEEN_LABELS) > 0.9
    features = np.asarray(network(UNSEEN))
    assert features.shape == (60, 64)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.square(features).mean(axis=1), 1.0, atol=0.05)
    kernel, bias = classifier.get_layer("logits").get_weights()
    np.testing.assert_allclose(features @ kernel + bias, logits, atol=1e-4)
    assert not network.trainable_variables
    assert network.name == f"classifier_{file.stem[:8]}"


def test_it_is_trained_once(network, cache, trainings):
    again = metrics.build_feature_network(IMAGES, LABELS, epochs=15, cache_dir=cache)
    assert not trainings
    np.testing.assert_array_equal(again(UNSEEN), network(UNSEEN))
    assert again.name == network.name


def test_it_does_not_depend_on_global_seeds(tmp_path):
    features = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        network = metrics.build_feature_network(
            *FEW, epochs=1, cache_dir=tmp_path / str(seed)
        )
        features.append(network(UNSEEN[:, ::2, ::2]))
    np.testing.assert_allclose(*features, atol=1e-4)
    assert np.std(features[0], axis=0).max() > 0.01


@pytest.fixture
def names(tmp_path, monkeypatch):
    """A function from a module and arguments to the name of its network."""
    monkeypatch.setattr(keras.Model, "fit", lambda self, *args, **kwargs: None)

    def name(images=FEW[0], labels=FEW[1], module=feature_network, **arguments):
        return module.build_feature_network(
            images, labels, cache_dir=tmp_path / "cache", **arguments
        ).name

    return name


def test_the_name_tells_what_the_network_was_made_of(names):
    images, labels = FEW
    changed = images.copy()
    changed[3, 2, 1, 0] += 1e-3
    different = [
        names(),
        names(changed),
        names(labels=np.roll(labels, 1)),
        names(images.reshape(-1, 4, 16, 1)),
        names(epochs=6),
        names(seed=1),
    ]
    assert len(set(different)) == len(different)
    # Neither copies nor the types of numbers matter.
    assert names(images.astype("float64"), labels.astype("int32")) == different[0]


def load_edited(path, old, new):
    """Returns the module, made of its source with one edit."""
    source = pathlib.Path(feature_network.__file__).read_text()
    assert old in source
    path.write_text(source.replace(old, new))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_name_depends_on_code_that_matters_and_not_on_comments(names, tmp_path):
    for index, (old, new, matters) in enumerate(
        [
            ("import hashlib\n", "import hashlib  # a comment\n\n", False),
            ("_VERSION = 1", "_VERSION = 2", True),
            ("_BATCH_SIZE = 64", "_BATCH_SIZE = 32", True),
            ("_NUM_FEATURES = 64", "_NUM_FEATURES = 32", True),
            ("128), 3, 2,", "128), 5, 2,", True),  # the kernels of convolutions
            ('_NUM_FEATURES, activation="relu"', '_NUM_FEATURES, activation="elu"', 1),
        ]
    ):
        edited = load_edited(tmp_path / f"edited_{index}.py", old, new)
        assert (names(module=edited) != names()) == matters, new


def test_cache_is_where_the_user_keeps_caches(names, tmp_path, monkeypatch):
    """XDG says that empty counts as unset."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for root, folder in (
        (str(tmp_path / "xdg"), "xdg"),
        ("", ".cache"),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", root)
        metrics.build_feature_network(*FEW)
        assert list((tmp_path / folder / "tfgen" / "feature_networks").iterdir())
    metrics.build_feature_network(*FEW, cache_dir="~/mine")
    assert list((tmp_path / "mine").iterdir())


def test_a_damaged_file_is_replaced(tmp_path, trainings):
    arguments = {"epochs": 1, "cache_dir": tmp_path}
    first = metrics.build_feature_network(*FEW, **arguments)
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size // 2)
    second = metrics.build_feature_network(*FEW, **arguments)
    assert len(trainings) == 2
    images = UNSEEN[:, ::2, ::2]
    np.testing.assert_allclose(first(images), second(images), atol=1e-4)
    assert list(tmp_path.iterdir()) == [file]
    features = keras.saving.load_model(file).get_layer("features").output
    assert features.shape == second.output_shape


def test_a_failed_write_leaves_nothing_and_says_what_to_do(names, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't be written.*XDG_CACHE_HOME"):
        metrics.build_feature_network(*FEW, cache_dir=tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("shape", [(4, 4, 1), (28, 28, 1), (3, 9, 3), (65, 200, 3)])
def test_images_of_any_size_are_halved_until_small(names, tmp_path, shape):
    names(np.zeros((2, *shape)), np.arange(2))
    (file,) = (tmp_path / "cache").iterdir()
    layers = keras.saving.load_model(file).layers
    flatten = next(x for x in layers if isinstance(x, keras.layers.Flatten))
    assert min(flatten.input.shape[1:3]) in (3, 4)


@pytest.mark.parametrize(
    ("images", "labels", "epochs", "message"),
    [
        (*FEW, 0, "epochs must be at least 1"),
        (FEW[0], FEW[1][:-1], 1, r"\(12, 8, 8, 1\) and \(11,\)"),
        (FEW[0][..., 0], FEW[1], 1, r"\(12, 8, 8\) and"),
        (FEW[0], FEW[1] - 1, 1, "integers from 0"),
        (FEW[0], FEW[1] / 2, 1, "integers from 0. Received: float64"),
    ],
)
def test_arguments_are_checked(images, labels, epochs, message):
    with pytest.raises(UserError, match=message):
        metrics.build_feature_network(images, labels, epochs=epochs)
