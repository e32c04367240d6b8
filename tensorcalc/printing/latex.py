"""Matrix expression -> LaTeX (math mode, amsmath)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.printing.names import (
    LETTERS,
    SIZE,
    WORDS,
    Derivative,
    derivative_of,
    parts_of,
    shape_of,
)
from tensorcalc.printing.render import (
    ATOM,
    PRODUCT,
    Style,
    Text,
    decimal,
    is_decimal,
    render,
)

CALLS = {
    "norm2": r"\left\|{0}\right\|_2",
    "normF": r"\left\|{0}\right\|_F",
    "norm1": r"\left\|{0}\right\|_1",
    "tr": r"\operatorname{{tr}}\left({0}\right)",
    "det": r"\det\left({0}\right)",
    "logdet": r"\log\det\left({0}\right)",
    "max": r"\max\left({0}\right)",
    "min": r"\min\left({0}\right)",
    "len": r"\dim\left({0}\right)",
    "conj": r"\overline{{{0}}}",
}
SPACE = r"\,"
RAISED = {"inv": "-1", "pinv": "+"}
INFIX = {"kron": r"\otimes", "cross": r"\times"}
# Greek letters that LaTeX has no command for look like Latin ones
_CAPITALS = "Alpha Beta Epsilon Zeta Eta Iota Kappa Mu Nu Omicron Rho Tau Chi".split()
LATIN = {"omicron": "o", **dict(zip(_CAPITALS, "ABEZHIKMNOPTX", strict=True))}
BRACKET = re.compile(
    r"(\\left(?:\\\||[(|\[])|\\begin\{\w+\}|\{)|\\right(?:\\\||[)|\]])|\\end\{\w+\}|\}"
)
MAX_OUTLINE = 2000  # characters of a text that is looked at; a longer one gets parentheses
POWERED = re.compile(r"\\(a?r?c?(?:sin|cos|tan)h?)(\\left\(.*)", re.DOTALL)


def to_latex(x: Matrix) -> str:
    """The expression in LaTeX, without delimiters."""
    return unwrapped(render(x, STYLE))


def outline(text: str) -> str:
    r"""A text with all that stands in brackets taken out.

    >>> outline(r"\left(A + B\right)\,x_{i}")
    '()\\,x_'
    """
    if len(text) > MAX_OUTLINE:
        return " ^_"
    shown, depth, end = "", 0, 0
    for found in BRACKET.finditer(text):
        if depth == 0:
            shown += text[end : found.start()]
            shown += "" if found[0] == "{" else "()"
        depth += 1 if found[1] else -1
        end = found.end()
    return shown + text[end:]


def is_tight(text: str) -> bool:
    """Whether nothing but a bracket, a subscript or a power holds the text together."""
    shown = outline(text)
    loose = (" ", r"\,", "+", "-", r"\frac", r"\sum", r"\prod")
    return not any(sign in shown for sign in loose)


def unwrapped(text: str) -> str:
    """A case distinction that is all there is needs no parentheses."""
    opening, closing = r"\left(\begin{cases}", r"\end{cases}\right)"
    whole = text.startswith(opening) and outline(text) == "()"
    return text[6:-7] if whole and text.endswith(closing) else text


def symbol(text: str, shape: str) -> str:
    """A name: Greek letters by their command, digits as a subscript, longer names upright."""
    derivative = derivative_of(text)
    if derivative is not None:
        return _quotient(derivative)
    if not re.fullmatch(r"\w+'*", text):  # a size such as len(x) + 1
        shown = SIZE.sub(lambda found: _size(found[1], found[2]), text).replace("*", SPACE)
        return re.sub(r"(?<![\\\w{])([A-Za-z]\w*)", lambda w: symbol(w[0], "scalar"), shown)
    name = parts_of(text)
    is_vector = shape in ("column", "row")
    shown = LATIN.get(name.stem) or (("\\" + name.stem) if name.stem in LETTERS else name.stem)
    if shown.startswith("\\"):
        shown = rf"\boldsymbol{{{shown}}}" if is_vector else shown
    elif is_vector or len(shown) > 1:
        escaped = shown.replace("_", r"\_")
        shown = rf"\mathbf{{{escaped}}}" if is_vector else rf"\mathrm{{{escaped}}}"
    below = ",".join(_subscript(part) for part in name.subscripts)
    return shown + (f"_{{{below}}}" if below else "") + "'" * name.primes


def _subscript(text: str) -> str:
    return text if text.isdigit() or len(text) == 1 else symbol(text, "scalar")


def _size(function: str, name: str) -> str:
    shown = symbol(name, "column" if function == "len" else "matrix")
    return (
        rf"\dim\left({shown}\right)"
        if function == "len"
        else (rf"\operatorname{{{function}}}\left({shown}\right)")
    )


def _quotient(derivative: Derivative) -> str:
    """A derivative as a quotient; one of a function to apply by its arguments' places."""
    function = symbol(derivative.function, shape_of(derivative.function))
    if derivative.is_applied:
        return "".join(rf"\partial_{{{place}}} " for place, _ in derivative.variables) + function
    names = [
        rf"\partial {symbol(name, shape_of(name))}" + (f"^{{{power}}}" if power > 1 else "")
        for name, power in derivative.variables
    ]
    order = f"^{{{derivative.order}}}" if derivative.order > 1 else ""
    return rf"\frac{{\partial{order} {function}}}{{{SPACE.join(names)}}}"


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
    if function in INFIX:
        alone = [is_tight(arg) or outline(arg) == r"\frac" for arg in args]
        sides = [a if b else _grouped(a) for a, b in zip(args, alone, strict=True)]
        return f" {INFIX[function]} ".join(sides)
    if function == "where":
        return _cases(*args)
    if function in FUNCTIONS and len(args) == FUNCTIONS[function].arity:
        return FUNCTIONS[function].latex.format(*args).replace("+ -", "- ")
    if function in RAISED:
        base = args[0] if is_tight(args[0]) and "^" not in outline(args[0]) else None
        return rf"{base or _grouped(args[0])}^{{{RAISED[function]}}}"
    if function in ("vector", "matrix"):
        return _ones(args[0], {"vector": "column"}.get(function, function), None)
    if function == "commutation":
        return rf"\mathbf{{K}}_{{{','.join(args)}}}"
    if function in CALLS and len(args) == 1:
        return CALLS[function].format(*args)
    stem = function.rstrip("'")
    primes = function[len(stem) :]
    shown = rf"\operatorname{{{stem}}}{primes}" if stem in WORDS else symbol(function, "scalar")
    return rf"{shown}\left({', '.join(args)}\right)"


def reduction(function: str, index: str, body: str) -> str:
    """A function of all values that an entry takes along an index."""
    if function in ("max", "min", "prod"):
        return rf"\{function}_{{{index}}} {body if is_tight(body) else _grouped(body)}"
    return rf"\operatorname{{{function}}}_{{{index}}}\left({body}\right)"


def summand(text: str) -> str:
    """A text after a sum sign: a sum in parentheses."""
    shown = outline(text)
    return _grouped(text) if " + " in shown or "-" in shown else text


def _cases(condition: str, then: str, other: str) -> str:
    """A choice: an indicator, or a case distinction in parentheses."""
    if (then, other) == ("1", "0"):
        return rf"\mathbb{{1}}\left[{condition}\right]"
    rows = rf"{then} & \text{{if }} {condition} \\ {other} & \text{{otherwise}}"
    return rf"\left(\begin{{cases}}{rows}\end{{cases}}\right)"


def _grouped(text: str) -> str:
    return rf"\left({text}\right)"


def based(text: str) -> str:
    """A text that may get a superscript: one that has a superscript already is grouped."""
    shown = outline(text)
    loose = text.startswith((r"\log", r"\frac")) or "'" in shown or "^" in shown
    return _grouped(text) if loose or not is_tight(text) else text


def indexed(text: str) -> str:
    """A text that may get a subscript."""
    shown = outline(text)
    if "^" in shown or "'" in shown or not is_tight(text):
        return _grouped(text)
    return f"{{{text}}}" if "_" in shown else text


def _inline(exponent: str) -> str:
    """An exponent that is a fraction, on one line."""
    return re.sub(
        r"(-?)\\frac\{(\d+)\}\{(\d+)\}", r"\1\2/\3", exponent, count=exponent.count("{") == 2
    )


def _transposed(text: str) -> str:
    """A transpose; functions of entries may stand before it as they are."""
    is_log = text.startswith(r"\log\left") and outline(text) == r"\log()"
    return (text if is_log else based(text)) + r"^{\top}"


def raised(base: str, exponent: str) -> str:
    """A power; that of a sine stands before its argument."""
    exponent = _inline(exponent)
    if base.endswith("^{-1}") and exponent.isdigit() and "^" not in outline(base[:-5]):
        return f"{base[:-5]}^{{-{exponent}}}"
    found = POWERED.fullmatch(base)
    if found and exponent.isdigit() and outline(found[2]) == "()":
        return rf"\{found[1]}^{{{exponent}}}{found[2]}"
    return rf"{based(base)}^{{{exponent}}}"


def _power(base: str, exponent: str, entrywise: bool) -> str:
    if not entrywise:
        return raised(base, exponent)
    exponent = _inline(exponent)
    shown = exponent if is_tight(exponent) or exponent.startswith("-") else _grouped(exponent)
    return rf"{based(base)}^{{\odot {shown}}}"


def _divided(top: str, bottom: str) -> str:
    """A fraction; a derivative stands behind it, not in it."""
    if top.startswith(r"\frac{\partial") and not outline(top).removeprefix(r"\frac"):
        return rf"\frac{{1}}{{{bottom}}}\,{top}"
    return rf"\frac{{{top}}}{{{bottom}}}"


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
        rf"\sum_{{{counter}={low}}}^{{{high}}} {summand(body)}"
    ),
    entry=lambda text, subscripts: rf"{indexed(text)}_{{{' '.join(subscripts)}}}",
    hermitian=lambda text: based(text) + r"^{\mathsf{H}}",
    transpose=_transposed,
    power=_power,
    root=lambda text: rf"\sqrt{{{text}}}",
    quotient=_divided,
    over_is_group=True,
    hadamard=r" \odot ",
    divide_entries=r" \oslash ",
    compare=COMPARE,
    call=call,
    binding=dict.fromkeys(INFIX, PRODUCT),
    spreads_terms=False,
)
