"""Formulas in, a callable out that compiles on its first call: argument checks, dispatch, results.

A kernel never sees a wrong shape, type or layout: everything is checked or converted here. Which
program runs depends on the sizes; it is planned once per tuple of shapes, and compiled only if its
text is new. Calls may come from many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorcalc.binding import (
    FLOATS,
    Array,
    all_dims,
    as_array,
    bind_sizes,
    check_names,
    check_nodes,
    common_dtype,
)
from tensorcalc.emit import emit
from tensorcalc.emit.module import standalone
from tensorcalc.emit.source import Source, source
from tensorcalc.errors import TensorcalcError
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Node, Variable
from tensorcalc.plan import plan
from tensorcalc.plan.program import Program, ProgramTooLongError
from tensorcalc.traverse import postorder, variables as variables_of

SINGLE, DOUBLE = FLOATS
MAX_ENTRIES = 512  # shape tuples remembered per kernel
NOMINAL = 100  # the number of every size for a plan that is asked for before the first call


@dataclass(frozen=True, slots=True)
class Entry:
    """What runs for one tuple of shapes; `picks` are the places of its arguments."""

    run: Callable[..., tuple[Any, ...]]
    picks: tuple[int, ...]
    finish: tuple[tuple[int, type | None, bool], ...]  # result, scalar type, copy
    program: Program | None
    source: Source | None


def compile_nodes(
    outputs: Mapping[str, Node],
    variables: Mapping[str, Variable],
    single: bool,
    formula: str = "",
) -> Kernel:
    """The kernel of `outputs`; with `single` a call returns the one output itself, else a dict.

    `variables` are all it takes, in the order of positional arguments.
    """
    return Kernel(outputs, variables, single, formula)


class Kernel:
    """A compiled function of arrays. Call it by keyword or in the order of its variables."""

    def __init__(
        self,
        outputs: Mapping[str, Node],
        variables: Mapping[str, Variable],
        single: bool,
        formula: str = "",
    ) -> None:
        self._outputs = dict(outputs)
        self._variables = {**variables, **variables_of(*outputs.values())}
        self._names = tuple(self._variables)
        self._needed = frozenset(variables_of(*outputs.values()))
        self._single = single
        self._formula = formula
        self._entries: dict[tuple[object, ...], Entry] = {}
        self._last: Entry | None = None

    @property
    def variables(self) -> dict[str, Variable]:
        """What the kernel takes, in order."""
        return dict(self._variables)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args or len(kwargs) != len(self._names):
            values = self._ordered(args, kwargs)
        else:
            try:
                values = [kwargs[name] for name in self._names]
            except KeyError:
                values = self._ordered(args, kwargs)
        key = _key(values)
        if key is None:
            values = self._converted(values)
            key = _key(values)
        entry = self._entries.get(key)  # type: ignore[arg-type]
        if entry is None:
            entry = self._prepare(values)
            if len(self._entries) >= MAX_ENTRIES:
                self._entries.clear()
            self._entries[key] = entry  # type: ignore[index]
        self._last = entry
        found = entry.run(*[values[k] for k in entry.picks])
        results = []
        for k, scalar, duplicate in entry.finish:
            result = found[k]
            if scalar is not None:
                result = scalar(result)
            elif duplicate:
                result = result.copy()
            results.append(result)
        if self._single:
            return results[0]
        return dict(zip(self._outputs, results, strict=True))

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

    def _converted(self, values: Sequence[Any]) -> list[Any]:
        """Every value as what a kernel takes: contiguous arrays of one float type, and floats."""
        given = [k for k, value in enumerate(values) if value is not None]
        for k, value in enumerate(values):
            if value is None and self._names[k] in self._needed:
                as_array(self._names[k], value)  # refused there
        arrays = {k: as_array(self._names[k], values[k]) for k in given}
        dtype = common_dtype([values[k] for k in given], arrays.values())
        result: list[Any] = [None] * len(values)
        for k, array in arrays.items():
            array = array.astype(dtype, copy=False)
            result[k] = array if array.ndim else (float(array) if dtype == DOUBLE else array[()])
        return result

    def _prepare(self, values: Sequence[Any]) -> Entry:
        """Check the shapes, plan, and compile what is not compiled yet."""
        given = {n: v for n, v in zip(self._names, values, strict=True) if v is not None}
        sizes = bind_sizes(self._variables, given)
        check_nodes(self._outputs.values(), sizes)
        dtype = SINGLE if any(_is_single(value) for value in given.values()) else DOUBLE
        return self._entry({n: self._variables[n] for n in given}, sizes, dtype, compiled=True)

    def _entry(
        self,
        given: Mapping[str, Variable],
        sizes: Mapping[str, int],
        dtype: np.dtype[Any],
        compiled: bool,
    ) -> Entry:
        try:
            program = plan(self._outputs, sizes, given, dtype.itemsize)
        except ProgramTooLongError:
            return self._interpreted(given, sizes, dtype)
        if compiled:
            text, run = emit(program, dtype.name)
        else:
            text, run = source(program, dtype.name), _never
        picks = tuple([self._names.index(str(b.variable)) for b in program.arguments])
        names = [buffer.name for buffer in program.results]
        finish = []
        for k, name in enumerate(program.outputs):
            place = names.index(name)
            scalar = dtype.type if not program.results[place].extents else None
            finish.append((place, scalar, name in program.outputs[:k]))
        return Entry(run, picks, tuple(finish), program, text)

    def _interpreted(
        self, given: Mapping[str, Variable], sizes: Mapping[str, int], dtype: np.dtype[Any]
    ) -> Entry:
        """An entry that runs NumPy: for a formula that is too long to compile."""
        nodes = list(self._outputs.values())
        names = list(given)

        def run(*values: Any) -> tuple[Array, ...]:
            arrays = {n: np.asarray(v) for n, v in zip(names, values, strict=True)}
            return tuple(evaluate(nodes, arrays, sizes, dtype))

        finish = [(k, None if node.rank else dtype.type, False) for k, node in enumerate(nodes)]
        picks = tuple([self._names.index(name) for name in names])
        return Entry(run, picks, tuple(finish), None, None)

    def _shown(self) -> Entry:
        """The entry of the last call; before the first one, a plan for nominal sizes."""
        if self._last is not None:
            return self._last
        nodes = [*self._outputs.values(), *self._variables.values()]
        dims = [dim for node in postorder(nodes) for dim in all_dims(node)]
        sizes = {name: NOMINAL for dim in dims for name in dim.names}
        return self._entry(self._variables, sizes, DOUBLE, compiled=False)

    @property
    def source(self) -> str:
        """The Python text of the kernel that the last call ran."""
        shown = self._shown()
        return "# interpreted: too long to compile\n" if shown.source is None else shown.source.body

    @property
    def plan(self) -> str:
        """The steps of the last call, with their classes and costs."""
        return str(self._shown().program or "interpreted: too long to compile")

    def save(self, path: str | Path) -> None:
        """Write a module with the last call's kernel that needs only NumPy, SciPy and Numba."""
        from tensorcalc.emit.cache import write

        shown = self._shown()
        if shown.source is None or shown.program is None:
            raise TensorcalcError("the formula is too long to compile, so there is no module")
        text = standalone(
            shown.source,
            self._formula,
            [str(buffer.variable) for buffer in shown.program.arguments],
            {name: variable.dims for name, variable in self._variables.items()},
            [""] if self._single else list(self._outputs),
            [place for place, _, _ in shown.finish],
        )
        write(Path(path), text)

    def __repr__(self) -> str:
        return f"<Kernel of {', '.join(self._outputs)}({', '.join(self._names)})>"


def _never(*values: Any) -> tuple[Any, ...]:
    raise AssertionError("this program was only planned")


def _is_single(value: Any) -> bool:
    return getattr(value, "dtype", None) == SINGLE


def _key(values: Sequence[Any]) -> tuple[object, ...] | None:
    """What chooses the program, if every value is as kernels take it; None if one is not."""
    parts: list[object] = []
    single = double = False
    for value in values:
        kind = type(value)
        if kind is np.ndarray:
            dtype = value.dtype
            flags = value.flags
            shape = value.shape
            if dtype is DOUBLE:
                double = True
            elif dtype is SINGLE:
                single = True
            else:
                return None
            if not (shape and flags.c_contiguous and flags.aligned):
                return None
            parts.append(shape)
        elif kind is float:
            double = True
            parts.append(float)
        elif kind is np.float32:
            single = True
            parts.append(float)
        elif value is None:
            parts.append(None)
        else:
            return None
    if single and double:
        return None
    parts.append(single)
    return tuple(parts)
