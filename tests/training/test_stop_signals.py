"""No signal is lost: neither where its exception is swallowed, nor in any phase."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

from tests.cli.conftest import write_images
from tests.forked import Forks
from tfgen import callbacks
from tfgen.training import run_callbacks, stop_signals
from tfgen.training.checkpoints import CheckpointStore
from tfgen.training.stop_signals import Stopped, StopSignals

ROOT = pathlib.Path(__file__).parents[2]
SOON = 20  # seconds, on a machine that does other things too


@pytest.fixture(autouse=True)
def _handlers():
    """Whatever becomes of a test, the handlers are those of before.

    The alarm is pytest's, whose own comes back at the end.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    alarm = signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    if stop_signals.installed():
        stop_signals.installed().restore()
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.setitimer(signal.ITIMER_REAL, *alarm)


def send(number):
    os.kill(os.getpid(), number)
    time.sleep(SOON)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_exception_with_its_number(number):
    with pytest.raises(Stopped) as stopped, StopSignals(ends_process=True):
        send(number)
    assert stopped.value.signal_number == number


def test_an_exception_that_is_swallowed_is_raised_again():
    caught = []

    def swallow(times):
        for trial in range(times):
            try:
                send(signal.SIGINT) if trial == 0 else time.sleep(SOON)
            except KeyboardInterrupt as error:
                caught.append(str(error))
        time.sleep(SOON)

    with pytest.raises(Stopped), StopSignals(ends_process=True):
        swallow(2)
    assert len(caught) == 2


def test_while_it_is_handled_it_is_not_raised_again():
    """Long cleaning up is not cut."""
    cleaned = []

    def clean_up():
        try:
            send(signal.SIGINT)
        finally:
            time.sleep(1.2)
            cleaned.append(True)

    with pytest.raises(Stopped), StopSignals(ends_process=True):
        clean_up()
    assert cleaned


IN_C = """
import hashlib
from tfgen.training.stop_signals import StopSignals
with StopSignals(ends_process=True):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes, without Python's lock
"""


def test_a_second_signal_ends_what_does_not_return_to_python():
    command = [sys.executable, "-c", IN_C]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as child:
        child.stdout.readline()
        for _ in range(2):
            time.sleep(0.1)
            assert child.poll() is None
            child.send_signal(signal.SIGTERM)
        try:
            assert child.wait(SOON) == 128 + signal.SIGTERM
        finally:
            child.kill()


def test_ignored_signals_stay_ignored():
    """As under `nohup`, or in the background of a shell."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals(ends_process=True) as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
        assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_afterwards_the_handlers_are_those_of_before():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(Stopped), StopSignals(ends_process=True):
        send(signal.SIGTERM)
    assert [signal.getsignal(number) for number in numbers] == before


def test_no_thread_is_left():
    """Of a thousand commands in one process, say."""
    file = signal.set_wakeup_fd(-1)
    for _ in range(3):
        before = set(threading.enumerate())  # those of other tests may end meanwhile
        with StopSignals(ends_process=True):
            (thread,) = set(threading.enumerate()) - before
        thread.join(SOON)
        assert not thread.is_alive()
        assert signal.set_wakeup_fd(-1) == -1
    signal.set_wakeup_fd(file)


def test_a_picture_is_not_waited_for(monkeypatch, tmp_path):
    def make_panels():
        run_callbacks.raise_if_stopping()
        return {"samples": np.zeros((48, 96, 3), np.uint8)}

    make_panels = run_callbacks.unless_stopping(make_panels)
    callback = callbacks.SampleGrid(tmp_path, make_panels)
    callback.on_epoch_end(0)
    monkeypatch.setattr(
        stop_signals, "installed", lambda: types.SimpleNamespace(received=15)
    )
    callback.on_epoch_end(1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.png"]


# ---- The command line ----------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), count=24)


def command_of(folder, out, *flags):
    flags = ("--filters", 4, "--latent-dim", 3, "--batch-size", 8, *flags)
    return ["train", "vae_mnist_5k", "--data", folder, "--out", out, *flags]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def start(folder, out, *flags):
    """Starts a training; returns when its first line of Python is about to run."""
    script = "import sys, tfgen.cli; print(); tfgen.cli.main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, command_of(folder, out, *flags))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    process.stdout.readline()
    return process


def stop(process, number, seconds=SOON):
    """Sends a signal; returns what the process wrote until it ended, soon enough."""
    process.send_signal(number)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"{signal.Signals(number).name} was lost: {process.communicate()}")
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    return output


def wait_for(process, path):
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("import", signal.SIGINT),
        pytest.param("tracing", signal.SIGHUP, marks=pytest.mark.large),
        pytest.param("between epochs", signal.SIGTERM, marks=pytest.mark.large),
    ],
)
def test_a_signal_ends_training_in_every_phase(folder, tmp_path, moment, number):
    run = tmp_path / "run"
    process = start(folder, run, "--epochs", 5000)
    if moment == "import":
        wait_for(process, run / ".lock")  # claimed; TensorFlow is about to be imported
        time.sleep(0.3)
    elif moment == "tracing":
        lines = iter(process.stdout.readline, "")
        assert any("weights" in line for line in lines)
        wait_for(process, run / "logs")
    else:
        wait_for(process, run / "samples" / "epoch_0002.png")
    output = stop(process, number)
    assert not (run / ".lock").exists()
    if moment == "between epochs":
        newest = CheckpointStore(run / "checkpoints").newest()
        assert f"saved {newest.path}" in output
        assert f"go on with: tfgen train --resume {run}" in output
    else:  # nothing was saved, so nothing is left
        assert not run.exists()


# ---- Any moment ----------------------------------------------------------------------

PARTS = 10  # 20 moments each: each is minutes, and may be run alone
IMPORTING, TRAINING = 6, 14  # moments of a part: most of a start is import


@pytest.fixture(scope="module")
def seconds_of_import(folder, tmp_path_factory):
    process = start(folder, tmp_path_factory.mktemp("whole") / "run", "--epochs", 1)
    begin = time.monotonic()
    process.stdout.readline()  # of the images, once TensorFlow is imported
    seconds = time.monotonic() - begin
    process.communicate()
    return seconds


@pytest.fixture(scope="module")
def forks():
    with Forks("command", environment()) as forks:
        yield forks


@pytest.fixture(scope="module")
def seconds_of_training(folder, forks, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    begin = time.monotonic()
    forks.start(command_of(folder, out / "run", "--epochs", 10), out / "log")
    assert forks.wait(240) == 0, (out / "log").read_text()
    return time.monotonic() - begin


def check_left(run, seed):
    has_checkpoint = bool(CheckpointStore(run / "checkpoints").paths())
    assert run.exists() == has_checkpoint, f"seed {seed}"
    assert not (run / ".lock").exists(), f"seed {seed}"
    shutil.rmtree(run, ignore_errors=True)


NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.large
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_signal_at_any_moment_of_the_import(
    folder, tmp_path, part, seconds_of_import
):
    seed = int.from_bytes(os.urandom(4), "big")
    rng, run = random.Random(seed), tmp_path / "run"
    for _ in range(IMPORTING):
        process = start(folder, run, "--epochs", 5000)
        time.sleep(rng.uniform(0.01, seconds_of_import))
        stop(process, rng.choice(NUMBERS))
        check_left(run, seed)


@pytest.mark.large
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_signal_at_any_moment_ends_training(
    folder, tmp_path, part, forks, seconds_of_training
):
    """From the first line of the command to the tenth epoch or so."""
    seed = int.from_bytes(os.urandom(4), "big")
    rng, run, log = random.Random(seed), tmp_path / "run", tmp_path / "log"
    for _ in range(TRAINING):
        command = command_of(folder, run, "--epochs", 5000)
        number, process = rng.choice(NUMBERS), forks.start(command, log)
        time.sleep(rng.uniform(0.01, seconds_of_training))
        os.kill(process, number)
        if (code := forks.wait(SOON)) is None:
            os.kill(process, signal.SIGKILL)
            forks.wait(SOON)
        assert code == 128 + number, f"seed {seed}: {log.read_text()}"
        assert "Traceback" not in log.read_text()
        check_left(run, seed)
        log.unlink()
