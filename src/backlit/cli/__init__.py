"""The command line: one file for each command, imported when it is called."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from backlit.version import VERSION

# Each command's module has its name.
COMMANDS = {
    "attribute": "Explain a data set by any method and write the maps.",
    "convert": "Write a model in another format: .npz or .onnx.",
    "demo": "Saliency of the whole MNIST test set for two models, with pictures.",
    "methods": "List the attribution methods.",
    "saliency": "Write the saliency maps of a data set.",
}


class LazyCommands(click.Group):
    """Commands that are imported only to run or to print their own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"backlit.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyCommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name="backlit")
@click.pass_context
def group(context: click.Context) -> None:
    """Explain image classifiers on a CPU: which pixels carried the decision?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave: status 0, 1 for a failure, 2 for wrong usage.

    An error is one line on standard error.
    """
    for name in ("SIGTERM", "SIGHUP"):  # what is half written is removed
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        status = group.main(arguments, prog_name="backlit", standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        click.echo(f"backlit: {' '.join(error.format_message().split())}", err=True)
        raise SystemExit(error.exit_code) from None
    except (OSError, ValueError, TypeError, ImportError, MemoryError) as error:
        click.echo(f"backlit: {' '.join(reason(error).split())}", err=True)
        raise SystemExit(1) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def reason(error: Exception) -> str:
    """What went wrong, without the system's error number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
