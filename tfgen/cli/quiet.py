"""TensorFlow's start-up, without the lines that it writes past every log level."""

import logging
import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras; what they write to stderr shows only on failure."""
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
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
