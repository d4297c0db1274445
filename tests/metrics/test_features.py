"""Images to features, and the pretrained networks without their weights."""

import pathlib
import socket

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend import config as keras_config

from tfgen import metrics
from tfgen.errors import UserError

RNG = np.random.default_rng(0)
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_features_of_an_array_come_in_order(batch_size):
    images, sizes = RNG.uniform(size=(7, 4, 4, 1)), []

    def network(batch):
        sizes.append(len(batch))
        return tf.reshape(batch, (len(batch), -1))

    features = metrics.extract_features(images, network, batch_size)
    np.testing.assert_array_equal(features, images.reshape(7, 16))
    assert max(sizes) <= batch_size


def test_features_of_batches_and_of_a_model():
    model = metrics.build_random_features((8, 8, 1))
    images = RNG.uniform(size=(7, 8, 8, 1)).astype(np.float32)
    expected = np.asarray(model(images))
    for batches in (
        images,
        (images[start : start + 3] for start in range(0, 7, 3)),
        tf.data.Dataset.from_tensor_slices(images).batch(4),
    ):
        features = metrics.extract_features(batches, model)
        np.testing.assert_allclose(features, expected, atol=1e-5)


def test_what_is_no_features_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 4, 4, 1\)"):
        metrics.extract_features(np.zeros((2, 4, 4, 1)), lambda images: images)
    with pytest.raises(ValueError, match="no images"):
        metrics.extract_features([], lambda images: images)


# ---- Pretrained ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def mobilenet():
    keras.config.set_dtype_policy("mixed_float16")
    model = metrics.mobilenet_v2((None, None, 3), weights=None)
    assert keras.config.dtype_policy().name == "mixed_float16"  # as it was
    return model


def check_network(model, images, size, preprocess):
    """Against TensorFlow's resize and the preprocessing of `keras.applications`."""
    *_, before, inner = model.layers
    resized = tf.image.resize(images, (size, size), antialias=True).numpy()
    prepared = preprocess(255.0 * resized)
    prepared = np.repeat(prepared, 3 // images.shape[-1], axis=-1)
    found = keras.Model(model.input, before.output)(images)
    np.testing.assert_allclose(found, prepared, atol=1e-4)
    # Untrained features are tiny: compared by their scale.
    features, expected = model(images), np.asarray(inner(prepared, training=False))
    largest = expected.max()
    assert largest > 0.0
    np.testing.assert_allclose(features / largest, expected / largest, atol=1e-2)


def test_mobilenet_gets_what_it_was_trained_on(mobilenet):
    preprocess = keras.applications.mobilenet_v2.preprocess_input
    for size in ((40, 30), (500, 300)):  # enlarged, reduced
        images = RNG.uniform(size=(2, *size, 3)).astype(np.float32)
        check_network(mobilenet, images, 224, preprocess)
    assert mobilenet.output_shape == (None, 1280)
    assert {layer.compute_dtype for layer in mobilenet.layers} == {"float32"}
    assert not mobilenet.trainable_variables
    assert mobilenet.name == "mobilenet_v2_untrained"


def test_inception_takes_grey_images_of_any_size():
    model = metrics.inception_v3((None, None, 1), weights=None)
    preprocess = keras.applications.inception_v3.preprocess_input
    images = RNG.uniform(size=(1, 31, 57, 1)).astype(np.float32)
    check_network(model, images, 299, preprocess)
    assert model.output_shape == (None, 2048)
    assert model.name == "inception_v3_untrained"


@pytest.mark.parametrize("network", [metrics.inception_v3, metrics.mobilenet_v2])
def test_arguments_are_checked(network):
    with pytest.raises(UserError, match=r"1 or 3 channels\. Received: 4"):
        network((32, 32, 4), weights=None)
    with pytest.raises(UserError, match="Received: 'image-net'"):
        network((32, 32, 3), weights="image-net")


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty Keras cache, and no network."""

    def fail(*arguments, **kwargs):
        raise socket.gaierror("no network")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras_config, "_KERAS_DIR", str(tmp_path))  # read at import
    return tmp_path


@pytest.mark.parametrize("network", [metrics.inception_v3, metrics.mobilenet_v2])
def test_without_a_network_the_error_says_which_file_goes_where(keras_home, network):
    with pytest.raises(UserError) as raised:
        network((32, 32, 3))
    message = str(raised.value)
    assert "\n" not in message
    assert "no network" in message
    url, path = message.split(" download ")[1].split(" on a machine with a network ")
    # The address is the one that Keras itself has just failed to reach.
    assert f"URL fetch failure on {url}:" in message
    path = pathlib.Path(path.removeprefix("and put it at "))
    assert path == keras_home / "models" / url.split("/")[-1]


@pytest.mark.filterwarnings("ignore")  # Keras advises against the format of its files
def test_a_file_put_there_is_loaded(keras_home, mobilenet):
    inner = next(x for x in mobilenet.layers if isinstance(x, keras.Model))
    (keras_home / "models").mkdir()
    inner.save(keras_home / "models" / FILE)
    model = metrics.mobilenet_v2((40, 30, 3))
    assert model.name == "mobilenet_v2_imagenet"
    for features, expected in zip(
        model.get_weights(), mobilenet.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(features, expected)


def test_a_damaged_file_is_an_error_that_says_what_to_do(keras_home):
    (keras_home / "models").mkdir()
    (keras_home / "models" / FILE).write_bytes(b"<html>not features</html>")
    with pytest.raises(UserError, match=f"put it at .*{FILE}"):
        metrics.mobilenet_v2((40, 30, 3))


class Traced(keras.layers.Layer):
    """Counts how often Python runs it."""

    num_calls = 0

    def call(self, x):
        self.num_calls += 1
        return x


def test_a_network_is_traced_once_whatever_the_last_batch():
    x = keras.Input((4, 4, 1))
    layer = Traced()
    network = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(layer(x))))
    layer.num_calls = 0
    images = np.random.default_rng(0).random((25, 4, 4, 1))  # float64: cast
    features = metrics.extract_features(images, network, batch_size=10)
    assert layer.num_calls == 1
    np.testing.assert_allclose(features, network(images), rtol=1e-5)
    function = metrics.compile_network(network)
    for batch in (images, np.uint8(9 * images[:3])):
        np.testing.assert_allclose(function(batch), network(batch), rtol=1e-5)
