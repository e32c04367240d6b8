"""A loop program in, the Python source of one Numba kernel out.

Only names of a closed list are written: those of the program (``a0``, ``t0``, ``i0`` …) and the
functions below; nothing of what a user wrote. Scalar code in explicit loops, three-address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import prod
from types import CodeType

from tensorcalc.emit.scalar import ELEMENTWISE, FACTORED, JOIN, LINALG, MATH, TEMPLATES
from tensorcalc.errors import LimitError
from tensorcalc.plan.program import (
    Accumulate,
    Blas,
    Buffer,
    Call,
    Compute,
    Extent,
    Index,
    Load,
    Loop,
    Nest,
    Pass,
    Program,
    Run,
    Statement,
    Step,
    Store,
    View,
    flat,
)

PROGRAM_NAMES = re.compile(r"[acinostvw]\d+|[pk][ot]\d+")
BLAS = {"GEMV": "gemv", "GEMM": "gemm", "GEMMT": "gemmt", "SYRK": "syrk"}
INDENT = "    "
LONG = 128  # times that an inner loop runs for the widest vectors to pay
RANGE = ("c1000", "c1001")  # the bounds of the range that a pass is given
WORDS = frozenset(
    "number double int32 empty zeros reshaped full range abs kernel permute natural wide known "
    "factorize whole_gemm".split()
)
ATTRIBUTES = frozenset({"shape", "reshape"})


@dataclass(frozen=True, slots=True)
class Source:
    """The kernel's text, without imports and decorator; `uses` are (module, function) it calls."""

    body: str
    uses: tuple[tuple[str, str], ...]
    ranks: tuple[int, ...]  # of the arguments …
    passed: tuple[int, ...]  # … and of the large buffers that follow them
    dtype: str
    ranged: bool = False  # whether the bounds of a range come last


def source(program: Program, dtype: str, *, allocate: bool = False) -> Source:
    """The text of the function ``kernel`` that runs `program` on arrays of `dtype`.

    Large buffers (`Program.passed`) are further parameters; with `allocate` there are none.
    """
    passed = () if allocate else program.passed
    writer = _Writer(program, dtype, passed)
    lines = writer.lines()
    text = "\n".join(lines) + "\n"
    check(text)
    ranks = tuple([len(buffer.extents) for buffer in program.arguments])
    large = tuple([len(buffer.extents) for buffer in passed])
    return Source(text, tuple(sorted(writer.uses)), ranks, large, dtype, program.ranged)


def allowed_names() -> frozenset[str]:
    """Every name that may stand in a kernel beside the program's own."""
    tables = (ELEMENTWISE, JOIN, MATH, LINALG, FACTORED, BLAS)
    functions = {name for table in tables for name in table.values()}
    return frozenset(functions | WORDS)


def check(text: str) -> None:
    """Refuse a text with any name that is not ours: a fault of the emitter, not of the user.

    Names are read off the code that the text becomes: Python's trees of syntax fail now and then
    where several threads make them (python/cpython, issue 106905).
    """
    allowed = allowed_names() | ATTRIBUTES | {"<module>"}
    codes = [compile(text, "<kernel>", "exec")]
    for code in codes:
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        for name in (code.co_name, *code.co_names, *code.co_varnames, *code.co_cellvars):
            if name not in allowed and not PROGRAM_NAMES.fullmatch(name):
                raise AssertionError(f"the emitter wrote the name {name!r}")


class _Writer:
    """Lines of one kernel."""

    def __init__(self, program: Program, dtype: str, passed: Sequence[Buffer]) -> None:
        self.program = program
        self.passed = passed
        self.single = dtype == "float32"
        self.uses: set[tuple[str, str]] = set()
        self.views: dict[tuple[str, tuple[str, ...]], str] = {}
        self.products: dict[tuple[str, ...], str] = {}
        self.buffers = {
            b.name: b for b in (*program.arguments, *program.temporaries, *program.results)
        }

    def lines(self) -> list[str]:
        """The function, line by line."""
        program = self.program
        names = [buffer.name for buffer in (*program.arguments, *self.passed)]
        names += RANGE if program.ranged else ()
        lines = [f"def kernel({', '.join(names)}):"]
        body: list[str] = [self.extent(extent) for extent in program.extents]
        body += self.known()
        buffers = [*program.temporaries, *program.results]
        body += [self.allocation(b) for b in buffers if b.memory is None and b not in self.passed]
        body += [f"{b.name} = {b.memory}" for b in buffers if b.memory is not None]
        nests = [step for step in flat(program.steps) if isinstance(step, Nest)]
        work = sum(step.flops if step.inner >= LONG else -step.flops for step in nests)
        if work > 0:  # else most would be left over by the widest vectors
            self.uses.add(("hints", "wide"))
            body.append("wide()")
        steps = [line for step in program.steps for line in self.step(step)]
        views = [
            f"{name} = reshaped({buffer}, ({', '.join(shape)},))"
            for (buffer, shape), name in self.views.items()
        ]
        if views:
            self.uses.add(("memory", "reshaped"))
        for factors, name in self.products.items():
            body.append(f"{name} = {factors[0]} * {self.products.get(factors[1:], factors[1])}")
        body += views
        body += steps
        body.append(f"return ({', '.join(b.name for b in program.results)},)")
        return lines + [INDENT + line for line in body if line]

    def known(self) -> list[str]:
        """What LLVM may know of the strides of arguments."""
        fixed = self.program.fixed
        lines = [
            f"known({buffer.name}.shape[{axis}], {fixed[extent]})"
            for buffer in self.program.arguments
            for axis, extent in enumerate(buffer.extents)
            if axis and extent in fixed
        ]
        if lines:
            self.uses.add(("hints", "known"))
        return lines

    def extent(self, extent: Extent) -> str:
        """How a size is found."""
        factors = (" + " if extent.is_sum else " * ").join(
            str(int(f) if isinstance(f, int) else f) for f in extent.factors
        )
        if extent.buffer is None:
            return f"{extent.name} = {factors or '1'}"
        text = f"{extent.buffer}.shape[{extent.axis}]"
        return f"{extent.name} = {text}" + (f" // ({factors})" if factors else "")

    def allocation(self, buffer: Buffer) -> str:
        """Memory for a buffer; a buffer of rank 0 is a number and needs it only to add to."""
        start = buffer.start
        if not buffer.extents:
            return "" if start is None else f"{buffer.name} = number({self.literal(start)})"
        shape = f"({', '.join(buffer.extents)},)"
        if start:
            return f"{buffer.name} = full({shape}, {self.literal(start)}, number)"
        function = "empty" if start is None else "zeros"
        self.uses.add(("memory", function))
        return f"{buffer.name} = {function}({shape}, number)"

    def step(self, step: Step) -> list[str]:
        """The lines of a step."""
        match step:
            case Nest():
                return self.block(step.body, 0)
            case Blas():
                return self.around(step.loops, [self.blas(step)])
            case Call():
                if step.kind == "factor" or step.factored:
                    return self.factored(step)
                return self.around(step.loops, [self.call(step)])
            case Pass():
                return self.blocks(step)
        raise AssertionError("a step on the host is no part of a kernel")

    def blocks(self, step: Pass) -> list[str]:
        """The loop over the blocks of an index; that their bounds are positive, LLVM cannot see."""
        self.uses.add(("hints", "natural"))
        low, high, count, block = step.low, step.high, step.count, step.block
        start, stop = RANGE if self.program.ranged and step in self.program.steps else ("0", "")
        stop = stop or step.extent
        lines = [
            f"{low} = natural({low})",
            f"{high} = {low} + {block} if {low} + {block} < {stop} else {stop}",
            f"{count} = {high} - {low}",
        ]
        for inner in step.steps:
            lines += self.step(inner)
        head = f"for {low} in range({start}, {stop}, {block}):"
        return [head, *[INDENT + line for line in lines]]

    def around(self, loops: Sequence[tuple[str, str]], lines: Iterable[str]) -> list[str]:
        """Lines inside loops."""
        result = [f"{INDENT * k}for {i} in range({n}):" for k, (i, n) in enumerate(loops)]
        return result + [INDENT * len(loops) + line for line in lines]

    def block(self, body: Sequence[Statement], depth: int) -> list[str]:
        """The lines of statements; nesting is at most 15 deep, so recursion is safe."""
        lines: list[str] = []
        for statement in body:
            if isinstance(statement, Loop):
                lines += [INDENT * depth + line for line in self.head(statement)]
                inner = self.block(statement.body, depth + 1)
                lines += inner or [INDENT * (depth + 1) + "pass"]
            else:
                lines.append(INDENT * depth + self.statement(statement))
        return lines

    def head(self, loop: Loop) -> list[str]:
        """The first lines of a loop."""
        low, high = loop.index, loop.extent
        if loop.stop is None:
            bounds = high if loop.start == "0" else f"{loop.start}, {high}"
            return [f"for {low} in range({bounds}):"]
        self.uses.add(("hints", "natural"))
        end = f"{low} + {loop.block}"
        return [
            f"for {low} in range({loop.start}, {high}, {loop.block}):",
            f"{INDENT}{low} = natural({low})",
            f"{INDENT}{loop.stop} = {end} if {end} < {high} else {high}",
        ]

    def statement(self, statement: Statement) -> str:
        """One line."""
        match statement:
            case Load():
                value = self.access(statement.buffer, statement.index)
                if statement.guards:
                    value = f"{value} if {' and '.join(statement.guards)} else number(0.0)"
                return f"{statement.target} = {value}"
            case Store():
                place = self.access(statement.buffer, statement.index)
                if statement.operation is None:
                    return f"{place} = {statement.value}"
                return f"{place} = {self.joined(statement.operation, place, statement.value)}"
            case Accumulate():
                target, value = statement.target, statement.value
                return f"{target} = {self.joined(statement.operation, target, value)}"
            case Compute():
                return f"{statement.target} = {self.compute(statement)}"
        raise AssertionError(f"no line for {statement!r}")

    def access(self, buffer: str, index: Sequence[Index]) -> str:
        """An entry of a buffer; a number if it has no axes. Runs of axes are those of a view."""
        if any(isinstance(k, Run) for k in index):
            extents = iter(self.buffers[buffer].extents)
            shape = tuple(
                [
                    self.product([*islice(extents, k.axes if isinstance(k, Run) else 1)])
                    for k in index
                ]
            )
            buffer = self.views.setdefault((buffer, shape), f"w{len(self.views)}")
            index = [k.index if isinstance(k, Run) else k for k in index]
        return f"{buffer}[{', '.join(map(str, index))}]" if index else buffer

    def joined(self, operation: str, total: str, value: str) -> str:
        """A sum, maximum … and one more value."""
        if operation not in JOIN:
            return TEMPLATES[operation].format(total, value)
        self.uses.add(("elementwise", JOIN[operation]))
        return f"{JOIN[operation]}({total}, {value})"

    def compute(self, statement: Compute) -> str:
        """The right side of an operation."""
        operation, arguments = statement.operation, statement.arguments
        if operation == "number":
            return f"number({self.literal(arguments[0])})"
        texts = [str(int(a)) if isinstance(a, int) else str(a) for a in arguments]
        if operation == "permutation":
            return self.permutation(texts)
        if operation in TEMPLATES:
            return TEMPLATES[operation].format(*texts)
        if operation in MATH:
            function = MATH[operation]
            self.uses.add(("math", function))
        elif operation in ELEMENTWISE:
            function = ELEMENTWISE[operation]
            self.uses.add(("elementwise", function))
        else:
            raise LimitError(f"kernels have no function {operation}")
        return self.converted(f"{function}({', '.join(map(self.double, texts))})")

    def permutation(self, indices: Sequence[str]) -> str:
        """The sign of a permutation: a product of differences over that of the identity."""
        pairs = [f"({b} - {a})" for a, b in combinations(indices, 2)]
        scale = prod(b - a for a, b in combinations(range(len(indices)), 2))
        return f"number({' * '.join(pairs) or '1'} // {scale})"

    def literal(self, value: object) -> str:
        """A float as text that reads back as the same float."""
        text = repr(float(value))  # type: ignore[arg-type]
        return {"inf": "1e400", "-inf": "-1e400", "nan": "1e400 - 1e400"}.get(text, text)

    def double(self, text: str) -> str:
        """The argument of a helper: they compute in float64."""
        return f"double({text})" if self.single else text

    def converted(self, text: str) -> str:
        """The result of a helper in the kernel's type."""
        return f"number({text})" if self.single else text

    def blas(self, step: Blas) -> str:
        """A call of `kernels/blas.py`, or of `kernels/copy.py`."""
        if step.kind == "COPY":
            return self.copy(step)
        function = BLAS[step.kind.split()[-1]]
        beta = "1.0" if step.accumulate else "0.0"
        m, n, k = map(self.product, step.shape)
        views = [self.view(view) for view in step.views]
        extents = {"gemv": [m, k], "gemm": [m, n, k], "gemmt": [m, k], "syrk": [m, k]}[function]
        if function == "syrk":  # the result is given by its row stride alone
            views[-1] = views[-1][:-1]
        *operands, result = [", ".join(view) for view in views]
        function = f"whole_{function}" if step.whole else function
        self.uses.add(("blas", function))
        return f"{function}({', '.join([*extents, '1.0', *operands, beta, result])})"

    def copy(self, step: Blas) -> str:
        """A call of `kernels/copy.py`."""
        self.uses.add(("copy", "permute"))
        extents = [*map(self.product, step.shape)]
        given = [str(len(extents)), f"({', '.join(extents)},)"]
        for array, offset, *strides in map(self.view, step.views):
            given += [array, offset, f"({', '.join(strides)},)"]
        return f"permute({', '.join(given)})"

    def product(self, factors: Sequence[str]) -> str:
        """A product of extents; one of sizes that stay the same is computed once."""
        if len(factors) < 2 or any(factor[0] != "n" for factor in factors):
            return " * ".join(factors) or "1"
        for k in range(len(factors) - 2, -1, -1):
            self.products.setdefault(tuple(factors[k:]), f"s{len(self.products)}")
        return self.products[tuple(factors)]

    def view(self, view: View) -> list[str]:
        """Array, offset and strides."""
        buffer = self.buffers[view.buffer]
        terms = []
        for axis, index in enumerate(view.start):
            if index != 0:
                stride = self.product(buffer.extents[axis + 1 :])
                terms.append(f"{index} * {stride}" if stride != "1" else str(index))
        strides = [*map(self.product, view.strides)]
        return [view.buffer, " + ".join(terms) or "0", *strides]

    def factored(self, step: Call) -> list[str]:
        """A factorization, or what follows from one: calls of `kernels/factor.py`."""
        (first, _), (target, _) = step.sources[0], step.target
        lines = []
        if step.kind == "factor":
            n = self.buffers[target].extents[0]
            lines.append(f"p{target} = empty(({n},), int32)")
            call = f"factorize({first}, {target}, p{target})"
            lines.append(f"k{target} = {call}")
            self.uses |= {("memory", "empty"), ("factor", "factorize")}
            return lines
        function = FACTORED[step.kind]
        self.uses.add(("factor", function))
        given = f"{first}, p{first}, k{first}"
        if step.scalar:
            return [f"{target} = {self.converted(f'{function}({given})')}"]
        if step.kind == "inv":
            return [f"{function}({given}, {target})"]
        right, _ = step.sources[1]
        extents = self.buffers[target].extents
        shape = f"({extents[0]}, {' * '.join(extents[1:]) or '1'})"
        sides = [f"{name}.reshape({shape})" for name in (right, target)]
        return [f"{function}({given}, {int(step.kind != 'solve')}, {', '.join(sides)})"]

    def call(self, step: Call) -> str:
        """A call of `kernels/linalg.py`."""
        function = LINALG[step.kind]
        self.uses.add(("linalg", function))
        given = ", ".join([self.access(*place) for place in step.sources])
        target = self.access(*step.target)
        if step.scalar:
            return f"{target} = {self.converted(f'{function}({given})')}"
        return f"{function}({given}, {target})"
