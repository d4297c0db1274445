"""Saves the model after every epoch, atomically."""

import pathlib

import keras

from tfgen.files import replaced


class SaveModel(keras.callbacks.Callback):
    """Saves the model to `path` after every epoch, optimizer and random state included.

    The file is written under a temporary name and renamed: if the process is killed,
    the file of the previous epoch remains.

    Args:
        path: File name that ends in `.keras`.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path).expanduser()

    def on_epoch_end(self, epoch, logs=None):
        with replaced(self.path) as temporary:
            self.model.save(temporary)
