"""Matrix expression -> presentation MathML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from xml.sax.saxutils import escape

from tensorcalc.declarations import GREEK
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.parse import GREEK as LETTERS
from tensorcalc.printing.render import ATOM, PRODUCT, Style, Text, decimal, is_decimal, render

GREEK_LETTERS = {name: letter for letter, name in LETTERS.items() if letter != "ς"}
NAMESPACE = "http://www.w3.org/1998/Math/MathML"
TIMES = "<mo>&#x2062;</mo>"  # invisible
APPLY = "\u2061"  # function application, invisible
COMPARE = {"lt": "&lt;", "le": "≤", "gt": "&gt;", "ge": "≥"}


def markup(x: Matrix) -> str:
    """The expression as presentation markup."""
    return render(x, STYLE)


def document(lines: Sequence[str]) -> str:
    """Lines of presentation markup as one element; several are the rows of a table."""
    body = lines[0]
    if len(lines) > 1:
        cells = "".join(f"<mtr><mtd>{line}</mtd></mtr>" for line in lines)
        body = f'<mtable columnalign="left">{cells}</mtable>'
    return f'<math xmlns="{NAMESPACE}" display="block">{row(body)}</math>'


def row(text: str) -> str:
    """Markup as one element."""
    return f"<mrow>{text}</mrow>"


def operator(sign: str) -> str:
    """A sign, escaped."""
    return f"<mo>{escape(sign)}</mo>"


def fenced(text: str, left: str = "(", right: str = ")") -> str:
    """Markup in brackets."""
    return row(operator(left) + text + operator(right))


def symbol(text: str, shape: str) -> str:
    """A name: Greek letters as such, digits at its end as a subscript, vectors bold."""
    if "/" in text:
        above, below = text.split("/")
        return f"<mfrac>{row(_mi(above))}{row(_mi(below))}</mfrac>"
    found = re.fullmatch(r"(.*?)_?(\d*)", text)
    stem, digits = (found[1], found[2]) if found else (text, "")
    if stem.lower() in GREEK or stem == "pi":
        stem = GREEK_LETTERS.get(stem, stem)
    bold = ' mathvariant="bold"' if shape in ("column", "row") else ""
    shown = f"<mi{bold}>{escape(stem)}</mi>"
    return f"<msub>{shown}<mn>{digits}</mn></msub>" if digits else shown


def _mi(text: str) -> str:
    return f"<mi>{escape(text)}</mi>"


def number(value: Fraction) -> Text:
    """A number, as a fraction where it is one."""
    if value < 0:
        return operator("-") + number(-value)[0], PRODUCT
    if is_decimal(value):
        return f"<mn>{decimal(value)}</mn>", ATOM
    above, below = value.numerator, value.denominator
    return f"<mfrac><mn>{above}</mn><mn>{below}</mn></mfrac>", ATOM


def raised(base: str, exponent: str) -> str:
    """A superscript."""
    return f"<msup>{row(base)}{row(exponent)}</msup>"


def _ones(entry: str, shape: str, size: str | None) -> str:
    one = '<mn mathvariant="bold">1</mn>'
    if entry == "<mn>0</mn>":
        return '<mn mathvariant="bold">0</mn>'
    forms = {"column": one, "row": raised(one, operator("⊤"))}
    shown = forms.get(shape, one + raised(one, operator("⊤")))
    return shown if entry == "<mn>1</mn>" else entry + TIMES + shown


def call(function: str, args: Sequence[str]) -> str:
    """A function applied."""
    if function in ("norm2", "normF"):
        return f"<msub>{fenced(args[0], '‖', '‖')}<mn>{function[-1]}</mn></msub>"
    if function == "abs":
        return fenced(args[0], "|", "|")
    if function == "sqrt":
        return f"<msqrt>{args[0]}</msqrt>"
    if function == "inv":
        return raised(fenced(args[0]), operator("-") + "<mn>1</mn>")
    if function == "conj":
        return f"<mover>{row(args[0])}{operator('¯')}</mover>"
    if function == "kron":
        return operator("⊗").join(fenced(arg) for arg in args)
    return _mi(function) + operator(APPLY) + fenced(operator(",").join(args))


def rows(table: Sequence[Sequence[str]]) -> str:
    """A matrix written out."""
    lines = "".join(
        f"<mtr>{''.join(f'<mtd>{entry}</mtd>' for entry in line)}</mtr>" for line in table
    )
    return fenced(f"<mtable>{lines}</mtable>", "[", "]")


def total(below: str, above: str | None, body: str) -> str:
    """A sum with its limits."""
    sign = operator("∑")
    if above is None:
        return f"<munder>{sign}{row(below)}</munder>{row(body)}"
    return f"<munderover>{sign}{row(below)}{row(above)}</munderover>{row(body)}"


STYLE = Style(
    group=fenced,
    times=TIMES,
    plus=operator("+"),
    minus=operator("-"),
    negative=operator("-"),
    name=symbol,
    number=number,
    eye=lambda size: "<mi>I</mi>",
    ones=_ones,
    rows=rows,
    range_total=lambda counter, low, high, body: total(
        symbol(counter, "scalar") + operator("=") + low, high, fenced(body)
    ),
    hermitian=lambda text: raised(text, "<mi>H</mi>"),
    entry=lambda text, subscripts: f"<msub>{row(text)}<mn>{','.join(subscripts)}</mn></msub>",
    transpose=lambda text: raised(text, operator("⊤")),
    power=lambda base, exponent, entrywise: raised(
        base, operator("⊙") + exponent if entrywise else exponent
    ),
    root=lambda text: f"<msqrt>{text}</msqrt>",
    quotient=lambda top, bottom: f"<mfrac>{row(top)}{row(bottom)}</mfrac>",
    over_is_group=True,
    hadamard=operator("⊙"),
    divide_entries=operator("⊘"),
    compare={name: f"<mo>{sign}</mo>" for name, sign in COMPARE.items()},
    call=call,
)
