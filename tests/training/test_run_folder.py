"""The folder of a run: who may write there, and what is never deleted."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tfgen import files
from tfgen.errors import UserError
from tfgen.training.config import Config
from tfgen.training.run_folder import claimed_new, claimed_run
from tfgen.training.stop_signals import Stopped

CONFIG = json.dumps(
    vars(Config("vae_mnist_5k", {}, "x", None, 1, 1, 0, "float32", 28, 1))
)


def write_run(path, text="former", checkpoint=True):
    """Writes what stands for a run, and a file of the user's beside it."""
    if checkpoint:
        (path / "checkpoints" / "step_00000001_epoch_0001").mkdir(parents=True)
    (path / "samples").mkdir(parents=True, exist_ok=True)
    (path / "samples" / "epoch_0001.png").write_text(text)
    (path / "report.html").write_text(text)
    (path / "config.json").write_text(CONFIG)


def read(path):
    """Returns the files below a folder, hidden ones included."""
    paths = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): p.read_text() for p in paths}


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run"
    write_run(path)
    (path / "notes.txt").write_text("mine")
    return path


def test_the_former_run_goes_with_the_first_checkpoint(run):
    with claimed_new(run, "x", overwrite=True) as folder:
        assert (run / "report.html").read_text() == "former"
        folder.begin()
        assert not (run / "report.html").exists()  # the new run shall have its own
        write_run(run, "new", checkpoint=False)
        (run / "report.html").unlink()
        folder.settle_at_checkpoint()
        assert any("former" in text for text in read(run).values())
        write_run(run, "new")
        (run / "report.html").unlink()
        folder.settle_at_checkpoint()
        assert "former" not in read(run).values()
    assert read(run) == {
        "config.json": CONFIG,
        "notes.txt": "mine",
        "samples/epoch_0001.png": "new",
    }
    assert os.listdir(run / "checkpoints") == ["step_00000001_epoch_0001"]


def _fail_amid(path, error):
    """Begins a new run, and ends by an error before the first checkpoint."""
    with claimed_new(path, "x", overwrite=True) as folder:
        folder.begin()
        write_run(path, "new", checkpoint=False)
        raise error


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_former_run_comes_back_if_the_new_one_fails(run, is_killed):
    before = read(run)
    if is_killed:  # as SIGKILL leaves it: nothing is called any more
        script = (
            "import os, sys; from tfgen.training.run_folder import claimed_new\n"
            "with claimed_new(sys.argv[1], 'x', overwrite=True) as folder:\n"
            "    folder.begin()\n"
            "    (folder.path / 'config.json').write_text(sys.argv[2])\n"
            "    os.kill(os.getpid(), 9)"
        )
        root = pathlib.Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        new = CONFIG.replace("vae", "gan")
        command = [sys.executable, "-c", script, str(run), new]
        code = subprocess.run(command, env=environment, check=False).returncode
        assert code == -signal.SIGKILL
        with claimed_run(run):
            assert {**read(run), files.LOCK: ""} == {**before, files.LOCK: ""}
    else:
        with pytest.raises(ZeroDivisionError):
            _fail_amid(run, ZeroDivisionError)
    assert read(run) == before
    assert (run / "checkpoints").is_dir()


def test_a_new_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(Stopped):
        _fail_amid(tmp_path / "a" / "run", Stopped(signal.SIGINT))
    assert not list(tmp_path.iterdir())


def test_without_a_name_the_first_free_folder(tmp_path):
    default = str(tmp_path / "runs" / "vae")
    with claimed_new(None, default) as one, claimed_new(None, default) as two:
        assert (one.path.name, two.path.name) == ("vae", "vae-2")


@pytest.mark.parametrize("overwrite", [False, True])
def test_folders_that_tfgen_did_not_write_are_never_replaced(tmp_path, overwrite):
    project = tmp_path / "project"
    (project / "samples").mkdir(parents=True)
    (project / "samples" / "interview.wav").write_text("precious")
    said = "was not written by tfgen" if overwrite else "is not empty"
    with pytest.raises(UserError, match=said), claimed_new(project, "x", overwrite):
        pass
    assert read(project) == {"samples/interview.wav": "precious"}


@pytest.mark.parametrize("place", [".", "..", "sub"])
def test_what_is_holds_or_lies_in_the_data_is_never_replaced(run, place):
    data = {".": run, "..": run / "photos", "sub": run.parent}[place]
    data.mkdir(exist_ok=True)
    before = read(run.parent)
    with (
        pytest.raises(UserError, match="is, holds or lies in"),
        claimed_new(run, "x", True, data),
    ):
        pass
    assert read(run.parent) == before


def test_a_second_process_is_told_who_writes(tmp_path):
    path = tmp_path / "run"
    with claimed_new(path, "x"):
        for claim in (
            lambda: claimed_new(path, "x"),
            lambda: claimed_new(path, "x", overwrite=True),
        ):
            with pytest.raises(UserError, match=f"pid {os.getpid()}"), claim():
                pass
        write_run(path)
        with pytest.raises(UserError, match="another process"), claimed_run(path):
            pass
    with claimed_run(path):  # it ended
        pass
    assert not (path / files.LOCK).exists()


def test_a_lock_is_no_number(tmp_path):
    """In a container every training may be process 1, one that was killed too."""
    (tmp_path / files.LOCK).write_text(str(os.getpid()))
    with claimed_new(tmp_path, "x"):
        pass


def test_file_systems_without_locks_are_written(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with claimed_new(tmp_path / "run", "x") as folder:
        write_run(folder.path)
    assert (tmp_path / "run" / "config.json").is_file()


# ---- Files ---------------------------------------------------------------------------


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o077, 0o600)])
def test_files_have_the_mode_that_the_umask_allows(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with files.replaced(tmp_path / "file.txt") as temporary:
            temporary.write_text("x")
        with files.replaced_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == mode
    folder_mode = (tmp_path / "folder").stat().st_mode & 0o777
    assert folder_mode == 0o777 & ~umask


def test_errors_name_no_hidden_file_where_nothing_can_be_written(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", os.fspath(path))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(pathlib.Path, "unlink", refuse)
    for write, named in (
        (files.replaced(tmp_path / "a.png"), tmp_path / "a.png"),
        (files.replaced_folder(tmp_path / "b"), tmp_path),
        (files.locked(tmp_path), tmp_path),
    ):
        with pytest.raises(OSError, match="Read-only") as error, write:
            pass
        assert error.value.filename == str(named)


def test_errors_name_the_file_and_not_the_temporary_one(tmp_path):
    with (
        pytest.raises(FileNotFoundError) as error,
        files.replaced(tmp_path / "absent" / "file.txt"),
    ):
        pass
    assert error.value.filename == str(tmp_path / "absent" / "file.txt")
