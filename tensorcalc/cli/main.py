"""The group of commands: a command line in, an exit code out.

    0    done
    1    the input is wrong (a `TensorcalcError`), or a check found a difference
    2    the command line is wrong
    70   a bug of ours
    130  interrupted; a second Ctrl-C does not wait for a kernel to end
    141  the reader of the output went away

No traceback is shown without ``--debug``.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from tensorcalc._version import __version__
from tensorcalc.cli.options import Settings, debug_option

WRONG_INPUT, USAGE, BUG, INTERRUPTED, BROKEN_PIPE = 1, 2, 70, 130, 141

# command: the module that has it, and its line in the list of commands
COMMANDS = {
    "diff": ("symbolic", "Derivative of a formula, in matrix form."),
    "eval": ("numeric", "Value and gradient of a formula on data."),
    "check": ("numeric", "Derivative against finite differences."),
    "fit": ("fit", "Minimum of a formula on data."),
    "compile": ("kernels", "Write a module with the compiled kernel of a formula."),
    "plan": ("kernels", "Show how a formula will be computed."),
    "cache": ("cache", "Show or remove the compiled kernels that are kept."),
}


class ReaderGone(Exception):  # noqa: N818  (nothing is wrong)
    """What reads our output has ended."""


class Commands(click.Group):
    """A group that loads a command when it is run, and turns exceptions into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"tensorcalc.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end with exit code 1
            raise ReaderGone from None

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> NoReturn:
        settings = Settings()
        options |= {"standalone_mode": False, "obj": settings}
        color = False if "NO_COLOR" in os.environ else None
        try:
            code = super().main(args, *more, color=color, **options)
            sys.stdout.flush()
        except (BrokenPipeError, ReaderGone):
            # nothing more can be written; keep the interpreter from trying when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = BROKEN_PIPE
        except (KeyboardInterrupt, click.Abort):
            code = INTERRUPTED
        except Exception as error:  # the last handler: everything becomes a message and a code
            if settings.debug:
                traceback.print_exc()
            code = _report(error, settings, color)
        sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception, settings: Settings, color: bool | None) -> int:
    """Say on stderr what went wrong, and give the exit code."""
    from tensorcalc.errors import TensorcalcError

    if isinstance(error, click.ClickException):
        error.show()
        if isinstance(error, click.NoSuchOption):
            click.echo("Write -- before a formula that starts with a minus sign.", err=True)
        return error.exit_code
    if isinstance(error, TensorcalcError):
        if settings.json:
            from tensorcalc.cli.options import to_json

            click.echo(to_json({"error": _facts(error)}), err=True)
            return WRONG_INPUT
        code, text = WRONG_INPUT, str(error)
    elif isinstance(error, MemoryError):
        code, text = WRONG_INPUT, f"not enough memory: {error}"
    else:
        kind = type(error).__name__
        code = BUG
        text = f"{kind}: {error}\nThis is a bug of tensorcalc; --debug shows where it happened."
    click.echo(click.style("error: ", fg="red", bold=True) + text, err=True, color=color)
    return code


def _facts(error: Any) -> dict[str, Any]:
    names = ("message", "line", "column", "excerpt", "hint")
    return {"kind": type(error).__name__} | {name: getattr(error, name) for name in names}


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A formula may come from a file (-f model.tc) or from standard input (-).",
)
@click.version_option(__version__, prog_name="tensorcalc")
@debug_option
def cli() -> None:
    """Formulas with vectors, matrices and tensors: derivatives, values, compiled kernels.

    \b
      tensorcalc diff "x'*A*x" --wrt x
      tensorcalc eval "x'*A*x" x=[1,2] A=[1,2;3,4] --wrt x
    """  # noqa: D301
