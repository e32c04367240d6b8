"""Variables -> what the derivative check of a generated text needs: sizes, draws, directions.

The points and directions are those of `finite_differences.py`: random numbers of several intervals,
with the declared properties, moved so that the properties stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.ir import Basis, Node, Section, Unknown
from tensorcalc.printing.code_function import Argument, FunctionParts
from tensorcalc.traverse import postorder

# tried in this order, until the results are finite
INTERVALS = ((-1.0, 1.0), (0.5, 2.0), (0.1, 0.9), (1.1, 3.0), (-0.2, 0.2))
# what a drawn array becomes, and what a direction; the first that is declared
STRUCTURES = ("spd", "symmetric", "skew", "diagonal", "lower", "upper", "orthogonal", "invertible")
POSITIVE = frozenset({"positive", "nonnegative"})
SMALLEST = 2


def sizes_of_check(parts: FunctionParts, roots: Sequence[Node]) -> dict[str, int]:
    """A small number for every name of a size, all different and large enough for subscripts."""
    least: dict[str, int] = {}
    for node in postorder(roots):
        if isinstance(node, Basis) and node.dims[0].names:
            for name in node.dims[0].names:
                least[name] = max(least.get(name, 0), node.position + 1)
        if isinstance(node, Section) and node.offset.is_integer:
            for name in node.dims[0].names:
                least[name] = max(least.get(name, 0), node.offset.constant + SMALLEST)
    dims: list[Dim] = [d for a in parts.arguments if a.variable for d in a.variable.dims]
    names = dict.fromkeys(name for dim in dims for name in dim.names)
    sizes: dict[str, int] = {}
    for name in names:
        number = max(SMALLEST, least.get(name, 0))
        while number in sizes.values():
            number += 1
        sizes[name] = number
    return sizes


def structure(argument: Argument) -> str | None:
    """The property that a matrix must be made to have."""
    facts = argument.variable.properties if argument.variable else frozenset()
    if argument.variable is None or argument.variable.rank != 2:
        return None
    return next((name for name in STRUCTURES if name in facts), None)


def shape_of(argument: Argument, sizes: dict[str, int]) -> list[int]:
    """The numbers of entries of an argument, by axis."""
    if argument.variable is None:
        raise DomainError(
            f"{argument.name} is unknown: its derivative cannot be checked",
            None,
            "write the code of the formula alone, by `to_code`",
        )
    return [dim.value(sizes) for dim in argument.variable.dims]


def check_known(roots: Sequence[Node]) -> None:
    """Refuse unknown functions, of which there is nothing to check."""
    for node in postorder(roots):
        if isinstance(node, Unknown):
            raise DomainError(
                f"{node.name} is unknown: its derivative cannot be checked",
                None,
                "write the code of the formula alone, by `to_code`",
            )


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with words replaced, all at once: what is put in is not looked at."""
    return re.sub(rf"\b({'|'.join(words)})\b", lambda match: words[match[0]], text)
