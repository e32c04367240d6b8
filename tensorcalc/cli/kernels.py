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
    split_arguments,
    to_json,
)

NOMINAL_SIZE = 100  # of a size that is not given

wrt_option = click.option(
    "--wrt", multiple=True, metavar="NAME", help="Compute the derivative by NAME, too."
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
    help="The module to write; without it the kernel's text is printed.",
)
@file_option
@debug_option
def compile_command(
    formula: tuple[str, ...], wrt: tuple[str, ...], output: str | None, file: Any
) -> None:
    """Write a Python module that computes FORMULA and its derivatives.

    The module needs NumPy, SciPy and Numba, but not tensorcalc. Its function `run` takes the
    variables by name.

    \b
      tensorcalc compile "sum(log(1 + exp(-y.*(X*w))))" --wrt w -o logistic.py
    """  # noqa: D301
    from tensorcalc.api import compile as compile_kernel

    expression = parse_formula(_formula(file, formula))
    outputs = outputs_of(expression, wrt)
    kernel = compile_kernel(outputs if wrt else expression)
    if output is None:
        click.echo(kernel.source, nl=False)
        return
    if Path(output).exists() and not Path(output).is_file():
        raise click.UsageError(f"{output} is not a regular file")
    try:
        kernel.save(output)
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
      tensorcalc plan "sum(log(1 + exp(-y.*(X*w))))" --wrt w --dim m=100000 --dim n=50
    """  # noqa: D301
    from tensorcalc.plan import plan

    expression = parse_formula(_formula(file, formula))
    outputs = {name: output.node for name, output in outputs_of(expression, wrt).items()}
    known = internal_sizes(expression, sizes)
    dims = [dim for variable in expression.variables.values() for dim in variable.dims]
    numbers = dict.fromkeys((name for dim in dims for name in dim.names), NOMINAL_SIZE) | known
    table = str(plan(outputs, numbers, expression.variables))
    click.echo(to_json({"command": "plan", "plan": table}) if as_json else table)
