"""Matrix expression -> LaTeX (math mode, amsmath)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tensorcalc.declarations import GREEK
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.printing.render import ATOM, PRODUCT, Style, Text, decimal, is_decimal, render

CALLS = {
    "norm2": r"\left\|{0}\right\|_2",
    "normF": r"\left\|{0}\right\|_F",
    "tr": r"\operatorname{{tr}}\left({0}\right)",
    "det": r"\det\left({0}\right)",
    "logdet": r"\log\det\left({0}\right)",
    "diag": r"\operatorname{{diag}}\left({0}\right)",
    "sum": r"\operatorname{{sum}}\left({0}\right)",
    "len": r"\dim\left({0}\right)",
}


def to_latex(x: Matrix) -> str:
    """The expression in LaTeX, without delimiters."""
    return render(x, STYLE)


def symbol(text: str, shape: str) -> str:
    """A name: Greek letters by their command, digits as a subscript, longer names upright."""
    if "/" in text:
        return _derivative(text, shape)
    stem = text.rstrip("0123456789")
    digits = text[len(stem) :]
    stem = stem.rstrip("_")
    if stem.lower() in GREEK or stem == "pi":
        shown = "\\" + stem
    elif "_" in stem:
        shown = rf"\mathrm{{{stem.replace('_', chr(92) + '_')}}}"
    else:
        shown = stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    if shape in ("column", "row") and len(stem) == 1:
        shown = rf"\mathbf{{{stem}}}"
    return shown + (f"_{{{digits}}}" if digits else "")


def _derivative(text: str, shape: str) -> str:
    """A derivative such as ``d2u/dx2``."""
    above, below = text.split("/")
    order = re.match(r"d(\d*)", above)
    power = f"^{{{order[1]}}}" if order and order[1] else ""
    function = symbol(above[len(order[0]) if order else 1 :], shape)
    variables = re.sub(r"\d+$", "", below)
    names = r"\,".join(rf"\partial {symbol(name, 'matrix')}" for name in variables.split("d")[1:])
    if re.search(r"\d+$", below):
        names += power
    return rf"\frac{{\partial{power} {function}}}{{{names}}}"


def number(value: Fraction) -> Text:
    """A number, as a fraction where it is one."""
    if value < 0:
        return "-" + number(-value)[0], PRODUCT
    if is_decimal(value):
        return decimal(value), ATOM
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}", ATOM


def _ones(entry: str, shape: str, size: str | None) -> str:
    text = {"row": r"\mathbf{1}^{\top}", "column": r"\mathbf{1}"}.get(
        shape, r"\mathbf{1}\mathbf{1}^{\top}"
    )
    if entry == "0":
        return r"\mathbf{0}"
    return text if entry == "1" else rf"{entry}\,{text}"


def call(function: str, args: Sequence[str]) -> str:
    """A function applied, by the tables' templates."""
    if function in FUNCTIONS and len(args) == FUNCTIONS[function].arity:
        return FUNCTIONS[function].latex.format(*args)
    if function == "inv":
        return rf"\left({args[0]}\right)^{{-1}}" if len(args[0]) > 1 else rf"{args[0]}^{{-1}}"
    if function in CALLS:
        return CALLS[function].format(*args)
    return rf"\operatorname{{{function}}}\left({', '.join(args)}\right)"


def _based(text: str) -> str:
    """A text that may get a superscript: one that has a superscript already is grouped."""
    grouped = text.startswith(r"\left(") and text.endswith(r"\right)")
    return rf"\left({text}\right)" if "^" in text and not grouped else text


COMPARE = {"lt": "<", "le": r"\le", "gt": ">", "ge": r"\ge"}
STYLE = Style(
    group=lambda text: rf"\left({text}\right)",
    times=r"\,",
    plus=" + ",
    minus=" - ",
    negative="-",
    name=symbol,
    number=number,
    eye=lambda size: "I",
    ones=_ones,
    rows=lambda table: (
        r"\begin{bmatrix}" + r" \\ ".join(" & ".join(row) for row in table) + r"\end{bmatrix}"
    ),
    range_total=lambda counter, low, high, body: (
        rf"\sum_{{{counter}={low}}}^{{{high}}} \left({body}\right)"
    ),
    entry=lambda text, subscripts: rf"{text}_{{{','.join(subscripts)}}}",
    hermitian=lambda text: _based(text) + r"^{\mathsf{H}}",
    transpose=lambda text: _based(text) + r"^{\top}",
    power=lambda base, exponent, entrywise: (
        rf"{_based(base)}^{{\odot {exponent}}}" if entrywise else rf"{_based(base)}^{{{exponent}}}"
    ),
    root=lambda text: rf"\sqrt{{{text}}}",
    quotient=lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}",
    over_is_group=True,
    hadamard=r" \odot ",
    divide_entries=r" \oslash ",
    compare=COMPARE,
    call=call,
)
