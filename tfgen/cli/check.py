"""`tfgen check DIR`: whether exported files still give Keras's numbers."""

import click

from tfgen.cli.options import PATH
from tfgen.cli.tables import print_check


@click.command("check", short_help="Verify exported files against Keras.")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("--web", is_flag=True, help="Run DIR's page too, in a headless Chromium.")
def command(directory: str, web: bool) -> None:
    """Run every exported file below DIR, each in a fresh process without tfgen.

    Compares with the outputs that Keras gave at export; exit code 1 if any differs.
    """
    import export

    print_check(export.check(directory, web=web))
