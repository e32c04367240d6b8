"""Commands that show and keep compiled kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tensorcalc.cli.options import (
    debug_option,
    dim_option,
    file_option,
    internal_sizes,
    json_option,
    outputs_of,
    parse_formula,
    spelled,
    split_arguments,
    split_names,
    to_json,
)
from tensorcalc.printing.languages import WRITERS

NAMED_AS_FILES = ("c", "matlab", "octave")  # functions that are called as their files
NOMINAL_SIZE = 100  # of a size that is not given

wrt_option = click.option(
    "--wrt",
    multiple=True,
    metavar="NAME",
    callback=split_names,
    help="Compute the derivative by NAME, too.",
)


def _formula(file: Any, arguments: tuple[str, ...]) -> str:
    text, others = split_arguments(file, arguments)
    if others:
        raise click.UsageError(f"one formula is enough; {others[0]!r} is too much")
    return text


@click.command("compile")
@click.argument("formula", nargs=-1)
@wrt_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    help="The file to write; without it the text is printed.",
)
@click.option(
    "--to",
    type=click.Choice(list(WRITERS)),
    default="numba",
    show_default=True,
    help="The language.",
)
@file_option
@debug_option
def compile_command(
    formula: tuple[str, ...], wrt: tuple[str, ...], output: str | None, to: str, file: Any
) -> None:
    """Write a module that computes FORMULA and its derivatives.

    It does not need tensorcalc, checks its arguments, and its derivatives by differences when
    asked. That of Numba is a Python module that needs NumPy, SciPy and Numba; its function `run`
    takes the variables by name.

    \b
      tensorcalc compile "sum(log(1 + exp(-y.*(X*w))))" --wrt w -o logistic.py
      tensorcalc compile "sum(log(1 + exp(-y.*(X*w))))" --wrt w --to octave -o logistic.m
    """  # noqa: D301
    from tensorcalc.api import to_code

    expression = parse_formula(_formula(file, formula))
    name = Path(output).stem if output and to in NAMED_AS_FILES else "f"
    text = to_code(expression, to, [spelled(variable) for variable in wrt], name=name)
    if output is None:
        click.echo(text, nl=False)
        return
    if Path(output).exists() and not Path(output).is_file():
        raise click.UsageError(f"{output} is not a regular file")
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{output}: {error.strerror or error}") from None
    click.echo(f"wrote {output}", err=True)


@click.command("plan")
@click.argument("formula", nargs=-1)
@wrt_option
@dim_option
@file_option
@json_option
@debug_option
def plan_command(
    formula: tuple[str, ...],
    wrt: tuple[str, ...],
    sizes: dict[str, int],
    file: Any,
    as_json: bool,
) -> None:
    """Show the steps that compute FORMULA and its derivatives, and what they cost.

    \b
      tensorcalc plan "X : matrix(m, n); norm2(X*w - y)^2" --wrt w --dim m=100000 --dim n=50
    """  # noqa: D301
    from tensorcalc.plan import plan

    expression = parse_formula(_formula(file, formula))
    outputs = {name: output.node for name, output in outputs_of(expression, wrt).items()}
    known = internal_sizes(expression, sizes)
    dims = [dim for variable in expression.variables.values() for dim in variable.dims]
    numbers = dict.fromkeys((name for dim in dims for name in dim.names), NOMINAL_SIZE) | known
    table = str(plan(outputs, numbers, expression.variables))
    click.echo(to_json({"command": "plan", "plan": table}) if as_json else table)
