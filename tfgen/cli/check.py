"""`tfgen check DIR`: whether exported files still give Keras's numbers."""

import click


@click.command("check", short_help="Verify exported files against Keras.")
@click.argument("directory", metavar="DIR")
def command(directory: str) -> None:
    """Run every exported file below DIR, each in a fresh process without tfgen.

    Compares with the outputs that Keras gave at export; exit code 1 if any differs.
    """
    import export

    show(export.check(directory))


def show(rows: list) -> None:
    """Prints one row a file and endpoint."""
    from rich.console import Console
    from rich.table import Table

    columns = ("file", "endpoint", "size", "difference", "PSNR", "latency")
    files = sorted({str(row.file) for row in rows})
    caption = "difference: from Keras; latency: batch 1, median\n" + "\n".join(files)
    table = Table(*columns, caption=caption, caption_justify="left")
    for row in sorted(rows, key=lambda row: row.format):
        table.add_row(
            f"{row.format} {row.quantization}",
            row.endpoint,
            f"{row.size_bytes / 1e6:.2f} MB",
            f"{row.difference:.1e}",
            "-" if row.psnr is None else f"{row.psnr:.1f} dB",
            f"{row.latency_ms:.2f} ms",
        )
    Console().print(table)
