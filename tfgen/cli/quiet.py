"""TensorFlow's start-up, without the lines that it writes past every log level."""

import contextlib
import gc
import logging
import os
import sys
import tempfile

from tfgen._compat import optional_imports_hidden

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras; what they write to stderr shows only on failure."""
    if "tensorflow" in sys.modules:
        return
    _limit_arenas()
    gc.disable()  # it would look through all that is imported, again and again
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            # First: it loads all of its parts at once where TensorFlow is there.
            import tensorflow_probability  # noqa: F401

            with optional_imports_hidden():
                import keras  # noqa: F401
                import tensorflow as tf

            tf.config.list_physical_devices()
            # TFDS's deprecations are not the user's. (The converter of TensorFlow
            # sets the level of this log anew.)
            logging.getLogger("absl").addFilter(_is_error)
        except Exception:  # a signal is none, and needs no explanation
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            gc.freeze()  # what is imported stays
            gc.enable()


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def return_memory() -> None:
    """Makes large blocks go back to the system when they are free: slower, and smaller.

    It must come before TensorFlow, whose oneDNN kernels else keep what they once had.
    """
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    _set_malloc(_M_MMAP_THRESHOLD, 2**20)


def _limit_arenas() -> None:
    """Keeps glibc's allocator from spreading freed blocks over many heaps.

    Else the memory that a training holds grows for hours, as in a leak, though what is
    in use does not (tests/benchmarks/memory.py). It must come before threads do.
    """
    _set_malloc(_M_ARENA_MAX, 2)


def _set_malloc(option: int, value: int) -> None:
    import ctypes

    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(option, value)
