"""A request -> Julia: a function, or a module with a function and its check.

Vectors have one axis, operators on entries have dots. There is no einsum in the language: the
function `einsum` that is brought along contracts two arrays at a time, by permuted axes and
products of matrices.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tensorcalc.printing.code import wrapped
from tensorcalc.printing.code_function import Argument, FunctionParts, function_parts
from tensorcalc.printing.comments import described
from tensorcalc.printing.sampling import (
    INTERVALS,
    POSITIVE,
    check_known,
    filled,
    shape_of,
    sizes_of_check,
    structure,
)
from tensorcalc.printing.takeaway import Request
from tensorcalc.printing.target import Target

KEYWORDS = """abstract baremodule begin break catch const continue do else elseif end export false
finally for function global if import in isa let local macro module mutable outer primitive quote
return struct true try type using where while Float64 eltype promote_type float size
DimensionMismatch throw check_derivatives check_size compared number row column I""".split()
SPECIAL = ("erf", "logabsgamma", "digamma", "polygamma")  # of the package SpecialFunctions
HELPERS = {
    "logsumexp": """
# The logarithm of the sum of exponentials, of all entries or along an axis.
function logsumexp(x; dims=:)
    top = maximum(real, x; dims)
    top = ifelse.(isfinite.(top), top, zero.(top))
    return log.(sum(exp.(x .- top); dims)) .+ top
end
""",
    "softmax": """
# The exponentials over their sum, of all entries or along an axis.
function softmax(x; dims=:)
    r = exp.(x .- maximum(x; dims))
    return r ./ sum(r; dims)
end
""",
    "sigmoid": """
sigmoid(x) = 1 / (1 + exp(-x))
""",
    "softplus": """
# log(1 + exp(x)), without overflow.
softplus(x) = max(x, zero(x)) + log1p(exp(-abs(x)))
""",
    "relu": """
relu(x) = max(x, zero(x))
""",
    "lgamma": """
lgamma(x) = first(logabsgamma(x))
""",
    "derivative_of_digamma": """
derivative_of_digamma(order, x) = polygamma(Int(order), x)
""",
    "logdet_or_nan": """
# The logarithm of the determinant; where that is negative, NaN.
function logdet_or_nan(x)
    value, phase = logabsdet(x)
    return phase isa Real ? (phase < 0 ? oftype(value, NaN) : value) : value + log(phase)
end
""",
    "adjugate": """
# The transposed cofactors, by the singular values.
function adjugate(x)
    u, s, v = svd(x)
    others = [prod(s[[1:k-1; k+1:end]]) for k in eachindex(s)]
    return (det(u) * conj(det(v))) .* (v * (others .* u'))
end
""",
    "total": """
# The sum of term(k) for k = low, ..., high, which is the given start if there is none.
# One that telescopes is, backwards, minus the sum over what lies between its ends.
function total(term, low, high, start; telescopes=false)
    factor = 1
    if telescopes && high < low - 1
        low, high, factor = high + 1, low - 1, -1
    end
    for k in low:high
        start = start .+ factor .* term(k)
    end
    return start
end
""",
    "each": """
# A function of the last axes of an array, for each place along the axes before them.
function each(of, axes, x)
    outer, inner = size(x)[1:end-axes], size(x)[end-axes+1:end]
    flat = reshape(x, prod(outer), prod(inner))
    made = [of(reshape(flat[k, :], inner)) for k in axes(flat, 1)]
    own = size(first(made))
    rows = [made[k][l] for k in eachindex(made), l in 1:prod(own)]
    return reshape(rows, outer..., own...)
end
""",
    "einsum": """
# A contraction, as in NumPy: two arrays at a time, a product of matrices for each pair.
function einsum(subscripts, operands...)
    left_side, wanted = split(subscripts, "->")
    wanted = collect(wanted)
    terms = [collect(term) for term in split(left_side, ",")]
    extents = Dict(zip(Iterators.flatten(terms), Iterators.flatten(map(size, operands))))
    count(letters) = prod(Int[extents[letter] for letter in letters])
    r, own = fill(1), Char[]
    for (k, operand) in enumerate(operands)
        needed = vcat(wanted, terms[k+1:end]...)
        x, labels = diagonal(operand, terms[k])
        kept = filter(in(vcat(needed, own)), labels)  # the others are summed in this operand alone
        alone = Tuple(setdiff(eachindex(labels), indexin(kept, labels)))
        x = isempty(alone) ? x : dropdims(sum(x; dims=alone); dims=alone)
        batch = filter(in(intersect(kept, needed)), own)
        inner = setdiff(intersect(own, kept), needed)
        left, right = setdiff(own, kept), setdiff(kept, own)
        a = ordered(r, own, [left; inner; batch])
        a = reshape(a, count(left), count(inner), count(batch))
        b = ordered(x, kept, [inner; right; batch])
        b = reshape(b, count(inner), count(right), count(batch))
        r = zeros(promote_type(eltype(a), eltype(b)), size(a, 1), size(b, 2), size(a, 3))
        for page in axes(a, 3)
            r[:, :, page] = a[:, :, page] * b[:, :, page]
        end
        own = [left; right; batch]
        r = reshape(r, Tuple(extents[letter] for letter in own))
    end
    r = ordered(r, own, wanted)
    return isempty(wanted) ? r[] : r
end

# An array with its axes in another order.
function ordered(x, own, wanted)
    own == wanted && return x
    return permutedims(x, [findfirst(==(letter), own) for letter in wanted])
end

# An array without repeated labels: of those the entries where they agree.
function diagonal(x, labels)
    kept = unique(labels)
    length(kept) == length(labels) && return x, labels
    sizes = [size(x, findfirst(==(letter), labels)) for letter in kept]
    places = [findfirst(==(letter), kept) for letter in labels]
    return [x[place.I[places]...] for place in CartesianIndices(Tuple(sizes))], kept
end
""",
    "check_size": """
# Refuse an array of another size; nothing stands for any.
function check_size(name, x, extents...)
    fits = all(e === nothing || e == found for (e, found) in zip(extents, size(x)))
    fits || throw(DimensionMismatch("$name has the size $(size(x)), but $extents is needed"))
end
""",
}
JULIA = Target(
    name="julia",
    title="Julia",
    words={
        "axis": "size({0}, {1})",
        "quotient": "div({0}, {1})",
        "power": "^",
        "shape": "",
        "pi": "pi",
        "e": "exp(1)",
        "integer": "Int({0})",
        "eye": "Matrix{number}(I, {0}, {0})",
        "ones": "ones(number, {*0})",
        "zeros": "zeros(number, {*0})",
        "full": "fill({0}, {*0})",
        "unit": "number.((1:{0}) .== {1})",
        "section": "number[row == column + {2:P} for row in 1:{0}, column in 1:{1}]",
        "range": "number.(0:{0:S} - 1)",
        "merge": "permutedims(reshape(Matrix{number}(I, {0}, {0}), {*1}), ({*2}))",
        "flat data": "reshape(number[{*0}], {*1})",
        "transpose": "{0:A}'",
        "matmul": "{0:P} * {1:N}",
        "vecmat": "{1:A}' * {0:N}",
        "dot": "{0:A}' * {1:N}",
        "outer": "{0:P} * {1:A}'",
        "scale_rows": "{0:P} .* {1:N}",
        "solve": "{0:P} \\ {1:N}",
        "einsum": 'einsum("{*0}", {*1})',
        "kron": "kron({0}, {1})",
        "cross": "cross({0}, {1})",
        "entry": "{0:A}[{*0}]",
        "column": "reshape({0}, :, 1)",
        "row": "permutedims({0})",
        "vec": "vec({0})",
        "diag": "diag({0})",
        "diag_matrix": "diagm({0})",
        "single": "{0}",
        "entries": "[{*0}]",
        "joined": "vcat({*0})",
        "rows": "hvcat({0}, {*0})",
        "blocks": "hvcat({0}, {*0})",
        "signs of rows": "|, |, |",
        "signs of blocks": "|, |, |",
        "truth": "number.({0})",
        "is_true": "{0:S} != 0",
        "is_true@": "{0:S} .!= 0",
        "tr": "tr({0})",
        "sum": "sum({0})",
        "mean": "(sum({0}) / length({0}))",
        "max": "maximum({0})",
        "min": "minimum({0})",
        "prod": "prod({0})",
        "norm1": "sum(abs, {0})",
        "norm2": "norm({0})",
        "normF": "norm({0})",
        "logsumexp": "logsumexp({0})",
        "softmax": "softmax({0})",
        "softmax axis 0": "softmax({0}; dims=1)",
        "softmax axis 1": "softmax({0}; dims=2)",
        "inv": "inv({0})",
        "det": "det({0})",
        "logdet": "logdet_or_nan({0})",
        "pinv": "pinv({0})",
        "adj": "adjugate({0})",
        "matrix_power": "{0:A} ^ {1:A}",
        "expm": "exp({0})",
        "logm": "log({0})",
        "sqrtm": "sqrt({0})",
        "sinm": "sin({0})",
        "cosm": "cos({0})",
        "each": "each(x -> {0}, {1}, {2})",
        "apply": "{0}({*0})",
        "apply_to_entries": "{0}.({*0})",
        "range_sum": "total({0} -> {1}, {2}, {3}, {4})",
        "range_of_powers": "total({0} -> {1}, {2}, {3}, {4}; telescopes=true)",
    },
    functions={
        **{
            name: f"{name}@({{0}})"
            for name in "exp log log1p expm1 sqrt abs sign sin cos tan sinh cosh tanh sigmoid"
            " softplus relu erf lgamma digamma conj".split()
        },
        "arcsin": "asin@({0})",
        "arccos": "acos@({0})",
        "arctan": "atan@({0})",
        "polygamma": "derivative_of_digamma@({0}, {1})",
        "max": "max@({0}, {1})",
        "min": "min@({0}, {1})",
        "where": "ifelse@({0}, {1}, {2})",
    },
    along={
        "sum": "sum({0}; dims=%d)",
        "mean": "sum({0}; dims=%d) / size({0}, %d)",
        "max": "maximum({0}; dims=%d)",
        "min": "minimum({0}; dims=%d)",
        "prod": "prod({0}; dims=%d)",
        "norm2": "sqrt.(sum(abs2, {0}; dims=%d))",
        "logsumexp": "logsumexp({0}; dims=%d)",
    },
    squeezed=("vec({0})", "vec({0})", "dropdims({0}; dims=%d)"),
    helpers=HELPERS,
    reserved=frozenset(KEYWORDS),
    base=1,
    dots=(".", "."),
    is_batched=False,
)
# A' conjugates
COMPLEX = replace(
    JULIA,
    words={
        **JULIA.words,
        "transpose": "transpose({0})",
        "vecmat": "transpose({1}) * {0:N}",
        "dot": "transpose({0}) * {1:N}",
        "outer": "{0:P} * transpose({1})",
    },
)
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
    names = [argument.variable.name if argument.variable else "" for argument in arguments]
    rows = []
    for k, output in enumerate(request.outputs, 1):
        if output.by is not None:
            position = names.index(output.by)
            kept = KEPT.get(structure(arguments[position]) or "", "e")
            given = f'"{output.identifier}", {k}, {position + 1}, point, (e, x) -> {kept}'
            rows.append(f"            compared({given}),")
    words = {
        "INTERVALS": ", ".join(f"({low}, {high})" for low, high in INTERVALS),
        "POINT": "\n".join([f"            {_drawn(a, sizes)},  # {a.name}" for a in arguments]),
        "TABLE": "\n".join(rows),
        "NAME": request.name,
    }
    return filled(CHECK, words)


def _drawn(argument: Argument, sizes: dict[str, int]) -> str:
    """The expression of a random value of an argument."""
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
