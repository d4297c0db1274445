"""Commands of tfgen, each in a fork of a process that has imported TensorFlow already.

Run as a program it is that process. Each line on its stdin is JSON: the arguments of a
command, and the file for what it prints. It writes the fork's number, and the exit code
when the fork has ended.
"""

import json
import os
import select
import signal
import subprocess
import sys


class Forks:
    """Starts commands, one at a time; a context manager."""

    def __init__(self, environment):
        self._server = subprocess.Popen(
            [sys.executable, __file__],
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

    def start(self, arguments, output):
        """Starts a command; returns the number of its process."""
        line = json.dumps([[*map(str, arguments)], str(output)])
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


def serve():
    """Forks for each line; in a fork it returns the line."""
    print("imported", flush=True)
    for line in sys.stdin:
        number = os.fork()
        if not number:
            return json.loads(line)
        print(number, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)
    return sys.exit()


def main():
    """Imports what training does, and runs no operation: its threads would not fork."""
    from tfgen.cli.quiet import import_tensorflow

    import_tensorflow()
    from tensorflow.python.eager import context

    import tfgen.callbacks
    import tfgen.figures.plots
    import tfgen.models
    import tfgen.presets.loading
    import tfgen.training.exact_backup
    import tfgen.training.trainer

    assert context.context()._context_handle is None
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments, output = serve()
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    for handle in (1, 2):
        os.dup2(file, handle)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    tfgen.cli.main(arguments)


if __name__ == "__main__":
    main()
