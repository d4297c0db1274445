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
    from tfgen.evaluation.tables import group_tables

    beside = beside or {}
    columns = {f"({number})": name for number, name in enumerate(beside, 1)}
    for number, name in columns.items():
        click.echo(f"{number} {name}")
    for title, lines in group_tables(evaluation, beside).items():
        rows = [(line.name, line.value, line.floor, *line.beside) for line in lines]
        print_table("", (title, "value", "floor", *columns), rows)
        for line in lines:
            if line.meaning:
                _print_wrapped(f"{line.name}: {line.meaning}")
    if evaluation.translation:
        _print_translation(evaluation)
    for note in evaluation.notes:
        _print_wrapped(f"note: {note}")


def _print_translation(evaluation: Any) -> None:
    from tfgen.evaluation.tables import translation_tables
    from tfgen.evaluation.translation import MEANING

    short = {"mean_absolute_error": "abs. error", "kernel_distance": "kernel distance"}
    columns = {short.get(name, name): text for name, text in MEANING.items()}
    for title, lines in translation_tables(evaluation).items():
        rows = [(name, *cells) for name, cells in lines]
        print_table("", (title, *columns), rows)
    for name, meaning in columns.items():
        _print_wrapped(f"{name}: {meaning}")


def print_check(results: Sequence[Any]) -> None:
    """Prints a table for each file of `export.check`, a row for each endpoint."""
    files: dict[Any, list[Any]] = {}
    for result in sorted(results, key=lambda result: str(result.file)):
        files.setdefault(result.file, []).append(result)
    for file, rows_of_file in files.items():
        rows = [
            (
                result.endpoint,
                f"{result.difference:.1e}",
                "-" if result.psnr is None else f"{result.psnr:.1f} dB",
                f"{result.latency_ms:.2f} ms",
            )
            for result in rows_of_file
        ]
        title = f"{file}, {rows_of_file[0].size_bytes / 1e6:.2f} MB, agrees with Keras"
        print_table(title, ("endpoint", "difference", "PSNR", "latency"), rows)
    click.echo("difference: largest, from Keras; latency: batch 1, median")


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
