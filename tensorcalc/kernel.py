"""Formulas in, a callable out that compiles on its first call: argument checks, dispatch, results.

A kernel never sees a wrong shape, type or layout: everything is checked or converted here. Which
program runs depends on the sizes; it is planned once per tuple of shapes, and compiled only if its
text is new. Calls may come from many threads.

A call goes three ways. The first compares the arguments with those of the last kind: a function
written for it (`dispatch.fast`) asks for the very type, shape, data type and layout and runs the
compiled code. The second finds the kind in a dictionary, the third checks, converts and plans. What
one thread remembers for all is one reference, replaced whole: the function of the first way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tensorcalc.binding import (
    FLOATS,
    Array,
    as_array,
    bind_sizes,
    check_names,
    check_nodes,
    common_dtype,
)
from tensorcalc.dispatch import MAX_VALUES, MISSING, Convert, Result, fast, front
from tensorcalc.emit.driver import compiled_parts, drive
from tensorcalc.emit.source import source
from tensorcalc.errors import DomainError, LimitError, ShapeError, TensorcalcError
from tensorcalc.interpret import evaluate
from tensorcalc.ir import MatrixFunction, Node, Variable, sizes_of
from tensorcalc.plan import plan
from tensorcalc.plan.host import check_known
from tensorcalc.plan.program import Host, Program, ProgramTooLongError, work_of
from tensorcalc.plan.ranges import is_large
from tensorcalc.plan.turn import reverse, turn
from tensorcalc.threads import threads
from tensorcalc.traverse import postorder, variables as variables_of

SINGLE, DOUBLE = FLOATS
MAX_ENTRIES = 512  # kinds of arguments remembered per kernel
MIN_TURNED = 1 << 20  # bytes; a smaller array in Fortran's order is copied rather than compiled for
# the number of every size for a plan that is asked for before the first call: the first for which
# memory suffices
NOMINAL = (100, 24, 8)

ndarray = np.ndarray  # what is looked up in every call

# a value of rank 0 of these types needs no check once one has passed
NUMBERS = (int, float, np.float32, np.float64, np.ndarray)


@dataclass(frozen=True, slots=True)
class Case:
    """What a program is planned for; `turned` are arrays in Fortran's order, given transposed."""

    given: tuple[str, ...]
    sizes: Mapping[str, int]
    dtype: np.dtype[Any]
    turned: frozenset[str] = frozenset()
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What runs in one case."""

    run: Callable[..., tuple[Any, ...]]
    arguments: tuple[tuple[int, Convert | None], ...]  # places among the values, and conversions
    finish: tuple[Result, ...]
    case: Case
    program: Program | None  # None if all is interpreted: see `reason`
    shapes: Mapping[str, tuple[int, ...]]  # of the program's results
    reason: str = ""

    @property
    def threads(self) -> int:
        """The number of threads that the program is for; 0 if it is the same for any."""
        large = self.program is not None and is_large(work_of(self.program.steps))
        return self.case.threads if large else 0


def compile_nodes(
    outputs: Mapping[str, Node],
    variables: Mapping[str, Variable],
    single: bool,
    formula: str = "",
    stated: Mapping[str, Node] | None = None,
) -> Kernel:
    """The kernel of `outputs`; with `single` a call returns the one output itself, else a dict.

    `variables` are all it takes, in the order of positional arguments. `stated` are the outputs
    before declared properties were used, for what a saved module tells; so is `formula`.
    """
    return Kernel(outputs, variables, single, formula, stated)


class Kernel(partial[Any]):
    """A compiled function of arrays. Call it by keyword or in the order of its variables.

    It is a `functools.partial` of the function from `dispatch.front` (with nothing fixed), as that
    is entered without a method call between.
    """

    def __new__(
        cls,
        outputs: Mapping[str, Node],
        variables: Mapping[str, Variable],
        single: bool,
        formula: str = "",
        stated: Mapping[str, Node] | None = None,
    ) -> Kernel:
        names = {**variables, **variables_of(*outputs.values())}
        function, space = front(list(names), lambda *parts: self._called(*parts))
        self = super().__new__(cls, function)
        self._space = space
        return self

    _space: dict[
        str, Any
    ]  # the globals of the function that is called: ``fast`` is looked up there

    def __init__(
        self,
        outputs: Mapping[str, Node],
        variables: Mapping[str, Variable],
        single: bool,
        formula: str = "",
        stated: Mapping[str, Node] | None = None,
    ) -> None:
        check_known(outputs.values())
        self._outputs = dict(outputs)
        self._variables = {**variables, **variables_of(*outputs.values())}
        self._names = tuple(self._variables)
        self._needed = frozenset(variables_of(*outputs.values()))
        self._single = single
        self._formula = formula
        self._stated = dict(stated or outputs)
        # by what is seen at a glance: what runs, and the function that compares
        self._entries: dict[tuple[object, ...], tuple[Entry, Callable[..., Any]]] = {}
        self._planned: dict[tuple[object, ...], Entry] = {}  # by what matters
        self._last: Entry | None = None
        self._space["fast"] = self._unlike

    @property
    def variables(self) -> dict[str, Variable]:
        """What the kernel takes, in order."""
        return dict(self._variables)

    def _called(
        self,
        places: Sequence[Any],
        extra: Sequence[Any],
        words: Sequence[Any],
        more: Mapping[str, Any],
    ) -> Any:
        """A call with values in both ways, or too many: see `dispatch.front`."""
        args = [value for value in places if value is not MISSING]
        named = {n: v for n, v in zip(self._names, words, strict=True) if v is not MISSING}
        return self._run(self._ordered([*args, *extra], {**named, **more}), None)

    def _unlike(self, *values: Any) -> Any:
        """A call with values, or `MISSING`, that are not of the kind of the last call."""
        ordered: Sequence[Any] = values
        if any(value is MISSING for value in values):
            named = zip(self._names, values, strict=True)
            ordered = self._ordered((), {n: v for n, v in named if v is not MISSING})
        return self._run(ordered, values)

    def _run(self, values: Sequence[Any], given: Sequence[Any] | None) -> Any:
        """The results for a value or None per variable; `given` are what such calls come with."""
        count = threads()
        key = (count, *[
            (v.shape, v.dtype, v.flags.num) if type(v) is ndarray else type(v) for v in values
        ])  # fmt: skip
        known = self._entries.get(key)
        if known is None:
            entry, values, again = self._enter(values, values if given is None else given, count)
            if again is not None:
                _remember(self._entries, key, (entry, again))
        else:
            entry, again = known
        self._last = entry
        self._space["fast"] = again or self._unlike
        try:
            arguments = [
                values[place] if convert is None else convert(values[place])
                for place, convert in entry.arguments
            ]
        except OverflowError:  # an integer beyond every float
            self._converted(values)  # refused there
            raise
        found = entry.run(*arguments)
        results = {}
        for name, place, convert in entry.finish:
            result = found[place]
            if convert is not None:
                result = convert(result)
            results[name] = result
        return result if self._single else results

    def _ordered(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the variables; None for one that is not needed."""
        if len(args) > len(self._names):
            raise TensorcalcError(
                f"{len(args)} values given, but there are {len(self._names)} variables",
                hint=f"the variables are: {', '.join(self._names)}",
            )
        values = dict(zip(self._names, args, strict=False))
        for name in kwargs:
            if name in values:
                raise TensorcalcError(f"{name} is given twice, by position and by name")
        values.update(kwargs)
        check_names(self._variables, values, (n for n in self._names if n in self._needed))
        return [values.get(name) for name in self._names]

    def _enter(
        self, values: Sequence[Any], given: Sequence[Any], count: int
    ) -> tuple[Entry, Sequence[Any], Callable[..., Any] | None]:
        """What runs for values of a kind not met before, and the values as it takes them.

        `count` is the number of threads.

        Third comes the function that knows the kind again, if such values need no conversion.
        """
        arrays = self._converted(values)
        turned = [array is not None and not array.flags.c_contiguous for array in arrays]
        parts = (count, *[
            array if array is None else (array.shape, array.dtype, turn)
            for array, turn in zip(arrays, turned, strict=True)
        ])  # fmt: skip
        entry = self._planned.get(parts)
        if entry is None:
            names = [name for name, turn in zip(self._names, turned, strict=True) if turn]
            entry = self._prepare(arrays, frozenset(names), count)
            _remember(self._planned, parts, entry)
        checked = [
            value is array or (type(value) in NUMBERS and array.ndim == 0)
            for value, array in zip(values, arrays, strict=True)
        ]
        if not all(checked):
            return entry, arrays, None
        if len(values) > MAX_VALUES:
            return entry, arrays, self._unlike
        again = fast(
            given,
            entry.run,
            entry.arguments,
            entry.finish,
            self._single,
            self._unlike,
            entry.threads,
        )
        return entry, arrays, again

    def _converted(self, values: Sequence[Any]) -> list[Any]:
        """Every value as an array of one float type, contiguous or large and in Fortran's order."""
        given = [k for k, value in enumerate(values) if value is not None]
        for k, value in enumerate(values):
            if value is None and self._names[k] in self._needed:
                as_array(self._names[k], value)  # refused there
        variables = list(self._variables.values())
        arrays = {
            k: as_array(self._names[k], values[k], MIN_TURNED, is_complex=variables[k].is_complex)
            for k in given
        }
        dtype = common_dtype([values[k] for k in given], arrays.values())
        result: list[Any] = [None] * len(values)
        for k, array in arrays.items():
            result[k] = array if array.dtype.kind == "c" else array.astype(dtype, copy=False)
        return result

    def _prepare(self, values: Sequence[Any], turned: frozenset[str], count: int) -> Entry:
        """Check the shapes, plan, and compile what is not compiled yet."""
        given = {n: v for n, v in zip(self._names, values, strict=True) if v is not None}
        sizes = bind_sizes(self._variables, given)
        check_nodes(self._outputs.values(), sizes)
        _check_not_empty(self._outputs.values(), sizes)
        dtype = SINGLE if any(value.dtype == SINGLE for value in given.values()) else DOUBLE
        return self._entry(Case(tuple(given), sizes, dtype, turned, count), compiled=True)

    def _entry(self, case: Case, *, compiled: bool) -> Entry:
        given = {name: self._variables[name] for name in case.given}
        outputs = self._outputs
        read: list[Node] = [*outputs.values(), *given.values()]  # some only tell a size
        if any(node.is_complex for node in postorder(read)):
            return self._interpreted(case, "complex numbers")
        if case.turned:
            given = {n: reverse(v) if n in case.turned else v for n, v in given.items()}
            nodes = turn(list(outputs.values()), case.turned)
            outputs = dict(zip(outputs, nodes, strict=True))
        try:
            program = plan(outputs, case.sizes, given, case.dtype.itemsize, None, case.threads)
        except ProgramTooLongError:
            return self._interpreted(case, "too long to compile")
        shapes = {
            name: tuple([dim.value(case.sizes) for dim in node.dims])
            for name, node in zip(program.outputs, outputs.values(), strict=True)
        }
        run = drive(program, case.dtype, case.sizes, shapes) if compiled else _never
        names = [buffer.name for buffer in program.results]
        finish: list[Result] = []
        for k, (output, name) in enumerate(zip(outputs, program.outputs, strict=True)):
            place = names.index(name)
            is_array = bool(program.results[place].extents)
            again = np.copy if name in program.outputs[:k] else None
            finish.append(Result(output, place, again if is_array else case.dtype.type))
        variables = [str(buffer.variable) for buffer in program.arguments]
        arguments = [name for name in variables if name not in program.data]
        return Entry(run, self._passing(arguments, case), tuple(finish), case, program, shapes)

    def _interpreted(self, case: Case, reason: str) -> Entry:
        """An entry that runs NumPy."""
        nodes = list(self._outputs.values())

        def run(*values: Any) -> tuple[Array, ...]:
            arrays = {n: np.asarray(v) for n, v in zip(case.given, values, strict=True)}
            return tuple(evaluate(nodes, arrays, case.sizes, case.dtype))

        finish = [
            Result(name, k, None if node.rank else _as_number)
            for k, (name, node) in enumerate(self._outputs.items())
        ]
        arguments = self._passing(case.given, replace(case, turned=frozenset()))
        return Entry(run, arguments, tuple(finish), case, None, {}, reason)

    def _passing(
        self, arguments: Sequence[str], case: Case
    ) -> tuple[tuple[int, Convert | None], ...]:
        """Where a program's arguments stand among the values, and how they are converted."""
        number: Convert = float if case.dtype == DOUBLE else case.dtype.type
        result: list[tuple[int, Convert | None]] = []
        for name in arguments:
            convert: Convert | None = None
            if not self._variables[name].rank:
                convert = complex if self._variables[name].is_complex else number
            elif name in case.turned:
                convert = np.transpose
            result.append((self._names.index(name), convert))
        return tuple(result)

    def _shown(self) -> Entry:
        """The entry of the last call; before the first one, a plan for nominal sizes."""
        if self._last is not None:
            return self._last
        nodes = [*self._outputs.values(), *self._variables.values()]
        dims = [dim for node in postorder(nodes) for dim in sizes_of(node)]
        for nominal in NOMINAL:
            sizes = {name: nominal for dim in dims for name in dim.names}
            try:
                return self._entry(Case(self._names, sizes, DOUBLE), compiled=False)
            except LimitError:
                if nominal == NOMINAL[-1]:
                    raise
        raise AssertionError("the last of the numbers returns or raises")

    @property
    def source(self) -> str:
        """The Python text of the kernel that the last call ran."""
        shown = self._shown()
        if shown.program is None:
            return f"# interpreted: {shown.reason}\n"
        parts = compiled_parts(shown.program, shown.shapes)
        dtype = shown.case.dtype.name
        return "\n".join(
            f"# {part.kind}\n" if isinstance(part, Host) else source(part, dtype).body
            for part in parts
        )

    @property
    def plan(self) -> str:
        """The steps of the last call, with their classes and costs."""
        shown = self._shown()
        return str(shown.program or f"interpreted: {shown.reason}")

    def save(self, path: str | Path) -> None:
        """Write a module with the last call's kernel that needs only NumPy, SciPy and Numba.

        Raises what `to_module` does.
        """
        Path(path).write_text(self.to_module(), encoding="utf-8")

    def to_module(self) -> str:
        """The text of a module with the last call's kernel; it needs no tensorcalc.

        Raises
        ------
        DomainError
            If some of it is interpreted, or an array constant is very large.
        ShapeError
            If no variable tells a size.
        """
        from tensorcalc.emit.facts import conditions, derivatives, names_of
        from tensorcalc.emit.standalone import Facts, standalone
        from tensorcalc.full_rank import rank_limits

        case = replace(self._shown().case, turned=frozenset(), threads=1)
        entry = self._entry(case, compiled=False)
        program = entry.program
        if program is None:
            raise DomainError(f"the formula is interpreted ({entry.reason}): there is no module")
        for step in program.steps:
            if isinstance(step, Host):
                what = step.kind.removeprefix("host ")
                raise DomainError(f"{what} has no compiled form, so there is no module")
        told = names_of([], self._variables.values())
        for size in names_of(list(self._outputs.values()), []):
            if size not in told:
                raise ShapeError(f"the size {size} cannot be told from the shapes of the values")
        places = [place for _, place, _ in entry.finish]
        outputs = {
            "" if self._single else name: (place, node.dims)
            for (name, node), place in zip(self._outputs.items(), places, strict=True)
        }
        facts = Facts(
            self._formulas(),
            self._variables,
            [str(buffer.variable) for buffer in program.arguments],
            program.data,
            outputs,
            [] if self._single else derivatives(self._stated),
            conditions(self._outputs.values(), program, case.sizes),
            rank_limits(self._outputs.values()),
        )
        return standalone(source(program, case.dtype.name, allocate=True), facts)

    def _formulas(self) -> list[str]:
        """What is computed, as text in the language."""
        if self._formula:
            return [self._formula]
        from tensorcalc.expression import Expr

        texts = []
        for name, node in self._stated.items():
            *defined, last = str(Expr.of(node, self._variables, (node.rank,))).splitlines()
            texts += [*defined, last if self._single else f"{name} = {last}"]
        return texts

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (self._outputs, self._variables, self._single, self._formula, self._stated)
        return Kernel, facts

    def __repr__(self) -> str:
        return f"<Kernel of {', '.join(self._outputs)}({', '.join(self._names)})>"


def _never(*values: Any) -> tuple[Any, ...]:
    raise AssertionError("this program was only planned")


def _remember(entries: dict[tuple[object, ...], Any], key: tuple[object, ...], new: Any) -> None:
    if len(entries) >= MAX_ENTRIES:
        entries.clear()
    entries[key] = new


def _as_number(result: Array) -> Any:
    return result[()]


def _check_not_empty(roots: Iterable[Node], sizes: Mapping[str, int]) -> None:
    """Refuse the largest or smallest of no entries."""
    for node in postorder(roots):
        if not isinstance(node, MatrixFunction) or node.function not in ("max", "min"):
            continue
        if not node.operands[0].dims[-1].value(sizes):
            raise DomainError(f"{node.function} of no entries has no value")
