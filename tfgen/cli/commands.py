"""All commands, and what becomes of their errors.

A command's module is imported when it is called: `tfgen --help` is quick.
"""

import importlib
from collections.abc import Sequence

import click

from tfgen.errors import UserError

# Each is `command` of the module of its name, with `_` for `-`, and this is its first
# line of help.
_COMMANDS = {
    "quickstart": "Train a VAE on 5,000 digits, measure, export and check it.",
    "list": "Show the presets.",
    "show": "Show the card of a trained preset.",
    "train": "Train a preset.",
    "sample": "Draw images from a model.",
    "reconstruct": "Encode test images and decode them again.",
    "traverse": "Perturb one latent variable a row.",
    "interpolate": "Decode points between the latents of two images.",
    "edit": "Move latents towards an attribute; swap or vary codes.",
    "latents": "Encode the test set and write what it became.",
    "fit-prior": "Fit a prior to the latents of a run, which then draws.",
    "translate": "Translate an image file, or a folder of them.",
    "evaluate": "Measure on the test split; writes a report.",
    "compare": "Measure two sets of images against each other.",
    "export": "Write what serves and what runs on the edge, checked.",
    "demo": "Make a page that runs models in a browser.",
    "check": "Run every exported file below a folder.",
}


class _LazyGroup(click.Group):
    """Imports the module of the command that is called, and no other."""

    def list_commands(self, ctx: click.Context) -> Sequence[str]:
        return [*_COMMANDS]  # not `list`, which may be the module by now

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        return importlib.import_module(f"tfgen.cli.{module}").command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*_COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfgen", prog_name="tfgen")
def cli() -> None:
    """Deep generative models that ship: train, look, measure, export, check."""


def run(arguments: Sequence[str] | None) -> int:
    """Runs a command; returns the exit code, 2 for a user's mistake."""
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
