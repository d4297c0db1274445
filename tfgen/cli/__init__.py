"""The command line: one file a command. It parses, calls the library, and prints.

Importing this imports next to nothing, so that signals are noted from the first moment;
`commands` has what is to be said of all commands.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence

from tfgen.training.stop_signals import StopSignals


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a user's mistake is one line on stderr and exit code 2.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP end it within seconds, with exit code 128 and
    the signal's number; a second one ends it at once.
    """
    with StopSignals(ends_process=True) as signals:
        try:
            _set_environment()
            from tfgen.cli.commands import run

            code = run(arguments)
        except BaseException:
            if signals.received is None:
                raise
            code = None
        if signals.received is not None:
            # Whatever became of the signal's exception on its way.
            if code in (None, 0, 1, 2):
                _say("tfgen: error: interrupted")
            code = 128 + signals.received
    # What reads data ends here: at the interpreter's end its threads could not.
    gc.collect()
    sys.exit(code)


def _set_environment() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow's default on CPUs with AVX-512 only. Seen with AVX2: pix2pix trains 2.3
    # times as fast, CycleGAN 1.6, and the other models no slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if not (sys.stderr and sys.stderr.isatty()):
        os.environ.setdefault("TQDM_DISABLE", "1")  # TFDS's bars, in a log
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        print(line, file=sys.stderr, flush=True)
