"""Exports a model whole: served files, edge files, and a report that they agree."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from export._staging import staging
from export.check import check_file
from export.errors import CheckError, ExportError
from export.formats import quantize, tflite, web
from export.formats.metadata import About
from export.formats.saved_model import export_saved_model
from export.paths import require_plain
from export.publish import Names, publish, recover, require_ours
from export.report import entry
from export.verify import golden, latency
from export.web.runtimes import find_runtimes

FORMATS = ("serving", "edge", "onnx", "web")


def export_model(
    model: keras.Model,
    directory: str | os.PathLike[str],
    name: str,
    version: int = 1,
    *,
    formats: Sequence[str] = ("serving", "edge"),
    quantizations: Sequence[str] = ("float32",),
    examples: Mapping[str, Any] | None = None,
    representative_data: Any = None,
    description: str = "",
    licence: str = "",
    resize: str = "crop",
    depth: int = 8,
    latency_seconds: float = 5.0,
    page: Mapping[str, Any] | None = None,
    web_runtime: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Writes, checks, times and describes every form of a model.

    Into `directory` go `serving/NAME/VERSION/` with `serving/models.config` and
    `serving/batching.config`, `edge/NAME-vVERSION-QUANTIZATION.tflite`,
    `onnx/NAME-vVERSION-ENDPOINT.onnx`, `report.json`, `report.html`, `README.md` and
    `SHA256SUMS`. Another version or name goes beside the first. Everything is written
    under a temporary name and gets its own only if all of it agrees with Keras; the
    folder that a server watches comes last, in one rename.

    Args:
        model: A `keras.Model` with `signatures()`: see `export`.
        directory: The folder.
        name: Under which TF Serving serves it: letters, digits, `_`, `-` and `.`.
        version: Positive integer; TF Serving serves the largest.
        formats: Some of `"serving"`, `"edge"`, `"onnx"`, `"web"`. The last adds a page
            that runs the .tflite files in a browser, and so implies `"edge"`.
        quantizations: Of the .tflite files; some of `quantize.QUANTIZATIONS`.
        examples: Held-out arrays `(rows, ...)`: what the files are compared on. By
            endpoint and input, `{"translate_ba": {"images": array}}`; or by input,
            `{"images": array}`, for every endpoint that has it; or both. Made up where
            absent.
        representative_data: Training data in the same form, or one array of images, to
            calibrate `"int8"` on.
        description: What the model does, in a sentence.
        licence: Licence and attribution of the data that it was trained on.
        resize: What becomes of encoded images of another aspect: see `serving.twins`.
        depth: 8 or 16, the bits of encoded images.
        latency_seconds: About how long to measure each endpoint; 0 measures none.
        page: What the page shows, plain JSON; see `export/web/README.md`.
        web_runtime: A folder where `npm install @litertjs/core` was run. By default one
            on `NODE_PATH` or in this folder, else `npm`, else a CDN.
        progress: Called with the name of each step.

    Returns:
        The export's entry in the report; see `report.json`.

    Raises:
        CheckError: A file does not agree with Keras. Nothing was written.
        ExportError: See `export_saved_model` and `export_tflite`; or the version
            exists.
    """
    _check_choices("formats", formats, FORMATS)
    _check_choices("quantizations", quantizations, quantize.QUANTIZATIONS)
    names = Names(name, version)
    directory = pathlib.Path(directory).expanduser()
    require_plain(directory)
    recover(directory)
    require_ours(directory)
    names.require_free(directory)
    about = About(name, description, licence)
    with staging(directory / name) as stage:
        job = _Job(model, stage, names, about, examples, progress, resize, depth)
        job.write_saved_model(is_served="serving" in formats)
        if {"edge", "web"} & set(formats):
            job.write_edge(quantizations, representative_data)
        if "onnx" in formats:
            job.write_onnx()
        _require_agreement(job.files)
        export = job.describe(latency_seconds)
        if "web" in formats:
            progress("page")
            with find_runtimes(web_runtime, "onnx" in formats, progress) as runtimes:
                web.add(stage, export, page or {}, runtimes)
        publish(stage, directory, names, "serving" in formats, export)
    return export


@dataclasses.dataclass
class _Job:
    """One export in the making, in a folder of its own."""

    model: keras.Model
    stage: pathlib.Path
    names: Names
    about: About
    examples: Mapping[str, Any] | None
    progress: Callable[[str], None]
    resize: str
    depth: int
    files: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    contents: dict[str, bytes] = dataclasses.field(default_factory=dict)
    device_goldens: Mapping[str, golden.Golden] = dataclasses.field(
        default_factory=dict
    )

    @property
    def saved(self) -> pathlib.Path:
        return self.stage / self.names.served

    def write_saved_model(self, is_served: bool) -> None:
        """Writes what is served, which is run then, and what all else is made of."""
        self.progress("SavedModel")
        export_saved_model(
            self.model,
            self.saved.parent,
            self.names.version,
            examples=self.examples,
            resize=self.resize,
            depth=self.depth,
        )
        if is_served:
            self._add(self.saved)

    def write_edge(self, quantizations: Sequence[str], data: Any) -> None:
        """Writes a .tflite file for each quantization."""
        conversion = tflite.convert(self.saved)
        self.device_goldens = conversion.goldens
        for quantization in quantizations:
            self.progress(f"TFLite {quantization}")
            file = self.stage / self.names.edge(quantization)
            written = tflite.write(
                conversion, file, quantization, data, self.examples, self.about
            )
            self.files.append(entry.describe_tflite(self.stage, file, written))
            self.contents[quantization] = file.read_bytes()

    def write_onnx(self) -> None:
        """Writes an .onnx file for each endpoint."""
        from export.formats.onnx import export_onnx

        self.progress("ONNX")
        for file in export_onnx(
            self.model,
            self.stage / "onnx",
            self.names.stem,
            examples=self.examples,
            description=self.about.description,
            licence=self.about.licence,
        ):
            self._add(file)

    def _add(self, file: pathlib.Path) -> None:
        self.files.append(entry.describe_file(self.stage, file, check_file(file)))

    def describe(self, latency_seconds: float) -> dict[str, Any]:
        """Returns the entry of the report."""
        figures = self._measure(latency_seconds)
        self.progress("report")
        goldens = golden.read(self.saved)
        return {
            **dataclasses.asdict(self.about),
            **entry.describe_machine(),
            "version": self.names.version,
            "endpoints": entry.describe_endpoints(goldens),
            "files": self.files,
            "latency": [dataclasses.asdict(figure) for figure in figures],
            "pictures": entry.draw(self.stage, self.names.stem, goldens, self.contents),
        }

    def _measure(self, seconds: float) -> list[latency.Latency]:
        """Times the endpoints of a device beside what Keras and TensorFlow offer."""
        figures: list[latency.Latency] = []
        for endpoint, example in self.device_goldens.items() if seconds else ():
            self.progress(f"latency of {endpoint}")
            figures += latency.measure(
                endpoint, example.inputs, self.model, self.saved, self.contents, seconds
            )
        return figures


def _check_choices(name: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    unknown = [item for item in chosen if item not in known]
    if unknown or not chosen or isinstance(chosen, str):
        raise ExportError(
            f"`{name}` must be some of {', '.join(known)}. Received: {chosen!r}"
        )


def _require_agreement(files: Sequence[Mapping[str, Any]]) -> None:
    failed = [
        f"{file['path']} [{row['endpoint'] or '-'}]: {row['problem'] or 'differs'}"
        for file in files
        for row in file["rows"]
        if not row["ok"]
    ]
    if failed:
        raise CheckError("\n".join(["exported files differ from Keras:", *failed]))
