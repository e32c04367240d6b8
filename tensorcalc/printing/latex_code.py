"""A request -> a LaTeX document that compiles by itself: the formulas and their shapes."""

from __future__ import annotations

from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.printing import latex
from tensorcalc.printing.takeaway import Output, Request

PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath}
\usepackage{amssymb}
\allowdisplaybreaks
\begin{document}
"""


def latex_code(request: Request) -> str:
    """A document with a display for every formula, and a table of the shapes."""
    dims = [dim for variable in request.variables.values() for dim in variable.dims]
    letters = {old: Dim.of(new) for old, new in display_names(dims, request.variables).items()}

    def shape(of: Dims) -> str:
        sizes = [latex.symbol(str(dim.substitute(letters)), "scalar") for dim in of]
        return r" \times ".join(sizes) if sizes else r"\text{scalar}"

    displays = [rf"\[{chr(10)}{_display(output)}{chr(10)}\]" for output in request.outputs]
    rows = []
    for name, variable in request.variables.items():
        kind = {0: "scalar", 1: "column"}.get(variable.rank, "matrix")
        facts = ", ".join(sorted(variable.properties))
        shown = rf"${latex.symbol(name, kind)}$ & ${shape(variable.dims)}$ & {facts}"
        rows.append(rf"{shown.rstrip()} \\")
    for output in request.outputs:
        rows.append(rf"{_named(output)} & ${shape(output.expression.node.dims)}$ & \\")
    table = "\n".join(
        [r"\begin{tabular}{lll}", r"name & shape & properties \\ \hline", *rows, r"\end{tabular}"]
    )
    return "\n".join([PREAMBLE, *displays, "", table, "", r"\end{document}", ""])


def _named(output: Output) -> str:
    """What an output is, in words."""
    if output.by is None:
        return "value"
    return rf"{output.name.split()[0]} by ${latex.symbol(output.by, 'scalar')}$"


def _display(output: Output) -> str:
    """A formula with what it is on the left."""
    left = "f"
    if output.by is not None:
        left = rf"\frac{{\partial f}}{{\partial {latex.symbol(output.by, 'scalar')}}}"
    shown = output.expression.to_latex()
    return f"{left} = {shown}" if "\n" not in shown else f"{left} : \\quad {shown}"
