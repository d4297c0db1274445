"""`tfgen export RUN --out DIR`: files to serve and for the edge, and a report."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.presets import get_preset
from tfgen.training.run import Run

_QUANTIZATIONS = ("float32", "float16", "dynamic_int8", "int8")
_FORMATS = ("serving", "edge", "onnx")


class _List(click.ParamType):
    """Names separated by commas, each one of those that are known."""

    name = "list"

    def __init__(self, known: Sequence[str]):
        self.known = known

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        if not isinstance(value, str):
            return tuple(value)
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        if unknown := [name for name in names if name not in self.known]:
            known = ", ".join(self.known)
            asked = ", ".join(map(repr, unknown))
            self.fail(f"{asked}: choose of {known}", param, ctx)
        return names


@click.command("export", short_help="Export for TF Serving and the edge, checked.")
@click.argument("run")
@click.option("--out", required=True, help="Folder of the exported files.")
@click.option("--name", help="Name of the served model.  [default: the preset's]")
@click.option("--version", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--quantize",
    type=_List(_QUANTIZATIONS),
    default="float32",
    show_default=True,
    help=f"One .tflite file for each of: {', '.join(_QUANTIZATIONS)}.",
)
@click.option(
    "--format",
    "formats",
    type=_List(_FORMATS),
    default="serving,edge",
    show_default=True,
    help=f"Some of: {', '.join(_FORMATS)}.",
)
@click.option(
    "--latency-seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="How long to time each endpoint; 0: not at all.",
)
def command(
    run: str,
    out: str,
    name: str | None,
    version: int,
    quantize: tuple[str, ...],
    formats: tuple[str, ...],
    latency_seconds: float,
) -> None:
    """Write DIR/serving/NAME/VERSION, DIR/edge/*.tflite and a report, all checked."""
    import_tensorflow()
    export_run(run, out, name, version, quantize, formats, latency_seconds)


def export_run(
    run: str,
    out: str,
    name: str | None = None,
    version: int = 1,
    quantizations: Sequence[str] = ("float32",),
    formats: Sequence[str] = ("serving", "edge"),
    latency_seconds: float = 5.0,
) -> None:
    """Exports a run, and shows what its report says."""
    import export
    from tfgen.inference import to_float32
    from tfgen.training.exporting import endpoint_data

    run = Run(run)
    config, model = run.config, to_float32(run.model)
    calibration = None
    if "int8" in quantizations:
        calibration = endpoint_data(run, model, "train")
    with _progress() as progress:
        entry = export.export_model(
            model,
            out,
            name or config.preset,
            version,
            formats=formats,
            quantizations=quantizations,
            examples=endpoint_data(run, model, "test"),
            representative_data=calibration,
            description=get_preset(config.preset).summary,
            licence=config.attribution or "",
            latency_seconds=latency_seconds,
            progress=progress,
        )
    show(entry)
    click.echo(f"Look at {pathlib.Path(out) / 'report.html'}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows the step that runs."""
    from rich.console import Console

    with Console(stderr=True).status("Exporting") as status:
        yield lambda step: status.update(f"Exporting: {step}")


def show(entry: Mapping[str, Any]) -> None:
    """Prints a row for each file and endpoint, and the latencies side by side."""
    columns = ("endpoint", "difference", "PSNR", "SSIM", "XNNPACK")
    for file in entry["files"]:
        kind = {"saved_model": "SavedModel"}.get(file["format"], f".{file['format']}")
        size = f"{file['size_bytes'] / 1e6:.2f} MB"
        rows = [(row["endpoint"], *_figures(row)) for row in file["rows"]]
        _print_table(f"{kind} {file['quantization']}, {size}", columns, rows)
        if file["kept_float"]:
            click.echo(f"  kept in float32: {', '.join(file['kept_float'])}")
    click.echo(
        "difference: largest, from Keras, on golden examples. PSNR, SSIM: .tflite on "
        "held-out\nexamples. XNNPACK: partitions + operations outside.\n"
    )
    if entry["latency"]:
        columns = ("endpoint", "runtime", "threads", "median", "95th percentile")
        rows = [_times(figure) for figure in entry["latency"]]
        _print_table("Latency at batch 1, interleaved", columns, rows)


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    delegated = ""
    if row["partitions"] is not None:
        delegated = f"{row['partitions']} + {sum(row['outside'].values())}"
    return (
        "" if row["difference"] is None else f"{row['difference']:.1e}",
        "" if row["psnr"] is None else f"{row['psnr']:.1f} dB",
        "" if row["ssim"] is None else f"{row['ssim']:.4f}",
        delegated,
    )


def _times(figure: Mapping[str, Any]) -> tuple[str, ...]:
    runtime = f"{figure['runtime']} {figure['quantization']}"
    times = (figure["problem"], "")
    if not figure["problem"]:
        times = (f"{figure['median_ms']:.2f} ms", f"{figure['p95_ms']:.2f} ms")
    return figure["endpoint"], runtime, str(figure["threads"]), *times


def _print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
