"""Exports that die leave a whole folder; folders are changed by one at a time."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from export import _staging, publish, report
from export._staging import PREFIX, find_litter, locked, staging

# Publishes files that hold their names; `moment` is where the process kills itself.
CHILD = """
import os, pathlib, signal, sys
from export import _staging, publish, report

directory, moment = pathlib.Path(sys.argv[1]), sys.argv[2]
for number in (signal.SIGTERM, signal.SIGHUP):  # which nohup has children ignore
    signal.signal(number, signal.SIG_DFL)

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "before the report":
    report.write = die
elif moment == "after the report":
    publish.configuration.write_configs = die
names = publish.Names("m", 1)
with _staging.staging(directory / "m") as stage:
    if moment == "while it writes":
        (stage / "edge").mkdir()
        print("ready", flush=True)
        signal.pause()
    for path in ("edge/m-v1-float32.tflite", "serving/m/1/saved_model.pb"):
        (stage / path).parent.mkdir(parents=True)
        (stage / path).write_text(path)
    entry = {"name": "m", "version": 1, "endpoints": {}, "files": []}
    publish.publish(stage, directory, names, True, entry)
"""


def start(directory, moment):
    command = [sys.executable, "-c", CHILD, str(directory), moment]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def files_in(directory):
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_killed_before_the_report_is_taken_back(tmp_path):
    with start(tmp_path, "before the report") as child:
        assert child.wait() == -signal.SIGKILL
    assert "edge/m-v1-float32.tflite" in files_in(tmp_path)
    assert len(find_litter(tmp_path)) == 1
    publish.recover(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_killed_after_the_report_is_completed(tmp_path):
    with start(tmp_path, "after the report") as child:
        assert child.wait() == -signal.SIGKILL
    publish.recover(tmp_path)
    assert not list(tmp_path.glob(".*"))
    assert {"serving/m/1/saved_model.pb", "edge/m-v1-float32.tflite"} <= files_in(
        tmp_path
    )
    assert {"serving/models.config", "README.md", "SHA256SUMS"} <= files_in(tmp_path)
    assert [entry["name"] for entry in report.read(tmp_path)["exports"]] == ["m"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_stopped_while_it_writes(tmp_path, number):
    """SIGTERM and SIGHUP leave nothing; what SIGKILL leaves goes with the next one."""
    child = start(tmp_path, "while it writes")
    assert child.stdout.readline() == b"ready\n"
    (folder,) = tmp_path.iterdir()
    assert find_litter(tmp_path) == []  # it is alive
    with staging(tmp_path / "other"):
        assert folder.exists()
    child.send_signal(number)
    killed = number == signal.SIGKILL
    child.stdout.close()
    assert child.wait() == (-number if killed else 128 + number)
    assert list(tmp_path.iterdir()) == ([folder] if killed else [])
    with staging(tmp_path / "other"):
        assert not folder.exists()


def test_only_old_folders_without_a_lock_are_litter(tmp_path):
    """A process that just made its folder has not locked it yet."""
    folder = tmp_path / f"{PREFIX}young"
    folder.mkdir()
    assert find_litter(tmp_path) == []
    hours_ago = time.time() - 7200
    os.utime(folder, (hours_ago, hours_ago))
    assert find_litter(tmp_path) == [folder]


def test_a_folder_is_changed_by_one_at_a_time(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count():
        for _ in range(5):
            with locked(tmp_path):
                number = int(counter.read_text())
                time.sleep(0.002)
                counter.write_text(str(number + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "20"
    assert list(tmp_path.iterdir()) == [counter]


def test_what_fails_midway_is_taken_back(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(report, "write", fail)
    names, entry = publish.Names("m", 1), {"name": "m", "version": 1}
    with staging(tmp_path / "m") as stage:
        (stage / "edge").mkdir()
        (stage / "edge" / "m-v1-float32.tflite").write_text("file")
        with pytest.raises(OSError, match="disk full"):
            publish.publish(stage, tmp_path, names, False, entry)
    assert list(tmp_path.iterdir()) == []


def test_a_handler_of_the_program_is_left_alone(tmp_path):
    handler = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        mine = signal.getsignal(signal.SIGTERM)
        with staging(tmp_path / "m"):
            assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, handler)
    with _staging.staging(tmp_path / "m"):
        assert signal.getsignal(signal.SIGTERM) is not handler
    assert signal.getsignal(signal.SIGTERM) is handler
