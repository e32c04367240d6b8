"""The functions and constants of the language as those of Python: `tc.exp`, `tc.sum`, `tc.pi`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorcalc.errors import DomainError
from tensorcalc.expression import Expr, build, combine
from tensorcalc.python_operands import index_name


def function(name: str) -> Callable[..., Expr]:
    """The language's function `name` for expressions; ``over`` names indices, as in ``sum[i]``."""

    def apply(*args: Any, over: str | Sequence[str] | Mapping[str, tuple[Any, Any]] = ()) -> Expr:
        if isinstance(over, Mapping):
            return _counted(name, args, over)
        names = (over,) if isinstance(over, str) else tuple(over)
        words = (name, *[index_name(index) for index in names])
        return combine("indexed_call" if names else "call", words, args)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"The function ``{name}`` of the language, of expressions, numbers and arrays."
    return apply


def _counted(name: str, args: Sequence[Any], over: Mapping[str, tuple[Any, Any]]) -> Expr:
    """``sum[r=0..k](…)``, one inside the other; the first name is the outermost."""
    operands = list(args)
    for index, ends in reversed(list(over.items())):
        if not isinstance(ends, tuple) or len(ends) != 2:
            raise DomainError(
                f"{index} counts from one integer to another",
                None,
                f'write `over={{"{index}": (0, n)}}`',
            )
        operands = [combine("range_call", (name, index_name(index)), [*ends, *operands])]
    return operands[0] if over else combine("call", (name,), args)


pi = build("name", ("pi",), [], [])
