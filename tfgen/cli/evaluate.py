"""`tfgen evaluate RUN`: how good the model is on images that it has not seen."""

import dataclasses
import itertools
import json
import math
import pathlib
import time
from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.training.run import Config, write_json

# By name here, so that `--help` needs no TensorFlow; `measures` defines them.
METRICS = (
    *("losses", "likelihood", "latents", "samples", "latent_space", "factors"),
    *("anomalies", "translation"),
)
FEATURES = ("data", "random", "inception_v3", "mobilenet_v2")


@click.command("evaluate", short_help="Measure on the test split.")
@click.argument("run")
@click.option(
    "--metrics",
    metavar="A,B",
    help=f"Of {', '.join(METRICS)}.  [default: all that suit the model]",
)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Importance samples an image, for the log-likelihood.",
)
@click.option(
    "--num-images", type=click.IntRange(4), help="Test images.  [default: all]"
)
@click.option(
    "--num-generated",
    type=click.IntRange(4),
    default=5000,
    show_default=True,
    help="Drawn images at most; half as many as there are test images.",
)
@click.option(
    "--features",
    type=click.Choice(FEATURES),
    default="data",
    show_default=True,
    help="Network that images are compared by; data: a classifier trained on it.",
)
@click.option(
    "--anomalies", metavar="DATA", help="A data set or folder of unusual images."
)
@click.option(
    "--beside",
    metavar="RUN",
    multiple=True,
    help="Show the figures of another run, already evaluated, beside these.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--report/--no-report", default=True, help="RUN/report.html, a page to send."
)
def command(run: str, beside: tuple[str, ...], report: bool, **options: Any) -> None:
    """Measure on the test split; writes RUN/metrics.json and RUN/report.html.

    Every figure stands beside its floor, what real images would get, where there is
    one. The feature network of `data` is trained once and kept.
    """
    others = {other: _read_metrics(other) for other in beside}
    import_tensorflow()
    found = evaluate(run, **options)
    show(found, others)
    if report:
        click.echo(write_report(run, found, others))


@dataclasses.dataclass
class Evaluation:
    """What was found.

    Attributes:
        groups: Of `METRICS` -> list of `Figure`.
        subject: What was measured, and what else is known of it.
        seconds: That it took.
        commands: Those that make it again.
    """

    groups: dict[str, list[Any]]
    subject: Any
    seconds: float
    commands: list[str]

    def as_json(self) -> dict[str, Any]:
        """Returns name -> figure, with `name_error` and `name_floor` where known."""
        values: dict[str, Any] = {}
        for figure in itertools.chain(*self.groups.values()):
            values[figure.name] = figure.value
            for suffix in ("error", "floor"):
                if getattr(figure, suffix) is not None:
                    values[f"{figure.name}_{suffix}"] = getattr(figure, suffix)
        others = {
            "translation": self.subject.translation,
            "notes": self.subject.notes,
            "commands": self.commands,
        }
        values |= {name: value for name, value in others.items() if value}
        return {name: _finite(value) for name, value in values.items()}


def evaluate(
    run: str, metrics: str | None = None, seed: int = 0, **options: Any
) -> Evaluation:
    """Measures a run on its test split and writes `metrics.json`.

    Args:
        run: Run directory.
        metrics: Names of `METRICS` with commas between; all that suit by default.
        seed: Of all draws.
        **options: Of `Subject`.
    """
    import tfgen
    from tfgen.cli.progress import track
    from tfgen.evaluation import MEASURES, Subject

    names = _choose(metrics)
    config, start = Config.read(run), time.monotonic()
    model = tfgen.load(run)
    subject = Subject(config, model, seed=seed, track=track, **options)
    groups = {}
    for name in names:
        num_notes = len(subject.notes)
        part = MEASURES[name](subject)
        if part is None and metrics is not None:
            kind = type(model).__name__
            why = " ".join(subject.notes[num_notes:])
            why = why or f"it does not suit {kind} on {config.data}"
            raise UserError(f"--metrics {name}: {why}; leave it out")
        if part:
            groups[name] = part
    found = Evaluation(
        groups,
        subject,
        time.monotonic() - start,
        [_train_command(config, run), _command(run, metrics, seed, options)],
    )
    write_json(found.as_json(), pathlib.Path(run) / "metrics.json")
    return found


def write_report(
    run: str, found: Evaluation, others: dict[str, dict[str, Any]] | None = None
) -> pathlib.Path:
    """Writes `report.html` of what `evaluate` found; returns its path."""
    from tfgen.evaluation import report
    from tfgen.files import replaced

    page = report.make_page(run, found, others or {})
    path = pathlib.Path(run) / "report.html"
    with replaced(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def show(found: Evaluation, others: dict[str, dict[str, Any]] | None = None) -> None:
    """Prints the figures and what they are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tfgen.evaluation import translation

    others = others or {}
    table = Table()
    table.add_column("metric", no_wrap=True)
    for name in ("value", "floor", *others, "what it is"):
        table.add_column(name)
    console = Console()
    for figures in found.groups.values():
        for figure in figures:
            value, floor = cell(figure.value, figure.error), cell(figure.floor)
            beside = [cell(other.get(figure.name)) for other in others.values()]
            table.add_row(figure.name, value, floor, *beside, escape(figure.meaning))
        table.add_section()
    console.print(table)
    if found.subject.translation:
        console.print(translation.table(found.subject.translation))
    for note in found.subject.notes:
        console.print(f"note: {escape(note)}")


def cell(value: Any, error: float | None = None) -> str:
    """Returns a figure as text, with its standard error."""
    if value is None:
        return ""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text if error is None else f"{text} ± {error:.4f}"


def _finite(value: Any) -> Any:
    """Returns the value; None for what JSON lacks, as of a model that diverged."""
    is_number = isinstance(value, float)
    return None if is_number and not math.isfinite(value) else value


def _choose(metrics: str | None) -> list[str]:
    names = METRICS if metrics is None else [n.strip() for n in metrics.split(",")]
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(
            f"--metrics {','.join(unknown)}: choose of {', '.join(METRICS)}"
        )
    return list(names)


def _read_metrics(run: str) -> dict[str, Any]:
    path = pathlib.Path(run) / "metrics.json"
    if not path.is_file():
        raise UserError(f"{run} is not evaluated yet: tfgen evaluate {run}")
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: tfgen evaluate {run}") from error


def _train_command(config: Config, run: str) -> str:
    """Returns the command that makes the run again."""
    words = ["tfgen", "train", config.preset]
    names = ["data", "data_dir", "epochs", "batch_size", "seed", "precision"]
    names += ["steps_per_execution", "strategy"]
    if config.kind == "images":
        names.append("held_out_classes")
    else:
        names.append("load_size")
        words.append("--mirror" if config.mirror else "--no-mirror")
    if config.kind == "pairs":
        names.append("direction")
    if config.skip_bad_images:
        words.append("--skip-bad-images")
    values = {name: getattr(config, name) for name in names}
    return _join(words, {**values, **config.overrides, "out": run})


def _command(run: str, metrics: str | None, seed: int, options: dict) -> str:
    words = ["tfgen", "evaluate", run]
    return _join(words, {"metrics": metrics, "seed": seed, **options})


def _join(words: list[str], flags: dict[str, Any]) -> str:
    import shlex

    for name, value in flags.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
