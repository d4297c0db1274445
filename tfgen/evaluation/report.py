"""The report of an evaluation: one HTML file with its pictures in it.

The page leads with pictures and with the few figures that matter, in words beside their
floors; tables, curves and how it was made follow.
"""

import base64
import contextlib
import dataclasses
import datetime
import importlib.metadata
import io
import json
import os
import pathlib
import platform
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfgen.errors import UserError
from tfgen.evaluation.samples import nearest_training
from tfgen.evaluation.sentences import headlines
from tfgen.evaluation.subject import Subject
from tfgen.evaluation.tables import group_tables, translation_tables
from tfgen.evaluation.translation import MEANING
from tfgen.figures import gallery, pictures, plots

_PICTURED = 10  # images in a row
_LEAST_HEIGHT = 112  # CSS pixels: smaller pictures are enlarged


class Picture(NamedTuple):
    """A picture of the page: its title, a sentence, `data:` URI and CSS size."""

    title: str
    note: str
    uri: str
    width: int
    height: int


def render(evaluation: Any, beside: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the page as HTML.

    Args:
        evaluation: An `Evaluation`.
        beside: Name -> `as_dict()` of other models, whose figures stand beside.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfgen.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    subject = evaluation.subject
    config = subject.config
    return environment.get_template("report.html.j2").render(
        title=_title(subject),
        summary=_summary(subject),
        attribution=config.attribution,
        lead=list(_lead(subject)),
        headlines=headlines(evaluation),
        pictures=list(_pictures(evaluation)),
        groups=group_tables(evaluation, beside),
        beside=list(beside),
        notes=evaluation.notes,
        translation=translation_tables(evaluation),
        translation_columns=MEANING,
        commands=evaluation.commands,
        facts=_facts(evaluation.seconds),
        versions=_versions(config),
        configuration=json.dumps(dataclasses.asdict(config), indent=2),
    )


def _title(subject: Subject) -> str:
    """Returns model and data; of a folder its name, since the rest may be long."""
    config = subject.config
    name = config.preset or type(subject.model).__name__
    path = pathlib.Path(config.data).expanduser()
    return f"{name} on {path.resolve().name if path.is_dir() else config.data}"


def _summary(subject: Subject) -> str:
    config = subject.config
    height, width, channels = subject.run.image_shape
    facts = [
        f"{type(subject.model).__name__}, {subject.model.count_params():,} weights",
        f"images {height}x{width}x{channels}",
    ]
    if config.held_out_classes:
        facts.append(f"held-out classes: {config.held_out_classes}")
    if config.epochs:
        epochs = "1 epoch" if config.epochs == 1 else f"{config.epochs} epochs"
        facts.append(f"{epochs}, seed {config.seed}")
    return "; ".join(facts)


# ---- Pictures ------------------------------------------------------------------------


def _lead(subject: Subject) -> Iterator[Picture]:
    """Yields the pictures at the top: samples and reconstructions, or translations."""
    run = subject.run
    if run.kind != "images":
        picture = gallery.translations(run, _PICTURED, subject.seed)
        yield _picture("Translations", "Test images, translated.", picture)
        return
    if "sample" in subject.endpoints:
        picture = gallery.samples(run, seed=subject.seed)
        yield _picture("Samples", "Drawn from the prior.", picture)
    if "reconstruct" in subject.endpoints:
        note = "Test images, and below each its reconstruction."
        yield _picture("Reconstructions", note, gallery.reconstructions(run))


def _pictures(evaluation: Any) -> Iterator[Picture]:
    """Yields the pictures that follow."""
    subject = evaluation.subject
    run = subject.run
    if subject.encodes:
        note = "One variable a row, moved from -3 to +3 standard deviations."
        yield _picture("Latent variables", note, gallery.traversal(run))
    if subject.encodes or "generate" in subject.endpoints:
        note = "From the image on the left to that on the right."
        try:
            yield _picture("Interpolations", note, gallery.interpolation(run))
        except UserError as error:  # a single test image
            subject.note(str(error))
    if subject.generates and "drawn_features" in vars(subject):
        yield _neighbors(subject)
    if subject.truncation:
        note = (
            "Latents nearer to their mean make more typical images and less varied "
            "ones: tfgen sample --truncation."
        )
        floor = evaluation.find("precision"), evaluation.find("recall")
        plot = plots.plot_truncation(subject.truncation, [x.floor for x in floor])
        yield _picture("Truncation", note, plot)
    if subject.rocs:
        note = f"Images of {subject.unusual} told from test images, by each score."
        yield _picture("Anomalies", note, plots.plot_rocs(subject.rocs))
    try:
        history = run.history
    except UserError:  # a model alone
        history = {}
    if history:
        note = "Each epoch, on training and on test images."
        yield _picture("Training", note, plots.plot_curves(history))


def _neighbors(subject: Subject) -> Picture:
    """Draws images, each above the training image that is nearest to it."""
    drawn = subject.draw(0, _PICTURED)
    _, places = nearest_training(subject.drawn_features[: len(drawn)], subject)
    drawn = drawn[: len(places)]
    rows = np.concatenate([drawn, subject.train_images[places]])
    title = f"nearest by the features of {subject.feature_network.name}"
    tiles = pictures.tile(rows, columns=len(drawn))
    note = (
        "Drawn images, and below each the training image that is nearest to it: a "
        "model that memorises draws copies."
    )
    picture = pictures.compose({title: tiles}, subject.run.attribution)
    return _picture("Nearest training images", note, picture)


def _picture(title: str, note: str, image: Any) -> Picture:
    file = io.BytesIO()
    image.save(file, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    factor = max(1, round(_LEAST_HEIGHT / max(image.height, 1)))
    return Picture(title, note, uri, image.width * factor, image.height * factor)


# ---- How it was made -----------------------------------------------------------------


def _facts(seconds: float) -> list[str]:
    return [
        f"{datetime.date.today()}",
        f"measured in {seconds:.0f} s",
        platform.processor() or platform.machine(),
        f"{os.cpu_count()} cores",
        platform.system(),
    ]


def _versions(config: Any) -> list[str]:
    versions = dict(config.versions)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["scikit-learn"] = importlib.metadata.version("scikit-learn")
    return [f"{name} {version}" for name, version in versions.items()]
