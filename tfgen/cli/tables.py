"""Tables of the command line; each fits 80 columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


def print_evaluation(
    evaluation: Any, beside: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Prints the figures of a `tfgen.Evaluation`, a table a group.

    Args:
        evaluation: The figures.
        beside: Name -> figures of other runs.
    """
    from tfgen.evaluation.figure import format_figure

    beside = beside or {}
    columns = {f"({number})": name for number, name in enumerate(beside, 1)}
    for number, name in columns.items():
        click.echo(f"{number} {name}")
    for group, figures in evaluation.figures.items():
        rows = [
            (
                figure.name,
                format_figure(figure.value, figure.error),
                format_figure(figure.floor),
                *[format_figure(other.get(figure.name)) for other in beside.values()],
            )
            for figure in figures
        ]
        title = group.replace("_", " ")
        print_table("", (title, "value", "floor", *columns), rows)
        for figure in figures:
            if figure.meaning:
                _print_wrapped(f"{figure.name}: {figure.meaning}")
    _print_translation(evaluation.translation or {})
    for note in evaluation.notes:
        _print_wrapped(f"note: {note}")


def _print_translation(translation: Mapping[str, Any]) -> None:
    from tfgen.evaluation.figure import format_figure
    from tfgen.evaluation.translation import MEANING, ROWS

    short = {"mean_absolute_error": "abs. error", "kernel_distance": "kernel distance"}
    for direction, rows in translation.items():
        lines = [
            (
                ROWS[name],
                *[
                    format_figure(figures.get(key), figures.get(f"{key}_error"))
                    for key in MEANING
                ],
            )
            for name, figures in rows.items()
        ]
        columns = [short.get(name, name) for name in MEANING]
        print_table("", (" to ".join(direction), *columns), lines)
    if translation:
        for name, meaning in MEANING.items():
            _print_wrapped(f"{short.get(name, name)}: {meaning}")


def print_check(results: Sequence[Any]) -> None:
    """Prints a row for each file and endpoint of `export.check`."""
    columns = ("file", "endpoint", "size", "difference", "PSNR", "latency")
    rows = [
        (
            f"{result.format} {result.quantization}",
            result.endpoint,
            f"{result.size_bytes / 1e6:.2f} MB",
            f"{result.difference:.1e}",
            "-" if result.psnr is None else f"{result.psnr:.1f} dB",
            f"{result.latency_ms:.2f} ms",
        )
        for result in sorted(results, key=lambda result: result.format)
    ]
    print_table("Files that agree with Keras", columns, rows)
    click.echo("difference: from Keras; latency: batch 1, median")
    for file in sorted({str(result.file) for result in results}):
        click.echo(file)


def print_export(entry: Mapping[str, Any]) -> None:
    """Prints a row for each file and endpoint of an export, and the latencies."""
    columns = ("endpoint", "difference", "PSNR", "SSIM", "XNNPACK")
    for file in entry["files"]:
        kind = {"saved_model": "SavedModel"}.get(file["format"], f".{file['format']}")
        size = f"{file['size_bytes'] / 1e6:.2f} MB"
        rows = [(row["endpoint"], *_fidelity(row)) for row in file["rows"]]
        print_table(f"{kind} {file['quantization']}, {size}", columns, rows)
        if file["kept_float"]:
            _print_wrapped(f"kept in float32: {', '.join(file['kept_float'])}")
    click.echo(
        "difference: largest, from Keras, on golden examples. PSNR, SSIM: .tflite on "
        "held-out\nexamples. XNNPACK: partitions + operations outside.\n"
    )
    if entry["latency"]:
        columns = ("endpoint", "runtime", "threads", "median", "95th percentile")
        rows = [_times(figure) for figure in entry["latency"]]
        print_table("Latency at batch 1, interleaved", columns, rows)


def _fidelity(row: Mapping[str, Any]) -> tuple[str, ...]:
    from export.report import wording

    delegated = ""
    if row["partitions"] is not None:
        delegated = f"{row['partitions']} + {sum(row['outside'].values())}"
    return (
        wording.difference(row["difference"]),
        wording.decibel(row["psnr"]),
        wording.similarity(row["ssim"]),
        delegated,
    )


def _times(figure: Mapping[str, Any]) -> tuple[str, ...]:
    runtime = f"{figure['runtime']} {figure['quantization']}"
    times = (figure["problem"], "")
    if not figure["problem"]:
        times = (f"{figure['median_ms']:.2f} ms", f"{figure['p95_ms']:.2f} ms")
    return figure["endpoint"], runtime, str(figure["threads"]), *times


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Prints a table; cells that do not fit are wrapped, never cut."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(escape(column), overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)


def _print_wrapped(text: str) -> None:
    import textwrap

    indented = {"initial_indent": "  ", "subsequent_indent": "    "}
    click.echo(textwrap.fill(text, 80, break_on_hyphens=False, **indented))
