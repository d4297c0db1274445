"""Order: a function of seed and epoch alone, each example once, in memory or not."""

import itertools
import math
import os
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import contracts
from tests.data.conftest import both_ways, save_image
from tfgen.data import load_array, load_images, loading

STATM = Path("/proc/self/statm")


@pytest.fixture(params=["named", "folder"])
def source(request, data_dir, folder):
    if request.param == "named":
        kwargs = {"source": "mnist_5k", "split": "train[:90]", "data_dir": data_dir}
        return {**kwargs, "batch_size": 32}
    return {"source": folder, "batch_size": 10}


def _passes(dataset, count):
    """Returns the images of each pass as a list of bytes."""
    return [[x.tobytes() for batch in dataset.as_numpy_iterator() for x in batch]
            for _ in range(count)]  # fmt: skip


def test_order_depends_on_seed_and_epoch_alone(source, storage):
    first = _passes(load_images(**source, seed=3), 4)
    keras.utils.set_random_seed(99)  # neither the global seed nor earlier passes count
    assert _passes(load_images(**source, seed=3), 4) == first
    assert _passes(load_images(**source, seed=3, initial_epoch=2), 2) == first[2:]
    assert _passes(load_images(**source, seed=4), 1)[0] != first[0]
    assert len({tuple(epoch) for epoch in first}) == 4


def test_every_example_comes_once_an_epoch(source, storage):
    kwargs = {k: v for k, v in source.items() if k != "batch_size"}
    expected = sorted(x.tobytes() for x in load_array(**{"split": "train", **kwargs}))
    for epoch in _passes(load_images(**source), 2):
        assert sorted(epoch) == expected


def test_memory_and_stream_agree(source, monkeypatch):
    in_memory = _passes(load_images(**source, shuffle=False), 1)[0]
    shuffled = _passes(load_images(**source), 1)[0]
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    assert _passes(load_images(**source, shuffle=False), 1)[0] == in_memory
    assert sorted(_passes(load_images(**source), 1)[0]) == sorted(shuffled)


def test_unshuffled_order_is_fixed(source, storage):
    first, second = _passes(load_images(**source, shuffle=False), 2)
    assert first == second
    assert _passes(load_images(**source, shuffle=False, seed=5), 1)[0] == first


def test_last_batch_is_ragged_and_the_length_known(source, storage):
    dataset = load_images(**source)
    size = 90 if "data_dir" in source else 24
    lengths = [len(batch) for batch in dataset]
    assert sum(lengths) == size
    assert set(lengths[:-1]) == {source["batch_size"]}
    assert 0 < lengths[-1] < source["batch_size"]
    assert len(dataset) == len(lengths) == math.ceil(size / source["batch_size"])


def test_repeat_runs_through_the_epochs(source, storage):
    first = _passes(load_images(**source), 2)
    assert _passes(load_images(**source).repeat(2), 1)[0] == first[0] + first[1]


@pytest.fixture
def small_batches(source):
    """The source in a dozen batches or more."""
    return {**source, "batch_size": 6 if "data_dir" in source else 2}


def test_a_look_is_not_a_pass(small_batches):
    first = _passes(load_images(**small_batches), 3)
    dataset = load_images(**small_batches)
    next(iter(dataset))
    assert len(list(dataset.take(8))) == 8
    assert _passes(dataset, 1)[0] == first[0]
    list(dataset.take(9))  # many batches of an epoch that is then left
    assert _passes(dataset, 1)[0] == first[2]


def test_a_look_at_a_set_of_few_batches_is_not_a_pass(source):
    first = _passes(load_images(**source), 1)
    dataset = load_images(**source)
    looked_at = next(iter(dataset))
    time.sleep(0.2)  # the whole epoch is read ahead
    assert _passes(dataset, 1) == first
    assert [x.tobytes() for x in looked_at.numpy()] == first[0][: source["batch_size"]]


def test_a_look_does_not_change_what_fit_sees(small_batches):
    def fit(look):
        seen = []
        model = Recorder(lambda images: seen.extend(x.tobytes() for x in images))
        model.compile()
        dataset = load_images(**small_batches)
        if look:
            next(iter(dataset))
        model.fit(dataset, epochs=2, shuffle=False, verbose=0)
        return seen

    assert fit(look=True) == fit(look=False)


def test_labels_stay_with_their_images(folder, storage):
    for images, labels in load_images(folder, labels=True, value_range=(0, 255)):
        assert labels.dtype == tf.int32
        red = np.round(images.numpy()[:, 0, 0, 0])
        np.testing.assert_array_equal(labels, red >= 12)  # 12 cats, then 12 dogs


class Recorder(keras.Model):
    """Passes the images of each training step to a function, as a replica sees them."""

    def __init__(self, record):
        super().__init__()
        self.record = record
        self.built = True  # with replicas Keras would call it otherwise

    def train_step(self, data):
        tf.numpy_function(self.record, [data], [])
        return {"count": tf.shape(data)[0]}


def test_keras_fit_sees_the_epochs_in_order(source, storage):
    seen = []
    model = Recorder(lambda images: seen.extend(x.tobytes() for x in images))
    model.compile()
    model.fit(load_images(**source), epochs=3, shuffle=False, verbose=0)
    assert seen == list(itertools.chain(*_passes(load_images(**source), 3)))


def _fit_replicas(source, epochs, initial_epoch=0):
    """Returns what two replicas saw: a sorted list of images for each step."""
    shards = []
    with contracts.two_replicas().scope():
        model = Recorder(lambda images: shards.append([x.tobytes() for x in images]))
        model.compile()
    dataset = load_images(**source, initial_epoch=initial_epoch)
    model.fit(dataset, epochs=epochs, shuffle=False, verbose=0)
    return [sorted(a + b) for a, b in zip(shards[::2], shards[1::2], strict=True)]


@both_ways("named", "folder")
def test_replicas_share_each_batch(small_batches, storage):
    """Before it starts, Keras takes a batch to build the model, which is a look."""
    size = small_batches["batch_size"]
    epochs = _passes(load_images(**small_batches), 3)
    steps = [sorted(x[i : i + size]) for x in epochs for i in range(0, len(x), size)]
    assert _fit_replicas(small_batches, epochs=3) == steps
    last = steps[-len(steps) // 3 :]
    assert _fit_replicas(small_batches, epochs=1, initial_epoch=2) == last


def test_fashion_mnist(fashion_dir, storage):
    kwargs = {"data_dir": fashion_dir, "labels": True, "batch_size": 256}
    dataset = load_images("fashion_mnist", "test[:1000]", **kwargs)
    images, labels = next(iter(dataset))
    assert len(dataset) == 4
    assert images.shape == (256, 28, 28, 1)
    assert len(np.unique(labels)) == 10
    assert (tf.reduce_min(images), tf.reduce_max(images)) == (0.0, 1.0)


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc")
def test_a_set_in_memory_is_there_once(tmp_path):
    """Filled in place and kept in place, also by the graph that reads it."""

    def resident():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    first = save_image(tmp_path / "train" / "0.png")
    save_image(tmp_path / "test" / "0.png")
    next(iter(load_images(tmp_path, image_size=256)))
    for i in range(1, 500):
        os.link(first, tmp_path / "train" / f"{i}.png")
    before = resident()
    dataset = load_images(tmp_path, image_size=256, batch_size=4)
    next(iter(dataset))
    assert resident() - before < 1.4 * 500 * 256 * 256 * 3
