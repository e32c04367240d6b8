"""What tells one index notation from another: the language's own text, and LaTeX.

Used by `index.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count

from tensorcalc.dims import Dim
from tensorcalc.functions import OPERATORS
from tensorcalc.printing import latex, text
from tensorcalc.printing.render import Text


@dataclass(frozen=True, slots=True)
class IndexStyle:
    """An index notation: how each construct is written, given the texts of its parts.

    A size is None where it is not known. `is_read_back` asks for texts that say all that the
    parser needs: sizes of constants, the order of axes.
    """

    is_read_back: bool
    group: Callable[[str], str]
    brackets: tuple[str, str]  # of an explicit matrix
    times: str
    number: Callable[[Fraction], Text]
    entry: Callable[[str, Sequence[str]], str]
    ones: Callable[[str | None], str]
    delta: Callable[[str, str], str]
    identity: Callable[[str | None], str]  # the unit matrix, whole
    eye: Callable[[str | None, str, str], str]  # `delta` that says its size
    unit: Callable[[str | None, str, str], str]  # a unit vector: size, its axis, where the 1 is
    levi_civita: Callable[[Sequence[str]], str]
    section: Callable[[Sequence[str | None], str], str]  # heights: before, of the unit, after
    total: Callable[[Sequence[str], str], str]
    range_total: Callable[[str, str, str, str], str]  # counter, first, last, body
    reduction: Callable[[str, str, str], str]  # function, index, body
    transpose: Callable[[str], str]
    power: Callable[[str, str], str]
    quotient: Callable[[str, str], str]
    call: Callable[[str, Sequence[str]], str]
    unknown: Callable[[str, Sequence[str], Sequence[str]], str]  # name, arguments, subscripts
    compare: dict[str, str]
    arrow: Callable[[str, Sequence[str]], str]


def letters(choice: str, taken: Iterable[str]) -> Iterator[str]:
    """Letters and then letters with numbers, without the names `taken`."""
    names = (letter + suffix for suffix in chain([""], map(str, count(1))) for letter in choice)
    return (name for name in names if name not in taken)


def numbered(prefix: str, taken: Iterable[str]) -> Iterator[str]:
    """The prefix with numbers, without the names `taken`."""
    return (name for k in count(1) if (name := f"{prefix}{k}") not in taken)


def shown_size(dim: Dim, size_text: Callable[[Dim], str | None]) -> str | None:
    """A size with its number last, as in ``n-1``."""
    rest = dim - dim.constant
    if not rest.terms or not dim.constant:
        return size_text(dim)
    shown = size_text(rest)
    return shown and f"{shown}{dim.constant:+d}"


def _text_entry(name: str, axes: Sequence[str]) -> str:
    return f"{name}[{','.join(axes)}]" if axes else name


def _text_eye(size: str | None) -> str:
    return f"eye({size})" if size else "eye"


def _text_section(heights: Sequence[str | None], inner: str) -> str:
    """The unit matrix between blocks of zeros; one of a single column is a vector."""
    before, width, after = heights
    zeros = "vector(0, {})" if width == "1" else f"matrix(0, {{}}, {width})"
    blocks = [zeros.format(before)] * (before != "0") + [inner or _text_eye(width)]
    return f"[{'; '.join(blocks + [zeros.format(after)] * (after != '0'))}]"


def _text_unknown(name: str, args: Sequence[str], axes: Sequence[str]) -> str:
    shown = f"{name}({', '.join(args)})" if args else name
    return _text_entry(shown, axes)


TEXT = IndexStyle(
    is_read_back=True,
    group=lambda shown: f"({shown})",
    brackets=("[", "]"),
    times="*",
    number=text.number,
    entry=_text_entry,
    ones=lambda size: f"vector(1, {size})" if size else "vector(1)",
    delta=lambda i, j: f"delta[{i},{j}]",
    identity=_text_eye,
    eye=lambda size, i, j: _text_entry(_text_eye(size), [i, j]),
    unit=lambda size, i, j: f"{_text_eye(size)}[{i},{j}] -> [{i}]",
    levi_civita=lambda axes: _text_entry("eps", axes),
    section=_text_section,
    total=lambda names, shown: f"sum[{','.join(names)}]({shown})",
    range_total=lambda name, low, high, shown: f"sum[{name}={low}..{high}]({shown})",
    reduction=lambda function, name, shown: f"{function}[{name}]({shown})",
    transpose=lambda shown: shown + "'",
    power=lambda base, exponent: f"{base}^{exponent}",
    quotient=lambda top, bottom: f"{top}/{bottom}",
    call=text.call,
    unknown=_text_unknown,
    compare=OPERATORS,
    arrow=lambda shown, axes: f"{shown} -> [{','.join(axes)}]",
)


def _latex_entry(name: str, axes: Sequence[str]) -> str:
    shown = name if re.search(r"[\\{^]", name) else latex.symbol(name, "matrix")
    return f"{latex.indexed(shown)}_{{{' '.join(axes)}}}" if axes else shown


def _latex_call(function: str, args: Sequence[str]) -> str:
    if function == "sqrt":
        return rf"\sqrt{{{args[0]}}}"
    shown = latex.call(function, args)
    return rf"\left({shown}\right)" if function in latex.INFIX else shown


def _latex_section(heights: Sequence[str | None], inner: str) -> str:
    before, _, after = heights
    blocks = ["0"] * (before != "0") + [inner or "I"] + ["0"] * (after != "0")
    return r"\begin{bmatrix}" + r" \\ ".join(blocks) + r"\end{bmatrix}"


def _latex_unknown(name: str, args: Sequence[str], axes: Sequence[str]) -> str:
    """A derivative with its arguments, where they are written, or its subscripts."""
    shown = latex.call(name, args) if args else latex.symbol(name, "matrix")
    return _latex_entry(shown, axes)


LATEX = IndexStyle(
    is_read_back=False,
    group=lambda shown: rf"\left({shown}\right)",
    brackets=(r"\begin{bmatrix}", r"\end{bmatrix}"),
    times=r"\,",
    number=latex.number,
    entry=_latex_entry,
    ones=lambda size: r"\mathbf{1}",
    delta=lambda i, j: rf"\delta_{{{i} {j}}}",
    identity=lambda size: "I",
    eye=lambda size, i, j: rf"\delta_{{{i} {j}}}",
    unit=lambda size, i, j: rf"\mathbf{{e}}_{{{j}}}",
    levi_civita=lambda axes: rf"\varepsilon_{{{' '.join(axes)}}}",
    section=_latex_section,
    total=lambda names, shown: rf"\sum_{{{','.join(names)}}} {latex.summand(shown)}",
    range_total=latex.STYLE.range_total,
    reduction=latex.reduction,
    transpose=lambda shown: latex.based(shown) + r"^{\top}",
    power=latex.raised,
    quotient=latex.STYLE.quotient,
    call=_latex_call,
    unknown=_latex_unknown,
    compare=latex.COMPARE,
    arrow=lambda shown, axes: rf"\left({shown}\right)_{{{' '.join(axes)}}}",
)
