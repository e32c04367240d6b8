"""A request -> Julia: a function, or a module with a function and its check."""

from __future__ import annotations

import re

from tensorcalc.printing.code import wrapped
from tensorcalc.printing.code_function import Argument, FunctionParts, function_parts
from tensorcalc.printing.comments import described
from tensorcalc.printing.julia_target import COMPLEX, JULIA
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

SPECIAL = ("erf", "logabsgamma", "digamma", "polygamma")  # of the package SpecialFunctions
TYPES = ("Number", "AbstractVector", "AbstractMatrix")


def julia_code(request: Request) -> str:
    """A function of Julia; with derivatives, a module."""
    is_checked = len(request.outputs) > 1
    if is_checked:
        check_known(request.nodes)
    facts = [*request.nodes, *request.variables.values()]
    target = COMPLEX if any(node.is_complex for node in facts) else JULIA
    parts = function_parts(target, request.nodes, request.variables, request.names)
    function = _function(request, parts)
    helpers = [helper.strip("\n") + "\n" for helper in target.used_helpers(function)]
    text = "\n".join([*helpers, function])
    head = ["using LinearAlgebra"]
    special = [name for name in SPECIAL if re.search(rf"(?<!\w){name}\.?\(", text)]
    head += [f"using SpecialFunctions: {', '.join(special)}  # a package"] if special else []
    if not is_checked:
        return "\n".join([*head, "", text])
    check = _check(request, parts)
    names = ", ".join([request.name, "check_derivatives"])
    module = f"{request.name.capitalize()}Code"
    used = f"# include this file, then: using .{module}; check_derivatives()"
    head = [used, f"module {module}", "", *head, "using Random", "", f"export {names}", ""]
    return "\n".join([*head, text, check, "end", ""])


def _typed(argument: Argument) -> str:
    if argument.kind != "array":
        return argument.name
    rank = len(argument.extents)
    kind = TYPES[rank] if rank < len(TYPES) else f"AbstractArray{{<:Number, {rank}}}"
    return f"{argument.name}::{kind}"


def _function(request: Request, parts: FunctionParts) -> str:
    rows = [f"# {line}".rstrip() for line in described(request, parts)]
    given = ", ".join(_typed(argument) for argument in parts.arguments)
    body = [f"    {name} = {text}" for name, text in parts.sizes]
    for argument in parts.arguments:
        if argument.is_checked:
            extents = ["nothing" if e is None else e for e in argument.extents]
            body.append(f'    check_size("{argument.name}", {argument.name}, {", ".join(extents)})')
    body += [f'    check_least("{size}", {size}, {low})' for size, low in parts.least]
    outputs = [output.identifier for output in request.outputs]
    lines = [*parts.body]
    if len(outputs) > 1:
        lines += zip(outputs, parts.results, strict=True)
    shown = [wrapped(f"    {name} = {text}") for name, text in lines]
    last = ", ".join(outputs) if len(outputs) > 1 else parts.results[0]
    shown.append(wrapped(f"    return {last}"))
    if any(re.search(r"(?<!\w)number(?!\w)", line) for line in shown):
        arrays = [a.name for a in parts.arguments if a.kind == "array"]
        types = ", ".join(f"eltype({name})" for name in arrays)
        body.append(
            wrapped(
                f"    number = float(promote_type({types}))" if arrays else "    number = Float64"
            )
        )
    start = wrapped(f"function {request.name}({given})")
    return "\n".join([*rows, start, *body, *shown, "end", ""])


# ── the check ────────────────────────────────────────────────────────────────────────────────

MADE = {
    "spd": "a * a' / {n} + I",
    "symmetric": "a + a'",
    "skew": "a - a'",
    "diagonal": "diagm(diag(a))",
    "lower": "tril(a)",
    "upper": "triu(a)",
    "orthogonal": "Matrix(qr(a).Q)",
    "invertible": "a + {n} * I",
}
KEPT = {
    "spd": "e + e'",
    "symmetric": "e + e'",
    "skew": "e - e'",
    "diagonal": "diagm(diag(e))",
    "lower": "tril(e)",
    "upper": "triu(e)",
    "orthogonal": "x * (e - e')",
}
CHECK = """# Compare every derivative with central differences at random arguments.
# The result is the largest difference, relative to the largest entry; a wrong one is an error.
function check_derivatives(; seed=0)
    rng = MersenneTwister(seed)
    for (low, high) in (INTERVALS)
        draw(extents...) = low .+ (high - low) .* rand(rng, extents...)
        point = Any[
POINT
        ]
        all(result -> all(isfinite, result), NAME(point...)) || continue
        return maximum((
TABLE
        ))
    end
    error("the results are not finite at random arguments")
end

# The difference of one derivative and central differences in all directions.
function compared(name, output, position, point, turned)
    x = point[position]
    value = NAME(point...)[1]
    derivative = reshape(collect(NAME(point...)[output]), length(value), length(x))
    step = cbrt(eps(Float64))
    worst = scale = doubt = 0.0
    function slope(e, h)
        ahead, behind = copy(point), copy(point)
        ahead[position], behind[position] = x + h * e, x - h * e
        return (NAME(ahead...)[1] - NAME(behind...)[1]) / (2 * h)
    end
    for k in 1:length(x)
        e = x isa Number ? 1.0 : reshape(Float64.((1:length(x)) .== k), size(x))
        e = turned(e, x)
        once, twice = slope(e, step), slope(e, 2 * step)
        exact = derivative * vec(collect(e))
        worst = max(worst, maximum(abs.(exact .- vec(collect(once)))))
        scale = max(scale, maximum(abs, once))
        doubt = max(doubt, maximum(abs, twice - once))  # of the differences themselves
    end
    if !(worst <= step * scale / 10 + 100 * step^2 * maximum(abs, value) + doubt)
        error("$name differs from central differences by $worst")
    end
    return scale > 0 ? worst / scale : worst
end
"""


def _check(request: Request, parts: FunctionParts) -> str:
    """The function that compares the derivatives with finite differences."""
    sizes = sizes_of_check(parts, request.nodes)
    arguments = parts.arguments
    rows = [
        f'            compared("{name}", {k + 1}, {x + 1}, point, (e, x) -> {KEPT.get(kind, "e")}),'
        for name, k, x, kind in compared(request, arguments)
    ]
    words = {
        "INTERVALS": ", ".join(f"({low}, {high})" for low, high in INTERVALS),
        "POINT": "\n".join([f"            {_drawn(a, sizes)},  # {a.name}" for a in arguments]),
        "TABLE": "\n".join(rows),
        "NAME": request.name,
    }
    return filled(CHECK, words)


def _drawn(argument: Argument, sizes: dict[str, int]) -> str:
    """The expression of a random value of an argument."""
    if argument.size:
        return str(sizes[argument.size])
    shape = shape_of(argument, sizes)
    extents = ", ".join(map(str, shape))
    facts = argument.variable.properties if argument.variable else frozenset()
    if "integer" in facts:
        return f"rand(rng, 1:4{', ' if extents else ''}{extents})"
    made = f"draw({extents})"
    if facts & POSITIVE:
        return f"0.5 .+ abs.({made})"
    if "complex" in facts:
        made = f"complex.({made}, {made})"
    kind = structure(argument)
    return made if kind is None else f"(a -> {MADE[kind].format(n=shape[0])})({made})"
