"""Names and facts in, Python functions for the fast path of a call out. Serves `kernel.py`.

`front` makes what a call enters first: a function with the names of the variables as keywords.
`fast` makes what runs for one kind of arguments: it compares them with what was checked when that
kind was met first, and leaves all else to the slow way. Text is written from counts alone: names
of the user enter as data, the keywords as `co_varnames`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from tensorcalc.emit.driver import Filling
from tensorcalc.threads import threads as threads_now

Function = Callable[..., Any]
Convert = Callable[[Any], Any]

# C code that imports, as Numba's for LAPACK does, looks for __builtins__ among the globals
GLOBALS: dict[str, Any] = {"__builtins__": builtins}
MAX_VALUES = 200  # a function of more is called the slow way


class Missing:
    """The type of `MISSING`: an argument that was not given."""


MISSING = Missing()


class Result(NamedTuple):
    """An output's name, its place among what the run returns, and what is done to it."""

    name: str
    place: int
    convert: Convert | None


@lru_cache(maxsize=256)
def _code(text: str) -> CodeType:
    """The code of the one function of a text."""
    module = compile(text, "<tensorcalc call>", "exec")
    return next(found for found in module.co_consts if isinstance(found, CodeType))


def front(names: Sequence[str], slow: Function) -> tuple[FunctionType, dict[str, Any]]:
    """A function of `names` by position or keyword, and its globals: ``fast`` there may be set.

    It calls ``fast`` with a value per name in order, `MISSING` where there is none, if values came
    in one way only and all have a name; else ``slow(args, kwargs)``. A name that comes both ways is
    no error of Python's: positions have parameters of their own.
    """
    count = len(names)
    given = ", ".join(f"k{k}" for k in range(count))
    put = ", ".join(f"p{k}" for k in range(count))
    heads = [*[f"p{k}=None" for k in range(count)], "/", "*extra"] if count else ["*extra"]
    heads += [*[f"k{k}=None" for k in range(count)], "**more"]
    lines = [f"def front({', '.join(heads)}):"]
    if count:
        none = " and ".join(f"k{k} is missing" for k in range(count))
        lines += [
            "    if p0 is missing:",
            f"        if not more: return fast({given})",
            f"    elif not extra and not more and {none}:",
            f"        return fast({put})",
        ]
    else:
        lines.append("    if not extra and not more: return fast()")
    lines.append(f"    return slow([{put}], extra, [{given}], more)")
    code = _code("\n".join(lines))
    own = [f" {k}" for k in range(count)]  # no keyword that anybody writes
    tail = code.co_varnames[2 * count :]
    code = code.replace(co_varnames=(*own, *names, *tail))
    space = {**GLOBALS, "missing": MISSING, "slow": slow, "fast": None}
    function = FunctionType(code, space, "kernel", (MISSING,) * count)
    function.__kwdefaults__ = dict.fromkeys(names, MISSING)
    return function, space


def behaved(array: Any) -> bool:
    """Whether an array that is not writeable is C-contiguous and aligned."""
    flags = array.flags
    return bool(flags.c_contiguous and flags.aligned)


def fast(
    values: Sequence[Any],
    run: Function,
    arguments: Sequence[tuple[int, Convert | None]],
    results: Sequence[Result],
    single: bool,
    slow: Function,
    threads: int,
) -> Function:
    """A function of values like these: `run` of some of them, its results as a dict or alone.

    Values of another kind, and numbers that `arguments` cannot convert, go to ``slow(*values)``; so
    do all with another number of threads than `threads`, if that is not 0.
    Nothing of `values` is kept but their shapes and types.
    """
    space = {**GLOBALS, "ndarray": np.ndarray, "behaved": behaved, "run": run, "slow": slow}
    tests = []
    if threads:
        space["threads"] = threads_now
        tests.append(f"threads() == {threads}")
    for k, value in enumerate(values):
        if type(value) is np.ndarray:
            space |= {f"s{k}": value.shape, f"d{k}": value.dtype}
            tests.append(f"type(a{k}) is ndarray and a{k}.shape == s{k} and a{k}.dtype is d{k} "
                         f"and (a{k}.flags.carray or behaved(a{k}))")  # fmt: skip
        else:
            space[f"t{k}"] = type(value)
            tests.append(f"type(a{k}) is t{k}")
    taken = []
    for k, convert in arguments:
        space[f"c{k}"] = convert
        is_done = convert is None or (convert is float and type(values[k]) is float)
        taken.append(f"a{k}" if is_done else f"c{k}(a{k})")
    made = []
    found = [f"r[{k}]" for k in range(len(results))]
    if isinstance(run, Filling):  # written out
        space["run"] = run.run
        for k, (make, shape) in enumerate(run.made):
            space |= {f"m{k}": make, f"e{k}": shape}
            made.append(f"b{k} = m{k}(e{k})")
        taken += [f"b{k}" for k in range(len(made))]
        found = [f"b{k}" if is_made else f"r[{k}]" for is_made, k in run.found]
    built = []
    for k, (name, place, convert) in enumerate(results):
        space |= {f"n{k}": name, f"f{k}": convert}
        item = found[place] if convert is None else f"f{k}({found[place]})"
        built.append(item if single else f"n{k}: {item}")
    given = ", ".join(f"a{k}" for k in range(len(values)))
    text = "\n".join([
        f"def fast({given}):",
        f"    if {' and '.join(tests) or True}:",
        "        try:",
        *[f"            {line}" for line in (*made, f"r = run({', '.join(taken)})")],
        "        except OverflowError:",
        f"            return slow({given})",
        f"        return {', '.join(built) if single else '{' + ', '.join(built) + '}'}",
        f"    return slow({given})",
    ])  # fmt: skip
    return FunctionType(_code(text), space, "kernel")
