"""Commands that only rewrite formulas: neither NumPy nor Numba is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from tensorcalc.cli.options import (
    debug_option,
    file_option,
    json_option,
    orders,
    parse_formula,
    split_arguments,
    to_json,
    wrt_option,
)
from tensorcalc.layout import LAYOUTS

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

# notation: how an expression is written in it, given the layout
NOTATIONS: dict[str, Callable[[Expr, str], str]] = {
    "text": lambda expression, layout: expression.to_text(layout=layout),
    "latex": lambda expression, layout: expression.to_latex(layout=layout),
    "mathml": lambda expression, layout: expression.to_mathml(layout=layout),
    "index": lambda expression, layout: expression.to_index(),
    "einsum": lambda expression, layout: expression.to_einsum(),
    "numpy": lambda expression, layout: expression.to_code("numpy"),
}
WITH_LAYOUT = ("text", "latex", "mathml", "json")


@click.command("diff")
@click.argument("formula", nargs=-1)
@wrt_option
@click.option("--order", type=click.IntRange(1), help="The order of the derivative.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    show_default=True,
    help="How the axes of the result are arranged.",
)
@click.option(
    "--to",
    type=click.Choice([*NOTATIONS, "json"]),
    default="text",
    show_default=True,
    help="The notation of the result.",
)
@click.option("--structured", is_flag=True, help="By the free parameters of declared structures.")
@click.option("--differential", is_flag=True, help="The differential, in terms of dX.")
@click.option("--steps", is_flag=True, help="The derivation, a line for each step.")
@file_option
@json_option
@debug_option
def diff_command(
    formula: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int | None,
    layout: str,
    to: str,
    structured: bool,
    differential: bool,
    steps: bool,
    file: Any,
    as_json: bool,
) -> None:
    r"""Print the derivative of FORMULA.

    \b
      tensorcalc diff "x'*A*x" --wrt x
      tensorcalc diff "log(det(X))" --wrt X --to latex
      tensorcalc diff -f model.tc --wrt w --order 2
    """
    from tensorcalc import api

    text, others = split_arguments(file, formula)
    if others:
        raise click.UsageError(f"one formula is enough; {others[0]!r} is too much")
    to = "json" if as_json else to
    if layout != LAYOUTS[0] and to not in WITH_LAYOUT:
        raise click.UsageError(f"a layout is of matrix notation; --to {to} names its axes")
    names = orders(wrt, order)
    expression = parse_formula(text)
    if steps:
        if len(names) > 1:
            raise click.UsageError("the steps are of one derivative")
        click.echo(api.steps(expression, names[0]))
        return
    if differential:
        derivative = api.differential(expression, *dict.fromkeys(names))
    else:
        derivative = api.diff(expression, *names, structured=structured)
    if to != "json":
        click.echo(NOTATIONS[to](derivative, layout))
        return
    facts = {
        "command": "diff",
        "wrt": names,
        "layout": layout,
        "shape": derivative.shape,
        "assumptions": expression.assumptions,
    }
    click.echo(to_json(facts | {name: f(derivative, layout) for name, f in NOTATIONS.items()}))
