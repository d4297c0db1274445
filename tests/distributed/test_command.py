"""`tfgen train --strategy multi_worker`: real workers, a death, a restart."""

import csv
import json
import re
import shutil
import time

import numpy as np
import pytest

import tfgen as package
from tests import contracts
from tests.cli.conftest import tfgen, write_images
from tests.distributed import launch
from tfgen.training.strategy import WORKER_LOST_CODE

EPOCHS, STEPS = 2, 4
FLAGS = ("--filters", 4, "--latent-dim", 3, "--epochs", EPOCHS, "--batch-size", 16)
FLAGS += ("--checkpoint-every", 3, "--keep-checkpoints", 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def train(folder, out, *flags):
    command = ("train", "vae_mnist_5k", "--data", folder, "--out", out)
    return (*command, *FLAGS, "--strategy", "multi_worker", *flags)


def workers(*commands):
    return [(*launch.TFGEN, *command) for command in commands]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A run of two workers, which nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    outputs = launch.run(
        workers(train(folder, out / "run"), train(folder, out / "other"))
    )
    assert "done" in outputs[0]
    return out / "run"


def read(run):
    text = (run / "history.csv").read_text()
    history = [
        {name: float(value) for name, value in row.items()}
        for row in csv.DictReader(text.splitlines())
    ]
    return package.load(run), history


@pytest.mark.large
def test_two_workers_train_what_one_process_trains(run, folder, tmp_path):
    out = tmp_path / "single"
    assert tfgen(*train(folder, out), "--strategy", "none") == 0
    model, history = read(run)
    single, expected = read(out)
    assert history[0].keys() == expected[0].keys()
    for row, other in zip(history, expected, strict=True):
        for name in row:
            np.testing.assert_allclose(row[name], other[name], rtol=1e-5, err_msg=name)
    for one, two in zip(single.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


def test_only_the_chief_writes(run):
    assert not (run.parent / "other").exists()
    assert len(list((run / "samples").iterdir())) == EPOCHS
    assert json.loads((run / "config.json").read_text())["strategy"] == "multi_worker"


@pytest.mark.large
def test_all_stop_when_one_dies_and_a_restart_ends_alike(run, folder, tmp_path):
    out = tmp_path / "run"
    processes = launch.start(workers(*[train(folder, out)] * 2))
    wait_for(out / "checkpoints" / f"step_{STEPS - 1:08d}_epoch_0000", processes)
    processes[1].kill()
    killed = time.monotonic()
    codes, outputs = launch.finish(processes)
    assert codes[0] == WORKER_LOST_CODE, outputs[0]
    assert time.monotonic() - killed < 60
    lines = [line for line in outputs[0].splitlines() if "tfgen: error" in line]
    assert len(lines) == 1
    assert "--resume" in lines[0]
    assert "Traceback" not in outputs[0]

    # From within an epoch, whatever was written before the chief noticed.
    for path in sorted((out / "checkpoints").iterdir())[1:]:
        shutil.rmtree(path)
    outputs = launch.run(workers(*[("train", "--resume", out)] * 2))
    assert f"epoch 1, step {STEPS}" in outputs[0]
    (whole, history), (resumed, found) = read(run), read(out)
    contracts.assert_same_state(whole, resumed)
    assert [row["epoch"] for row in found] == [*range(EPOCHS)]
    for row, other in zip(found, history, strict=True):
        for name in row:
            np.testing.assert_allclose(row[name], other[name], rtol=1e-6, err_msg=name)


def wait_for(path, processes, seconds=200):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, "no checkpoint"
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


@pytest.mark.large
def test_workers_with_different_flags_are_refused(folder, tmp_path):
    seeds = [train(folder, tmp_path / "run", "--seed", seed) for seed in (0, 1)]
    codes, outputs = launch.finish(launch.start(workers(*seeds)))
    assert codes == [2, 2], outputs
    assert all("workers differ in their flags" in output for output in outputs)


@pytest.mark.large
def test_workers_choose_the_same_precision(folder, tmp_path):
    out = tmp_path / "run"
    flags = ("--precision", "auto", "--epochs", 1)
    outputs = launch.run(workers(*[train(folder, out, *flags)] * 2))
    line = re.search(r"speed: (\w+) \(bfloat16 [\d.]+x here\), 1 step", outputs[0])
    assert json.loads((out / "config.json").read_text())["precision"] == line[1]
