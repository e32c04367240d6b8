"""What the commands share: the formula, its derivatives, sizes, and how results are written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

F = TypeVar("F", bound=Callable[..., Any])

MAX_DIGITS = 15  # of a size
SCHEMA = 1  # of what --json prints; a change that breaks readers raises it


@dataclass
class Settings:
    """What `main` must know about a run after it failed."""

    debug: bool = False
    json: bool = False


def _remember(name: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
        if value and isinstance(ctx.obj, Settings):
            setattr(ctx.obj, name, True)
        return value

    return callback


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember("debug"),
    help="Show a traceback when something fails.",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_remember("json"),
    help="Print one JSON object.",
)
file_option = click.option(
    "-f",
    "--file",
    type=click.File(encoding="utf-8"),
    help="Read the formula from a file (- for standard input).",
)


def split_names(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of which several may stand in one value: ``X,A``."""
    return tuple([name.strip() for value in values for name in value.split(",") if name.strip()])


wrt_option = click.option(
    "--wrt",
    multiple=True,
    metavar="NAME",
    callback=split_names,
    help="The variable to differentiate by; given again (or as X,A), the next derivative.",
)


def _sizes(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    sizes = {}
    for value in values:
        name, _, number = value.partition("=")
        if not number.isdecimal() or len(number) > MAX_DIGITS:
            raise click.BadParameter(f"{value!r} is not like n=100", ctx, parameter)
        sizes[name] = int(number)
    return sizes


dim_option = click.option(
    "--dim",
    "sizes",
    multiple=True,
    metavar="NAME=SIZE",
    callback=_sizes,
    help="The number that a size stands for.",
)


# ── the formula ──────────────────────────────────────────────────────────────────────────────


def split_arguments(file: Any, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The text of the formula and the other arguments.

    The first argument is the formula, or the name of a file ``model.tc``, unless `file` is given.
    """
    if file is not None:
        return _read(file), list(arguments)
    if not arguments:
        raise click.UsageError("a formula is missing: give it as an argument, with -f, or as -")
    first, *others = arguments
    if first == "-" or first.endswith(".tc"):  # no formula ends so
        try:
            with click.open_file(first, encoding="utf-8") as stream:
                return _read(stream), others
        except OSError as error:
            raise click.UsageError(f"{first}: {error.strerror or error}") from None
    return first, others


def _read(stream: Any) -> str:
    from tensorcalc.errors import ParseError

    try:
        return str(stream.read())
    except UnicodeDecodeError:
        raise ParseError(f"{stream.name} is not a text in UTF-8") from None


def parse_formula(text: str) -> Expr:
    """The expression of a text; what was assumed is told on stderr."""
    from tensorcalc.api import parse

    expression = parse(text)
    for line in expression.assumptions:
        click.echo(f"assumed: {line}", err=True)
    return expression


def spelled(name: str) -> str:
    """A name as the language spells it: ``λ`` is ``lambda``."""
    from tensorcalc.errors import Span
    from tensorcalc.parse import spell_name

    return name if name.isascii() else spell_name(name, Span(name, 0, len(name)))


def orders(names: Sequence[str], order: int | None) -> tuple[str, ...]:
    """The variable of each derivative; one variable may stand for all `order` of them."""
    if not names:
        raise click.UsageError("say by which variable: --wrt NAME")
    if order is None or order == len(names):
        return tuple(map(spelled, names))
    if len(names) != 1:
        raise click.UsageError(f"--order {order}, but --wrt is given {len(names)} times")
    return (spelled(names[0]),) * order


def several(names: Sequence[str]) -> tuple[str, ...]:
    """The variables of one differential."""
    if not names:
        raise click.UsageError("say by which variable: --wrt NAME")
    return tuple(map(spelled, names))


def outputs_of(expression: Expr, names: Sequence[str]) -> dict[str, Expr]:
    """The formula and its derivative by each variable, by name: what one kernel computes."""
    from tensorcalc.api import diff

    kind = "derivative" if expression.shape else "gradient"
    return {"value": expression} | {
        f"{kind} {name}": diff(expression, name) for name in map(spelled, names)
    }


def internal_sizes(expression: Expr, sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes by the names of the IR, from the names that are shown."""
    from tensorcalc.binding import named_sizes

    asked = {spelled(name): size for name, size in sizes.items()}
    return named_sizes(expression.variables, asked)


# ── results ──────────────────────────────────────────────────────────────────────────────────


def to_json(facts: Mapping[str, Any]) -> str:
    """One JSON object with the version of its schema; arrays become lists."""
    return json.dumps({"schema": SCHEMA, **_plain(facts)}, ensure_ascii=False, allow_nan=False)


def _plain(item: Any) -> Any:
    """The item as JSON knows it; numbers that JSON lacks become the strings nan, inf, -inf."""
    if hasattr(item, "tolist"):
        item = item.tolist()
    if isinstance(item, float) and not math.isfinite(item):
        return str(item)
    if isinstance(item, Mapping):
        return {str(key): _plain(value) for key, value in item.items()}
    if isinstance(item, Iterable) and not isinstance(item, str):
        return [_plain(value) for value in item]
    return item


def to_lines(array: Any, digits: int) -> str:
    """Numbers as text, a row of a matrix or an entry of a vector per line.

    Higher ranks are matrices one after the other, with an empty line between.
    """
    if array.ndim == 0:
        return f"{float(array):.{digits}g}"
    if array.ndim == 1:
        return "\n".join(f"{entry:.{digits}g}" for entry in array.tolist())
    if array.ndim == 2:
        return "\n".join(" ".join(f"{x:.{digits}g}" for x in row) for row in array.tolist())
    return "\n\n".join(to_lines(part, digits) for part in array)
