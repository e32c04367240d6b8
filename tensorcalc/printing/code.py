"""Expressions of a language as a DAG -> lines: what is long, deep or shared gets a name first.

`code_nodes.py` and `code_matrix.py` build `Code` from the templates of a target (`target.py`);
equal texts are one and the same node. In a template ``{0}`` is an operand in brackets of its own,
``{0:P}`` one that binds as tightly as the letter says (`PLACES`).
"""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count

from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM

MAX_WIDTH = 88  # characters of a line without its indentation and name
MAX_LINE = 98  # characters of a whole line
INDENT = 8  # of what a broken line goes on with
MAX_DEPTH = 20  # of what stands in one another; Python's parser allows some 100
MAX_REPEATED = 8  # characters of a shared part that are repeated rather than named
NUMBER = -1  # the rank of a number of the language itself: a literal, a size
PLACES = {"S": SUM, "P": PRODUCT, "N": NEGATION, "F": POSTFIX, "A": ATOM}
# how tightly a template binds whose operators, outside brackets, are these; the first that fits
OPERATORS = (
    (COMPARE, re.compile(r" \.?([<>]=?|[!=~]=) | -> ")),
    (SUM, re.compile(r" \.?[+-] |^-")),
    (PRODUCT, re.compile(r" \.?[*/@\\] ")),
    (POSTFIX, re.compile(r" (\*\*|\.?\^) ")),
)
Pieces = Sequence["str | tuple[Code, int]"]


class Code:
    """An expression: strings, and operands with how tightly each has to bind there.

    `rank` is the number of its axes, `counters` are the names of loops that it stands in.
    """

    __slots__ = ("binds", "counters", "pieces", "rank")

    def __init__(
        self,
        pieces: tuple[str | tuple[Code, int], ...],
        binds: int,
        rank: int,
        counters: frozenset[str],
    ) -> None:
        self.pieces, self.binds, self.counters = pieces, binds, counters
        self.rank = rank

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
    """Makes expressions, of equal ones only one.

    `turn` is what the language writes behind a matrix for its transpose, if it writes it there.
    """

    def __init__(self, turn: str = "") -> None:
        self.turn = turn
        self.made: dict[tuple[object, ...], Code] = {}

    def make(
        self,
        pieces: Pieces,
        binds: int = ATOM,
        *,
        rank: int | None = None,
        counts: str = "",
        ends: str = "",
    ) -> Code:
        """An expression, of as many axes as its operands unless told.

        `counts` is a loop's name that it is, `ends` one that it closes.
        """
        inner = [piece[0] for piece in pieces if not isinstance(piece, str)]
        if rank is None:
            rank = max([code.rank for code in inner], default=NUMBER)
        key = (binds, rank, *[p if isinstance(p, str) else (id(p[0]), p[1]) for p in pieces])
        if key not in self.made:
            counters = frozenset({counts} if counts else ())
            counters = counters.union(*[code.counters for code in inner]) - {ends}
            self.made[key] = Code(tuple(pieces), binds, rank, counters)
        return self.made[key]

    def word(self, text: str, binds: int = ATOM, rank: int = NUMBER) -> Code:
        """A name or a number."""
        return self.make((text,), binds, rank=rank)

    def call(
        self,
        template: str,
        *args: Code,
        rank: int | None = None,
        lists: Sequence[Pieces] = (),
        ends: str = "",
    ) -> Code:
        """A template with its places filled: ``{0}`` by an argument, ``{*0}`` by pieces of text."""
        pieces: list[str | tuple[Code, int]] = []
        parts, binds = _parsed(template)
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
            elif part[1] is None:
                pieces += lists[part[0]]
            else:
                pieces.append((args[part[0]], part[1]))
        kept = self.turned_back(pieces)
        if len(kept) == 1 < len(pieces) and not isinstance(kept[0], str):
            (inner, _) = kept[0]
            if rank in (None, inner.rank):
                return inner
        return self.make(kept, binds, rank=rank, ends=ends)

    def turned_back(self, pieces: Pieces) -> list[str | tuple[Code, int]]:
        """The pieces without the transposes of what is a transpose."""
        done: list[str | tuple[Code, int]] = []
        for piece in pieces:
            before = done[-1] if done else ""
            if self.turn and isinstance(piece, str) and not isinstance(before, str):
                inner = self._turned(before[0]) if piece.startswith(self.turn) else None
                if inner is not None:
                    done[-1] = inner, before[1]
                    piece = piece.removeprefix(self.turn)
            if piece:
                done.append(piece)
        return done

    def _turned(self, code: Code) -> Code | None:
        """What the code is the transpose of, if it is one."""
        *others, last = code.pieces
        if code.binds != ATOM or not isinstance(last, str) or not last.endswith(self.turn):
            return None
        kept = last.removesuffix(self.turn)
        if not kept and len(others) == 1 and not isinstance(others[0], str):
            return others[0][0]
        made = self.make([*others, *[kept] * bool(kept)], rank=code.rank) if others else None
        return made if made is not None and made.counters == code.counters else None


def commas(args: Sequence[Code]) -> Pieces:
    """Arguments with commas."""
    pieces: list[str | tuple[Code, int]] = []
    for arg in args:
        pieces += [", "] * bool(pieces) + [(arg, 0)]
    return pieces


@cache
def _parsed(template: str) -> tuple[list[str | tuple[int, int | None]], int]:
    """The parts of a template, and how tightly the whole binds.

    >>> _parsed("{0:P} @ {1:N}")
    ([(0, 2), ' @ ', (1, 3)], 2)
    """
    parts: list[str | tuple[int, int | None]] = []
    pieces = re.split(r"\{(\*?\d+)(?::(\w))?\}", template)
    for k in range(0, len(pieces), 3):
        if pieces[k]:
            parts.append(pieces[k])
        if k + 1 < len(pieces):
            name, place = pieces[k + 1], pieces[k + 2]
            parts.append((int(name.lstrip("*")), None if name[0] == "*" else PLACES.get(place, 0)))
    outline, before = template, ""
    while outline != before:
        outline, before = re.sub(r"\([^()\[\]]*\)|\[[^()\[\]]*\]", "#", outline), outline
    binds = next((level for level, sign in OPERATORS if sign.search(outline)), ATOM)
    return parts, binds


def _postorder(roots: Sequence[Code]) -> list[Code]:
    done: dict[Code, None] = {}
    stack = [(root, False) for root in reversed(roots)]
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


def lines(roots: Sequence[Code], taken: set[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Definitions ``(name, text)`` in their order, and the texts of the roots."""
    order = _postorder(roots)
    counts = Counts(operand for code in order for operand in code.operands)
    counts.update(roots)
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
        is_long = more > MAX_REPEATED or (more and "(" in shown)  # nothing is computed twice
        if is_long and not code.counters and depth:
            define(code)
    return definitions, [texts[root][0] for root in roots]


def wrapped(line: str, goes_on: str = "") -> str:
    """A line, broken where the fewest brackets are open if it is too wide.

    Only within brackets, so that it stays one statement; `goes_on` is what some languages want at
    the end of what is not finished.
    """
    done: list[str] = []
    outer = 0  # brackets that are open where the rest of the line starts
    while len(line) > MAX_LINE:
        depth, best = outer, (MAX_LINE, 0)
        for k, sign in enumerate(line[:MAX_LINE]):
            depth += (sign in "([") - (sign in ")]")
            opens = sign == " " and k > INDENT and depth > 0
            if opens and line[k - 1] in ",+-*/@\\":
                best = min(best, (depth, -k))
        if not best[1]:
            break
        outer = best[0]
        done.append(line[: -best[1]] + goes_on)
        line = " " * INDENT + line[1 - best[1] :]
    return "\n".join([*done, line])
