"""Formulas in, one file of C99 out: a function with pointers and sizes that needs CBLAS at most.

The loop program is that of a kernel for one thread; `c_source.py` writes its steps, `c_helpers.py`
has what they call, `c_check.py` the program that checks the derivatives.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from math import prod

from tensorcalc._version import __version__
from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.emit.c_check import check
from tensorcalc.emit.c_helpers import HELPERS, LAPACK, called
from tensorcalc.emit.c_names import Names
from tensorcalc.emit.c_scalar import INDENT, LIBRARY, number, size
from tensorcalc.emit.c_source import Writer
from tensorcalc.emit.facts import (
    Condition,
    Derivative,
    conditions,
    derivatives,
    names_of,
    small_sizes,
)
from tensorcalc.errors import DomainError, LimitError, UnknownNameError
from tensorcalc.expression import Expr
from tensorcalc.full_rank import rank_limits
from tensorcalc.ir import MatrixFunction, Node, Variable
from tensorcalc.kernel import NOMINAL
from tensorcalc.plan import plan
from tensorcalc.plan.program import Host, Program, flat
from tensorcalc.properties import use_properties
from tensorcalc.traverse import variables as variables_of
from tensorcalc.variables import join

BUDGET = 1 << 19  # bytes of a block, the same on every machine
MAX_CONSTANT = 10_000  # numbers of array constants that a file may hold
WIDTH = 96
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# what a file, or a header that it includes, gives a meaning of its own
KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if"
    " inline int long register restrict return short signed sizeof static struct switch typedef"
    " union unsigned void volatile while asm typeof main unix linux errno signgam stdin stdout"
    " stderr malloc free memcpy exit abs labs div is_right kind I complex imaginary bool true false"
    " size_t ptrdiff_t"
).split()
RESERVED = re.compile(
    r"_.*|[A-Z]{3,}\w*|[A-Z]+_\w*|([aciontv]|low|high|count|[pk]t)\d+|(lu|pivots|work|room)_.*"
)

COMMAND = "cc -O3 -march=native -std=c99"
LINKED = """With {flags} sums are vectorised, too; -ffast-math is wrong, for infinities
and NaN have their meaning here."""
FLAGS = "-fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math"
OTHERS = (
    "Any other CBLAS{lapack} will do: -DUSE_MKL and -lmkl_rt, or on macOS -framework Accelerate."
)
CHECKED = "Its derivatives are compared with central differences at random points by"


def to_c(
    formulas: Mapping[str, Expr], name: str = "f", sizes: Mapping[str, int] | None = None
) -> str:
    """One file of C99 with a function that computes formulas.

    The function takes sizes, arrays by rows and numbers, and fills arrays for the results. The file
    has what it needs but BLAS and LAPACK, and a check of those results that are derivatives of
    others.

    Parameters
    ----------
    formulas
        Expressions by the names of the results.
    name
        The function's name.
    sizes
        Numbers of sizes that the loops are planned for; they may differ in a call.

    Raises
    ------
    DomainError
        What has no form in C: complex numbers, functions that are interpreted, as `logm`.
    UnknownNameError
        A size that there is not.

    >>> from tensorcalc import parse
    >>> to_c({"value": parse("x'*x")}).splitlines()[2]
    " *     value = x'*x"
    """
    nodes, declared = join(list(formulas.values()))
    stated = dict(zip(formulas, nodes, strict=True))
    roots = use_properties(nodes)
    needed = variables_of(*roots)
    variables = {n: declared[n] for n in declared if n in needed}
    known = names_of(roots, variables.values())
    shown = _shown(known, variables)
    numbers = _numbers(sizes or {}, shown)
    program = _program(dict(zip(formulas, roots, strict=True)), known, numbers, variables)
    texts = {output: str(formula) for output, formula in formulas.items()}
    return _File(name, program, roots, stated, variables, shown, texts).text()


def _shown(known: Sequence[str], variables: Mapping[str, Variable]) -> dict[str, str]:
    """What sizes are called, by their names in the IR."""
    letters = display_names([Dim.of(n) for n in known], variables)
    return {n: letters.get(n, n) for n in known}


def _numbers(sizes: Mapping[str, int], shown: Mapping[str, str]) -> dict[str, int]:
    internal = {letter: n for n, letter in shown.items()}
    for name in sizes:
        if name not in internal:
            words = ", ".join(internal) or "none"
            raise UnknownNameError(f"no size is called {name}", None, f"the sizes are: {words}")
    return {internal[name]: number for name, number in sizes.items()}


def _program(
    outputs: Mapping[str, Node],
    known: Sequence[str],
    numbers: Mapping[str, int],
    variables: Mapping[str, Variable],
) -> tuple[Program, dict[str, int]]:
    """The program, and the numbers of sizes that it was planned for."""
    for nominal in NOMINAL:
        sizes = {**dict.fromkeys(known, nominal), **numbers}
        try:
            program = plan(outputs, sizes, variables, 8, BUDGET)
        except LimitError:
            if nominal == NOMINAL[-1]:
                raise
            continue
        for step in flat(program.steps):
            if isinstance(step, Host):
                what = step.kind.removeprefix("host ")
                derived = isinstance(step.body, MatrixFunction) and step.body.order > 0
                raise DomainError(f"{'the derivative of ' * derived}{what} has no form in C")
        return program, sizes
    raise AssertionError("the last of the numbers returns or raises")


class _File:
    """The names of one file, and its text."""

    def __init__(
        self,
        name: str,
        planned: tuple[Program, dict[str, int]],
        roots: Sequence[Node],
        stated: Mapping[str, Node],
        variables: Mapping[str, Variable],
        shown: Mapping[str, str],
        texts: Mapping[str, str],
    ) -> None:
        self.program, self.planned = planned
        self.roots, self.stated, self.variables, self.texts = roots, stated, variables, texts
        self.taken = {*KEYWORDS, *HELPERS, *LIBRARY.values(), "at", "direction"}
        self.taken |= {"floor", "fmod", "frexp", "ldexp", "tgamma", "fmax"}
        self.name = self.new(name)
        self.sizes = {n: self.new(letter) for n, letter in shown.items()}
        self.arguments = {n: self.new(n) for n in variables}
        self.outputs = {n: self.new(n or "value") for n in texts}
        self.conditions = conditions(roots, self.program, self.planned)
        self.prefix = self.name.upper()
        self.constants: dict[str, str] = {}
        names = {}
        for buffer in self.program.arguments:
            if buffer.variable in self.program.data:
                self.constants[str(buffer.variable)] = names[buffer.name] = self.new("constant")
            else:
                names[buffer.name] = self.arguments[str(buffer.variable)]
        self.first: dict[str, str] = {}  # the output that a result of the program is
        for output, result in zip(texts, self.program.outputs, strict=True):
            self.first.setdefault(result, output)
        names |= {result: self.outputs[output] for result, output in self.first.items()}
        self.names = Names(self.program, names, self.sizes)
        self.writer = Writer(self.program, self.names)

    def new(self, text: str) -> str:
        """An identifier like the text that is not taken."""
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "x"
        if not IDENTIFIER.fullmatch(stem):
            stem = f"x{stem}"
        if RESERVED.fullmatch(stem):
            stem = f"{stem.lower()}_"
        names = (stem + (f"_{k}" if k else "") for k in count())
        found = next(name for name in names if name not in self.taken)
        self.taken.add(found)
        return found

    # ── the file ─────────────────────────────────────────────────────────────────────────────

    def text(self) -> str:
        """All of it."""
        function = "\n".join(self.function())
        checked = self.check()
        helpers = called([function])
        body = "".join(HELPERS[name] for name in helpers)
        parts = [
            self.comment(bool(checked), body),
            self.includes(body + function),
            *self.arrays(),
            self.errors(),
            body,
            function,
            checked,
        ]
        return "\n".join(part for part in parts if part).rstrip("\n") + "\n"

    def comment(self, is_checked: bool, helpers: str) -> str:
        """What the file is, and how to use it."""
        lapack = " with LAPACK" if any(routine in helpers for routine in LAPACK) else ""
        is_plain = "cblas" not in helpers and not lapack
        libraries = "-lm" if is_plain else "-lopenblas -lm"
        lines = [f"{self.name}.c: written by tensorcalc {__version__}. It computes", ""]
        for output, text in self.texts.items():
            lines += _formula(f"{self.outputs[output]} = ", text)
        lines += ["", "Compile it and link it to your program by", ""]
        lines += [f"{INDENT}{COMMAND} {self.name}.c ... {libraries}", ""]
        if not is_plain:
            lines += textwrap.wrap(OTHERS.format(lapack=lapack), WIDTH - 3)
        lines += textwrap.wrap(LINKED.format(flags=FLAGS), WIDTH - 3, break_on_hyphens=False)
        if is_checked:
            check = f"cc -std=c99 -DTENSORCALC_CHECK {self.name}.c {libraries} && ./a.out"
            lines += ["", CHECKED, "", INDENT + check]
        return _comment(lines)

    def includes(self, text: str) -> str:
        """The headers, and the routines of LAPACK."""
        routines = [line for name, line in LAPACK.items() if name in text]
        lines = [f"#include <{name}.h>" for name in ("float", "limits", "math", "stddef", "stdint")]
        lines += ["#include <stdlib.h>", "#include <string.h>"]
        if "cblas_" in text or routines:
            other = ["#include <cblas.h>", *routines]
            lines += ["#if defined(__APPLE__)", "#include <Accelerate/Accelerate.h>"]
            lines += ["#elif defined(USE_MKL)", "#include <mkl.h>", "#else", *other, "#endif"]
        return "\n".join(lines)

    def arrays(self) -> list[str]:
        """The array constants."""
        import numpy as np

        data = self.program.data
        if sum(array.size for array in data.values()) > MAX_CONSTANT:
            raise DomainError(
                f"array constants of more than {MAX_CONSTANT} numbers have no form in C",
                hint="make them variables of the formula",
            )
        parts = []
        for name, shown in self.constants.items():
            flat_array = np.asarray(data[name], np.float64).reshape(-1)
            numbers = ", ".join(number(x)[0] for x in flat_array.tolist()) or "0.0"
            body = textwrap.fill(numbers, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
            shape = _shape([str(n) for n in data[name].shape])
            parts.append(f"\n/* {shape} */\nstatic const double {shown}[] = {{\n{body}}};")
        return parts

    def errors(self) -> str:
        """What the function may return."""
        p = self.prefix
        codes = [f"{p}_DONE", f"{p}_NULL_POINTER", f"{p}_WRONG_SIZE", f"{p}_NO_MEMORY"]
        codes += [f"{p}_NO_INTEGER"] * self.writer.may_fail
        return f"\n/* What {self.name} returns. */\nenum {{ {', '.join(codes)} }};"

    # ── the function ─────────────────────────────────────────────────────────────────────────

    def function(self) -> list[str]:
        """The function with the comment before it."""
        writer = self.writer
        steps = writer.lines()
        rest = [*self.allocation(), *steps]
        words = set(re.findall(r"\w+", "\n".join(rest)))
        extents = [f"const ptrdiff_t {n} = {x};" for n, x in self.names.computed().items()
                   if n in words]  # fmt: skip
        body = [*self.guards(), *extents, *rest]
        body += self.copies() + self.ending()
        return [self.documentation(), *self.head(), *[INDENT + x if x else "" for x in body], "}"]

    def documentation(self) -> str:
        """The comment before the function."""
        lines = ["Compute"]
        for output, node in zip(self.texts, self.roots, strict=True):
            lines.append(f"    {self.outputs[output]} {self.dims(node.dims)}")
        if self.variables:
            lines.append("from")
        for name, variable in self.variables.items():
            facts = " ".join(sorted(variable.properties))
            line = f"    {self.arguments[name]} {self.dims(variable.dims)}"
            lines.append(f"{line}, {facts}" if facts else line)
        lines += ["", "Arrays hold their rows one after the other; results overlap with nothing."]
        lines += [f"It must be that {self.relation(c)[0]}." for c in self.conditions]
        sizes = ", ".join(f"{self.sizes[n]} = {number}" for n, number in self.planned.items())
        if sizes:
            lines.append(f"The loops are planned for {sizes}; they are right for others, too.")
        lines.append(f"The result is {self.prefix}_DONE, or says what is wrong. Where there is no")
        lines.append("inverse, or no logarithm, the results are NaN.")
        return _comment(lines)

    def dims(self, dims: Dims) -> str:
        """A shape."""
        return _shape([size(dim, self.sizes.__getitem__)[0] for dim in dims])

    def head(self) -> list[str]:
        """The function's name and parameters."""
        given = [f"ptrdiff_t {name}" for name in self.sizes.values()]
        for name, variable in self.variables.items():
            kind = "const double *restrict " if variable.rank else "double "
            given.append(kind + self.arguments[name])
        given += [f"double *restrict {name}" for name in self.outputs.values()]
        start = f"int {self.name}("
        text = textwrap.fill(
            ", ".join(p.replace(" ", "\0") for p in given) + ")",
            WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [*text.replace("\0", " ").splitlines(), "{"]

    def guards(self) -> list[str]:
        """What looks at the arguments."""
        pointers = [self.arguments[n] for n, v in self.variables.items() if v.rank]
        pointers += self.outputs.values()
        lines = _condition([f"!{name}" for name in pointers], f"{self.prefix}_NULL_POINTER")
        wrong = [f"{name} < 0" for name in self.sizes.values()]
        wrong += [self.relation(c)[1] for c in self.conditions]
        lines += _condition(wrong, f"{self.prefix}_WRONG_SIZE")
        # the sizes of large arrays, in floating point, and what BLAS takes as an int
        shapes = [v.dims for v in self.variables.values()]
        shapes += [*[node.dims for node in self.roots], *self.stored()]
        totals = dict.fromkeys(
            size(prod(dims, start=Dim.of(1)), self.sizes.__getitem__)[0] for dims in shapes
        )
        products = [text for text in totals if " " in text]
        large = [f"!fits({_floating(text)})" for text in products]
        large += [f"{_floating(text)} > INT_MAX" for text in self.integers()]
        return lines + _condition(large, f"{self.prefix}_WRONG_SIZE")

    def stored(self) -> list[Dims]:
        """The shapes of the arrays between the steps."""
        dims = {
            e.name: Dim.of(e.factors[0]) if e.dim is None else e.dim for e in self.program.extents
        }
        return [
            tuple([dims[extent] for extent in buffer.extents])
            for buffer in self.program.temporaries
        ]

    def integers(self) -> list[str]:
        """What is passed to BLAS, of sizes that are known before the first step."""
        computed = self.names.computed()
        found: dict[str, None] = {}
        for text in self.writer.blas_sizes:
            words = text.split(" * ")
            if any(word.startswith("count") for word in words) or all(w.isdigit() for w in words):
                continue
            parts = [computed.get(word, word) for word in words]
            found[" * ".join(p if p.isidentifier() or p.isdigit() or len(parts) == 1 else f"({p})"
                             for p in parts)] = None  # fmt: skip
        return list(found)

    def relation(self, condition: Condition) -> tuple[str, str]:
        """A condition as it should be, and its contrary in C."""
        left, _ = size(condition.size, self.sizes.__getitem__)
        right, _ = size(condition.other, self.sizes.__getitem__)
        good, bad = ("==", "!=") if condition.is_equal else (">=", "<")
        return f"{left} {good} {right} ({condition.reason})", f"{left} {bad} {right}"

    def allocation(self) -> list[str]:
        """What gets memory for the arrays between the steps."""
        made = self.writer.allocated
        lines = []
        for name, (kind, given) in made.items():
            call = (
                given if kind == "double" else f"malloc(sizeof(int) * (size_t)larger({given}, 1))"
            )
            lines.append(f"{kind} *{name} = {call};")
        return [*lines, *_condition([f"!{n}" for n in made], f"{self.prefix}_NO_MEMORY", [*made])]

    def copies(self) -> list[str]:
        """What fills results that are the same as others."""
        lines = []
        for output, node, result in zip(self.texts, self.roots, self.program.outputs, strict=True):
            if self.first[result] == output:
                continue
            source, target = self.outputs[self.first[result]], self.outputs[output]
            total = " * ".join(
                f"({text})" if " " in text else text
                for text, _ in [size(dim, self.sizes.__getitem__) for dim in node.dims]
            )
            lines.append(f"memcpy({target}, {source}, sizeof(double) * (size_t)({total or '1'}));")
        return ["", *lines] if lines else []

    def ending(self) -> list[str]:
        """What gives the memory back."""
        made = self.writer.allocated
        result = f"{self.prefix}_DONE"
        if self.writer.may_fail:  # an exponent
            result = f"is_right ? {result} : {self.prefix}_NO_INTEGER"
        return ["", *[f"free({name});" for name in made], f"return {result};"]

    # ── the check ────────────────────────────────────────────────────────────────────────────

    def check(self) -> str:
        """The program that checks the derivatives, if there are any."""
        found = [
            Derivative(self.outputs[d.name], self.outputs[d.of], self.arguments[d.by])
            for d in derivatives(self.stated)
            if d.by in self.arguments
        ]
        numbers = small_sizes(list(self.sizes), self.conditions, rank_limits(self.roots))
        if not found or numbers is None:
            return ""
        results = [
            (self.outputs[output], tuple([dim.value(numbers) for dim in node.dims]))
            for output, node in zip(self.texts, self.roots, strict=True)
        ]
        return check(
            self.name,
            {shown: numbers[n] for n, shown in self.sizes.items()},
            [(self.arguments[n], v) for n, v in self.variables.items()],
            results,
            numbers,
            found,
        )


def _floating(text: str) -> str:
    """A size in floating point, where it cannot overflow; a single name as it is."""
    if text.isidentifier():
        return text
    return re.sub(r"[A-Za-z_]\w*", r"(double)\g<0>", re.sub(r"\b\d+\b", r"\g<0>.0", text))


def _shape(extents: Sequence[str]) -> str:
    return f"({', '.join(extents)})" if extents else "(a number)"


def _formula(head: str, text: str) -> list[str]:
    """A formula in lines that fit into a comment."""
    *defined, last = text.splitlines() or [""]
    lines: list[str] = []
    for line in (*defined, head + last):
        lines += textwrap.wrap(
            line, WIDTH - 4, initial_indent=INDENT, subsequent_indent=INDENT * 2,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return lines


def _comment(lines: Iterable[str]) -> str:
    """Lines as a comment, which nothing in them can end."""
    plain = ["".join(c if c.isprintable() else " " for c in line) for line in lines]
    safe = [re.sub(r"\*(?=/)|/(?=\*)", lambda m: m[0] + " ", line) for line in plain]
    first, *rest = safe
    body = [f" * {line}".rstrip() for line in rest]
    return "\n".join([f"/* {first}", *body, " */"])


def _condition(terms: Sequence[str], result: str, freed: Sequence[str] = ()) -> list[str]:
    """Return `result` if one of the terms holds."""
    if not terms:
        return []
    text = textwrap.fill(
        " || ".join(term.replace(" ", "\0") for term in terms) + ")", WIDTH - 4,
        initial_indent="if (", subsequent_indent=" " * 4,
        break_long_words=False, break_on_hyphens=False,
    ).replace("\0", " ")  # fmt: skip
    if not freed:
        return [*text.splitlines(), f"{INDENT}return {result};"]
    lines = [*text.splitlines()]
    lines[-1] += " {"
    return [*lines, *[f"{INDENT}free({name});" for name in freed], f"{INDENT}return {result};", "}"]
