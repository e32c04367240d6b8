"""Expressions of Python as a DAG -> lines of code: what is long, deep or shared gets a name first.

`numpy_nodes.py` and `numpy_matrix.py` build `Code`; equal texts are one and the same node.
"""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Iterator, Sequence
from itertools import count

from tensorcalc.printing.render import ATOM, NEGATION, PRODUCT, SUM

MAX_WIDTH = 88  # characters of a line without its indentation and name
MAX_LINE = 98  # characters of a whole line
INDENT = 8  # of what a broken line goes on with
MAX_DEPTH = 20  # of what stands in one another; Python's parser allows some 100
MAX_REPEATED = 8  # characters of a shared part that are repeated rather than named


class Code:
    """An expression: strings, and operands with how tightly each has to bind there.

    `counters` are the names of loops that it stands in.
    """

    __slots__ = ("binds", "counters", "pieces")

    def __init__(
        self,
        pieces: tuple[str | tuple[Code, int], ...],
        binds: int,
        counters: frozenset[str],
    ) -> None:
        self.pieces, self.binds, self.counters = pieces, binds, counters

    @property
    def operands(self) -> list[Code]:
        """The operands, in their order."""
        return [piece[0] for piece in self.pieces if not isinstance(piece, str)]

    @property
    def word(self) -> str | None:
        """The text of what has no operands."""
        first = self.pieces[0]
        return first if len(self.pieces) == 1 and isinstance(first, str) else None


class Codes:
    """Makes expressions, of equal ones only one."""

    def __init__(self) -> None:
        self.made: dict[tuple[object, ...], Code] = {}

    def make(
        self,
        pieces: Sequence[str | tuple[Code, int]],
        binds: int = ATOM,
        *,
        counts: str = "",
        ends: str = "",
    ) -> Code:
        """An expression; `counts` is a loop's name that it is, `ends` one that it closes."""
        key = (binds, *[p if isinstance(p, str) else (id(p[0]), p[1]) for p in pieces])
        if key not in self.made:
            inner = [piece[0].counters for piece in pieces if not isinstance(piece, str)]
            counters = frozenset({counts} if counts else ()).union(*inner) - {ends}
            self.made[key] = Code(tuple(pieces), binds, counters)
        return self.made[key]

    def word(self, text: str, binds: int = ATOM) -> Code:
        """A name or a number."""
        return self.make((text,), binds)

    def call(self, template: str, *args: Code) -> Code:
        """A template such as ``np.exp({0})``, whose places are in brackets of their own."""
        pieces: list[str | tuple[Code, int]] = []
        for k, part in enumerate(re.split(r"\{(\d+)\}", template)):
            pieces.append((args[int(part)], 0) if k % 2 else part)
        return self.make([piece for piece in pieces if piece != ""])

    def listed(self, opening: str, args: Sequence[Code], closing: str) -> Code:
        """Arguments with commas, between brackets."""
        pieces: list[str | tuple[Code, int]] = [opening]
        for k, arg in enumerate(args):
            pieces += [", "] * bool(k) + [(arg, 0)]
        return self.make([*pieces, closing])

    def method(self, x: Code, call: str) -> Code:
        """An attribute, as in ``A.T``."""
        return self.make([(x, ATOM), call])

    def times(self, left: Code, right: Code, sign: str = " * ") -> Code:
        """A product or quotient of two."""
        return self.make([(left, PRODUCT), sign, (right, NEGATION)], PRODUCT)

    def plus(self, left: Code, right: Code, sign: str = " + ") -> Code:
        """A sum or difference of two."""
        return self.make([(left, SUM), sign, (right, PRODUCT)], SUM)

    def negative(self, x: Code) -> Code:
        """The negative."""
        return self.make(["-", (x, PRODUCT)], SUM)


def _postorder(root: Code) -> list[Code]:
    done: dict[Code, None] = {}
    stack = [(root, False)]
    while stack:
        code, is_ready = stack.pop()
        if code in done:
            continue
        if is_ready:
            done[code] = None
            continue
        stack.append((code, True))
        stack.extend((operand, False) for operand in code.operands)
    return list(done)


def lines(root: Code, taken: set[str]) -> tuple[list[tuple[str, str]], str]:
    """Definitions ``(name, text)`` in their order, and the text of the root."""
    order = _postorder(root)
    counts = Counts(operand for code in order for operand in code.operands)
    names: Iterator[str] = (name for k in count(1) if (name := f"t{k}") not in taken)
    definitions: list[tuple[str, str]] = []
    texts: dict[Code, tuple[str, int]] = {}
    depths: dict[Code, int] = {}

    def define(code: Code) -> None:
        name = next(names)
        definitions.append((name, texts[code][0]))
        texts[code], depths[code] = (name, ATOM), 0

    def text(code: Code) -> str:
        return "".join(piece if isinstance(piece, str) else fitted(*piece) for piece in code.pieces)

    def fitted(code: Code, place: int) -> str:
        shown, binds = texts[code]
        return shown if binds >= place else f"({shown})"

    for code in order:
        shown = text(code)
        depth = 1 + max([depths[operand] for operand in code.operands], default=-1)
        while len(shown) > MAX_WIDTH or depth > MAX_DEPTH:
            longest = max(
                (o for o in code.operands if depths[o] and not o.counters),
                key=lambda o: (depths[o] >= MAX_DEPTH, len(texts[o][0])),
                default=None,
            )
            if longest is None:
                break
            define(longest)
            shown = text(code)
            depth = 1 + max([depths[operand] for operand in code.operands], default=-1)
        texts[code], depths[code] = (shown, code.binds), depth
        more = (counts[code] - 1) * len(shown)
        if more > MAX_REPEATED and code is not root and not code.counters and depth:
            define(code)
    return definitions, texts[root][0]


def wrapped(line: str) -> str:
    """A line, broken where the fewest brackets are open if it is too wide.

    Only within brackets, so that it stays one statement.
    """
    done: list[str] = []
    outer = 0  # brackets that are open where the rest of the line starts
    while len(line) > MAX_LINE:
        depth, best = outer, (MAX_LINE, 0)
        for k, sign in enumerate(line[:MAX_LINE]):
            depth += (sign in "([") - (sign in ")]")
            opens = sign == " " and k > INDENT and depth > 0
            if opens and (line[k - 1] in ",+-*/@" or line.startswith(" for ", k)):
                best = min(best, (depth, -k))
        if not best[1]:
            break
        outer = best[0]
        done.append(line[: -best[1]])
        line = " " * INDENT + line[1 - best[1] :]
    return "\n".join([*done, line])
