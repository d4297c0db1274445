"""The command line: one file a command, and the only code that knows everything.

Command modules import nothing heavy until they run: `tfgen --help` is quick.
"""

import os
import sys
from collections.abc import Sequence

import click

from tfgen.errors import UserError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfgen", prog_name="tfgen")
def cli() -> None:
    """Deep generative models that ship: train, look, measure, export, check."""


def _add_commands() -> None:
    from tfgen.cli import (
        check,
        edit,
        evaluate,
        export,
        interpolate,
        latents,
        list,
        quickstart,
        reconstruct,
        sample,
        train,
        translate,
        traverse,
    )

    modules = (quickstart, list, train, sample, reconstruct, traverse, interpolate)
    for module in (*modules, edit, latents, translate, evaluate, export, check):
        cli.add_command(module.command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a user's mistake is one line on stderr and exit code 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow's default on CPUs with AVX-512 only. Seen with AVX2: pix2pix trains 2.3
    # times as fast, CycleGAN 1.6, and the other models no slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    _add_commands()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    from export import CheckError, ExportError

    try:
        code = cli.main(arguments, prog_name="tfgen", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except CheckError as error:
        return _fail(str(error), 1)
    except (UserError, ExportError) as error:
        return _fail(str(error), 2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)


def _fail(message: str, code: int) -> int:
    click.echo(f"tfgen: error: {message}", err=True)
    return code
