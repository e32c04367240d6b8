"""A loop program in, the statements of a function in C out, with the arrays that they need.

`c_nests.py` writes loops, this module all other steps: products, functions of whole matrices and
passes over blocks. Used by `c.py`, which puts a file together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tensorcalc.emit.c_names import Names
from tensorcalc.emit.c_nests import nest
from tensorcalc.emit.c_scalar import FACTORED, INDENT, NORMS, SERIES, number
from tensorcalc.errors import DomainError
from tensorcalc.plan.program import Blas, Buffer, Call, Nest, Pass, Program, Step, View

BLAS = {"GEMV": "gemv", "GEMM": "gemm", "GEMMT": "gemmt", "SYRK": "syrk"}
WIDTH = 92


class Writer:
    """The statements of one program.

    Once they are written, `allocated` has the arrays that they need (name: type and the call that
    makes it, or the number of ints), `blas_sizes` what they pass on as an int, and `may_fail` says
    whether they set ``is_right``.
    """

    def __init__(self, program: Program, names: Names) -> None:
        self.program, self.names = program, names
        self.allocated: dict[str, tuple[str, str]] = {}
        self.blas_sizes: dict[str, None] = {}
        self.may_fail = False
        self.factors: dict[str, str] = {}  # buffer: the matrix whose factors it holds
        self.rooms: dict[str, int] = {}  # name: for how many matrices there is room

    def lines(self) -> list[str]:
        """The steps, one after the other."""
        lines: list[str] = []
        numbers: list[str] = []
        for buffer in (*self.program.temporaries, *self.program.results):
            shown = self.names[buffer.name]
            if not buffer.extents and buffer.name not in self.names.results:
                start = "" if buffer.start is None else f" = {number(buffer.start)[0]}"
                numbers.append(shown + start)
            elif buffer.memory is None and shown == buffer.name:
                count = self.names.product(buffer.extents)
                call = f"zeros({count})"
                if buffer.start:
                    call = f"numbers({count}, {number(buffer.start)[0]})"
                self.allocated[shown] = "double", call
            elif buffer.start is not None:
                lines += self.fill(buffer)
        for step in self.program.steps:
            lines += ["", *self.step(step)]
        if self.may_fail:
            lines = ["int is_right = 1;", *lines]
        return [f"double {', '.join(numbers)};"] * bool(numbers) + lines

    def fill(self, buffer: Buffer) -> list[str]:
        """What sets a result to what it holds first."""
        shown, start = self.names[buffer.name], number(buffer.start)[0]
        if not buffer.extents:
            return [f"{shown}[0] = {start};"]
        count = self.names.product(buffer.extents)
        return [
            f"for (ptrdiff_t i0 = 0; i0 < {count}; i0++)",
            f"{INDENT}{shown}[i0] = {start};",
        ]

    def step(self, step: Step) -> list[str]:
        """The lines of a step."""
        match step:
            case Nest():
                return nest(step, self.names)
            case Blas():
                return self.around(step.loops, self.blas(step))
            case Call():
                return self.around(step.loops, self.call(step))
            case Pass():
                return self.blocks(step)
        raise DomainError(f"{step.kind.removeprefix('host ')} has no form in C")

    def around(self, loops: Sequence[tuple[str, str]], lines: Sequence[str]) -> list[str]:
        """Lines inside loops."""
        for index, extent in reversed(loops):
            lines = [
                self.names.head(index, extent) + " {",
                *[INDENT + line if line else "" for line in lines],
                "}",
            ]
        return list(lines)

    def blocks(self, step: Pass) -> list[str]:
        """The loop over the blocks of an index."""
        low, high, count = map(self.names.word, (step.low, step.high, step.count))
        extent, block = self.names.word(step.extent), self.names.word(step.block)
        lines = [
            f"const ptrdiff_t {high} = {low} + {block} < {extent} ? {low} + {block} : {extent};",
            f"const ptrdiff_t {count} = {high} - {low};",
        ]
        for inner in step.steps:
            lines += ["", *self.step(inner)]
        if not any(re.search(rf"\b{count}\b", line) for line in lines[2:]):
            del lines[1]
        head = f"for (ptrdiff_t {low} = 0; {low} < {extent}; {low} += {block}) {{"
        body = [INDENT + line if line else "" for line in lines]
        comment = "/* block by block, so that what is read stays in the cache */"
        return [comment, head, *body, "}"]

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def blas(self, step: Blas) -> list[str]:
        """A product of matrices, or of a matrix and a vector; a copy is written out as loops."""
        if step.kind == "COPY":
            return self.copy(step)
        function = BLAS[step.kind.split()[-1]]
        shape = [self.names.product(part) for part in step.shape]
        m, n, k = shape
        given = {"gemv": [m, k], "gemm": [m, n, k], "gemmt": [m, k], "syrk": [m, k]}[function]
        for view in step.views:
            strides = [self.names.product(stride) for stride in view.strides]
            if function == "syrk" and view is step.views[-1]:
                strides = strides[:-1]
            if view is step.views[-1]:
                given.append("1.0" if step.accumulate else "0.0")
            given += [self.names.start(view.buffer, view.start), *strides]
            self.blas_sizes.update(dict.fromkeys(strides))
        self.blas_sizes.update(dict.fromkeys(shape))
        return [self.remark(step), *_broken(f"{function}(", given)]

    def copy(self, step: Blas) -> list[str]:
        """An array with its axes in another order."""
        places = []
        for view in step.views:
            start = self.names.place(view.buffer, view.start)
            terms = [start] if start != "0" else []
            for k, stride in enumerate(view.strides):
                terms.append(
                    " * ".join([f"i{k}", self.names.product(stride)] if stride else [f"i{k}"])
                )
            places.append(f"{self.names[view.buffer]}[{' + '.join(terms)}]")
        loops = [(f"i{k}", " * ".join(extent)) for k, extent in enumerate(step.shape)]
        return self.around(loops, [f"{places[1]} = {places[0]};"])

    def remark(self, step: Blas) -> str:
        """A product as a formula in a comment."""
        *operands, result = step.views
        texts = [self.factor(view) for view in operands]
        if len(texts) == 1:
            texts.append(texts[0].removesuffix("'") if texts[0].endswith("'") else f"{texts[0]}'")
        sign = "+=" if step.accumulate else "="
        where = ", in slices" if step.loops else ""
        return f"/* {self.names[result.buffer]} {sign} {' * '.join(texts)}{where} */"

    def factor(self, view: View) -> str:
        """The name of a matrix, transposed if it stands so."""
        is_transposed = len(view.strides) == 2 and view.strides[0] == () != view.strides[1]
        return self.names[view.buffer] + "'" * is_transposed

    def call(self, step: Call) -> list[str]:
        """A function of a whole matrix."""
        source, target = step.sources[0], step.target
        operand = self.names.buffers[source[0]]
        given = self.names.start(*source)
        place = self.names.access(*target)[0] if step.scalar else self.names.start(*target)
        n = self.names.word(operand.extents[-1])
        if step.kind in NORMS:
            count = self.names.product(operand.extents[len(source[1]) :])
            return [f"{place} = norm({count}, {given});"]
        if step.kind == "factor":
            self.needs_factors(target[0], n)
            name = target[0]
            self.factors[name] = self.names[source[0]]
            return [
                f"/* the factors of {self.names[source[0]]} */",
                f"const int k{name} = factorize({n}, {given}, {self.names[name]}, p{name});",
            ]
        self.blas_sizes[n] = None
        if step.factored:
            return self.from_factors(step, f"{given}, p{source[0]}, k{source[0]}", n, place)
        if step.kind in SERIES:
            return self.series(step, given, n, place)
        if step.kind not in FACTORED:
            raise DomainError(f"{step.kind} of a matrix has no form in C")
        self.allocated.setdefault(f"lu_{n}", ("double", f"zeros({n} * {n})"))
        self.allocated.setdefault(f"pivots_{n}", ("int", n))
        factors = f"lu_{n}, pivots_{n}, kind"
        line = f"const int kind = factorize({n}, {given}, lu_{n}, pivots_{n});"
        lines = [line, *self.from_factors(step, factors, n, place)]
        return lines if step.loops else ["{", *[INDENT + line for line in lines], "}"]

    def series(self, step: Call, given: str, n: str, place: str) -> list[str]:
        """A power or the exponential of a matrix, which need room."""
        room = f"room_{n}"
        count = self.rooms[room] = max(self.rooms.get(room, 0), SERIES[step.kind])
        self.allocated[room] = "double", f"zeros({count} * {n} * {n})"
        self.allocated.setdefault(f"pivots_{n}", ("int", n))
        if step.kind == "expm":
            return [f"expm({n}, {given}, {place}, {room}, pivots_{n});"]
        self.allocated.setdefault(f"work_{n}", ("double", f"zeros(64 * {n})"))
        self.may_fail = True
        exponent = self.names.access(*step.sources[1])[0]
        parts = [n, given, exponent, place, room, f"pivots_{n}", f"work_{n}"]
        call = _broken("is_right = matrix_power(", [*parts[:-1], f"{parts[-1]}) && is_right"])
        return [*call[:-1], call[-1].removesuffix(");") + ";"]

    def needs_factors(self, name: str, n: str) -> None:
        """Ask for the pivots of a factorization."""
        self.allocated[f"p{name}"] = "int", n
        self.blas_sizes[n] = None

    def from_factors(self, step: Call, factors: str, n: str, place: str) -> list[str]:
        """What follows from the factors of a matrix."""
        if step.scalar:
            return [f"{place} = {FACTORED[step.kind]}({n}, {factors});"]
        if step.kind == "inv":
            self.allocated.setdefault(f"work_{n}", ("double", f"zeros(64 * {n})"))
            return [f"factor_inverse({n}, {factors}, {place}, work_{n});"]
        right = step.sources[1][0]
        width = self.names.product(self.names.buffers[step.target[0]].extents[1:])
        self.blas_sizes[width] = None
        transposed = int(step.kind != "solve")
        given = [n, width, factors, str(transposed), self.names[right], place]
        matrix = self.factors[step.sources[0][0]] + "'" * transposed
        comment = f"/* {place} = inv({matrix}) * {self.names[right]} */"
        return [comment, *_broken("factor_solve(", given)]


def _broken(head: str, given: Sequence[str]) -> list[str]:
    """A call in lines that are not too long."""
    lines, line = [], head
    for k, text in enumerate(given):
        text += ", " if k < len(given) - 1 else ");"
        if len(line) + len(text) > WIDTH:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += text
    return [*lines, line]
