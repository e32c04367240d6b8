"""Kinds: a declaration's syntax -> a `Variable`; and the kind of an undeclared name."""

from __future__ import annotations

from collections.abc import Callable

from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import ParseError, Span, quote
from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Variable
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
        raise ParseError(
            f"unknown kind {kind}", declaration.span, f"the kinds are {', '.join(KINDS)}"
        )
    count, times = KINDS[kind]
    if count is not None and len(dims) != count:
        example = f"{kind}({', '.join('mnp'[:count])})" if count else kind
        raise ParseError(
            f"{kind} takes {count} sizes, {len(dims)} given", declaration.span, f"write `{example}`"
        )
    unknown = [word for word in properties if word not in PROPERTIES]
    if unknown:
        raise ParseError(
            f"unknown property {unknown[0]}",
            declaration.span,
            f"the properties are {', '.join(sorted(PROPERTIES))}",
        )
    facts = frozenset(properties) | (frozenset({kind}) if times == 2 else frozenset())
    return Variable.of(name, tuple(dims) * times, facts)


def dim_of(syntax: Syntax) -> Dim:
    """A size as written in a declaration: a name, a positive integer or a product of them."""
    parts = list(syntax.children) if syntax.kind == "product" else [syntax]
    result = Dim.of(1)
    for part, operator in zip(parts, syntax.words if len(parts) > 1 else "*", strict=True):
        word = part.words[0] if part.words else ""
        if operator == "*" and part.kind == "name":
            result = result * Dim.of(word)
        elif operator == "*" and part.kind == "number" and word.isdigit():
            result = result * Dim.of(int(word))
        else:
            raise ParseError(
                "a size is a name, an integer or a product of them", part.span, "such as `m*n`"
            )
    return result


def undeclared(name: str, subscripts: int | None) -> tuple[Variable, str]:
    """The variable that an undeclared name stands for, and why it has that kind."""
    if subscripts is not None:
        rank, note = subscripts, f"{name} has {subscripts} subscripts"
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
