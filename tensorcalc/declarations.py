"""Kinds: a declaration's syntax -> a `Variable`; and the kind of an undeclared name."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import KindError, LimitError, ParseError, Span, quote
from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Variable
from tensorcalc.limits import current as limits
from tensorcalc.parse import GREEK as GREEK_NAMES, spell_name
from tensorcalc.syntax import Syntax

# kind: how many dims it takes (None: any), and how often the one dim of a square kind stands
KINDS: dict[str, tuple[int | None, int]] = {
    "scalar": (0, 1), "vector": (1, 1), "matrix": (2, 1), "tensor": (None, 1),
    "symmetric": (1, 2), "skew": (1, 2), "diagonal": (1, 2), "lower": (1, 2), "upper": (1, 2),
    "orthogonal": (1, 2), "spd": (1, 2),
}  # fmt: skip
PROPERTIES = frozenset({"positive", "nonnegative", "integer", "complex", "invertible"})

# small Greek letters, which are scalars; a capital such as Sigma goes by its first letter
GREEK = frozenset(name for name in GREEK_NAMES.values() if name.islower() and name != "pi")
RESERVED = frozenset({"pi", "eye", "einsum", "vector", "matrix", "of"})
RANK_OF_KIND = {0: "scalar", 1: "vector", 2: "matrix"}


def declared(name: str, declaration: Syntax) -> Variable:
    """The variable that a declaration (``X : matrix(m, n) positive``) makes of `name`."""
    kind, *properties = declaration.words
    dims = [dim_of(child) for child in declaration.children[1:]]
    if kind not in KINDS:
        raise KindError(
            f"unknown kind {kind}", _word_span(declaration, kind), _one_of(kind, "kinds", KINDS)
        )
    count, times = KINDS[kind]
    if count is not None and len(dims) != count:
        example = f"{kind}({', '.join('mnp'[:count])})" if count else kind
        raise KindError(
            f"{kind} takes {count} size{'s' * (count != 1)}, {len(dims)} given",
            _word_span(declaration, kind),
            f"write `{example}`",
        )
    if len(dims) > limits().rank:
        raise LimitError(f"more than {limits().rank} axes (limit rank)", declaration.span)
    for word in properties:
        if word not in PROPERTIES:
            hint = _one_of(word, "properties", sorted(PROPERTIES))
            if word in KINDS:
                hint = f"it is a kind: `{name} : {word}(n)`"
            raise KindError(f"unknown property {word}", _word_span(declaration, word), hint)
    facts = frozenset(properties) | (frozenset({kind}) if times == 2 else frozenset())
    if {"spd", "complex"} <= facts:
        raise KindError(
            "spd is a property of real matrices",
            _word_span(declaration, "complex"),
            f"write `{name} : matrix(n, n) complex`; a Hermitian matrix is its own `{name}^H`",
        )
    return Variable.of(name, tuple(dims) * times, facts)


def _word_span(declaration: Syntax, word: str) -> Span:
    """Where a word of a declaration stands behind the colon."""
    span = declaration.span
    found = re.compile(rf":.*?\b{re.escape(word)}\b", re.DOTALL).search(
        span.text, span.start, span.end
    )
    return Span(span.text, found.end() - len(word), found.end()) if found else span


def _one_of(word: str, what: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, 1)
    listed = f"the {what} are {', '.join(known)}"
    return f"did you mean {near[0]}? {listed}" if near else listed


def dim_of(syntax: Syntax) -> Dim:
    """A size as written in a declaration: a name, a positive integer or a product of them."""
    parts = list(syntax.children) if syntax.kind == "product" else [syntax]
    number, names = 1, []
    if len(parts) > limits().size_names:
        raise LimitError(
            f"more than {limits().size_names} factors in a size (limit size_names)", syntax.span
        )
    for part, sign in zip(parts, syntax.words if len(parts) > 1 else "*", strict=True):
        word = part.words[0] if part.words else ""
        if sign == "*" and part.kind == "name":
            names.append(word)
        elif sign == "*" and part.kind == "number" and word.isdigit():
            number *= int(word)
        else:
            raise ParseError(
                "a size is a name, an integer or a product of them", part.span, "such as `m*n`"
            )
    if number > limits().size:
        raise LimitError(f"a size is over {limits().size} (limit size)", syntax.span)
    return Dim(((tuple(sorted(names)), number),)) if number else Dim.of(0)


def joined_size(syntax: Syntax, parts: Sequence[Dim]) -> Dim:
    """The size that an expression makes of the sizes of its parts."""
    if syntax.kind == "product":
        return reduce(operator.mul, parts)
    signs = syntax.words if syntax.kind == "sum" else "-"
    signed = [part * (1 if sign == "+" else -1) for sign, part in zip(signs, parts, strict=True)]
    return sum(signed, Dim.of(0))


def undeclared(name: str, subscripts: int | None) -> tuple[Variable, str]:
    """The variable that an undeclared name stands for, and why it has that kind."""
    if subscripts is not None:
        rank, note = subscripts, f"{name} has {subscripts} subscript{'s' * (subscripts != 1)}"
    elif name in GREEK or "a" <= name[0] <= "g":
        rank = 0
        reason = "is a Greek letter" if name in GREEK else "is between a and g"
        note = f"{name} was taken as a scalar because its name {reason}"
    elif name[0].islower():
        rank = 1
        note = f"{name} was taken as a vector because its name is between h and z"
    else:
        rank = 2
        note = f"{name} was taken as a matrix because its name is between A and Z"
    dims = tuple(Dim.of(f"{name}.{axis}") for axis in range(rank))
    return Variable.of(name, dims), note


def describe(variable: Variable, show: Callable[[Dim], str]) -> str:
    """The declaration of a variable as text.

    >>> describe(Variable.of("A", (Dim.of("n"), Dim.of("n")), frozenset({"spd"})), str)
    'A : spd(n)'
    """
    dims: Dims = variable.dims
    square = [word for word in variable.properties if word in KINDS]
    kind = square[0] if square else RANK_OF_KIND.get(variable.rank, "tensor")
    shown = ", ".join(show(dim) for dim in (dims[:1] if square else dims))
    words = sorted(variable.properties - {kind})
    return " ".join([f"{variable.name} : {kind}" + (f"({shown})" if dims else ""), *words])


def check_name(name: str) -> str:
    """A name that Python code gives to a variable, spelled as the language does (σ is sigma).

    Raises
    ------
    ParseError
        If it is not a letter followed by letters, digits and underscores.
    """
    if not isinstance(name, str):
        raise ParseError(f"{quote(repr(name))} cannot name a variable", None, "a name is a text")
    name = spell_name(name, Span(name, 0, len(name))) if not name.isascii() else name
    if not (name.isascii() and name.isidentifier() and name[0].isalpha()) or name in (
        RESERVED | FUNCTIONS.keys()
    ):
        raise ParseError(
            f"{quote(name)!r} cannot name a variable",
            None,
            "a name is a letter followed by letters, digits and underscores",
        )
    return name


def check_dim_name(name: str, variables: dict[str, Variable], span: Span) -> None:
    """A name cannot be both a size and a variable."""
    if name in variables:
        raise ParseError(f"{name} is both a size and a variable", span, "rename one of them")
