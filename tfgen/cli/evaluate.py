"""`tfgen evaluate RUN`: how good the model is on images that it has not seen."""

import json
import pathlib
from typing import Any

import click

from tfgen.cli.options import PATH, ListType, data_options, open_run, run_argument
from tfgen.cli.progress import track
from tfgen.cli.tables import print_evaluation
from tfgen.errors import UserError
from tfgen.evaluation import METRICS, ON_REQUEST
from tfgen.evaluation.features import FEATURES
from tfgen.presets import hub
from tfgen.presets.cards import preset_of


@click.command("evaluate", short_help="Measure on the test split.")
@run_argument
@click.option(
    "--metrics",
    metavar="A,B",
    type=ListType(METRICS),
    help=f"Of {', '.join(METRICS)}.  [default: all that suit the model, but "
    f"{', '.join(ON_REQUEST)}]",
)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Importance samples an image, for the log-likelihood.",
)
@click.option(
    "--num-images", type=click.IntRange(1), help="Test images.  [default: all]"
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
    type=click.Choice(tuple(FEATURES)),
    default="data",
    show_default=True,
    help="Network that images are compared by; data: a classifier trained on it.",
)
@click.option(
    "--anomalies",
    metavar="DATA",
    type=PATH,
    help="A data set or folder of unusual images.",
)
@click.option(
    "--beside",
    metavar="RUN",
    multiple=True,
    type=PATH,
    help="Show the figures of another run, already evaluated, beside these.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--report/--no-report", default=True, help="report.html, a page to send.")
@click.option(
    "--out",
    type=PATH,
    help="Folder of the files.  [default: RUN; of a preset none is written]",
)
@data_options
def command(
    run: str,
    beside: tuple[str, ...],
    report: bool,
    out: str | None,
    data: str | None,
    data_dir: str | None,
    **options: Any,
) -> None:
    """Measure on the test split; writes RUN/metrics.json and RUN/report.html.

    Every figure stands beside its floor, what real images would get, where there is
    one. The feature network of `data` is trained once and kept. The files of a model
    file alone are written beside it. Those of a preset, or of a model of the hub, are
    written if you name a folder with --out.
    """
    figures_beside = {other: _read_metrics(other) for other in beside}
    opened = open_run(run, data, data_dir)
    from tfgen.evaluation import evaluate

    evaluation = evaluate(opened, data, data_dir=data_dir, progress=track, **options)
    print_evaluation(evaluation, figures_beside)
    folder = _choose_folder(run, opened.path, out)
    if folder is None:
        click.echo("metrics.json and report.html are written with --out FOLDER")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        evaluation.write(folder / "metrics.json")
        if report:
            page = evaluation.write_report(folder / "report.html", figures_beside)
            click.echo(page)
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}: write it elsewhere with --out FOLDER"
        ) from error


def _choose_folder(
    run: str, path: pathlib.Path, out: str | None
) -> pathlib.Path | None:
    """Returns where the files go, or None: a preset and the hub have no folder here."""
    if out is not None:
        return pathlib.Path(out)
    if hub.is_address(run) or preset_of(run) is not None:
        return None
    return path if path.is_dir() else path.parent


def _read_metrics(run: str) -> dict[str, Any]:
    path = pathlib.Path(run) / "metrics.json"
    if not path.is_file():
        raise UserError(f"{run} is not evaluated yet: tfgen evaluate {run}")
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: tfgen evaluate {run}") from error
