"""Text -> syntax tree: the first pass. The grammar is in `grammar/`, the tree in `syntax.py`.

The tree is built while the parser reduces (an inline transformer), sums and products flat, so
nothing here recurses and time is linear in the text. `parse_errors.py` words what goes wrong.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tensorcalc.errors import LimitError, ParseError, Span, quote
from tensorcalc.limits import current as limits
from tensorcalc.syntax import Syntax

if TYPE_CHECKING:
    from lark import Lark, Token

GRAMMAR = ("tensorcalc.grammar", "program.lark")

# a Greek letter and its written-out name are the same name; so are a capital and `Sigma`
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "ς": "sigma", "σ": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
GREEK |= {letter.upper(): name.capitalize() for letter, name in GREEK.items() if letter != "ς"}

OPERATORS = {"−": "-", "⊙": ".*", "⊘": "./", "·": "*", "×": "*", "≤": "<=", "≥": ">="}
PRIMES = str.maketrans("′’", "''")
DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*'*")
LETTERS = re.compile(f"[A-Za-z0-9_'{''.join(GREEK)}]+")

# a newline after one of these does not end the statement
CONTINUED = frozenset({"ADD", "MUL", "POW", "COMPARE", "EQUAL", "COLON", "COMMA", "ARROW"})
# what may stand in a row without end, and what does not end such a row
CHAINED = frozenset({"POW", "TRANSPOSE", "HERMITIAN", "SUPERSCRIPT"})
OPERANDS = frozenset({"NAME", "NUMBER", "RPAR", "RSQB", *CHAINED})


def parse(text: str) -> Syntax:
    """The syntax tree of a program, a ``program`` node.

    Raises
    ------
    ParseError
        The text is not a program; the error shows the place, and what was expected there.
    LimitError
        The text passes a limit (`limits.py`).

    >>> parse("x'*y").children[0].children[0].kind
    'product'
    """
    if not isinstance(text, str):
        raise ParseError(f"a program is a string, not {type(text).__name__}")
    text = text.removeprefix("\ufeff")  # the mark of order that some editors write
    if len(text) > limits().text_length:
        raise LimitError(
            f"the text has {len(text)} characters (limit text_length: {limits().text_length})"
        )
    from lark.exceptions import UnexpectedInput

    parser, build = _parser()
    build.text = text
    try:
        tree: Any = parser.parse(text)
    except UnexpectedInput as unexpected:
        from tensorcalc.parse_errors import explain

        raise explain(parser, text, unexpected) from None
    finally:
        build.text = ""
    return tree  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _parser() -> tuple[Lark, _Build]:
    from lark import Lark

    build = _Build()
    parser = Lark.open_from_package(
        *GRAMMAR, ("",),
        start="program", parser="lalr", lexer="contextual", maybe_placeholders=False,
        postlex=_Newlines(build), transformer=build,
    )  # fmt: skip
    return parser, build


class _Newlines:
    """Between lexer and parser: leaves out the newlines that end no statement."""

    always_accept = ("_NEWLINE",)

    def __init__(self, build: _Build) -> None:
        self.build = build

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens without newlines inside brackets and after operators."""
        depth, chain, deepest, previous = 0, 0, limits().nesting, ""
        most = limits().tokens
        for count, token in enumerate(stream, 1):
            kind = token.type
            if count > most:
                raise LimitError(
                    f"more than {most} names, numbers and signs (limit tokens)",
                    self.build.at(token, token),
                )
            if kind == "_NEWLINE":
                if depth > 0 or previous in CONTINUED:
                    continue
            elif kind in ("LPAR", "LSQB"):
                depth += 1
                if depth > deepest:
                    raise LimitError(
                        f"more than {deepest} brackets are open (limit nesting)",
                        self.build.at(token, token),
                    )
            elif kind in ("RPAR", "RSQB"):
                depth -= 1
            if kind in CHAINED or (kind == "ADD" and previous not in OPERANDS):
                chain += 1
                if chain > deepest:
                    raise LimitError(
                        f"more than {deepest} signs, powers and transposes in a row "
                        "(limit nesting)",
                        self.build.at(token, token),
                    )
            elif kind not in OPERANDS:
                chain = 0
            previous = kind
            yield token


class _Build(threading.local):
    """What the parser calls for a rule or a token of the same name; one text per thread."""

    text = ""

    def at(self, first: Any, last: Any) -> Span:
        """The span from one child to another; both are nodes or tokens."""
        start = first.span.start if isinstance(first, Syntax) else first.start_pos
        end = last.span.end if isinstance(last, Syntax) else last.end_pos
        return Span(self.text, start, end)

    # ── tokens ───────────────────────────────────────────────────────────────────────────────

    def NAME(self, token: Token) -> Syntax:
        """A name in its one spelling, primes included."""
        span = self.at(token, token)
        word = str(token)
        if not (word.isascii() and NAME.fullmatch(word)):
            word = spell_name(word, span)
        return Syntax("name", (word,), (), span)

    def NUMBER(self, token: Token) -> Syntax:
        span = self.at(token, token)
        return Syntax("number", (_digits(str(token), span),), (), span)

    def STRING(self, token: Token) -> Syntax:
        return Syntax("string", (str(token)[1:-1],), (), self.at(token, token))

    # ── expressions (matrix.lark) ────────────────────────────────────────────────────────────

    def sum(self, children: list[Any]) -> Syntax:
        return self._chain("sum", "terms", "+", children)

    def product(self, children: list[Any]) -> Syntax:
        return self._chain("product", "factors", "*", children)

    def _chain(self, kind: str, parts_are: str, first: str, children: list[Any]) -> Syntax:
        parts = tuple(children[::2])
        span = self.at(parts[0], parts[-1])
        if len(parts) > limits().terms:
            raise LimitError(
                f"a {kind} of {len(parts)} {parts_are} (limit terms: {limits().terms})", span
            )
        words = (first, *(OPERATORS.get(token, str(token)) for token in children[1::2]))
        return Syntax(kind, words, parts, span)

    def compare(self, children: list[Any]) -> Syntax:
        left, operator, right = children
        words = (OPERATORS.get(operator, str(operator)),)
        return Syntax("compare", words, (left, right), self.at(left, right))

    def sign(self, children: list[Any]) -> Syntax:
        minus, operand = children
        if minus == "+":
            return operand  # type: ignore[no-any-return]
        return Syntax("negate", (), (operand,), self.at(minus, operand))

    def power(self, children: list[Any]) -> Syntax:
        base, operator, exponent = children
        return Syntax("power", (str(operator),), (base, exponent), self.at(base, exponent))

    def superscript(self, children: list[Any]) -> Syntax:
        base, token = children
        span, digits = self.at(token, token), str(token).translate(DIGITS)
        exponent = Syntax("number", (_digits(digits.lstrip("-"), span),), (), span)
        if digits[0] == "-":
            exponent = Syntax("negate", (), (exponent,), span)
        return Syntax("power", ("^",), (base, exponent), self.at(base, token))

    def transpose(self, children: list[Any]) -> Syntax:
        return Syntax("transpose", (), (children[0],), self.at(*children))

    def hermitian(self, children: list[Any]) -> Syntax:
        return Syntax("hermitian", (), (children[0],), self.at(*children))

    def paren(self, children: list[Any]) -> Syntax:
        """No node of its own: the expression, with a span that holds the brackets."""
        left, inner, right = children
        span = self.at(left, right)
        return Syntax(inner.kind, inner.words, inner.children, span, inner.payload)

    def rows(self, children: list[Any]) -> Syntax:
        return Syntax("rows", (), _nodes(children), self.at(children[0], children[-1]))

    def row(self, children: list[Any]) -> Syntax:
        return Syntax("row", (), tuple(children), self.at(children[0], children[-1]))

    # ── index notation and calls (index.lark, einsum.lark) ───────────────────────────────────

    def subscript(self, children: list[Any]) -> Syntax:
        return Syntax("subscript", (), _nodes(children), self.at(children[0], children[-1]))

    def call(self, children: list[Any]) -> Syntax:
        name, *arguments = _nodes(children)
        return Syntax("call", name.words, tuple(arguments), self.at(name, children[-1]))

    def indexed_call(self, children: list[Any]) -> Syntax:
        closing = children.index("]")
        name, *indices = _nodes(children[:closing])
        for index in indices:
            _check_index(index, f"write `{quote(name.words[0])}[i](…)`, or `*` for a product")
        words = (name.words[0], *(index.words[0] for index in indices))
        return Syntax(
            "indexed_call", words, _nodes(children[closing:]), self.at(name, children[-1])
        )

    def range_call(self, children: list[Any]) -> Syntax:
        name, index, *rest = _nodes(children)
        words = (name.words[0], index.words[0])
        return Syntax("range_call", words, tuple(rest), self.at(name, children[-1]))

    def arrow(self, children: list[Any]) -> Syntax:
        expression, *names = _nodes(children)
        words = tuple(name.words[0] for name in names)
        return Syntax("arrow", words, (expression,), self.at(expression, children[-1]))

    # ── statements (program.lark) ────────────────────────────────────────────────────────────

    def program(self, children: list[Any]) -> Syntax:
        span = Span(self.text, 0, len(self.text))
        if len(children) > limits().terms:
            raise LimitError(f"{len(children)} statements (limit terms: {limits().terms})", span)
        return Syntax("program", (), tuple(children), span)

    def names(self, children: list[Any]) -> Syntax:
        words = tuple(name.words[0] for name in children)
        return Syntax("names", words, (), self.at(children[0], children[-1]))

    def type(self, children: list[Any]) -> Syntax:
        name, *dims = _nodes(children)
        return Syntax("type", name.words, tuple(dims), self.at(name, children[-1]))

    def properties(self, children: list[Any]) -> tuple[Syntax, ...]:
        return tuple(children)

    def declaration(self, children: list[Any]) -> Syntax:
        names, kind, properties = children
        words = kind.words + tuple(word.words[0] for word in properties)
        span = self.at(names, properties[-1] if properties else kind)
        return Syntax("declaration", words, (names, *kind.children), span)

    def abstract(self, children: list[Any]) -> Syntax:
        names, kind, properties, variables = children
        words = kind.words + tuple(word.words[0] for word in properties)
        parts = (names, variables, *kind.children)
        return Syntax("abstract", words, parts, self.at(names, variables))

    def function(self, children: list[Any]) -> Syntax:
        parts = _nodes(children)
        return Syntax("function", (), parts, self.at(parts[0], parts[-1]))

    def define(self, children: list[Any]) -> Syntax:
        target, value = children
        indices: tuple[Syntax, ...] = ()
        name = target
        if target.kind == "subscript":
            name, *rest = target.children
            indices = tuple(rest)
        if name.kind != "name":
            hint = "write `r = …` or `r[i] = …`"
            if target.kind == "call":
                hint = f"a definition has no arguments: `{quote(target.words[0])} = …`"
            raise ParseError(
                "the left side of a definition is a name or an entry", target.span, hint
            )
        for index in indices:
            _check_index(index, f"write `{quote(name.words[0])}[i] = …`")
        return Syntax("define", (), (target, value), self.at(target, value))

    def value(self, children: list[Any]) -> Syntax:
        return Syntax("value", (), (children[0],), children[0].span)


def _nodes(children: list[Any]) -> tuple[Syntax, ...]:
    return tuple(child for child in children if isinstance(child, Syntax))


def _digits(word: str, span: Span) -> str:
    """A number as written, if it is not too long."""
    most = limits().literal_digits
    if len(word) > most and sum(map(str.isdigit, word)) > most:
        raise LimitError(f"a number of more than {most} digits (limit literal_digits)", span)
    return word


def _check_index(index: Syntax, hint: str) -> None:
    if index.kind != "name":
        raise ParseError(f"found `{index.span.source}`, expected an index name", index.span, hint)


def spell_name(word: str, span: Span) -> str:
    """A name in ASCII: NFKC, Greek letters written out.

    >>> spell_name("σ₁", Span("σ₁", 0, 2))
    'sigma1'
    """
    plain = unicodedata.normalize("NFKC", word.translate(PRIMES))
    plain = "".join(GREEK.get(letter, letter) for letter in plain)
    if NAME.fullmatch(plain):
        return plain
    letters = (unicodedata.normalize("NFKC", letter) for letter in word.translate(PRIMES))
    wrong = (k for k, letter in enumerate(letters) if not LETTERS.fullmatch(letter))
    place = span.start + next(wrong, 0)
    hint = "names are made of the letters A to Z, Greek letters, digits and `_`"
    if unicodedata.numeric(span.text[place], None) is not None:
        hint = "numbers are written with the digits 0 to 9 and `/`: `1/2`"
    wrong_place = Span(span.text, place, place + 1)
    raise ParseError(f"a name cannot have `{wrong_place.source}` here", wrong_place, hint)
