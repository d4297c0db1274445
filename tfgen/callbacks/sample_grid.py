"""A picture of samples after every epoch."""

import pathlib

import keras

from tfgen.figures import pictures


class SampleGrid(keras.callbacks.Callback):
    """Writes `directory/epoch_0001.png`, `epoch_0002.png`, ...

    Args:
        directory: Folder of the pictures, created if missing.
        make_panels: Function without arguments that returns titled panels, as in
            `pictures.tile`, or None for no picture. It should use fixed latents and
            images, so that pictures can be compared.
        caption: Text below the panels, such as the attribution of the data.
    """

    def __init__(self, directory, make_panels, caption=None):
        super().__init__()
        self.directory = pathlib.Path(directory).expanduser()
        self.make_panels = make_panels
        self.caption = caption

    def on_epoch_end(self, epoch, logs=None):
        panels = self.make_panels()
        if panels is not None:
            path = self.directory / f"epoch_{epoch + 1:04d}.png"
            pictures.save_picture(pictures.compose(panels, self.caption), path)
