"""The table of Julia: what each operation is called there.

Vectors have one axis, operators on entries have dots. There is no einsum in the language: the
function `einsum` that is brought along contracts two arrays at a time, by permuted axes and
products of matrices.
"""

from __future__ import annotations

from dataclasses import replace

from tensorcalc.printing.target import Target

KEYWORDS = """abstract baremodule begin break catch const continue do else elseif end export false
finally for function global if import in isa let local macro module mutable outer primitive quote
return struct true try type using where while Float64 eltype promote_type float size
DimensionMismatch throw check_derivatives check_size compared number row column I""".split()
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
    "check_least": """
# Refuse a size that is too small for the subscripts.
function check_least(name, extent, least)
    extent >= least || throw(DimensionMismatch("$name is $extent, but at least $least is needed"))
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
