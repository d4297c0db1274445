"""The figures of every epoch as a table, whole after every epoch."""

import csv
import pathlib

import keras

from tfgen.files import replaced


class HistoryFile(keras.callbacks.Callback):
    """Writes the history to a CSV file: a row an epoch, `epoch` counted from 0.

    Unlike Keras's `CSVLogger` it writes the whole history each time, so that a run that
    is resumed from an earlier epoch has each epoch once.

    Args:
        path: The file's name.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_epoch_end(self, epoch, logs=None):
        past = self.model.history  # Keras adds this epoch after the callbacks
        rows = [
            {"epoch": epoch, **{n: v[i] for n, v in past.history.items() if i < len(v)}}
            for i, epoch in enumerate(past.epoch)
        ]
        rows.append({"epoch": epoch, **(logs or {})})
        with replaced(self.path) as name, name.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[-1]), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
