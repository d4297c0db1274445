"""`tfgen demo RUN …`: a page that runs models in a browser."""

import pathlib
from typing import Any

import click

from tfgen.cli.export import QUANTIZATIONS, exporting
from tfgen.cli.options import PATH, ListType, data_options, open_run
from tfgen.errors import UserError


@click.command("demo", short_help="Make a page that runs models in a browser.")
@click.argument("models", metavar="RUN|PRESET|EXPORT …", nargs=-1, type=PATH)
@click.option("--zoo", is_flag=True, help="Every trained preset, in one page.")
@click.option("--out", type=PATH, required=True, help="Folder of the page.")
@click.option(
    "--quantize",
    "quantizations",
    type=ListType(QUANTIZATIONS),
    default="float32,float16",
    show_default=True,
    help=f"The page switches between: {', '.join(QUANTIZATIONS)}.",
)
@click.option("--onnx", is_flag=True, help="ONNX Runtime Web as the second way.")
@click.option(
    "--runtime",
    type=PATH,
    help="Where npm install @litertjs/core was run.  [default: NODE_PATH, npm, a CDN]",
)
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
@click.option("--serve", type=click.IntRange(0, 65535), metavar="PORT")
@data_options
def command(
    models: tuple[str, ...],
    zoo: bool,
    out: str,
    is_opened: bool,
    serve: int | None,
    **options: Any,
) -> None:
    """Write a folder for any static host: DIR/index.html runs the models.

    Each RUN or trained PRESET is exported as by `tfgen export --format web`; of an
    EXPORT the files for devices are taken. --serve PORT serves DIR on 127.0.0.1 (0: a
    free port), with the headers that threads in a browser need.
    """
    from tfgen.presets import list_presets

    models += tuple(list_presets(trained=True)) if zoo else ()
    if not models:
        raise UserError("name a run, a trained preset or an export; or --zoo for all")
    for model in dict.fromkeys(models):
        for entry in add(model, pathlib.Path(out), **options):
            click.echo(f"{entry['name']}: LiteRT.js from {entry['web']['runtime']}")
    _show(pathlib.Path(out), is_opened, serve)


def add(
    model: str,
    out: pathlib.Path,
    onnx: bool,
    runtime: str | None,
    data: str | None,
    data_dir: str | None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Adds a run, a preset or an export to the page; returns what its report says."""
    import export

    with exporting() as progress:
        if (pathlib.Path(model) / "report.json").is_file():
            return export.add_to_page(model, out, runtime, progress)
        run = open_run(model, data, data_dir)
        _check_new(out, run.config.preset)
        options |= {"formats": ("web", "onnx") if onnx else ("web",)}
        options |= {"web_runtime": runtime, "progress": progress, "log": click.echo}
        return [run.demo(out, **options)]


def _check_new(out: pathlib.Path, name: str) -> None:
    """Refuses a model that the page has: `demo` has no --version to choose another."""
    from export.report import report

    if not (out / "report.json").is_file():
        return
    if name in {entry["name"] for entry in report.read(out)["exports"]}:
        raise UserError(f"{out} has a page of {name} already: name another --out")


def _show(out: pathlib.Path, is_opened: bool, port: int | None) -> None:
    import webbrowser

    from export.web.server import make_server

    if port is None and not is_opened:
        click.echo(f"Look at it: tfgen demo … --serve 8000, or put {out} on a host")
        return
    with make_server(out, port or 0) as server:
        address = f"http://{server.server_address[0]}:{server.server_port}/"
        click.echo(f"{address} serves {out}; Ctrl-C ends it")
        if is_opened:
            webbrowser.open(address)
        server.serve_forever()
