"""A loop program in, the statements of a function in C out, with the arrays that it needs.

Numbers that are used once stand in the expression that uses them, so that a loop reads as a formula
does. Used by `c.py`, which says what the buffers and sizes are called and puts a file together.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.emit.c_scalar import (
    ATOM,
    CHOICE,
    FACTORED,
    FORMS,
    HELPED,
    LIBRARY,
    NORMS,
    OF_INDICES,
    PRODUCT,
    SIGN,
    SUM,
)
from tensorcalc.errors import DomainError
from tensorcalc.plan.program import (
    Accumulate,
    Blas,
    Buffer,
    Call,
    Compute,
    Index,
    Load,
    Loop,
    Nest,
    Pass,
    Program,
    Statement,
    Step,
    Store,
    View,
    statements,
)

MAX_WIDTH = 72  # characters of an expression that stands within another
INDENT = "    "
WORD = re.compile(r"[a-z]+\d+")
BOUNDS = ("low", "high", "count")  # what the names c0, c1, c2 of a block are called
JOINED = {"add": "{0} += {1};", "mul": "{0} *= {1};"}
OPERATORS = {"max": "maximum", "min": "minimum"}
BLAS = {"GEMV": "gemv", "GEMM": "gemm", "GEMMT": "gemmt", "SYRK": "syrk"}
NAMED = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
NAMED |= {f"{sign}{sys.float_info.max!r}": f"{sign}DBL_MAX" for sign in ("", "-")}

Text = tuple[str, int]  # an expression and how tightly it binds


def size(dim: Dim, name: Callable[[str], str]) -> Text:
    """A size as an expression.

    >>> size(Dim.of("m") * Dim.of("n") * 2 + 1, str)
    ('2 * m * n + 1', 3)
    """
    text = ""
    for names, number in sorted(dim.terms, key=lambda term: (term[1] < 0, not term[0])):
        factors = [str(abs(number))] * (abs(number) != 1 or not names) + [name(n) for n in names]
        sign = " - " if number < 0 else " + "
        text = f"{text}{sign if text else sign.strip(' +')}{' * '.join(factors)}"
    if len(dim.terms) > 1 or text.startswith("-"):
        return text, SUM
    return text or "0", PRODUCT if " " in text else ATOM


def fitted(expression: Text, place: int) -> str:
    """The text of an expression where it has to bind as tightly as this."""
    text, binds = expression
    return text if binds >= place else f"({text})"


def number(value: object) -> Text:
    """A number as C reads it back."""
    text = repr(float(value))  # type: ignore[arg-type]
    text = NAMED.get(text, text)
    return text, SIGN if text.startswith("-") else ATOM


class Writer:
    """The statements of one program; `names` are what its arguments and results are called."""

    def __init__(
        self, program: Program, names: Mapping[str, str], size_names: Mapping[str, str]
    ) -> None:
        self.program = program
        self.size_names = size_names
        self.buffers = {
            b.name: b for b in (*program.arguments, *program.temporaries, *program.results)
        }
        self.scalars = {b.name for b in program.arguments if not b.extents}
        self.constant = {b.name for b in program.arguments}
        self.names = {**self._extents(), **self._shared(names)}
        self.kinds: dict[str, str] = {}  # the types of values
        self.folded: dict[str, Text] = {}
        self.blas_sizes: dict[str, None] = {}  # what is passed on as an int
        self.allocated: dict[str, tuple[str, str]] = {}  # name: type, call that makes it
        self.factors: dict[str, str] = {}  # buffer: the matrix whose factors it holds

    # ── names ────────────────────────────────────────────────────────────────────────────────

    def _extents(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for extent in self.program.extents:
            if extent.dim is None:
                found[extent.name] = str(extent.factors[0])
                continue
            text, binds = size(extent.dim, self.size_names.__getitem__)
            found[extent.name] = text if binds == ATOM else extent.name
        return found

    def _shared(self, names: Mapping[str, str]) -> dict[str, str]:
        """Buffers in the same memory have one name, that of a result if one is among them."""
        owner: dict[str, str] = {}
        for buffer in self.buffers.values():
            name = buffer.name
            while (memory := self.buffers[name].memory) is not None:
                name = memory
            owner[buffer.name] = name
        called = {owner[name]: shown for name, shown in names.items() if name in owner}
        return {name: called.get(first, first) for name, first in owner.items()}

    def word(self, text: str) -> str:
        """A name of the program's, or a sum of two, in C."""

        def shown(found: re.Match[str]) -> str:
            name = found[0]
            if name[0] == "c" and name[1:].isdigit():
                k = int(name[1:])
                return f"{BOUNDS[k % 3]}{k // 3}"
            return self.names.get(name, name)

        return WORD.sub(shown, text)

    # ── the function ─────────────────────────────────────────────────────────────────────────

    def extents(self) -> list[str]:
        """The sizes that are computed from others."""
        return [
            f"const ptrdiff_t {extent.name} = {size(extent.dim, self.size_names.__getitem__)[0]};"
            for extent in self.program.extents
            if extent.dim is not None and self.names[extent.name] == extent.name
        ]

    def lines(self) -> list[str]:
        """The steps; what they need is in `allocated` and `blas_sizes` then."""
        results = {b.name for b in self.program.results}
        lines: list[str] = []
        numbers = []
        for buffer in (*self.program.temporaries, *self.program.results):
            shown = self.names[buffer.name]
            if not buffer.extents and buffer.name not in results:
                numbers.append(
                    shown + (f" = {number(buffer.start)[0]}" if buffer.start is not None else "")
                )
            elif buffer.memory is None and shown == buffer.name:
                count = self.product(buffer.extents)
                call = f"zeros({count})"
                if buffer.start:
                    call = f"numbers({count}, {number(buffer.start)[0]})"
                self.allocated[shown] = "double", call
            elif buffer.start is not None:
                lines += self.fill(buffer)
        for step in self.program.steps:
            lines += ["", *self.step(step)]
        return [f"double {', '.join(numbers)};"] * bool(numbers) + lines

    def fill(self, buffer: Buffer) -> list[str]:
        """What sets a result to what it holds first."""
        shown, start = self.names[buffer.name], number(buffer.start)[0]
        if not buffer.extents:
            return [f"{shown}[0] = {start};"]
        count = self.product(buffer.extents)
        return [
            f"for (ptrdiff_t i0 = 0; i0 < {count}; i0++)",
            f"{INDENT}{shown}[i0] = {start};",
        ]

    def product(self, extents: Sequence[str]) -> str:
        """The number of entries of an array."""
        return " * ".join(self.word(extent) for extent in extents) or "1"

    def step(self, step: Step) -> list[str]:
        """The lines of a step."""
        match step:
            case Nest():
                return self.nest(step)
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
                self.head(index, extent) + " {",
                *[INDENT + line if line else "" for line in lines],
                "}",
            ]
        return list(lines)

    def head(self, index: str, extent: str) -> str:
        """The first line of a loop."""
        return f"for (ptrdiff_t {index} = 0; {index} < {self.word(extent)}; {index}++)"

    def blocks(self, step: Pass) -> list[str]:
        """The loop over the blocks of an index."""
        low, high, count = map(self.word, (step.low, step.high, step.count))
        extent, block = self.word(step.extent), self.word(step.block)
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

    # ── loops ────────────────────────────────────────────────────────────────────────────────

    def nest(self, step: Nest) -> list[str]:
        """Loops over scalar code."""
        self.folded = {}
        self.uses = Counter(name for s in statements(step.body) for name in _read(s))
        self.sums = {s.target for s in statements(step.body) if isinstance(s, Accumulate)}
        return self.block(step.body)

    def block(self, body: Sequence[Statement]) -> list[str]:
        """The lines of statements; nesting is at most 15 deep, so recursion is safe."""
        lines: list[str] = []
        for place, statement in enumerate(body):
            match statement:
                case Loop():
                    inner = self.block(statement.body)
                    head = self.head(statement.index, statement.extent)
                    if len(inner) == 1:
                        lines += [head, INDENT + inner[0]]
                    elif inner:
                        lines += [head + " {", *[INDENT + line for line in inner], "}"]
                case Store():
                    target = self.access(statement.buffer, statement.index)[0]
                    lines.append(self.joined(target, statement.value, statement.operation))
                case Accumulate():
                    lines.append(
                        self.joined(statement.target, statement.value, statement.operation)
                    )
                case Load() | Compute():
                    expression, kind = self.expression(statement)
                    self.kinds[statement.target] = kind
                    if statement.target in self.sums:
                        lines.append(f"{kind} {statement.target} = {expression[0]};")
                    elif self.stands_within(statement, expression[0], body[place + 1 :]):
                        self.folded[statement.target] = expression
                    else:
                        lines.append(f"const {kind} {statement.target} = {expression[0]};")
        return lines

    def stands_within(
        self, statement: Load | Compute, text: str, later: Sequence[Statement]
    ) -> bool:
        """Whether a value is written where it is used rather than given a name."""
        if isinstance(statement, Compute) and statement.operation in ("number", "size"):
            return True
        if isinstance(statement, Load) and statement.buffer in self.scalars:
            return True
        if self.uses[statement.target] != 1 or len(text) > MAX_WIDTH:
            return False
        for other in later:
            if statement.target in _read(other):
                return True
            if isinstance(other, Loop | Store | Accumulate):
                return False
        return False

    def expression(self, statement: Load | Compute) -> tuple[Text, str]:
        """The right side, and the type of its value."""
        if isinstance(statement, Load):
            entry = self.access(statement.buffer, statement.index)
            if not statement.guards:
                return entry, "double"
            conditions = " && ".join(fitted(self.value(g), ATOM) for g in statement.guards)
            return (f"{conditions} ? {entry[0]} : 0.0", CHOICE), "double"
        operation = statement.operation
        if operation == "number":
            return number(statement.arguments[0]), "double"
        given = [self.value(a) for a in statement.arguments]
        if operation == "permutation":
            return self.permutation([fitted(a, SUM) for a in given]), "double"
        kinds = {self.kind(a) for a in statement.arguments}
        if operation == "inside":
            kind = "int"
        elif operation in OF_INDICES and kinds == {"ptrdiff_t"}:
            kind = "ptrdiff_t"
        else:
            kind = "double"
        if operation in FORMS:
            form = FORMS[operation]
            operands = [fitted(a, need) for a, need in zip(given, form.needs, strict=True)]
            return (form.template.format(*operands), form.binds), kind
        function = LIBRARY.get(operation) or HELPED.get(operation)
        if function is None:
            raise DomainError(f"{operation} has no form in C")
        return (f"{function}({', '.join(text for text, _ in given)})", ATOM), kind

    def permutation(self, indices: Sequence[str]) -> Text:
        """The sign of a permutation: a product of differences over that of the identity."""
        pairs = [f"({b} - {a})" for a, b in combinations(indices, 2)]
        scale = prod(b - a for a, b in combinations(range(len(indices)), 2))
        return f"(double)({' * '.join(pairs) or '1'}) / {float(scale)}", PRODUCT

    def value(self, argument: str | float | int) -> Text:
        """An argument: a value, an index, a size, a position."""
        if isinstance(argument, float):
            return number(argument)
        if isinstance(argument, int):
            return str(int(argument)), ATOM
        if argument in self.folded:
            return self.folded[argument]
        text = self.word(argument)
        return (text[1:-1], SUM) if text.startswith("(") else (text, ATOM)

    def kind(self, argument: str | float | int) -> str:
        """The type of an argument."""
        if isinstance(argument, str):
            return self.kinds.get(argument, "ptrdiff_t")
        return "double" if isinstance(argument, float) else "ptrdiff_t"

    def joined(self, target: str, value: str, operation: str | None) -> str:
        """What stores a value, or joins it to what is there."""
        text = self.value(value)[0]
        if operation is None:
            return f"{target} = {text};"
        if operation in JOINED:
            return JOINED[operation].format(target, text)
        return f"{target} = {OPERATORS[operation]}({target}, {text});"

    def access(self, buffer: str, index: Sequence[Index]) -> Text:
        """An entry of a buffer; of a result of rank 0, what the pointer points at."""
        shown = self.names[buffer]
        if index:
            return f"{shown}[{self.place(buffer, index)}]", ATOM
        is_result = any(b.name == buffer for b in self.program.results)
        return (f"{shown}[0]" if is_result else shown), ATOM

    def place(self, buffer: str, index: Sequence[Index]) -> str:
        """Where an entry stands, counted from the start; `index` may be of the first axes only."""
        extents = self.buffers[buffer].extents
        total: Text = ("0", ATOM)
        for axis in range(len(extents)):
            if total[0] != "0":
                total = f"{fitted(total, PRODUCT)} * {self.word(extents[axis])}", PRODUCT
            here = self.value(index[axis]) if axis < len(index) else ("0", ATOM)
            if here[0] != "0":
                sum_of = f"{total[0]} + {fitted(here, PRODUCT)}", SUM
                total = here if total[0] == "0" else sum_of
        return total[0]

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def start(self, buffer: str, index: Sequence[Index]) -> str:
        """A pointer to an entry."""
        place = self.place(buffer, index)
        return self.names[buffer] if place == "0" else f"{self.names[buffer]} + {place}"

    def blas(self, step: Blas) -> list[str]:
        """A product of matrices, or of a matrix and a vector."""
        function = BLAS[step.kind.split()[-1]]
        shape = [self.product(part) for part in step.shape]
        m, n, k = shape
        given = {"gemv": [m, k], "gemm": [m, n, k], "gemmt": [m, k], "syrk": [m, k]}[function]
        for view in step.views:
            strides = [self.product(stride) for stride in view.strides]
            if function == "syrk" and view is step.views[-1]:
                strides = strides[:-1]
            if view is step.views[-1]:
                given.append("1.0" if step.accumulate else "0.0")
            given += [self.start(view.buffer, view.start), *strides]
            self.blas_sizes.update(dict.fromkeys(strides))
        self.blas_sizes.update(dict.fromkeys(shape))
        return [self.remark(step), *_broken(f"{function}(", given)]

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
        operand = self.buffers[source[0]]
        given = self.start(*source)
        is_result = any(b.name == target[0] for b in self.program.results)
        place = self.start(*target)
        if step.scalar:
            index = target[1]
            place = self.access(*target)[0] if index or is_result else self.names[target[0]]
        n = self.word(operand.extents[-1])
        if step.kind in NORMS:
            count = self.product(operand.extents[len(source[1]) :])
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
        if step.kind not in FACTORED:
            raise DomainError(f"{step.kind} of a matrix has no form in C")
        self.allocated.setdefault(f"lu_{n}", ("double", f"zeros({n} * {n})"))
        self.allocated.setdefault(f"pivots_{n}", ("int", n))
        factors = f"lu_{n}, pivots_{n}, kind"
        line = f"const int kind = factorize({n}, {given}, lu_{n}, pivots_{n});"
        lines = [line, *self.from_factors(step, factors, n, place)]
        return lines if step.loops else ["{", *[INDENT + line for line in lines], "}"]

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
        width = self.product(self.buffers[step.target[0]].extents[1:])
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
        if len(line) + len(text) > 92:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += text
    return [*lines, line]


def _read(statement: Statement) -> list[str]:
    """The values that a statement itself reads."""
    match statement:
        case Load():
            found: list[object] = [*statement.index, *statement.guards]
        case Compute():
            found = list(statement.arguments)
        case Accumulate():
            found = [statement.value]
        case Store():
            found = [*statement.index, statement.value]
        case Loop():
            found = []
    return [name for name in found if isinstance(name, str)]
