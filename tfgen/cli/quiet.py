"""TensorFlow's start-up, without the lines that it writes past every log level."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

_M_ARENA_MAX = -8  # of glibc's malloc.h


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras; what they write to stderr shows only on failure."""
    if "tensorflow" in sys.modules:
        return
    _limit_arenas()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            with _hidden("sklearn", "pandas", "matplotlib.pyplot"):
                import keras  # noqa: F401
                import tensorflow as tf

            tf.config.list_physical_devices()
            # TFDS's deprecations are not the user's.
            logging.getLogger("absl").setLevel(logging.ERROR)
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """Makes optional imports fail: those of Keras take a third of its start-up.

    They are for its wrappers, data frames and galleries, which no command uses. Later
    imports find the modules.
    """
    missing = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(missing))  # None: the import system's "not there"
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name, None)


def _limit_arenas() -> None:
    """Keeps glibc's allocator from spreading freed blocks over many heaps.

    Else the memory that a training holds grows for hours, as of a leak, though what is
    in use does not (tests/benchmarks/memory.py). It must come before threads do.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
