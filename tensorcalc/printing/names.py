"""Names as mathematics writes them: the language's name in, its letter and subscripts out.

Used by the notations that are looked at: LaTeX, MathML, unicode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import combinations

from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.parse import GREEK
from tensorcalc.traverse import postorder

LETTERS = {name: letter for letter, name in GREEK.items() if letter != "ς"}
# functions of the language: all others are unknown ones, with names like those of variables
WORDS = {*MATRIX_FUNCTIONS, *FUNCTIONS, "diag", "sum", "prod", "softmax", "vec", "adj", "matrix"}
WORDS |= {"rows", "cols", "len", "commutation", "mean", "vector", "max", "min", "logsumexp"}
SIZE = re.compile(r"(len|rows|cols)\((\w+)\)")
_vectors: ContextVar[frozenset[str]] = ContextVar("vectors", default=frozenset())


@contextmanager
def vectors_known(root: Node) -> Iterator[None]:
    """Within, `shape_of` knows which names of derivatives in `root` are those of vectors."""
    found: dict[str, int] = {}
    for node in postorder([root]):
        if isinstance(node, Unknown) and node.derivatives:
            found[node.name] = node.result
            found |= {o.name: o.rank for o in node.operands if isinstance(o, Variable)}
    token = _vectors.set(frozenset(name for name, rank in found.items() if rank == 1))
    try:
        yield
    finally:
        _vectors.reset(token)


def shape_of(name: str) -> str:
    """The shape, as far as a derivative's looks depend on it, of a name within it."""
    return "column" if name in _vectors.get() else "matrix"


@dataclass(frozen=True, slots=True)
class Name:
    """A name in parts: ``x_max12''`` is `x` with the subscripts ``max, 12`` and two primes."""

    stem: str
    subscripts: tuple[str, ...] = ()
    primes: int = 0

    @property
    def letter(self) -> str:
        """The stem, as a Greek letter where it is the name of one."""
        return LETTERS.get(self.stem, self.stem)


def parts_of(text: str) -> Name:
    """The parts of a name.

    >>> parts_of("x_max12"), parts_of("g''")
    (Name(stem='x', subscripts=('max', '12'), primes=0), Name(stem='g', subscripts=(), primes=2))
    """
    plain = text.rstrip("'")
    words = [re.fullmatch(r"(.*?)(\d*)", word) for word in plain.split("_")]
    pieces = [piece for word in words if word for piece in word.groups() if piece]
    whole = all(word and word[0] for word in words) and pieces[:1] and pieces[0].isalpha()
    stem, *rest = pieces if whole else [plain]
    return Name(stem, tuple(rest), len(text) - len(plain))


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative such as ``d3u/dx2dy``: its order, the function, variables with their powers."""

    order: int
    function: str
    variables: tuple[tuple[str, int], ...]

    @property
    def is_applied(self) -> bool:
        """Whether it is by the first, second … argument of a function."""
        return all(name.isdigit() for name, _ in self.variables)


def derivative_of(text: str) -> Derivative | None:
    """What a name of a derivative says; None if it is none.

    >>> derivative_of("d3u/dx2dy")
    Derivative(order=3, function='u', variables=(('x', 2), ('y', 1)))
    """
    found = re.fullmatch(r"d(\d*)(\w+)/d(\w+)", text)
    if found is None:
        return None
    order = int(found[1] or 1)
    variables = _split(found[3], order)
    return None if variables is None else Derivative(order, found[2], variables)


def _split(word: str, order: int) -> tuple[tuple[str, int], ...] | None:
    """``x2dy`` of order 3 as x twice and y once: the way that has this order."""
    places = [k for k, letter in enumerate(word) if letter == "d" and 0 < k < len(word) - 1]
    for count in reversed(range(min(order, len(places) + 1))):
        for chosen in combinations(places, count):
            starts = [0, *[k + 1 for k in chosen]]
            ends = [*chosen, len(word)]
            names = [word[a:b] for a, b in zip(starts, ends, strict=True)]
            is_name = all(map(str.isdigit, names)) or not any(name[:1].isdigit() for name in names)
            powers = _powers(names, order) if all(names) and is_name else None
            if powers is not None:
                return _gathered(list(zip(*powers, strict=True)))
    return None


def _powers(names: list[str], order: int) -> tuple[list[str], list[int]] | None:
    """Names without their powers, and the powers, so that these make the order."""
    missing = order - len(names)
    stems, powers = list(names), [1] * len(names)
    for k, name in enumerate(names):
        found = re.fullmatch(r"(\w*?[A-Za-z_])([2-9]|[1-9]\d+)", name)
        if missing and found and 0 < int(found[2]) - 1 <= missing:
            stems[k], powers[k] = found[1], int(found[2])
            missing -= powers[k] - 1
    return None if missing else (stems, powers)


def _gathered(pairs: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Neighbours of one name as a power."""
    done: list[tuple[str, int]] = []
    for name, power in pairs:
        if done and done[-1][0] == name and not name.isdigit():
            done[-1] = name, done[-1][1] + power
        else:
            done.append((name, power))
    return tuple(done)
