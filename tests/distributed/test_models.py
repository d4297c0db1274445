"""Models under MultiWorkerMirroredStrategy, in real processes, against one process."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.cli.conftest import write_images
from tests.distributed import launch, worker
from tfgen.data import load_images, loading

# test_command.py has a VAE. (Not WGAN: the loss does not depend on its last bias, and
# Adam makes steps of rounding.)
FIRST = ("least_squares_gan",)
# Draws, augmentation, average; the batch's deviation; its minimum; noise; history.
MORE = ("gan", "minimax_dragan", "gaussian_vae", "noisy_pix2pix", "cyclegan")


def train(num_workers, names, out):
    folder = write_images(out / "images", count=24)
    command = (sys.executable, "-m", "tests.distributed.worker", out, folder, *names)
    launch.run([command] * num_workers)
    return out


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    return train(2, FIRST, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def three_workers(tmp_path_factory):
    return train(3, MORE, tmp_path_factory.mktemp("three"))


def check_rows(out, num_workers, monkeypatch):
    """Each step's rows of the workers, in turn, are the batch of one process."""
    for storage, limit in (("memory", 2**30), ("stream", 0)):
        monkeypatch.setattr(loading, "IN_MEMORY_BYTES", limit)
        batches = load_images(out / "images", batch_size=worker.BATCH_SIZE, seed=3)
        steps = [batch.numpy() for _ in range(worker.EPOCHS) for batch in batches]
        shares = [np.load(out / f"{storage}_{i}.npz") for i in range(num_workers)]
        assert all(len(share) == len(steps) for share in shares)
        for index, step in enumerate(steps):
            parts = [share[f"arr_{index}"] for share in shares]
            assert min(map(len, parts)) > 0
            np.testing.assert_array_equal(np.concatenate(parts), step)


def check_model(out, name):
    """Weights, slots, random states and figures are those of one process."""
    state, history = worker.fit(name, tf.distribute.get_strategy())
    arrays = np.load(out / f"{name}.npz")
    assert len(arrays) == len(state)
    for index, expected in enumerate(state):
        np.testing.assert_allclose(
            arrays[f"arr_{index}"], expected, rtol=1e-3, atol=1e-5, err_msg=name
        )
    found = json.loads((out / f"{name}.json").read_text())
    assert found.keys() == history.keys()
    for figure, values in history.items():
        np.testing.assert_allclose(found[figure], values, rtol=1e-5, err_msg=figure)


@pytest.mark.large
def test_two_workers_share_each_batch(two_workers, monkeypatch):
    check_rows(two_workers, 2, monkeypatch)


@pytest.mark.large
@pytest.mark.parametrize("name", FIRST)
def test_two_workers_train_as_one_process(two_workers, name):
    check_model(two_workers, name)


@pytest.mark.large
def test_three_workers_share_each_batch(three_workers, monkeypatch):
    check_rows(three_workers, 3, monkeypatch)


@pytest.mark.large
@pytest.mark.parametrize("name", MORE)
def test_three_workers_train_as_one_process(three_workers, name):
    check_model(three_workers, name)
