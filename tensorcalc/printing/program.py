"""IR -> lines of three-address text: one line per shared part, then the result.

Einsum strings and NumPy code differ only in how they spell a node; each is a `Spelling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from tensorcalc.ir import Einsum, Node
from tensorcalc.printing.render import ATOM, Text
from tensorcalc.traverse import postorder, users

MAX_REPEATED = 40  # characters of a shared part that is repeated rather than named


# how a notation writes one node, given the texts of its operands
Spelling = Callable[[Node, Sequence[Text]], Text]


def lines(
    root: Node, spelling: Spelling, taken: set[str], prefix: str
) -> tuple[list[tuple[str, str]], str]:
    """Definitions ``(name, text)`` of shared parts, and the text of the root."""
    counts = users([root])
    names: Iterator[str] = (
        name for name in (f"{prefix}{k}" for k in count(1)) if name not in taken
    )
    definitions: list[tuple[str, str]] = []
    texts: dict[Node, Text] = {}
    for node in postorder([root]):
        shown = spelling(node, [texts[operand] for operand in node.operands])
        is_shared = node is not root and counts[node] > 1 and not node.counters
        if is_shared and len(shown[0]) > MAX_REPEATED:
            name = next(names)
            definitions.append((name, shown[0]))
            shown = name, ATOM
        texts[node] = shown
    return definitions, texts[root][0]


def letters(node: Einsum) -> list[str]:
    """A letter for every label."""
    return alphabet(len(node.sizes))


def alphabet(number: int) -> list[str]:
    """So many letters, of NumPy's alphabet and then any."""
    found = [chr(c) for c in (*range(ord("i"), ord("z") + 1), *range(ord("a"), ord("i")))]
    found += [chr(c) for c in range(ord("A"), ord("Z") + 1)]
    found += [chr(c) for c in range(0xC0, 0xC0 + 4096) if chr(c).isalpha()]
    return found[:number]


def subscripts(node: Einsum, extra: Sequence[int] = ()) -> str:
    """The einsum string of a node; `extra` are labels of further operands of rank 1."""
    names = letters(node)
    terms = ["".join(names[a] for a in own) for own in node.labels]
    terms += [names[a] for a in extra]
    return f"{','.join(terms)}->{''.join(names[: node.rank])}"


def uncovered(node: Einsum) -> list[int]:
    """Output labels that no operand has."""
    covered = {a for own in node.labels for a in own}
    return [a for a in range(node.rank) if a not in covered]
