"""The model on disk, whole after every epoch."""

import pathlib

import keras

from tfgen.files import replaced


class SaveModel(keras.callbacks.Callback):
    """Saves the model to `path` after every epoch, optimizer and random state included.

    It is written under a temporary name and renamed, so that a kill leaves the file of
    the epoch before.

    Args:
        path: File name that ends in `.keras`.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_epoch_end(self, epoch, logs=None):
        with replaced(self.path) as temporary:
            self.model.save(temporary)
