"""Data sets that several processes need at once: one prepares, the others wait."""

import contextlib
import subprocess
import sys
import threading
import warnings

import pytest
import tensorflow_datasets as tfds

from tests.data.tiny_sets import TinySingle
from tfgen import files
from tfgen.data import builders
from tfgen.data.builders import preparing
from tfgen.data.builders.preparing import make_builder, prepare
from tfgen.data.loading import find_folder


class SlowSingle(TinySingle):
    """Prepared only when both threads that need it have begun to, or after a second."""

    name = "slow_single"
    both_began = threading.Barrier(2)
    times_prepared = 0

    def _split_generators(self, dl_manager):
        type(self).times_prepared += 1
        with contextlib.suppress(threading.BrokenBarrierError):
            self.both_began.wait(timeout=1.0)  # in vain, if the other waits for this
        return super()._split_generators(dl_manager)


@pytest.mark.filterwarnings("ignore:Another process prepares slow_single")
def test_two_that_begin_together_prepare_once(tmp_path):
    """The second builder was made before there was anything to read."""
    builders = [make_builder("slow_single", tmp_path) for _ in range(2)]
    problems = []

    def work(builder):
        try:
            prepare(builder)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=[builder]) for builder in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert SlowSingle.times_prepared == 1
    for builder in builders:
        assert builder.info.splits["train"].num_examples == 21
        assert len(list(builder.as_dataset(split="test"))) == 5


def test_what_another_prepared_meanwhile_is_read(tmp_path):
    builder = make_builder("tiny_single", tmp_path)
    tfds.load("tiny_single", data_dir=tmp_path)
    prepare(builder)
    assert builder.info.splits["train"].num_examples == 21


def test_a_set_is_prepared_where_no_lock_can_be_had(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(files.errno.ENOLCK, "No locks available")

    if files.fcntl is not None:
        monkeypatch.setattr(files.fcntl, "flock", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        prepare(make_builder("tiny_single", tmp_path))
    assert make_builder("tiny_single", tmp_path).is_prepared()


@pytest.mark.large
def test_processes_that_begin_together(tmp_path):
    code = (
        "import sys, tfgen.data\n"
        "images = tfgen.data.load_array('sprites/32_300', 'test', data_dir=sys.argv[1])"
        "\nprint(images.shape)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        assert output.endswith("(5000, 32, 32, 1)\n")


def test_names_of_own_data_sets():
    names = {getattr(builders, class_name).name for class_name in builders.__all__}
    assert set(preparing.OWN_NAMES) == names


def test_own_data_sets_are_known_without_the_list_of_all(monkeypatch):
    """TFDS imports hundreds of modules for it, which every start would wait for."""

    def list_builders(**options):
        raise AssertionError("the list was asked for")

    monkeypatch.setattr(tfds, "list_builders", list_builders)
    assert find_folder("mnist_5k") is find_folder("openmoji/64") is None
    with pytest.raises(AssertionError, match="the list was asked for"):
        find_folder("tiny_single")
