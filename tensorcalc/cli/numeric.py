"""Commands that compute numbers: NumPy is loaded, Numba only for a compiled kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tensorcalc.cli.options import (
    debug_option,
    dim_option,
    file_option,
    internal_sizes,
    json_option,
    orders,
    outputs_of,
    parse_formula,
    spelled,
    split_arguments,
    split_names,
    to_json,
    to_lines,
    wrt_option,
)

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

# with so many entries of data, eval compiles; with fewer, NumPy is done before a compiler is loaded
COMPILED_FROM = 1000

data_option = click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False),
    help="A .npz file with arrays by name; those that the formula lacks are left.",
)


@click.command("eval")
@click.argument("formula", nargs=-1, metavar="FORMULA [NAME=VALUE]...")
@click.option(
    "--wrt",
    multiple=True,
    metavar="NAME",
    callback=split_names,
    help="Give the derivative by NAME, too.",
)
@data_option
@dim_option
@click.option(
    "--compiled/--interpreted",
    default=None,
    help=f"Compile, or run NumPy. [default: compile from {COMPILED_FROM} entries of data]",
)
@click.option(
    "--digits",
    type=click.IntRange(1, 17),
    default=10,
    show_default=True,
    help="Significant digits of the numbers printed.",
)
@file_option
@json_option
@debug_option
def eval_command(
    formula: tuple[str, ...],
    wrt: tuple[str, ...],
    data: str | None,
    sizes: dict[str, int],
    compiled: bool | None,
    digits: int,
    file: Any,
    as_json: bool,
) -> None:
    """Print the value of FORMULA on data, and its derivatives.

    A VALUE is a number (an array is filled with it), entries like [1,2;3,4], a .csv, .npy or .npz
    file, or columns of a file: X=data.csv:1-30, y=data.csv:label.

    \b
      tensorcalc eval "x'*A*x" "x=[1,2]" "A=[1,2;3,4]" --wrt x
      tensorcalc eval -f model.tc X=data.csv:1-30 y=data.csv:label w=0 --wrt w
    """  # noqa: D301
    text, arguments = split_arguments(file, formula)
    expression = parse_formula(text)
    outputs = outputs_of(expression, wrt)
    values = _arrays(expression, arguments, data, sizes)
    if compiled is None:
        compiled = sum(value.size for value in values.values()) >= COMPILED_FROM
    results = _compute(outputs, values, compiled)
    if as_json:
        derivatives = dict(zip(map(spelled, wrt), list(results.values())[1:], strict=True))
        facts = {"command": "eval", "compiled": compiled, "value": results["value"]}
        click.echo(to_json(facts | {"derivatives": derivatives}))
        return
    for name, result in results.items():
        if wrt:
            click.echo(f"{name}:")
        click.echo(to_lines(result, digits))


def _arrays(
    expression: Expr, arguments: list[str], data: str | None, sizes: dict[str, int]
) -> dict[str, Any]:
    from tensorcalc.cli.data import fill, read_arguments

    variables = expression.variables
    values = read_arguments(arguments, data, variables)
    return fill(values, variables, internal_sizes(expression, sizes))


def _compute(outputs: dict[str, Expr], values: dict[str, Any], compiled: bool) -> dict[str, Any]:
    """The outputs by name, as arrays."""
    import numpy as np

    if compiled:
        from tensorcalc.api import compile as compile_kernel

        results = compile_kernel(outputs)(**values)
        return {name: np.asarray(result) for name, result in results.items()}
    return {name: output.evaluate(**values) for name, output in outputs.items()}


@click.command("check")
@click.argument("formula", nargs=-1, metavar="FORMULA [NAME=VALUE]...")
@wrt_option
@click.option("--order", type=click.IntRange(1), help="The order of the derivative.")
@data_option
@dim_option
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=1e-6,
    show_default=True,
    help="The relative difference up to which both agree.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the data.")
@file_option
@json_option
@debug_option
def check_command(
    formula: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int | None,
    data: str | None,
    sizes: dict[str, int],
    tolerance: float,
    seed: int,
    file: Any,
    as_json: bool,
) -> None:
    """Compare the derivative of FORMULA with finite differences.

    Variables without a value are drawn at random, with their properties, where the formula is
    finite. The exit code is 1 if the two disagree.

    \b
      tensorcalc check "sum(log(1 + exp(-y.*(X*w))))" --wrt w
      tensorcalc check "log(det(X))" --wrt X --order 2 --dim n=4
    """  # noqa: D301
    from tensorcalc.cli.data import fill, read_arguments
    from tensorcalc.finite_differences import check

    text, arguments = split_arguments(file, formula)
    names = orders(wrt, order)
    expression = parse_formula(text)
    known = internal_sizes(expression, sizes)
    values = fill(
        read_arguments(arguments, data, expression.variables), expression.variables, known
    )
    found = check(expression, names, values, known, seed)
    agrees = found.agrees(tolerance)
    if as_json:
        facts = {"command": "check", "wrt": names, "agrees": agrees, "tolerance": tolerance}
        numbers = ("difference", "relative", "scale", "uncertainty", "directions")
        click.echo(to_json(facts | {name: getattr(found, name) for name in numbers}))
    else:
        click.echo(
            f"{'agrees' if agrees else 'DISAGREES'}: the largest difference is "
            f"{found.difference:.1e} in {found.directions} directions, "
            f"{found.relative:.1e} of the largest entry {found.scale:.4g} "
            f"(finite differences are good to {found.uncertainty:.0e})"
        )
    if not agrees:
        sys.exit(1)
