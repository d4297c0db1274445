"""`tfgen demo RUN …`: a page that runs models in a browser."""

import pathlib
from typing import Any

import click

from tfgen.cli.export import QUANTIZATIONS, exporting
from tfgen.cli.options import PATH, ListType, data_options, open_run
from tfgen.errors import UserError


@click.command("demo", short_help="Make a page that runs models in a browser.")
@click.argument("models", metavar="RUN|EXPORT …", nargs=-1, required=True, type=PATH)
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
    out: str,
    onnx: bool,
    runtime: str | None,
    is_opened: bool,
    serve: int | None,
    data: str | None,
    data_dir: str | None,
    **options: Any,
) -> None:
    """Write a folder for any static host: DIR/index.html runs the models.

    Each RUN is exported as by `tfgen export --format web`; of an EXPORT the files for
    devices are taken. --serve PORT serves DIR on 127.0.0.1 (0: a free port), with the
    headers that threads in a browser need.
    """
    import export

    for model in models:
        with exporting() as progress:
            if (pathlib.Path(model) / "report.json").is_file():
                entries = export.add_to_page(model, out, runtime, progress)
            else:
                options["formats"] = ("web", "onnx") if onnx else ("web",)
                run = open_run(model, data, data_dir)
                _check_new(pathlib.Path(out), run.config.preset)
                entries = [
                    run.demo(
                        out,
                        web_runtime=runtime,
                        progress=progress,
                        log=click.echo,
                        **options,
                    )
                ]
        for entry in entries:
            click.echo(f"{entry['name']}: LiteRT.js from {entry['web']['runtime']}")
    _show(pathlib.Path(out), is_opened, serve)


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
