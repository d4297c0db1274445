"""The history of training as a CSV file, complete after every epoch."""

import csv
import pathlib

import keras

from tfgen.files import replaced


class HistoryFile(keras.callbacks.Callback):
    """Writes the history to a CSV file: a row an epoch, `epoch` counted from 0.

    Unlike Keras's `CSVLogger` it rewrites the whole table each time, so that a run
    resumed from an earlier epoch lists each epoch once. Missing figures (validation
    with `validation_freq=2`) are empty cells.

    Args:
        path: The file's name.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path).expanduser()

    def on_epoch_end(self, epoch, logs=None):
        rows = [row for row in self._read() if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, **(logs or {})})
        names = list(dict.fromkeys(name for row in rows for name in row))
        with replaced(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)

    def _read(self):
        """Returns the rows of the file."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))
