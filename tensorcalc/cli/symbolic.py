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
    several,
    split_arguments,
    to_json,
    wrt_option,
)
from tensorcalc.layout import LAYOUTS
from tensorcalc.printing.languages import WRITERS

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

# notation: how an expression is written in it, given the layout
NOTATIONS: dict[str, Callable[[Expr, str], str]] = {
    "text": lambda expression, layout: expression.to_text(layout=layout),
    "unicode": lambda expression, layout: expression.to_unicode(layout=layout),
    "latex": lambda expression, layout: expression.to_latex(layout=layout),
    "mathml": lambda expression, layout: expression.to_mathml(layout=layout),
    "index": lambda expression, layout: expression.to_index(),
    "einsum": lambda expression, layout: expression.to_einsum(),
    "numpy": lambda expression, layout: expression.to_code("numpy"),
}
# code of other languages, which may lack what a formula needs
CODES: dict[str, Callable[[Expr, str], str]] = {
    name: lambda expression, layout, name=name: expression.to_code(name)  # type: ignore[misc]
    for name in WRITERS
    if name not in NOTATIONS
}
WITH_LAYOUT = ("text", "unicode", "latex", "mathml", "json")


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
    type=click.Choice([*NOTATIONS, *CODES, "json"]),
    default="text",
    show_default=True,
    help="The notation of the result.",
)
@click.option("--structured", is_flag=True, help="By the free parameters of declared structures.")
@click.option("--differential", is_flag=True, help="The differential, in terms of dX.")
@click.option("--steps", is_flag=True, help="The derivation, step by step.")
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    metavar="N",
    help="How many steps of one differential are shown.",
)
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
    max_steps: int | None,
    file: Any,
    as_json: bool,
) -> None:
    """Print the derivative of FORMULA.

    \b
      tensorcalc diff "x'*A*x" --wrt x
      tensorcalc diff "log(det(X))" --wrt X --to latex
      tensorcalc diff -f model.tc --wrt w --order 2
      tensorcalc diff "x'*A*y" --wrt x,y --differential
    """  # noqa: D301
    from tensorcalc import api

    text, others = split_arguments(file, formula)
    if others:
        raise click.UsageError(f"one formula is enough; {others[0]!r} is too much")
    to = "json" if as_json else to
    if layout != LAYOUTS[0] and to not in WITH_LAYOUT:
        raise click.UsageError(f"a layout is of matrix notation; --to {to} names its axes")
    _check_choice(to, layout, structured, differential, steps)
    names = several(wrt) if differential else orders(wrt, order)
    expression = parse_formula(text)
    if steps:
        shown = {} if max_steps is None else {"limit": max_steps}
        derivation = api.steps(expression, *names, layout=layout, structured=structured, **shown)
        text = str(derivation)
        told = {"command": "diff", "wrt": names, "layout": layout, "steps": text}
        click.echo(to_json(told) if to == "json" else text)
        return
    derivative: Expr
    if differential:
        found = api.differential(expression, *names, order=order or 1)
        derivative, canonical = found, found.canonical
    else:
        derivative, canonical = api.diff(expression, *names, structured=structured), None
    if to != "json":
        if to in WITH_LAYOUT and any(derivative.groups) and not differential:
            click.echo(f"layout: {layout}", err=True)
        click.echo((NOTATIONS | CODES)[to](derivative, layout))
        if to == "text" and canonical is not None:
            *definitions, line = canonical.split("\n")
            click.echo("\n".join([*[f"# {d}" for d in definitions], f"# canonical form: {line}"]))
        return
    facts = {
        "command": "diff",
        "wrt": names,
        "layout": layout,
        "shape": derivative.shape,
        "assumptions": expression.assumptions,
    }
    facts |= {} if canonical is None else {"canonical": canonical}
    click.echo(to_json(facts | {name: f(derivative, layout) for name, f in NOTATIONS.items()}))


def _check_choice(to: str, layout: str, structured: bool, differential: bool, steps: bool) -> None:
    """Refuse options that contradict each other."""
    if steps and differential:
        raise click.UsageError("--steps shows the differential too; --differential is too much")
    if steps and to not in ("text", "json"):
        raise click.UsageError(f"the steps are text; --to {to} has no place for them")
    if differential and structured:
        raise click.UsageError("a differential is by the entries; --structured is of derivatives")
    if differential and layout != LAYOUTS[0]:
        raise click.UsageError("a differential has the shape of the formula, and no layout")
