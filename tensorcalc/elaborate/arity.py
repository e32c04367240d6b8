"""A call in; an error out if the number of its arguments is wrong."""

from __future__ import annotations

from tensorcalc.errors import ParseError
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.syntax import Syntax

SERIES = [name for name, entry in MATRIX_FUNCTIONS.items() if entry.differential is None]
# arguments as they are usually called, for messages
USUAL = {
    "where": "condition, a, b", "eye": "n", "commutation": "m, n", "kron": "A, B",
    "softmax": "X, 2", **dict.fromkeys(("rows", "cols"), "X"),
    **dict.fromkeys(("tr", "det", "logdet", "inv", "pinv", "adj", "vec", *SERIES), "A"),
}  # fmt: skip


def check_arity(syntax: Syntax, least: int, most: int) -> None:
    """Raise unless a call has `least` to `most` arguments."""
    count = len(syntax.children)
    if not least <= count <= most:
        between = "or" if most == least + 1 else "to"
        wanted = str(least) if least == most else f"{least} {between} {most}"
        noun = "argument" if most == 1 else "arguments"
        name, usual = syntax.words[0], USUAL.get(syntax.words[0])
        written = usual or ", ".join("xyzuvw"[: max(least, 1)])
        raise ParseError(
            f"{name} takes {wanted} {noun}, {count} given",
            syntax.span,
            f"write `{name}({written})`",
        )
