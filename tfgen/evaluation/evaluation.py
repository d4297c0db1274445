"""`evaluate`: a model, or a run, to figures."""

import dataclasses
import importlib
import itertools
import os
import pathlib
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tfgen.errors import UserError
from tfgen.evaluation import METRICS, ON_REQUEST
from tfgen.evaluation.features import FEATURES
from tfgen.evaluation.figure import Figure, Figures, finite
from tfgen.evaluation.subject import MOST_PAIRED, Subject
from tfgen.files import replaced
from tfgen.inference.endpoints import make_seeds
from tfgen.presets.cards import preset_of
from tfgen.progress import Progress, no_progress


@dataclasses.dataclass
class Evaluation:
    """The figures of a model.

    Attributes:
        figures: Group, one of `METRICS` -> list of `Figure`.
        subject: The `Subject`: what was measured, and what else is known of it.
        seconds: Float, how long it took.
        commands: Command lines that make it again; none for a model without a run.
    """

    figures: dict[str, Figures]
    subject: Any
    seconds: float
    commands: list[str]

    @property
    def notes(self) -> list[str]:
        """Sentences that the reader of the figures is told."""
        return self.subject.notes

    @property
    def translation(self) -> dict[str, Any] | None:
        """Direction -> row -> name -> figure, of a model that translates."""
        return self.subject.translation

    def find(self, name: str) -> Figure | None:
        """Returns a figure by its name; None if it was not measured."""
        for figure in itertools.chain(*self.figures.values()):
            if figure.name == name:
                return figure
        return None

    def as_dict(self) -> dict[str, Any]:
        """Returns name -> figure, with `name_error` and `name_floor` where known.

        JSON can hold it: what is not finite is None.
        """
        values: dict[str, Any] = {}
        for figure in itertools.chain(*self.figures.values()):
            values[figure.name] = figure.value
            for suffix in ("error", "floor"):
                if getattr(figure, suffix) is not None:
                    values[f"{figure.name}_{suffix}"] = getattr(figure, suffix)
        lists = {
            "translation": self.translation,
            "notes": self.notes,
            "commands": self.commands,
        }
        values |= {name: value for name, value in lists.items() if value}
        return {name: finite(value) for name, value in values.items()}

    def write(self, path: str | os.PathLike) -> pathlib.Path:
        """Writes `as_dict()` as JSON, atomically; returns the path."""
        from tfgen.training.config import write_json

        path = pathlib.Path(path).expanduser()
        write_json(self.as_dict(), path)
        return path

    def write_report(
        self,
        path: str | os.PathLike,
        beside: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> pathlib.Path:
        """Writes a page in one HTML file, with pictures; returns the path.

        Args:
            path: Of the file.
            beside: Name -> `as_dict()` of other models, whose figures stand beside.
        """
        from tfgen.evaluation import report

        page = report.render(self, beside or {})
        path = pathlib.Path(path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return path


def evaluate(
    model_or_run: Any,
    data: str | os.PathLike | None = None,
    metrics: str | Sequence[str] | None = None,
    *,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    num_samples: int = 100,
    num_images: int | None = None,
    num_generated: int = MOST_PAIRED,
    features: str = "data",
    anomalies: str | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measures a model on test images.

    Args:
        model_or_run: A `Run`, a run directory, a `.keras` file, a model, or the name
            of a trained preset.
        data: Name of a TFDS data set, or a folder; by default what the run was trained
            on.
        metrics: Some of `METRICS`, or their names with commas between; by default all
            that suit the model and the data, but `"probe"`, which takes its time.
        data_dir: Where TFDS keeps its data sets.
        seed: Integer in [0, 2**31), of all draws.
        num_samples: Integer, importance samples an image, for the log-likelihood.
        num_images: Integer, test images at most; all by default.
        num_generated: Integer, images drawn from the model at most.
        features: Network that images are compared by: `"data"` (a classifier trained
            on the data, once, and kept), `"random"`, `"inception_v3"` or
            `"mobilenet_v2"`.
        anomalies: Name of a data set, or a folder, of unusual images.
        progress: Function `(iterable, description, total=None) -> iterable`.

    Raises:
        UserError: A name is unknown; `metrics` names a group that does not suit; or
            nothing can be measured.
    """
    from tfgen.training.opening import open_run

    names = _check_names(metrics, features)
    make_seeds(seed, 0, 0)  # raises if it is out of range
    options = {
        "seed": seed,
        "num_samples": num_samples,
        "num_images": num_images,
        "num_generated": num_generated,
        "features": features,
        "anomalies": anomalies,
    }
    run = open_run(model_or_run, data, data_dir)
    if run.config.data is None:
        raise UserError(f"{run.path} knows no data: pass data (--data)")
    start = time.monotonic()
    subject = Subject(run, progress=progress, **options)
    figures = _measure_all(names, subject, is_asked=metrics is not None)
    flags = {"data": data, "data_dir": data_dir}
    flags |= {"metrics": None if metrics is None else ",".join(names), **options}
    seconds = time.monotonic() - start
    return Evaluation(figures, subject, seconds, _commands(run, flags))


def measure(name: str, subject: Subject) -> Figures | None:
    """Returns one group of figures; None if it does not suit the model or the data."""
    module = importlib.import_module(f"tfgen.evaluation.{name}")
    return getattr(module, f"measure_{name}")(subject)


def _measure_all(
    names: Sequence[str], subject: Subject, is_asked: bool
) -> dict[str, Figures]:
    """Returns group -> figures; one that fails is noted, unless it was asked for."""
    groups, errors = {}, []
    for name in names:
        num_notes = len(subject.notes)
        try:
            figures = measure(name, subject)
        except UserError as error:
            if is_asked or (name == "anomalies" and subject.anomalies):
                raise
            errors.append(error)
            subject.note(f"{name} was left out: {error}")
            continue
        if figures is None and is_asked:
            kind = type(subject.model).__name__
            why = " ".join(subject.notes[num_notes:])
            why = why or f"it does not suit {kind} on {subject.config.data}"
            raise UserError(f"--metrics {name}: {why}; leave it out")
        if figures:
            groups[name] = figures
    if not groups:
        raise errors[0] if errors else UserError("nothing can be measured")
    return groups


def _check_names(metrics: str | Sequence[str] | None, features: str) -> list[str]:
    if isinstance(metrics, str):
        metrics = [name.strip() for name in metrics.split(",")]
    default = [name for name in METRICS if name not in ON_REQUEST]
    names = list(default if metrics is None else metrics)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise UserError(
            f"--metrics {','.join(unknown)}: choose of {', '.join(METRICS)}"
        )
    if features not in FEATURES:
        raise UserError(f"--features {features}: choose of {', '.join(FEATURES)}")
    return list(dict.fromkeys(names))


def _commands(run: Any, flags: Mapping[str, Any]) -> list[str]:
    """Returns the commands that train and evaluate again."""
    if not run.path.exists() and preset_of(run.path) is None:
        return []
    words = ["tfgen", "evaluate", str(run.path)]
    for name, value in flags.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    commands = [shlex.join(words)]
    if run.config.preset is not None:
        out = run.path if run.path.exists() else None
        commands.insert(0, shlex.join(run.config.arguments(out)))
    return commands
