"""A request -> a Python module of NumPy, JAX or PyTorch code: imports, helpers, function, check."""

from __future__ import annotations

import keyword
import re

from tensorcalc.printing.code import wrapped
from tensorcalc.printing.code_function import Argument, FunctionParts, function_parts
from tensorcalc.printing.comments import described
from tensorcalc.printing.python_targets import JAX, NUMPY, TORCH
from tensorcalc.printing.sampling import (
    INTERVALS,
    POSITIVE,
    check_known,
    compared,
    filled,
    shape_of,
    sizes_of_check,
    structure,
)
from tensorcalc.printing.takeaway import Request
from tensorcalc.printing.target import Target

OWN = ("check_derivatives", "compared", "math")
NOTES = {
    "jax": [
        "It may be compiled: jax.jit(NAME). Numbers have 32 bits unless",
        'jax.config.update("jax_enable_x64", True) was called before.',
    ],
    "torch": ["Tensors may be of any floating-point type and on any device."],
}
IMPORTS = {
    "numpy": ["import math", "import numpy as np", "import scipy.linalg", "import scipy.special"],
    "jax": ["import math", "import jax", "import jax.numpy as jnp", "import numpy as np"],
    "torch": ["import functools", "import math", "import torch"],
}


def numpy_code(request: Request) -> str:
    """A module of NumPy code."""
    return _module(request, NUMPY)


def jax_code(request: Request) -> str:
    """A module of JAX code."""
    return _module(request, JAX)


def torch_code(request: Request) -> str:
    """A module of PyTorch code."""
    return _module(request, TORCH)


def _module(request: Request, target: Target) -> str:
    is_checked = len(request.outputs) > 1
    if is_checked:
        check_known(request.nodes)
    taken = [*request.names, *keyword.kwlist, *OWN]
    parts = function_parts(target, request.nodes, request.variables, taken)
    function = _function(request, parts)
    check = _check(request, parts) if is_checked else ""
    helpers = [*parts.helpers, *target.used_helpers(function)]
    text = "\n\n".join([h.strip("\n") + "\n" for h in dict.fromkeys(helpers)] + [function])
    text += f"\n\n{check}" if check else ""
    head = [line for line in IMPORTS[target.name] if _imports(line, text)]
    return "\n".join([*head, "", "", text])


def _imports(line: str, text: str) -> bool:
    """Whether a text uses what a line imports."""
    name = line.split()[-1]
    return bool(re.search(rf"(?<![\w.]){re.escape(name)}\.", text))


def _function(request: Request, parts: FunctionParts) -> str:
    names = [argument.name for argument in parts.arguments]
    rows = [f"def {request.name}({', '.join(names)}):", *_docstring(request, parts)]
    arrays = [a for a in parts.arguments if a.kind == "array"]
    found = [a.name for a in arrays]
    if parts.target.has_tensors:
        found.append("kind")
    if arrays or parts.target.has_tensors:
        given = ", ".join(f'("{a.name}", {a.name}, {len(a.extents)})' for a in arrays)
        left = found[0] + "," if len(found) == 1 else ", ".join(found)
        rows.append(wrapped(f"    {left} = arrays({given})"))
    rows += [f"    {name} = {text}" for name, text in parts.sizes]
    for argument in arrays:
        if argument.is_checked:
            extents = ", ".join("None" if e is None else e for e in argument.extents)
            rows.append(wrapped(f'    fits("{argument.name}", {argument.name}, {extents})'))
    rows += [f'    reaches("{size}", {size}, {low})' for size, low in parts.least]
    rows += [wrapped(f"    {name} = {text}") for name, text in parts.body]
    if len(parts.results) == 1:
        return "\n".join([*rows, wrapped(f"    return {parts.results[0]}"), ""])
    outputs = [output.identifier for output in request.outputs]
    for name, text in zip(outputs, parts.results, strict=True):
        rows.append(wrapped(f"    {name} = {text}"))
    return "\n".join([*rows, f"    return {', '.join(outputs)}", ""])


def _docstring(request: Request, parts: FunctionParts) -> list[str]:
    """The formulas and shapes, and what is to be known of the library."""
    notes = [line.replace("NAME", request.name) for line in NOTES.get(parts.target.name, [])]
    static = [f'"{a.name}"' for a in parts.arguments if a.kind == "integer"]
    if parts.target.static_integers and static:
        notes.append(f"Integers are static there: static_argnames=[{', '.join(static)}].")
    shown = [*described(request, parts), *[""] * bool(notes), *notes]
    quotes = '"""'
    return [f"    {quotes}{shown[0]}", *[f"    {r}".rstrip() for r in shown[1:]], f"    {quotes}"]


# ── the check ────────────────────────────────────────────────────────────────────────────────

XP = {"numpy": "np", "jax": "jnp", "torch": "torch"}
DRAWS = {
    "numpy": ("rng = np.random.default_rng(seed)", "np.asarray(rng.uniform(low, high, shape))"),
    "jax": ("rng = np.random.default_rng(seed)", "jnp.asarray(rng.uniform(low, high, shape))"),
    "torch": (
        "rng = torch.Generator().manual_seed(seed)",
        "low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)",
    ),
}
INTEGERS = {
    "numpy": "np.asarray(rng.integers(1, 5, {0}) * 1.0)",
    "jax": "jnp.asarray(rng.integers(1, 5, {0}) * 1.0)",
    "torch": "torch.randint(1, 5, {0}, generator=rng, dtype=torch.float64)",
}
# property: a drawn matrix that has it, and a direction in which `x` keeps it
MADE = {
    "spd": "{0} @ {0}.T / {n} + {eye}",
    "symmetric": "{0} + {0}.T",
    "skew": "{0} - {0}.T",
    "diagonal": "{xp}.diag({xp}.diag({0}))",
    "lower": "{xp}.tril({0})",
    "upper": "{xp}.triu({0})",
    "orthogonal": "{xp}.linalg.qr({0})[0]",
    "invertible": "{0} + {n} * {eye}",
}
KEPT = {
    "spd": "e + e.T",
    "symmetric": "e + e.T",
    "skew": "e - e.T",
    "diagonal": "{xp}.diag({xp}.diag(e))",
    "lower": "{xp}.tril(e)",
    "upper": "{xp}.triu(e)",
    "orthogonal": "x @ (e - e.T)",
}
CHECK = '''def check_derivatives(seed=0):
    """Compare every derivative with central differences at random arguments.

    Returns the largest difference, relative to the largest entry; raises ArithmeticError where a
    derivative is wrong.
    """
    START
    for low, high in (INTERVALS):

        def draw(*shape):
            return DRAW

        point = [
POINT
        ]
        if all(bool(XP.all(XP.isfinite(result))) for result in NAME(*point)):
            break
    else:
        raise ValueError("the results are not finite at random arguments")
    worst = 0.0
    for name, output, position, turned in (
TABLE
    ):
        worst = max(worst, compared(name, NAME, point, output, position, turned))
    return worst
'''
COMPARED = '''def compared(name, function, point, output, position, turned):
    """The difference of one derivative and central differences in all directions."""
    x = point[position]
    value = function(*point)[0]
    count, entries = math.prod(SHAPE), math.prod(x.shape)
    derivative = XP.reshape(function(*point)[output], (count, entries))
    step = float(XP.finfo(x.dtype).eps) ** (1 / 3)
    worst = scale = doubt = 0.0

    def slope(e, h):
        ahead, behind = [*point], [*point]
        ahead[position], behind[position] = x + h * e, x - h * e
        return XP.reshape(function(*ahead)[0] - function(*behind)[0], (count,)) / (2 * h)

    for k in range(entries if count else 0):
        e = turned(XP.reshape(EYE[k], x.shape), x)
        once, twice = slope(e, step), slope(e, 2 * step)
        exact = derivative @ XP.reshape(e, (entries,))
        worst = max(worst, float(XP.max(XP.abs(exact - once))))
        scale = max(scale, float(XP.max(XP.abs(once))))
        doubt = max(doubt, float(XP.max(XP.abs(twice - once))))  # of the differences themselves
    rounding = 100 * step**2 * float(XP.max(XP.abs(value))) if count else 0.0
    if not worst <= step * scale / 10 + rounding + doubt:
        raise ArithmeticError(f"{name} differs from central differences by {worst:.2g}")
    return worst / scale if scale else worst
'''
EYES = {
    "numpy": "np.eye(entries, dtype=x.dtype)",
    "jax": "jnp.eye(entries, dtype=x.dtype)",
    "torch": "torch.eye(entries, dtype=x.dtype)",
}


def _check(request: Request, parts: FunctionParts) -> str:
    """The function that compares the derivatives with finite differences."""
    target = parts.target
    xp = XP[target.name]
    sizes = sizes_of_check(parts, request.nodes)
    arguments = list(parts.arguments)
    drawn = [_drawn(argument, target, sizes) for argument in arguments]
    rows = [
        f'        ("{name}", {k}, {x}, lambda e, x: {KEPT.get(kind, "e").format(xp=xp)}),'
        for name, k, x, kind in compared(request, arguments)
    ]
    start, draw = DRAWS[target.name]
    shown = zip(arguments, drawn, strict=True)
    words = {
        "START": start,
        "DRAW": draw,
        "INTERVALS": ", ".join(str(pair) for pair in INTERVALS),
        "POINT": "\n".join([f"            {text},  # {a.name}" for a, text in shown]),
        "TABLE": "\n".join(rows),
        "EYE": EYES[target.name],
        "SHAPE": "value.shape" if xp == "torch" else f"{xp}.shape(value)",
        "XP": xp,
        "NAME": request.name,
    }
    return filled(COMPARED + "\n\n" + CHECK, words)


def _drawn(argument: Argument, target: Target, sizes: dict[str, int]) -> str:
    """The expression of a random value of an argument."""
    if argument.size:
        return str(sizes[argument.size])
    shape = shape_of(argument, sizes)
    facts = argument.variable.properties if argument.variable else frozenset()
    xp = XP[target.name]
    if "integer" in facts:
        drawn = INTEGERS[target.name].format(tuple(shape))
        return f"int({drawn})" if argument.kind == "integer" else drawn
    made = f"draw({', '.join(map(str, shape))})"
    if facts & POSITIVE:
        return f"0.5 + {xp}.abs({made})"
    if "complex" in facts:
        made += f" + 1j * {made}"
    kind = structure(argument)
    if kind is None:
        return made
    eye = f"{xp}.eye({shape[0]})".replace(")", ", dtype=torch.float64)" * (xp == "torch") or ")")
    return f"(lambda a: {MADE[kind].format('a', n=shape[0], eye=eye, xp=xp)})({made})"
