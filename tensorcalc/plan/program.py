"""The loop program: what `plan` makes and `emit` writes out, as plain data; `str` of it is a table.

Names are closed: ``a0`` arguments, ``o0`` outputs, ``t0`` temporaries (of rank 0: plain numbers),
``n0`` extents, ``i0`` loop indices, ``v0`` values, ``c0`` bounds of blocks, ``pt0`` and ``kt0``
the pivots and the kind of the factors in ``t0``. An access is a buffer
name and one index per axis: the name of a loop index or of a computed one, an index that counts
from the start of a block, or a position; a `Run` is one for several axes. Every buffer is
C-contiguous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorcalc.dims import Dim
from tensorcalc.errors import LimitError
from tensorcalc.ir import Node


class ProgramTooLongError(LimitError):
    """More statements than are sensible to compile; the interpreter serves instead."""


@dataclass(frozen=True, slots=True)
class Run:
    """One index for several axes that follow each other, which it numbers."""

    index: str
    axes: int


Index = str | int | Run
Argument = str | float | int  # a value, extent or index name; a number; a position
Place = tuple[str, tuple[Index, ...]]  # a buffer and the indices of its leading axes


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array of the program; `extents` are names of extents, one per axis."""

    name: str
    extents: tuple[str, ...]
    variable: str | None = None  # whose value an argument is
    start: float | None = None  # what it holds first, because it is accumulated into
    memory: str | None = None  # the buffer whose memory it takes over
    shape: tuple[int, ...] = ()  # of a large one, which the caller allocates


@dataclass(frozen=True, slots=True)
class Extent:
    """The number of a size: read off a shape, computed from others, or a literal."""

    name: str
    factors: tuple[int | str, ...] = ()  # literals and extents that are multiplied
    buffer: str | None = None  # read off this argument's axis …
    axis: int = 0  # … and divided by the factors
    is_sum: bool = False  # the factors are added instead
    dim: Dim | None = None  # the size that it is; none of the length of a block


@dataclass(frozen=True, slots=True)
class Load:
    """``target = buffer[index]``; 0 where a guard does not hold."""

    target: str
    buffer: str
    index: tuple[Index, ...]
    guards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compute:
    """``target = operation(arguments)``, an operation of `emit/scalar.py`."""

    target: str
    operation: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Accumulate:
    """``target = operation(target, value)``; sums are in an order of the compiler's choice."""

    target: str
    value: str
    operation: str = "add"


@dataclass(frozen=True, slots=True)
class Store:
    """``buffer[index] = value``, or `operation` of both; a buffer of rank 0 is a plain number."""

    buffer: str
    index: tuple[Index, ...]
    value: str
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """``for index in range(start, extent): body``.

    With `stop` the index steps by `block`, and `stop` is where the stretch from it ends: loops in
    the body run over that.
    """

    index: str
    extent: str
    body: list[Statement] = field(default_factory=list)
    start: str = "0"
    block: int = 1
    stop: str | None = None


Statement = Load | Compute | Accumulate | Store | Loop


@dataclass(frozen=True, slots=True)
class View:
    """A vector or matrix inside a buffer: where it starts, and its strides as products.

    `start` has one index per axis of the buffer; a stride is a tuple of factors (extent names).
    """

    buffer: str
    start: tuple[Index, ...]
    strides: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Nest:
    """A step of loops over scalar code; writes `outputs`. The inner loop runs `inner` times."""

    kind: str
    body: tuple[Statement, ...]
    flops: int
    bytes: int
    outputs: tuple[str, ...]
    inner: int = 0


@dataclass(frozen=True, slots=True)
class Blas:
    """A step that calls BLAS, once for every point of `loops` (index name, extent name).

    `shape` holds the extents of (M, N, K) as products, as far as the routine has them. The class
    COPY calls `kernels/copy.py`; its shape and views have all axes. A product that is `whole` is
    left to BLAS, which does it in several threads.
    """

    kind: str
    loops: tuple[tuple[str, str], ...]
    shape: tuple[tuple[str, ...], ...]
    views: tuple[View, ...]  # operands, then the result
    accumulate: bool
    flops: int
    bytes: int
    outputs: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A step that calls a function of `kernels/linalg.py` for every point of `loops`.

    `sources` and `target` are buffers with the indices of their leading axes. If the function is
    `factored`, of `kernels/factor.py`, the first source holds the factors of a matrix.
    """

    kind: str
    loops: tuple[tuple[str, str], ...]
    sources: tuple[Place, ...]
    target: Place
    scalar: bool  # whether the function's value is a number
    flops: int
    bytes: int
    outputs: tuple[str, ...]
    factored: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """Steps that are done for one block of an index after the other.

    A block reaches from `low` to below `high` and is `count` long: names that the steps use.
    `local` are the buffers that hold a block only, `joined` those that every block is added to, or
    joined by another operation; `read` are the bytes that pass through. A pass for several threads
    has `ranges` of the index that one thread does at a time: the positions where it may pause, from
    the first to beyond the last.
    """

    kind: str
    low: str
    high: str
    count: str
    extent: str
    block: str
    steps: tuple[Step, ...]
    local: tuple[str, ...]
    read: int
    flops: int
    bytes: int
    outputs: tuple[str, ...]
    joined: tuple[tuple[str, str], ...] = ()
    ranges: tuple[tuple[int, ...], ...] = ()
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Host:
    """A step that the interpreter does: `body` with the buffers `sources` by variables' names."""

    kind: str
    body: Node
    sources: Mapping[str, str]
    target: str
    flops: int
    bytes: int
    outputs: tuple[str, ...]


Step = Nest | Blas | Call | Host | Pass


@dataclass(frozen=True, slots=True)
class Program:
    """Straight-line steps over buffers. `outputs` are buffer names in the order of the outputs.

    `data` are values of arguments that are none of the user's, `fixed` the extents that the program
    is right for only, because loops over them are written out. `memory` are the bytes of buffers
    that lie between the steps, and of results. One that is `ranged` is a pass that is given the
    range of its index.
    """

    arguments: tuple[Buffer, ...]
    extents: tuple[Extent, ...]
    temporaries: tuple[Buffer, ...]
    results: tuple[Buffer, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, int] = field(default_factory=dict)
    memory: tuple[int, int] = (0, 0)
    ranged: bool = False

    @property
    def passed(self) -> tuple[Buffer, ...]:
        """The large buffers, which are passed in after the arguments."""
        return tuple([b for b in (*self.temporaries, *self.results) if b.shape])

    @property
    def is_threaded(self) -> bool:
        """Whether some pass is for several threads."""
        return any(isinstance(step, Pass) and step.ranges for step in self.steps)

    @property
    def flops(self) -> int:
        """Arithmetic operations of one run, estimated."""
        return sum(step.flops for step in self.steps)

    @property
    def bytes(self) -> int:
        """Bytes moved by one run, estimated."""
        return sum(step.bytes for step in self.steps)

    def __str__(self) -> str:
        rows = [("step", "class", "result", "flops", "bytes", "time")]
        total = sum(map(_seconds, self.steps)) or 1.0
        for number, step in numbered(self.steps):
            share = f"{_seconds(step) / total:.0%}"
            costs = (f"{step.flops:.3g}", f"{step.bytes:.3g}", share)
            rows.append((number, step.kind, ",".join(step.outputs), *costs))
        rows.append(("", "total", "", f"{self.flops:.3g}", f"{self.bytes:.3g}", "100%"))
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if k in (1, 2) or (k == 0 and "." in cell) else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        between, results = self.memory
        lines.append(f"memory: {_size(between)} between the steps, {_size(results)} of results")
        return "\n".join(lines)


# operations a second and bytes a second that estimates of time go by
RATES = {"GEMM": 5e10, "GEMMT": 5e10, "SYRK": 5e10, "GEMV": 1e10, "factor": 4e10, "inv": 4e10}
RATE, BANDWIDTH, CACHED, OVERHEAD = 4e9, 2e10, 1e11, 1e-7


def _seconds(step: Step, *, cached: bool = False) -> float:
    """About how long a step takes; within a pass most of the data is in the cache."""
    if isinstance(step, Pass):
        return sum(_seconds(inner, cached=True) for inner in step.steps) + step.read / BANDWIDTH
    rate = RATES.get(step.kind.split()[-1], RATE)
    return OVERHEAD + max(step.flops / rate, step.bytes / (CACHED if cached else BANDWIDTH))


def _size(count: int) -> str:
    """Bytes with a unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]
    raise AssertionError("there is no larger unit")


def work_of(steps: Sequence[Step]) -> int:
    """What steps and those of passes take: about as many as 5e9 in a second, on one thread."""
    inner = [step for step in flat(steps) if not isinstance(step, Pass)]
    return sum(step.flops + step.bytes // 2 for step in inner)


def flat(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps; a pass comes before its own."""
    for step in steps:
        yield step
        if isinstance(step, Pass):
            yield from flat(step.steps)


def numbered(steps: Sequence[Step], prefix: str = "") -> Iterator[tuple[str, Step]]:
    """All steps with their numbers, those of a pass below its own: 2, 2.0, 2.1."""
    for k, step in enumerate(steps):
        yield f"{prefix}{k}", step
        if isinstance(step, Pass):
            yield from numbered(step.steps, f"{prefix}{k}.")


def statements(body: tuple[Statement, ...] | list[Statement]) -> Iterator[Statement]:
    """Every statement of a nest, loops before their bodies."""
    stack = list(reversed(body))
    while stack:
        statement = stack.pop()
        yield statement
        if isinstance(statement, Loop):
            stack.extend(reversed(statement.body))
