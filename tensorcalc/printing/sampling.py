"""Variables -> what the derivative check of a generated text needs: sizes, draws, directions.

The points and directions are those of `finite_differences.py`: random numbers of several intervals,
with the declared properties, moved so that the properties stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.full_rank import rank_limits
from tensorcalc.ir import Node, Unknown
from tensorcalc.printing.code_function import Argument, FunctionParts, least_sizes
from tensorcalc.printing.takeaway import Request
from tensorcalc.traverse import postorder

# tried in this order, until the results are finite
INTERVALS = ((-1.0, 1.0), (0.5, 2.0), (0.1, 0.9), (1.1, 3.0), (-0.2, 0.2))
# what a drawn array becomes, and what a direction; the first that is declared
STRUCTURES = ("spd", "symmetric", "skew", "diagonal", "lower", "upper", "orthogonal", "invertible")
POSITIVE = frozenset({"positive", "nonnegative"})
SMALLEST, LARGEST, STEPS = 2, 100, 5  # numbers for sizes


def sizes_of_check(parts: FunctionParts, roots: Sequence[Node]) -> dict[str, int]:
    """Small different numbers for the names of sizes: rising, or falling, if subscripts fit.

    If there are such, those with which what is inverted can have full rank.
    """
    dims = [dim for a in parts.arguments if a.variable for dim in a.variable.dims]
    asked = [argument.size for argument in parts.arguments if argument.size]
    names = list(dict.fromkeys([*(name for dim in dims for name in dim.names), *asked]))
    limits = [pair for pair in least_sizes(roots) if set(names).issuperset(_names(*pair))]
    wanted = [pair for pair in rank_limits(roots) if set(names).issuperset(_names(*pair))]
    for pairs in ([*limits, *wanted], limits) if wanted else (limits,):
        for start, step in product(range(SMALLEST, LARGEST), range(1, STEPS)):
            for order in (names, names[::-1]):
                sizes = {name: start + step * k for k, name in enumerate(order)}
                if all(size.value(sizes) >= low.value(sizes) for size, low in pairs):
                    return {name: sizes[name] for name in names}
    raise DomainError("no small sizes were found with which all subscripts are inside")


def _names(*dims: Dim) -> list[str]:
    return [name for dim in dims for name in dim.names]


def structure(argument: Argument) -> str | None:
    """The property that a matrix must be made to have."""
    facts = argument.variable.properties if argument.variable else frozenset()
    if argument.variable is None or argument.variable.rank != 2:
        return None
    return next((name for name in STRUCTURES if name in facts), None)


def compared(request: Request, arguments: Sequence[Argument]) -> list[tuple[str, int, int, str]]:
    """What is compared, of every derivative.

    Its name, its place among the outputs, that of its variable among the arguments, and the
    variable's structure, or nothing.
    """
    names = [argument.variable.name if argument.variable else "" for argument in arguments]
    found = []
    for place, output in enumerate(request.outputs):
        if output.by is not None:
            position = names.index(output.by)
            kind = structure(arguments[position]) or ""
            found.append((output.identifier, place, position, kind))
    return found


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
