"""A kernel's source in, the text of a Python module out: for the cache, or to stand alone.

The module of the cache imports our helpers. The standalone one holds their source and needs only
NumPy, SciPy and Numba; a plain function ``run`` in it checks the arguments.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorcalc._version import __version__
from tensorcalc.dims import Dims
from tensorcalc.emit.cache import helpers_digest
from tensorcalc.emit.source import Source

ORDER = (
    "math", "hints", "memory", "subroutine", "elementwise", "blas", "lapack", "factor", "linalg",
    "copy",
)  # fmt: skip


def kernel_module(source: Source) -> str:
    """The text that the cache compiles."""
    lines = [
        '"""A kernel written by tensorcalc; its name is the digest of this text."""',
        f"# version {__version__}, helpers {helpers_digest()}",
        "from numpy import full",
        f"from numba import float64 as double, {source.dtype} as number, int32, njit, types",
    ]
    for module in ORDER:
        names = [name for where, name in source.uses if where == module]
        if names:
            place = "math" if module == "math" else f"tensorcalc.kernels.{module}"
            lines.append(f"from {place} import {', '.join(names)}")
    return "\n".join([*lines, "", "", decorator(source, "True"), source.body])


def decorator(source: Source, cache: str) -> str:
    """The line that compiles the kernel for its one signature.

    Arguments are declared read-only, which takes writeable arrays, too.
    """
    arguments = [
        f'types.Array(number, {rank}, "C", readonly=True)' if rank else "number"
        for rank in source.ranks
    ]
    arguments += [f'types.Array(number, {rank}, "C")' for rank in source.passed]
    arguments += ["types.intp"] * 2 if source.ranged else []
    signature = f"({', '.join(arguments)}{',' if len(arguments) == 1 else ''})"
    return f'@njit([{signature}], nogil=True, error_model="numpy", cache={cache})'


def standalone(
    source: Source,
    title: str,
    arguments: Sequence[str],
    shapes: Mapping[str, Dims],
    outputs: Sequence[str],
    positions: Sequence[int],
) -> str:
    """A module that needs only NumPy, SciPy and Numba.

    `arguments` are the kernel's, in order; `shapes` those of every variable ``run`` takes;
    `positions` say which result of the kernel each of `outputs` is. The user's words stand in it
    as JSON strings only.
    """
    facts = {
        "formula": title,
        "variables": {name: [str(dim) for dim in dims] for name, dims in shapes.items()},
        "arguments": list(arguments),
        "outputs": list(outputs),
        "positions": list(positions),
    }
    used = {where for where, _ in source.uses}
    if used & {"factor", "linalg"}:
        used |= {"memory", "elementwise", "blas", "lapack", "factor"}
    if used & {"elementwise", "blas"}:
        used.add("subroutine")
    helpers = [_helper(module) for module in ORDER[1:] if module in used]
    docstring = '"""A kernel compiled by tensorcalc: call run(...) with arrays by name."""'
    parts = [
        docstring,
        "import json\nimport math\n\nimport numpy as np",
        "from math import "
        + ", ".join(sorted({n for w, n in source.uses if w == "math"} | {"inf"})),
        f"from numba import float64 as double, {source.dtype} as number, int32, njit, types",
        "from numpy import full",
        f"FACTS = json.loads({json.dumps(json.dumps(facts))})",
        *helpers,
        decorator(source, "False") + "\n" + source.body,
        RUN.replace("DTYPE", source.dtype),
    ]
    return "\n\n".join(parts)


def _helper(module: str) -> str:
    """The source of a helper module without its docstring and its imports of other helpers."""
    import tensorcalc.kernels

    path = Path(tensorcalc.kernels.__file__).parent / f"{module}.py"
    text = path.read_text()
    tree = ast.parse(text)
    dropped: set[int] = set()
    for node in tree.body:
        ours = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorcalc")
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        docstring = node is tree.body[0] and isinstance(node, ast.Expr)
        if ours or future or docstring:
            dropped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = [line for k, line in enumerate(text.splitlines(), 1) if k not in dropped]
    return "\n".join(lines).strip() + "\n"


# the wrapper of a standalone module
RUN = '''
def run(**values):
    """The outputs (one array, or a dict of them) for arrays given by name."""
    shapes, sizes = FACTS["variables"], {}
    for name in values:
        if name not in shapes:
            raise TypeError("unknown variable " + repr(name) + "; known: " + ", ".join(shapes))
    arrays = {}
    for name, dims in shapes.items():
        if name not in values:
            if name in FACTS["arguments"]:
                raise TypeError("no value for " + repr(name))
            continue
        array = np.require(values[name], np.DTYPE, ["C_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])
        if array.ndim != len(dims):
            raise ValueError(name + " needs " + str(len(dims)) + " axes, not " + str(array.ndim))
        arrays[name] = array
    for product in (False, True):  # single names first: products are told by them
        for name, array in arrays.items():
            for axis, dim in enumerate(shapes[name]):
                parts = dim.split("*")
                unknown = [p for p in parts if not p.isdigit() and p not in sizes]
                known = math.prod([int(p) if p.isdigit() else sizes.get(p, 1) for p in parts])
                extent = array.shape[axis]
                if unknown and len(parts) > 1 and not product:
                    continue
                if len(unknown) == 1 and known and extent % known == 0:
                    sizes[unknown[0]] = extent // known
                elif known != extent:
                    where = "axis " + str(axis) + " of " + name
                    raise ValueError(where + " has size " + str(extent) + ", not " + str(known))
    arguments = [a if a.ndim else a[()] for a in [arrays[n] for n in FACTS["arguments"]]]
    results = kernel(*arguments)
    found = {n: results[k] for n, k in zip(FACTS["outputs"], FACTS["positions"])}
    return found[""] if list(found) == [""] else found


run.__doc__ = FACTS["formula"] or run.__doc__
'''
