"""Programs that fork from a process which has imported TensorFlow already.

Importing it takes longer than what tests then run. Run as a program, with a kind, this
is that process: `command` runs commands of tfgen, `runner` is `export.verify.runner`.
Each line on its stdin is JSON: arguments, the file for what is printed, the folder to
run in, and the environment. It writes the number of the fork, and its exit code when it
has ended.
"""

import functools
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import traceback

ROOT = pathlib.Path(__file__).parents[1]


class Forks:
    """Starts programs of one kind, one at a time; a context manager."""

    def __init__(self, kind, environment):
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", kind],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self):
        assert self._read(120) == "imported"
        return self

    def __exit__(self, *_):
        self._server.stdin.close()
        self._server.wait(20)

    def start(self, arguments, output, folder=None):
        """Starts a program; returns the number of its process."""
        files = str(output), str(folder or os.getcwd())
        line = json.dumps([[*map(str, arguments)], *files, dict(os.environ)])
        print(line, file=self._server.stdin, flush=True)
        return int(self._read(20))

    def wait(self, seconds):
        """Returns the exit code, -N for a signal; None if it takes longer."""
        line = self._read(seconds)
        return None if line is None else int(line)

    def _read(self, seconds):
        # Nothing is buffered: each line is read before the next is written.
        if not select.select([self._server.stdout], [], [], seconds)[0]:
            return None
        return self._server.stdout.readline().strip()


class ForkedRunner:
    """In place of `export.verify.child.start`: saved models run in a fork.

    What has few imports, or other ones than those of this session, starts anew.
    """

    def __init__(self, start):
        self._start = start
        self._path = os.environ.get("PYTHONPATH")

    def __call__(self, file, folder, seconds, timeout):
        if not file.is_dir() or os.environ.get("PYTHONPATH") != self._path:
            return self._start(file, folder, seconds, timeout)
        output = pathlib.Path(folder) / "printed"
        number = self._forks.start([file, folder, seconds], output, folder)
        code = self._forks.wait(timeout)
        if code is None:
            os.kill(number, signal.SIGKILL)
            self._forks.wait(20)
            raise subprocess.TimeoutExpired("runner", timeout)
        printed = output.read_text(errors="replace")
        return subprocess.CompletedProcess("runner", code, "", printed)

    @functools.cached_property
    def _forks(self):
        path = os.pathsep.join(filter(None, [str(ROOT), self._path]))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        forks = Forks("runner", {**os.environ, **quiet, "PYTHONPATH": path})
        return forks.__enter__()

    def close(self):
        """Ends the process that forks, if there is one."""
        if "_forks" in vars(self):
            self._forks.__exit__()


# ---- The process that forks ----------------------------------------------------------


def serve():
    """Forks for each line; in a fork it returns the arguments."""
    print("imported", flush=True)
    for line in sys.stdin:
        number = os.fork()
        if not number:
            arguments, output, folder, environment = json.loads(line)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            file = os.open(output, os.O_WRONLY | os.O_CREAT)
            for handle in (1, 2):
                os.dup2(file, handle)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return arguments
        print(number, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)
    return sys.exit()


def run_commands():
    """Imports what training does, and runs no operation: its threads would not fork."""
    from tfgen.cli.quiet import import_tensorflow

    import_tensorflow()
    import tfgen.callbacks
    import tfgen.figures.plots
    import tfgen.models
    import tfgen.presets.loading
    import tfgen.training.exact_backup
    import tfgen.training.trainer

    check_that_it_may_fork()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = serve()
    tfgen.cli.main(arguments)


def run_saved_models():
    """Imports what `export.verify.runner` does, TensorFlow without Keras."""
    from export import _compat

    _compat.hide_module("keras")
    import tensorflow as tf

    from export.verify import runner

    assert tf.saved_model.load  # loads lazily
    check_that_it_may_fork()
    file, folder, seconds = serve()
    try:
        runner.main(pathlib.Path(file), pathlib.Path(folder), float(seconds))
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def check_that_it_may_fork():
    from tensorflow.python.eager import context

    assert context.context()._context_handle is None


if __name__ == "__main__":
    {"command": run_commands, "runner": run_saved_models}[sys.argv[1]]()
