"""`tfgen train`, killed, stopped or diverging; and `tfgen train --resume`."""

import dataclasses
import os
import random
import re
import resource
import signal
import subprocess
import time

import numpy as np
import pytest

import tfgen as package
from tests import contracts
from tests.cli.conftest import SMALL, SMALL_TRANSLATOR, tfgen
from tests.distributed.launch import TFGEN
from tfgen.training import trainer as training
from tfgen.training.checkpoints import CheckpointStore
from tfgen.training.run import Config

TRAIN = ("--checkpoint-every", "2", "--epochs", "3", "--batch-size", "4")


class Process:
    """A command in a process of its own."""

    def __init__(self, *arguments):
        arguments = [*TFGEN, *map(str, arguments)]
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_for_checkpoints(self, run, count):
        """Waits until so many more have been written, or the process ended."""
        seen = set(CheckpointStore(run / "checkpoints").paths())
        deadline = time.monotonic() + 300
        written = set()
        while len(written) < count and self.process.poll() is None:
            assert time.monotonic() < deadline, "no checkpoint was written"
            written |= set(CheckpointStore(run / "checkpoints").paths()) - seen
            time.sleep(0.01)

    def end(self, number=None):
        """Sends a signal; returns exit code, output, and the seconds it took."""
        start = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=240)
        return self.process.returncode, output, time.monotonic() - start


def train_as_users_do(*arguments):
    """Trains in this process, whose graphs conftest.py leaves as they are."""
    with contracts.rewriting():
        assert tfgen(*arguments) == 0


def kill_until_done(run, seed, most, *arguments):
    """Kills a training at random moments, `most` times; returns how often it hit."""
    rng, kills = random.Random(seed), 0
    command = arguments
    for _ in range(most):
        process = Process(*command)
        process.wait_for_checkpoints(run, rng.randint(1, 3))
        time.sleep(rng.uniform(0, 0.3))
        code, output, _ = process.end(signal.SIGKILL)
        assert "damaged" not in output  # whole, or not there
        kills += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL), output
        if code == 0:
            break
        command = ("train", "--resume", run)
    else:
        train_as_users_do(*command)
    return kills


def assert_same_run(run, other):
    contracts.assert_same_state(package.load(run), package.load(other))
    assert (run / "history.csv").read_text() == (other / "history.csv").read_text()
    configs = [vars(Config.read(path)) for path in (run, other)]
    for config in configs:  # chosen by time: the results above are the same with any
        assert config.pop("steps_per_execution") in (1, 2)
    assert configs[0] == configs[1]
    pictures = sorted(p.name for p in (run / "samples").iterdir())
    assert pictures == sorted(p.name for p in (other / "samples").iterdir())
    for name in pictures:
        one, two = (path / "samples" / name for path in (run, other))
        assert one.read_bytes() == two.read_bytes()


SMALL_GAN = ("--filters", "4", "--latent-dim", "5")
TRANSLATOR = (*SMALL_TRANSLATOR, "--load-size", "20", "--mirror")
PRESETS = {
    "vae_mnist_5k": SMALL[:4],
    "autoencoder_mnist_5k": SMALL[:4],
    "dcgan_mnist_5k": (*SMALL_GAN, "--ema-decay", "0.9"),
    "wgan_gp_mnist_5k": SMALL_GAN,
    "pix2pix_256": TRANSLATOR,
    "cyclegan_256": (*TRANSLATOR, "--num-blocks", "1", "--pool-size", "5"),
}


@pytest.mark.parametrize(
    ("preset", "most"),
    [
        # A start of TensorFlow for each.
        ("vae_mnist_5k", 1),
        *(pytest.param(name, 3, marks=pytest.mark.large) for name in PRESETS),
    ],
)
def test_killed_at_random_it_ends_as_if_it_had_not_been(
    preset, most, folder, pairs_folder, tmp_path
):
    data = pairs_folder if preset in ("pix2pix_256", "cyclegan_256") else folder
    flags = (preset, "--data", data, *PRESETS[preset], *TRAIN)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_as_users_do("train", *flags, "--out", whole)
    seed = int.from_bytes(os.urandom(4), "big")
    kills = kill_until_done(killed, seed, most, "train", *flags, "--out", killed)
    assert kills, f"no kill hit (seed {seed})"
    assert_same_run(whole, killed)


@pytest.mark.large
def test_deterministic_operations_are_asked_for_again(folder, tmp_path, monkeypatch):
    import tensorflow as tf

    calls = []
    name = "enable_op_determinism"  # of this process it would be for good
    monkeypatch.setattr(tf.config.experimental, name, lambda: calls.append(1))
    run = tmp_path / "run"
    flags = ("--data", folder, "--out", run, *SMALL, "--epochs", 1)
    assert tfgen("train", "vae_mnist_5k", *flags, "--deterministic") == 0
    assert len(calls) == 1
    config = Config.read(run)
    training.keep_order_of_sums(dataclasses.replace(config, deterministic=False))
    assert len(calls) == 1
    config.epochs = 2
    config.write(run)
    assert tfgen("train", "--resume", run) == 0
    assert len(calls) == 2


def test_a_signal_saves_and_says_how_to_go_on(folder, tmp_path, capsys, monkeypatch):
    from tfgen import callbacks

    class Stop(callbacks.SampleGrid):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(callbacks, "SampleGrid", Stop)
    run = tmp_path / "run"
    flags = ("--data", folder, "--out", run, "--steps-per-execution", 1, *SMALL)
    assert tfgen("train", "vae_mnist_5k", *flags) == 128 + signal.SIGTERM
    output = "".join(capsys.readouterr())
    assert f"go on with: tfgen train --resume {run}" in output
    assert "Traceback" not in output
    newest = CheckpointStore(run / "checkpoints").newest()
    assert newest.path.name == "step_00000005_epoch_0001"  # the step under way
    assert f"saved {newest.path}" in output


@pytest.mark.large
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_soon(number, folder, tmp_path):
    run = tmp_path / "run"
    flags = ("--data", folder, *SMALL, "--epochs", 500, "--checkpoint-every", 1)
    process = Process("train", "vae_mnist_5k", *flags, "--out", run)
    process.wait_for_checkpoints(run, 3)
    code, output, seconds = process.end(number)
    assert code == 128 + number, output
    assert f"go on with: tfgen train --resume {run}" in output
    assert "Traceback" not in output
    assert seconds < 10
    newest = CheckpointStore(run / "checkpoints").newest()
    assert f"saved {newest.path}" in output


def test_resume_refuses_what_it_cannot_go_on_with(vae_run, tmp_path, capsys):
    for arguments, said in (
        (("--resume", vae_run), "is finished: all 2 epochs"),
        (("--resume", tmp_path), "not a run directory"),
        (("--resume", vae_run, "vae_mnist_5k"), "takes no preset"),
    ):
        assert tfgen("train", *arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_resume_without_a_checkpoint_is_refused(vae_run, tmp_path, capsys):
    (tmp_path / "config.json").write_text((vae_run / "config.json").read_text())
    assert tfgen("train", "--resume", tmp_path) == 2
    assert "no checkpoint that is whole" in capsys.readouterr().err


def diverging(folder, out, *more):
    flags = ("--data", folder, "--out", out, *SMALL, "--learning-rate", "1e30", *more)
    return tfgen("train", "vae_mnist_5k", *flags)


@pytest.mark.parametrize(
    "num_bytes",
    [1_000, 30_000],  # too little for a picture; for the model
)
@pytest.mark.large
def test_a_full_disk_names_the_last_good_checkpoint(folder, tmp_path, num_bytes):
    run = tmp_path / "run"
    flags = ("--data", folder, *SMALL, "--epochs", 500)
    process = Process("train", "vae_mnist_5k", *flags, "--out", run)
    process.wait_for_checkpoints(run, 1)
    limits = (num_bytes, resource.RLIM_INFINITY)
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, limits)
    code, output, _ = process.end()
    assert code == 2, output
    newest = CheckpointStore(run / "checkpoints").newest()
    assert f"The last good checkpoint: {newest.path}" in output
    assert "Traceback" not in output
    assert not list(run.glob(".*"))


def test_divergence_names_the_term_and_the_step(folder, tmp_path, capsys):
    assert diverging(folder, tmp_path, "--steps-per-execution", 1) == 2
    error = capsys.readouterr().err
    assert re.search(r"loss is (inf|nan) at step [23] of epoch 1", error)
    assert "The last good checkpoint: none" in error
    assert error.count("\n") == 1


def test_detect_anomaly_names_the_operation(folder, tmp_path, capsys):
    assert diverging(folder, tmp_path, "--detect-anomaly") == 2
    out, error = capsys.readouterr()
    assert "1 step an execution (--detect-anomaly)" in out
    assert re.search(r"encoder\S*/\S+ made the first NaN .*tfgen/models/", error)
    assert error.count("\n") == 1


def test_the_best_and_so_many_checkpoints_are_kept(folder, tmp_path):
    flags = ("--data", folder, "--out", tmp_path, *SMALL, "--keep-checkpoints", 1)
    more = ("--keep-best", "val_loss", "--epochs", 4)
    assert tfgen("train", "vae_mnist_5k", *flags, *more) == 0
    kept = CheckpointStore(tmp_path / "checkpoints").paths()
    rows = (tmp_path / "history.csv").read_text().splitlines()
    column = rows[0].split(",").index("val_loss")
    losses = [float(row.split(",")[column]) for row in rows[1:]]
    epochs = {int(path.name[-4:]) for path in kept}
    assert epochs == {4, int(np.argmin(losses)) + 1}
