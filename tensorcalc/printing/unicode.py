"""Matrix expression and entries -> text with mathematical signs, to be read: ``2·Xᵀ·(X·w − y)``.

It is for readers alone: the parser takes the language's own notation (`text.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tensorcalc.matrix_algebra import Matrix
from tensorcalc.printing.index_style import IndexStyle
from tensorcalc.printing.names import SIZE, WORDS, Derivative, derivative_of, parts_of
from tensorcalc.printing.render import ATOM, PRODUCT, Style, Text, decimal, is_decimal, render

_RAISED = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyz",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        strict=True,
    )
)
_LOWERED = dict(
    zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
RAISED = {"inv": "⁻¹", "pinv": "⁺"}
FENCED = {
    "norm1": ("‖", "‖₁"),
    "norm2": ("‖", "‖₂"),
    "normF": ("‖", "‖_F"),
    "abs": ("|", "|"),
    "logdet": ("log det(", ")"),
    "lgamma": ("log Γ(", ")"),
    "sigmoid": ("σ(", ")"),
    "digamma": ("ψ(", ")"),
}
INFIX = {"kron": "⊗", "cross": "×"}
LOOSE = re.compile(r"[\s·/⊙⊘⊗×<>≤≥−+-]")
MAX_OUTLINE = 2000  # characters of a text that is looked at; a longer one gets parentheses
MAX_RAISED = 8  # signs of an exponent that is written small


def to_unicode(x: Matrix) -> str:
    """The expression as text with mathematical signs."""
    return finished(render(x, STYLE))


def finished(text: str) -> str:
    """A whole line: the minus signs of the writers are those of mathematics."""
    return text.replace("-", "−")


def _small(text: str, table: dict[str, str]) -> str | None:
    """The text in small signs, where all of its signs have a small form."""
    plain = text.replace(" ", "")
    if len(plain) > MAX_RAISED or any(sign not in table for sign in plain):
        return None
    return "".join(table[sign] for sign in plain)


def outline(text: str) -> str:
    """A text with all that stands in brackets taken out."""
    if len(text) > MAX_OUTLINE:
        return " ^"
    shown, open_brackets = "", ""
    for piece in re.findall(r"[()\[\]‖]|[^()\[\]‖]+", text):
        if piece in "([" or (piece == "‖" and open_brackets[-1:] != "‖"):
            shown += "()" * (not open_brackets)
            open_brackets += piece
        elif piece in ")]‖":
            open_brackets = open_brackets[:-1]
        elif not open_brackets:
            shown += piece
    return shown


def is_tight(text: str) -> bool:
    """Whether nothing but a bracket, a subscript or a power holds the text together."""
    return not LOOSE.search(outline(text))


def _grouped(text: str) -> str:
    return f"({text})"


def based(text: str) -> str:
    """A text that may get a superscript."""
    has_power = any(sign in "ᵀᴴ^√" or sign in _RAISED.values() for sign in outline(text))
    return text if is_tight(text) and not has_power else _grouped(text)


def symbol(text: str, shape: str) -> str:
    """A name: Greek letters as such, numbers at its end as subscripts."""
    derivative = derivative_of(text)
    if derivative is not None:
        return _quotient(derivative)
    if not re.fullmatch(r"\w+'*", text):  # a size such as len(x) + 1
        shown = SIZE.sub(lambda found: f"{found[1]}({symbol(found[2], 'scalar')})", text)
        return shown.replace("*", "·")
    name = parts_of(text)
    if any(not part.isdigit() for part in name.subscripts):
        below = "_" + "_".join(name.subscripts)
    else:
        below = "".join(_small(part, _LOWERED) or f"_{part}" for part in name.subscripts[:1])
        below += "".join(f"_{part}" for part in name.subscripts[1:])
    return name.letter + below + "′" * name.primes


def _quotient(derivative: Derivative) -> str:
    function = symbol(derivative.function, "matrix")
    if derivative.is_applied:
        places = [_small(place, _LOWERED) for place, _ in derivative.variables]
        return "".join(f"∂{place}" for place in places) + function
    names = [
        f"∂{symbol(name, 'matrix')}" + (_small(str(power), _RAISED) or "" if power > 1 else "")
        for name, power in derivative.variables
    ]
    order = _small(str(derivative.order), _RAISED) if derivative.order > 1 else ""
    return f"∂{order}{function}/{''.join(names)}"


def number(value: Fraction) -> Text:
    """A number, as a fraction where it is one."""
    if value < 0:
        return "-" + number(-value)[0], PRODUCT
    if is_decimal(value):
        return decimal(value), ATOM
    return f"{value.numerator}/{value.denominator}", PRODUCT


def _ones(entry: str, shape: str, size: str | None) -> str:
    if entry == "0":
        return "𝟎"
    text = {"row": "𝟏ᵀ", "column": "𝟏"}.get(shape, "𝟏·𝟏ᵀ")
    return text if entry == "1" else f"{entry}·{text}"


def call(function: str, args: Sequence[str]) -> str:
    """A function applied."""
    if function in INFIX:
        return f" {INFIX[function]} ".join(arg if is_tight(arg) else f"({arg})" for arg in args)
    if function == "sqrt":
        return f"√{args[0]}" if re.fullmatch(r"\w+", args[0]) else f"√({args[0]})"
    if function in RAISED:
        return based(args[0]) + RAISED[function]
    if function == "where" and tuple(args[1:]) == ("1", "0"):
        return f"𝟙[{args[0]}]"
    if function in ("vector", "matrix"):
        return _ones(args[0], {"vector": "column"}.get(function, function), None)
    if function == "commutation":
        return f"𝐊[{', '.join(args)}]"
    if function == "polygamma":
        return f"{power('ψ', f'({args[0]})')}({args[1]})"
    if function in FENCED and len(args) == 1:
        left, right = FENCED[function]
        return left + args[0] + right
    shown = function if function in WORDS else symbol(function, "scalar")
    return f"{shown}({', '.join(args)})"


def power(base: str, exponent: str) -> str:
    """A power, small where the exponent has small signs."""
    small = _small(exponent, _RAISED)
    is_tight_already = re.fullmatch(r"\w+", exponent) or outline(exponent) == "()"
    shown = small or "^" + (exponent if is_tight_already else f"({exponent})")
    if base.endswith(RAISED["inv"]) and exponent.isdigit() and small:
        return base[:-1] + small
    return based(base) + shown


def _divided(top: str, bottom: str) -> str:
    is_derivative = re.fullmatch(r"∂[^\s·]*/∂\w+", top)
    return f"({top})/{bottom}" if is_derivative else f"{top}/{bottom}"


def _entrywise(base: str, exponent: str, entrywise: bool) -> str:
    if not entrywise:
        return power(base, exponent)
    return f"{based(base)}^⊙{exponent if is_tight(exponent) else f'({exponent})'}"


def subscripted(shown: str, axes: Sequence[str]) -> str:
    """An entry: with small subscripts where there are such."""
    if not axes:
        return shown
    small = [_small(axis, _LOWERED) for axis in axes]
    base = based(shown)
    if all(small) and not re.search(r"[₀-₉]$|_\w+$", base):
        return base + "".join(text for text in small if text)
    return f"{base}[{','.join(axes)}]"


def _entry(name: str, axes: Sequence[str]) -> str:
    is_name = not axes or re.fullmatch(r"\w+'*", name)
    return subscripted(symbol(name, "matrix") if is_name else name, axes)


def _below(sign: str, names: str) -> str:
    """A sign with what it counts with."""
    small = _small(names.replace(",", ""), _LOWERED)
    return sign + (small if small else f"[{names}]")


def _range_total(counter: str, low: str, high: str, body: str) -> str:
    below, above = _small(f"{counter}={low}", _LOWERED), _small(high, _RAISED)
    sign = f"∑{below}{above}" if below and above else f"∑[{counter}={low}..{high}]"
    return f"{sign} {_summand(body)}"


def _summand(text: str) -> str:
    shown = outline(text)
    return f"({text})" if " + " in shown or " - " in shown else text


def _reduction(function: str, index: str, body: str) -> str:
    if function == "prod":
        return f"{_below('∏', index)} {body if is_tight(body) else f'({body})'}"
    return f"{function}[{index}]({body})"


def _section(heights: Sequence[str | None], inner: str) -> str:
    before, _, after = heights
    blocks = ["0"] * (before != "0") + [inner or "I"] + ["0"] * (after != "0")
    return f"[{'; '.join(blocks)}]"


def _unknown(name: str, args: Sequence[str], axes: Sequence[str]) -> str:
    shown = call(name, args) if args else symbol(name, "matrix")
    return subscripted(shown, axes)


COMPARE = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
STYLE = Style(
    group=_grouped,
    times="·",
    plus=" + ",
    minus=" - ",
    negative="-",
    name=symbol,
    number=number,
    eye=lambda size: "I",
    ones=_ones,
    rows=lambda table: f"[{'; '.join(', '.join(row) for row in table)}]",
    range_total=_range_total,
    hermitian=lambda text: based(text) + "ᴴ",
    entry=subscripted,
    transpose=lambda text: based(text) + "ᵀ",
    power=_entrywise,
    root=lambda text: call("sqrt", [text]),
    quotient=_divided,
    over_is_group=False,
    hadamard=" ⊙ ",
    divide_entries=" ⊘ ",
    compare=COMPARE,
    call=call,
    binding=dict.fromkeys(INFIX, PRODUCT),
    spreads_terms=False,
)
INDEX = IndexStyle(
    is_read_back=False,
    group=_grouped,
    brackets=("[", "]"),
    times="·",
    number=number,
    entry=_entry,
    ones=lambda size: "𝟏",
    delta=lambda i, j: subscripted("δ", [i, j]),
    identity=lambda size: "I",
    eye=lambda size, i, j: subscripted("δ", [i, j]),
    unit=lambda size, i, j: subscripted("e", [j]),
    levi_civita=lambda axes: subscripted("ε", axes),
    section=_section,
    total=lambda names, shown: f"{_below('∑', ','.join(names))} {_summand(shown)}",
    range_total=_range_total,
    reduction=_reduction,
    transpose=lambda shown: based(shown) + "ᵀ",
    power=power,
    quotient=lambda top, bottom: _divided(top, bottom if is_tight(bottom) else f"({bottom})"),
    call=lambda function, args: (
        f"({call(function, args)})" if function in INFIX else call(function, args)
    ),
    unknown=_unknown,
    compare=COMPARE,
    arrow=lambda shown, axes: f"{shown} → [{','.join(axes)}]",
)
