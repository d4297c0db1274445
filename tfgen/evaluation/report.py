"""The report of `tfgen evaluate`: figures, pictures and how they were made."""

import contextlib
import csv
import dataclasses
import datetime
import importlib.metadata
import io
import json
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from export.report import markup
from export.report.markup import tag
from tfgen.cli import evaluate, interpolate, reconstruct, sample, traverse
from tfgen.evaluation import Subject, nearest_training
from tfgen.figures import pictures
from tfgen.figures.panels import make_translation_panels
from tfgen.inference import Translator
from tfgen.training.run import Config, is_aligned, load_arrays

_PICTURED = 10

# The commands that draw, and the endpoints that they need.
_DRAWN = (
    ("Samples", "Drawn from the prior.", sample, ["sample"]),
    (
        "Reconstructions",
        "Test images, and below each what the model makes of it.",
        reconstruct,
        ["reconstruct"],
    ),
    (
        "Latent variables",
        "One variable a row, moved from -3 to +3 standard deviations.",
        traverse,
        ["encode", "decode"],
    ),
    (
        "Interpolations",
        "From the image on the left to that on the right.",
        interpolate,
        ["encode", "decode"],
    ),
    (
        "Interpolations",
        "From the image on the left to that on the right.",
        interpolate,
        ["generate"],
    ),
)


def make_page(
    run: str, found: evaluate.Evaluation, others: dict[str, dict[str, Any]]
) -> str:
    """Returns the page as HTML.

    Args:
        run: Run directory.
        found: What `evaluate` returned.
        others: Name -> `metrics.json` of runs whose figures are shown beside.
    """
    subject = found.subject
    config = subject.config
    attribution = config.attribution
    return markup.document(
        f"{config.preset} on {config.data}",
        tag("h1", f"{config.preset} on {config.data}"),
        tag("p", _summary(subject), class_="headline"),
        tag("p", "Data: ", attribution, class_="note") if attribution else "",
        _figures(found, others),
        *_translations(found),
        *_pictures(run, subject),
        _curves(run),
        _how_it_was_made(config, found),
    )


def _summary(subject: Subject) -> str:
    config = subject.config
    size = f"{config.image_size}x{config.image_size}x{config.channels}"
    weights = f"{subject.model.count_params():,} weights"
    kind = type(subject.model).__name__
    classes = config.held_out_classes
    without = f"; held-out classes: {classes}" if classes else ""
    return (
        f"{kind}, {weights}; images {size}{without}; {config.epochs} epochs, "
        f"seed {config.seed}"
    )


# ---- figures -------------------------------------------------------------------------


def _figures(
    found: evaluate.Evaluation, others: dict[str, dict[str, Any]]
) -> markup.Html:
    labels = ["Metric", "Value", "Floor", *others, "What it is"]
    bodies = []
    for group, figures in found.groups.items():
        title = group.replace("_", " ").capitalize()
        head = tag("th", title, colspan=len(labels), scope="rowgroup")
        lines = []
        for figure in figures:
            cells = [
                tag("code", figure.name),
                tag("strong", evaluate.cell(figure.value, figure.error)),
                evaluate.cell(figure.floor),
                *[evaluate.cell(other.get(figure.name)) for other in others.values()],
                figure.meaning,
            ]
            lines.append(_line(labels, cells))
        bodies.append(tag("tbody", tag("tr", head), *lines))
    note = (
        "Of test images, which the model was not trained with. ± is one standard "
        "error. A floor is what real images would get in place of the model's, or what "
        "chance gives: read a value beside it."
    )
    return markup.join(
        tag("h2", "Figures"),
        tag("table", markup.table_head(labels), *bodies),
        tag("p", note, class_="note"),
        *[tag("p", "Note: ", text, class_="note") for text in found.subject.notes],
    )


def _translations(found: evaluate.Evaluation) -> Iterator[markup.Html]:
    from tfgen.evaluation.translation import MEANING, ROWS, cell

    if not found.subject.translation:
        return
    yield tag("h2", "Translations")
    labels = ["Images", *[f"{name} ({MEANING[name]})" for name in MEANING]]
    for direction, rows in found.subject.translation.items():
        lines = [
            _line(labels, [ROWS[name], *[cell(values, m) for m in MEANING]])
            for name, values in rows.items()
        ]
        yield tag("h3", " to ".join(direction))
        yield tag("table", markup.table_head(labels), tag("tbody", *lines))


def _line(labels: list[str], cells: list[Any]) -> markup.Html:
    return markup.table_row(dict(zip(labels, cells, strict=True)))


# ---- pictures ------------------------------------------------------------------------


def _pictures(run: str, subject: Subject) -> Iterator[markup.Html]:
    yield tag("h2", "Pictures")
    if subject.config.kind != "images":
        yield from _translated(subject)
        return
    with tempfile.TemporaryDirectory() as folder:
        for title, note, module, endpoints in _DRAWN:
            if set(endpoints) <= set(subject.endpoints.functions):
                path = pathlib.Path(folder) / "picture.png"
                arguments = [run, "--out", str(path)]
                _quietly(module.command, arguments)
                yield _figure(title, note, path.read_bytes())
    if subject.generates and "drawn_features" in vars(subject):
        yield _neighbors(subject)
    if subject.rocs:
        note = f"Images of {subject.unusual} told from test images, by each score."
        yield _figure("Anomalies", note, _as_png(pictures.plot_rocs(subject.rocs)))


def _quietly(command: Any, arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # it says where it writes
        command.main(arguments, standalone_mode=False)


def _neighbors(subject: Subject) -> markup.Html:
    """Drawn images, each above the training image that is nearest to it."""
    drawn = subject.draw(0, _PICTURED)
    _, places = nearest_training(subject.drawn_features[: len(drawn)], subject)
    drawn = drawn[: len(places)]
    rows = np.concatenate([drawn, subject.train_images[places]])
    title = f"nearest by the features of {subject.feature_network.name}"
    picture = pictures.compose({title: pictures.tile(rows, columns=len(drawn))})
    note = (
        "Drawn images, and below each the training image that is nearest to it: a "
        "model that memorises draws copies."
    )
    return _figure("Nearest training images", note, _as_png(picture))


def _translated(subject: Subject) -> Iterator[markup.Html]:
    config = subject.config
    arrays = load_arrays(config, "test", _PICTURED)
    aligned = is_aligned(config)
    translator = Translator(subject.model, config.direction, subject.seed)
    panels = make_translation_panels(translator, *arrays, aligned)()
    picture = pictures.compose(panels, config.attribution)
    yield _figure("Test images", "Translated.", _as_png(picture))


def _curves(run: str) -> markup.Html:
    """The history of training; nothing for a run that has none."""
    path = pathlib.Path(run) / "history.csv"
    if not path.is_file():
        return markup.join()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "epoch"] if rows else []
    history = {name: [float(row[name] or "nan") for row in rows] for name in names}
    if not history:
        return markup.join()
    picture = _as_png(pictures.plot_curves(history))
    return _figure("Training", "Each epoch, on training and on test images.", picture)


def _figure(title: str, note: str, data: bytes) -> markup.Html:
    image = markup.png(data, title)
    return markup.join(tag("h3", title), tag("figure", image, tag("figcaption", note)))


def _as_png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


# ---- how it was made -----------------------------------------------------------------


def _how_it_was_made(config: Config, found: evaluate.Evaluation) -> markup.Html:
    versions = {**config.versions, "scikit-learn": _version("scikit-learn")}
    facts = [
        f"{datetime.date.today()}",
        f"measured in {found.seconds:.0f} s",
        platform.processor() or platform.machine(),
        f"{os.cpu_count()} cores",
        platform.system(),
    ]
    return markup.join(
        tag("h2", "How it was made"),
        tag("p", "To make it again:"),
        *[tag("pre", tag("code", command)) for command in found.commands],
        tag("p", " · ".join(facts)),
        tag("p", " · ".join(f"{k} {v}" for k, v in versions.items() if v)),
        tag(
            "details",
            tag("summary", "Configuration"),
            tag("pre", json.dumps(dataclasses.asdict(config), indent=2)),
        ),
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
