"""Matrix expression -> text in some notation. A notation is a `Style`: data and small functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tensorcalc import matrix_algebra as m
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.matrix_sizes import spreads_arguments
from tensorcalc.traverse import Steps, trampoline

# how tightly a text binds: an operand that binds less tightly than its place gets parentheses
MAX_PERIOD = 6  # of factors that are looked for as the base of a power
COMPARE, SUM, PRODUCT, NEGATION, POSTFIX, ATOM = range(6)
Text = tuple[str, int]


def fit(text: Text, place: int) -> str:
    """The text, in parentheses if it binds less tightly than its place asks."""
    return text[0] if text[1] >= place else f"({text[0]})"


@dataclass(frozen=True, slots=True)
class Style:
    """What tells one notation from another."""

    group: Callable[[str], str]  # parentheses
    times: str
    plus: str
    minus: str
    negative: str
    name: Callable[[str, str], str]  # text and shape
    number: Callable[[Fraction], Text]
    eye: Callable[[str | None], str]  # of the size, where it must be said
    ones: Callable[[str, str, str | None], str]  # entry, shape, and the size where it must be said
    rows: Callable[[Sequence[Sequence[str]]], str]
    range_total: Callable[[str, str, str, str], str]  # counter, first, last, body
    hermitian: Callable[[str], str]
    entry: Callable[[str, Sequence[str]], str]
    transpose: Callable[[str], str]
    power: Callable[[str, str, bool], str]  # base, exponent, entry by entry
    root: Callable[[str], str]
    quotient: Callable[[str, str], str]
    over_is_group: bool  # whether the quotient's form itself groups its parts
    hadamard: str
    divide_entries: str
    compare: dict[str, str]
    call: Callable[[str, Sequence[str]], str]
    binding: Mapping[str, int] = field(default_factory=dict)  # of calls that brackets do not end
    spreads_terms: bool = True  # whether a scalar may be a term of a sum of matrices


def render(x: Matrix, style: Style) -> str:
    """The expression in the notation of `style`."""
    return trampoline(_Renderer(style).text(x))[0]


class _Renderer:
    def __init__(self, style: Style) -> None:
        self.style = style

    def fit(self, text: Text, place: int) -> str:
        return text[0] if text[1] >= place else self.style.group(text[0])

    def text(self, x: Matrix) -> Steps[Text]:
        style = self.style
        shown: Text
        match x.op:
            case "name":
                # a derivative such as du/dx is a quotient to look at
                place = NEGATION if "/" in str(x.data) else ATOM
                return style.name(str(x.data), x.shape), place
            case "number":
                return style.number(_fraction(x.data))
            case "eye":
                return style.eye(x.data), ATOM
            case "entry":
                inner = yield self.text(x.args[0])
                base = self.fit(inner, ATOM)
                if x.args[0].op == "name" and inner[1] == ATOM:
                    base = style.name(str(x.args[0].data), "scalar")  # entries are no vectors
                return style.entry(base, list(map(str, x.data))), ATOM
            case "rows":
                entries: list[str] = []
                for entry in x.args:
                    shown = yield self.text(entry)
                    entries.append(shown[0])
                count = int(x.data)
                table = [entries[k : k + count] for k in range(0, len(entries), count)]
                return style.rows(table), ATOM
            case "rangesum":
                texts: list[str] = []
                for arg in x.args:
                    shown = yield self.text(arg)
                    texts.append(shown[0])
                body, low, high = texts
                return style.range_total(str(x.data), low, high, body), ATOM
            case "matrixpower":
                base = yield self.text(x.args[0])
                exponent = yield self.text(x.args[1])
                return style.power(self.fit(base, ATOM), self.exponent(exponent), False), POSTFIX
            case "spread":
                shown = yield self.spread(x)
                return shown
            case "product":
                shown = yield self.product(x)
                return shown
            case "sum":
                shown = yield self.sum(x)
                return shown
            case "hadamard":
                shown = yield self.hadamard(x.args)
                return shown
            case "power":
                if x.shape == "scalar":
                    shown = yield self.quotient([], [], [x])
                    return shown
                shown = yield self.hadamard([x])
                return shown
            case "transpose" | "hermitian":
                inner = yield self.text(x.args[0])
                # a power is grouped too, for the reader
                grouped = x.args[0].op in ("power", "matrixpower", "product")
                mark = style.transpose if x.op == "transpose" else style.hermitian
                return mark(self.fit(inner, ATOM if grouped else POSTFIX)), POSTFIX
            case "compare":
                left = yield self.bare(x.args[0])
                right = yield self.bare(x.args[1])
                operator = style.compare[str(x.data)]
                return f"{self.fit(left, SUM)} {operator} {self.fit(right, SUM)}", COMPARE
            case "call":
                args = []
                for arg in x.args:
                    args.append((yield self.bare(arg) if spreads_arguments(x) else self.text(arg)))
                binds = style.binding.get(str(x.data), ATOM)
                return style.call(str(x.data), [text for text, _ in args]), binds
        raise TypeError(f"no such operator: {x.op}")

    def bare(self, x: Matrix) -> Steps[Text]:
        """A spread scalar where the language spreads scalars by itself."""
        shown: Text = yield self.text(x.args[0] if x.op == "spread" else x)
        return shown

    def spread(self, x: Matrix) -> Steps[Text]:
        (scalar,) = x.args
        if scalar.op == "number":
            number, _ = self.style.number(_fraction(scalar.data))
            return self.style.ones(number, x.shape, x.data), POSTFIX
        coefficient, scalars, chain = m.parts(scalar)
        ones = m.Matrix("spread", x.shape, (m.number(Fraction(1)),), x.data)
        shown: Text = yield self.product(
            m.times(
                coefficient,
                m.Matrix("product", x.shape, (*scalars, *chain, ones), (Fraction(1), len(scalars))),
            )
        )
        return shown

    def sum(self, x: Matrix) -> Steps[Text]:
        pieces: list[str] = []
        for coefficient, term in m.terms(x):
            if term.op == "spread" and self.style.spreads_terms:
                term = term.args[0]
            text = yield self.text(m.times(abs(coefficient), term))
            if pieces:
                pieces.append(self.style.minus if coefficient < 0 else self.style.plus)
            elif coefficient < 0:
                pieces.append(self.style.negative)
            pieces.append(self.fit(text, PRODUCT))
        return "".join(pieces), SUM

    def product(self, x: Matrix) -> Steps[Text]:
        coefficient, scalars, chain = m.parts(x)
        above = [m.number(abs(coefficient))] if abs(coefficient) != 1 else []
        text, place = yield self.quotient(above, chain, scalars)
        if coefficient < 0:
            shown = text if place >= PRODUCT else self.style.group(text)
            return self.style.negative + shown, PRODUCT
        return text, place

    def quotient(
        self, numbers: list[Matrix], chain: list[Matrix], scalars: list[Matrix]
    ) -> Steps[Text]:
        """Numbers, scalars and a chain as one product over the scalars with negative powers."""
        above: list[Text] = []
        below: list[Text] = []
        for value in numbers:
            for part, side in zip(_split(_fraction(value.data)), (above, below), strict=True):
                if part != 1:
                    side.append(self.style.number(part))
        for scalar in scalars:
            yield self.sided(scalar, False, above, below)
        above += yield self.runs(chain)
        top = self.joined(above, whole=not below or self.style.over_is_group)
        if not below:
            return top
        alone = len(below) == 1
        bottom_text = self.joined(below, whole=alone)
        if self.style.over_is_group:
            return self.style.quotient(top[0], bottom_text[0]), PRODUCT
        bottom_shown = self.fit(bottom_text, POSTFIX)  # also du/dx, for the reader
        return self.style.quotient(self.fit(top, PRODUCT), bottom_shown), PRODUCT

    def sided(
        self, factor: Matrix, entrywise: bool, above: list[Text], below: list[Text]
    ) -> Steps[None]:
        """Put a factor above the line, or its reciprocal below if its power is negative."""
        if factor.op != "power":
            above.append((yield self.text(factor)))
            return
        base: Text = yield self.bare(factor.args[0])
        exponent = factor.args[1]
        if exponent.op == "spread":
            exponent = exponent.args[0]
        if exponent.op == "number":
            value = _fraction(exponent.data)
            (above if value > 0 else below).append(self.raised(base, abs(value), entrywise))
            return
        power: Text = yield self.text(exponent)
        shown = self.style.power(self.fit(base, ATOM), self.exponent(power), entrywise)
        above.append((shown, POSTFIX))

    def joined(self, texts: list[Text], *, whole: bool) -> Text:
        if not texts:
            return self.style.number(Fraction(1))
        if len(texts) == 1 and whole:
            return texts[0]
        if len(texts) == 1:
            return self.fit(texts[0], PRODUCT), max(texts[0][1], PRODUCT)
        return self.style.times.join(self.fit(text, NEGATION) for text in texts), PRODUCT

    def runs(self, chain: Sequence[Matrix]) -> Steps[list[Text]]:
        """The factors of a chain; what repeats becomes a power."""
        texts: list[Text] = []
        k = 0
        while k < len(chain):
            period, times = _repetition(chain, k)
            inner: list[Text] = []
            for factor in chain[k : k + period]:
                inner.append((yield self.text(factor)))
            text = self.joined(inner, whole=True)
            if times > 1:
                text = self.style.power(self.fit(text, ATOM), str(times), False), POSTFIX
            texts.append(text)
            k += period * times
        return texts

    def raised(self, base: Text, exponent: Fraction, entrywise: bool) -> Text:
        if exponent == 1:
            return base
        if exponent == Fraction(1, 2):
            return self.style.root(base[0]), ATOM
        shown = self.exponent(self.style.number(exponent))
        return self.style.power(self.fit(base, ATOM), shown, entrywise), POSTFIX

    def exponent(self, text: Text) -> str:
        return text[0] if self.style.over_is_group else self.fit(text, ATOM)

    def hadamard(self, factors: Sequence[Matrix]) -> Steps[Text]:
        above: list[Text] = []
        below: list[Text] = []
        for factor in factors:
            yield self.sided(factor, True, above, below)
        if len(above) == 1 and not below:
            return above[0]
        text = self.style.hadamard.join(self.fit(t, NEGATION) for t in above)
        text = text or self.style.number(Fraction(1))[0]
        for divisor in below:
            text += self.style.divide_entries + self.fit(divisor, POSTFIX)
        return text, PRODUCT


def _repetition(chain: Sequence[Matrix], start: int) -> tuple[int, int]:
    """How many matrices from `start` on repeat how often: the choice that covers most."""
    best = (1, 1)
    for period in range(1, min(MAX_PERIOD, (len(chain) - start) // 2) + 1):
        block = chain[start : start + period]
        if any(factor.shape != "matrix" for factor in block):
            break
        times = 1
        while list(chain[start + period * times : start + period * (times + 1)]) == list(block):
            times += 1
        # two factors that come twice are read more easily than a power of them
        if times > 1 and period * times > best[0] * best[1] and (period == 1 or times > 2):
            best = (period, times)
    return best


def _fraction(data: object) -> Fraction:
    if not isinstance(data, Fraction):
        raise TypeError(f"{data!r} is not a number")
    return data


def _split(value: Fraction) -> tuple[Fraction, Fraction]:
    """What stands above and below the line: decimals stay decimals."""
    if is_decimal(value):
        return value, Fraction(1)
    return Fraction(value.numerator), Fraction(value.denominator)


def is_decimal(value: Fraction) -> bool:
    """Whether a number is written as a decimal: an integer, or over a power of ten."""
    digits = str(value.denominator)
    return digits.strip("0") == "1" and len(digits) <= 16


def decimal(value: Fraction) -> str:
    """A decimal number as text.

    >>> decimal(Fraction(1, 10))
    '0.1'
    """
    if value.denominator == 1:
        return str(value.numerator)
    places = len(str(value.denominator)) - 1
    digits = str(abs(value.numerator)).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
