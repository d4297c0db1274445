"""A run: what `train` writes into a folder and everything else reads.

model.keras      the model after the last finished epoch
checkpoints/     what `train --resume` goes on from
config.json      preset, overrides, data, seed, versions
history.csv      a row an epoch
samples/         a picture an epoch
logs/            TensorBoard
metrics.json     what `evaluate` measured
"""

import csv
import functools
import os
import pathlib
from typing import Any

from tfgen.errors import UserError
from tfgen.presets.cards import preset_of
from tfgen.sizes import both_sides
from tfgen.training.config import Config
from tfgen.training.run_data import RunData


class Run(RunData):
    """A run directory: its model, its figures and its data, each opened once.

    Args:
        path: Folder that `tfgen train` wrote; or a `.keras` file, which has a model but
            knows no data; or, where there is no such path, the name of a trained
            preset.
        data: Where the data are now, if not where they were during training.
        data_dir: Where TFDS keeps its data sets now.

    Attributes:
        path: The folder, or the file.

    Example:
        >>> run = tfgen.Run("runs/vae_mnist_5k")
        >>> run.sample(8).shape
        (8, 28, 28, 1)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        data: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        super().__init__()
        self.path = pathlib.Path(path).expanduser()
        self._data, self._data_dir = data, data_dir

    @classmethod
    def of(cls, path: pathlib.Path, config: Config) -> "Run":
        """Returns the run of a configuration that is not written yet."""
        run = cls(path)
        vars(run)["config"] = config
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # ---- What the folder holds ----------------------------------------------------

    @property
    def has_config(self) -> bool:
        """Whether it is a run directory, and not a model file alone."""
        if "config" in vars(self) or preset_of(self.path) is not None:
            return True
        return (self.path / "config.json").is_file()

    @functools.cached_property
    def config(self) -> Config:
        """The run's `tfgen.training.Config`; a UserError for a model file alone."""
        config = Config.read(self.path)
        if self._data is not None:
            config.data = os.path.expanduser(self._data)
        if self._data_dir is not None:
            config.data_dir = os.path.expanduser(self._data_dir)
        return config

    @functools.cached_property
    def model(self) -> Any:
        """The compiled model after the last finished epoch."""
        from tfgen.presets.loading import load

        return load(self.path)

    @property
    def history(self) -> dict[str, list[float]]:
        """Figures of every epoch by name, as in `fit`'s history."""
        path = self.path / "history.csv"
        if not path.is_file():
            raise UserError(f"{self.path} has no finished epoch")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            name: [float(row[name]) for row in rows if row[name]]
            for name in (rows[0] if rows else {})
            if name != "epoch"
        }

    @property
    def is_finished(self) -> bool:
        """Whether all of its epochs are trained."""
        path = self.path / "history.csv"
        if not path.is_file():
            return False
        return max(map(len, self.history.values()), default=0) >= self.config.epochs

    @property
    def preset(self) -> Any:
        """The `Preset` that was trained; None for a model of the user's own."""
        from tfgen.presets import get_preset

        name = self.config.preset
        return None if name is None else get_preset(name)

    @property
    def attribution(self) -> str | None:
        """Whom to name below pictures of the data; None for a model file alone."""
        return self.config.attribution if self.has_config else None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images that the model takes."""
        return *both_sides(self.config.image_size), self.config.channels

    # ---- Use ----------------------------------------------------------------------

    @functools.cached_property
    def endpoints(self) -> Any:
        """The model's `tfgen.inference.Endpoints`, each traced once.

        The model is `model` if that was opened before, and else has no optimizer.
        """
        from tfgen.inference import Endpoints
        from tfgen.presets.loading import load

        model = vars(self).get("model")
        return Endpoints(load(self.path, compile=False) if model is None else model)

    def sample(
        self,
        n: int,
        seed: int = 0,
        labels: Any = None,
        truncation: float | None = None,
    ) -> Any:
        """Returns `n` drawn images `(n, height, width, channels)` in [0, 1].

        Image i is what the served `sample` makes of `seed * 2**32 + i`.

        Args:
            n: Integer.
            seed: Integer in [0, 2**31).
            labels: Integers `(n,)`, for a conditional model; None for its classes in
                turn.
            truncation: Float in [0, 1]: the nearer to 0, the more typical, and the less
                varied. Latents are moved towards their mean `m`: `m + truncation (z -
                m)`. None for none.
        """
        from tfgen import inference

        return inference.sample(self.endpoints, n, seed, labels, truncation)

    def reconstruct(self, n: int) -> tuple[Any, Any]:
        """Returns the first `n` test images, and their reconstructions in [0, 1]."""
        from tfgen import inference

        self.endpoints.require("reconstruct", why="it does not encode images")
        images, labels = self.test_images(n), None
        if self.endpoints.takes_labels:
            images, labels = self.test_images(n, labels=True)
        return images, inference.reconstruct(self.endpoints, images, labels)

    def evaluate(self, **options: Any) -> Any:
        """Measures on the test split: `tfgen.evaluate(self, **options)`."""
        from tfgen import evaluation

        return evaluation.evaluate(self, **options)

    def export(self, out: str | os.PathLike, **options: Any) -> Any:
        """Exports the model: `tfgen.training.exporting.export_run(self, out, ...)`."""
        from tfgen.training.exporting import export_run

        return export_run(self, out, **options)

    def film(self, path: str | os.PathLike, fps: float = 10.0) -> pathlib.Path:
        """Writes the pictures of all epochs, of fixed latents, as a film.

        Args:
            path: Ends with .gif, .webp, or .mp4, which needs the extra `film`.
            fps: Float, epochs a second. The last stays for a second.

        Returns:
            The path.

        Raises:
            UserError: The run has no such pictures, or the path has another ending.
        """
        from tfgen.figures import films

        films.check_ending(path)
        frames = films.training_frames(self.path / "samples", hold=round(fps))
        return films.save_film(frames, path, fps)

    def demo(self, out: str | os.PathLike, **options: Any) -> Any:
        """Makes a page that runs the model in a browser: see `export`."""
        options = {"formats": ("web",), "latency_seconds": 0.0, **options}
        return self.export(out, **options)
