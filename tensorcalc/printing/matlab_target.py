"""The table of MATLAB and Octave: what each operation is called there.

Vectors are columns. There is no einsum in the language: the local function `einsum` contracts two
arrays at a time, by permuted axes and products of matrices.
"""

from __future__ import annotations

from tensorcalc.printing.target import Target

KEYWORDS = """break case catch classdef continue do else elseif end end_try_catch
end_unwind_protect endfor endfunction endif endparfor endswitch endwhile enumeration events for
function global if methods otherwise parfor persistent properties return spmd switch try until
unwind_protect unwind_protect_cleanup while ans nargin strcmp true check_derivatives
check_size compared slope ordered diagonal""".split()
SERIES = ("expm", "logm", "sqrtm")
HELPERS = {
    "where": """
function r = where(condition, x, y)
  % The entries of x where the condition holds, else those of y.
  zero = zeros(size(condition)) + zeros(size(x)) + zeros(size(y));
  condition = condition | zero;
  r = y + zero;
  x = x + zero;
  r(condition) = x(condition);
end
""",
    "at": """
function r = at(x, varargin)
  % An entry of an array.
  r = x(varargin{:});
end
""",
    "logdet": """
function r = logdet(x)
  % The logarithm of the determinant; where that is negative, NaN.
  [~, u, p] = lu(x);
  r = sum(log(abs(diag(u))));
  phase = det(p) * prod(sign(diag(u)));
  if isreal(x)
    if phase < 0
      r = NaN;
    end
  else
    r = r + 1i * angle(phase);
  end
end
""",
    "logsumexp": """
function r = logsumexp(x, axis)
  % The logarithm of the sum of exponentials, along an axis.
  top = max(real(x), [], axis);
  top(~isfinite(top)) = 0;
  r = log(sum(exp(x - top), axis)) + top;
end
""",
    "softmax": """
function r = softmax(x, axis)
  % The exponentials over their sum, along an axis.
  r = exp(x - max(x, [], axis));
  r = r ./ sum(r, axis);
end
""",
    "softplus": """
function r = softplus(x)
  % log(1 + exp(x)), without overflow.
  r = max(x, 0) + log1p(exp(-abs(x)));
end
""",
    "polygamma": """
function r = polygamma(order, x)
  % The derivatives of digamma; the order is one number.
  if any(order(:) ~= order(1))
    error('polygamma of several orders at once');
  end
  r = reshape(psi(round(order(1)), x(:)), size(x));
end
""",
    "adjugate": """
function r = adjugate(x)
  % The transposed cofactors, by the singular values.
  [u, s, v] = svd(x);
  s = diag(s);
  others = ones(size(s));
  for k = 1:numel(s)
    others(k) = prod(s([1:k-1, k+1:end]));
  end
  r = det(u) * conj(det(v)) * (v * (others .* u'));
end
""",
    "sinm": """
function r = sinm(x)
  % The sine of a matrix, a block of the exponential of a real one.
  n = size(x, 1);
  large = expm([zeros(n), x; -x, zeros(n)]);
  r = large(1:n, n+1:end);
end
""",
    "cosm": """
function r = cosm(x)
  % The cosine of a matrix, a block of the exponential of a real one.
  n = size(x, 1);
  large = expm([zeros(n), x; -x, zeros(n)]);
  r = large(1:n, 1:n);
end
""",
    "total": """
function r = total(term, low, high, r, telescopes)
  % The sum of term(k) for k = low, ..., high, which is the given start if there is none.
  % One that telescopes is, backwards, minus the sum over what lies between its ends.
  factor = 1;
  if nargin > 4 && telescopes && high < low - 1
    [low, high, factor] = deal(high + 1, low - 1, -1);
  end
  for k = low:high
    r = r + factor * term(k);
  end
end
""",
    "each": """
function r = each(of, axes, x)
  % A function of the last axes of an array, for each place along the axes before them.
  extents = size(x);
  count = numel(extents) - axes;
  inner = extents(count+1:end);
  flat = reshape(x, prod(extents(1:count)), prod(inner));
  r = [];
  for k = 1:size(flat, 1)
    made = of(reshape(flat(k, :), [inner, 1]));
    r(k, :) = made(:).';
  end
  if numel(made) == 1
    r = reshape(r, [extents(1:count), 1]);
  else
    r = reshape(r, [extents(1:count), size(made)]);
  end
end
""",
    "einsum": """
function r = einsum(subscripts, varargin)
  % A contraction, as in NumPy: two arrays at a time, a product of matrices for each pair.
  arrow = strfind(subscripts, '->');
  terms = strsplit(subscripts(1:arrow-1), ',');
  wanted = subscripts(arrow+2:end);
  extents = struct();
  for k = 1:numel(terms)
    for axis = 1:numel(terms{k})
      extents.(terms{k}(axis)) = size(varargin{k}, axis);
    end
  end
  sizes = @(letters) arrayfun(@(letter) extents.(letter), letters);
  picked = @(letters, which) reshape(letters(which), 1, []);
  among = @(these, those) logical(arrayfun(@(letter) any(those == letter), these));
  r = 1;
  own = subscripts(1:0);
  for k = 1:numel(terms)
    needed = [wanted, terms{k+1:end}];
    [x, labels] = diagonal(varargin{k}, terms{k});
    only = picked(labels, ~among(labels, [needed, own]));  % summed in this operand alone
    for letter = only
      x = sum(x, find(labels == letter));
    end
    kept = picked(labels, ~among(labels, only));
    x = reshape(x, [sizes(kept), 1, 1]);
    batch = picked(own, among(own, kept) & among(own, needed));
    inner = picked(own, among(own, kept) & ~among(own, needed));
    left = picked(own, ~among(own, kept));
    right = picked(kept, ~among(kept, own));
    a = reshape(ordered(r, own, [left, inner, batch]), ...
                prod(sizes(left)), prod(sizes(inner)), prod(sizes(batch)));
    b = reshape(ordered(x, kept, [inner, right, batch]), ...
                prod(sizes(inner)), prod(sizes(right)), prod(sizes(batch)));
    r = zeros(size(a, 1), size(b, 2), size(a, 3));
    for page = 1:size(a, 3)
      r(:, :, page) = a(:, :, page) * b(:, :, page);
    end
    own = [left, right, batch];
    r = reshape(r, [sizes(own), 1, 1]);
  end
  r = reshape(ordered(r, own, wanted), [sizes(wanted), 1, 1]);
end

function r = ordered(x, own, wanted)
  % An array with its axes in another order.
  places = arrayfun(@(letter) find(own == letter), wanted);
  r = permute(x, [places, numel(own) + (1:2)]);
end

function [x, labels] = diagonal(x, labels)
  % An array without repeated labels: of those the entries where they agree.
  k = 1;
  while k <= numel(labels)
    again = find(labels == labels(k));
    if numel(again) > 1
      last = again(end);
      others = setdiff(1:numel(labels), [k, last]);
      n = size(x, k);
      extents = arrayfun(@(axis) size(x, axis), others);
      flat = reshape(permute(x, [k, last, others, numel(labels) + (1:2)]), n * n, []);
      x = reshape(flat(1:n+1:end, :), [n, extents, 1, 1]);
      labels = labels([k, others]);
      k = 1;
    else
      k = k + 1;
    end
  end
end
""",
    "check_least": """
function check_least(name, extent, least)
  % Refuse a size that is too small for the subscripts.
  if extent < least
    error('%s is %d, but at least %d is needed', name, extent, least);
  end
end
""",
    "check_size": """
function check_size(name, x, extents)
  % Refuse an array of another size; NaN stands for any.
  found = arrayfun(@(axis) size(x, axis), 1:numel(extents));
  if ndims(x) > numel(extents) || any(found ~= extents & ~isnan(extents))
    error('%s has the size %s, but %s is needed', name, mat2str(size(x)), mat2str(extents));
  end
end
""",
}
MATLAB = Target(
    name="matlab",
    title="MATLAB and Octave",
    words={
        "axis": "size({0}, {1})",
        "quotient": "floor({0} / ({1}))",
        "power": "^",
        "pi": "pi",
        "e": "exp(1)",
        "integer": "round({0})",
        "eye": "full(eye({0}))",
        "ones": "ones({*0})",
        "zeros": "zeros({*0})",
        "full": "{0:P} * ones({*0})",
        "unit": "1.0 * ((1:{0}).' == {1})",
        "section": "1.0 * ((1:{0}).' == (1:{1}) + {2:P})",
        "range": "(0:{0:S} - 1).'",
        "merge": "permute(reshape(full(eye({0})), [{*1}]), [{*2}])",
        "flat data": "reshape([{*0}], {*1})",
        "transpose": "{0:A}.'",
        "matmul": "{0:P} * {1:N}",
        "vecmat": "{1:A}.' * {0:N}",
        "dot": "{0:A}.' * {1:N}",
        "outer": "{0:P} * {1:A}.'",
        "scale_rows": "{0:P} .* {1:N}",
        "solve": "{0:P} \\ {1:N}",
        "einsum": "einsum('{*0}', {*1})",
        "kron": "kron({0}, {1})",
        "cross": "cross({0}, {1})",
        "entry": "{0:A}({*0})",
        "entry@": "at({0}, {*0})",
        "row": "{0:A}.'",
        "vec": "reshape({0}, [], 1)",
        "diag": "diag({0})",
        "diag_matrix": "full(diag({0}))",
        "single": "{0}",
        "entries": "[{*0}].'",
        "joined": "vertcat({*0})",
        "rows": "[{*0}]",
        "blocks": "[{*0}]",
        "signs of rows": "|, |; |",
        "signs of blocks": "|, |; |",
        "truth": "1.0 * ({0})",
        "is_true": "{0:S} ~= 0",
        "tr": "trace({0})",
        "sum": "sum(reshape({0}, [], 1))",
        "sum@1": "sum({0}, 1)",
        "mean": "mean(reshape({0}, [], 1))",
        "mean@1": "mean({0}, 1)",
        "max": "max(reshape({0}, [], 1))",
        "max@1": "max({0})",
        "min": "min(reshape({0}, [], 1))",
        "min@1": "min({0})",
        "prod": "prod(reshape({0}, [], 1))",
        "prod@1": "prod({0}, 1)",
        "norm1": "sum(abs(reshape({0}, [], 1)))",
        "norm1@1": "sum(abs({0}), 1)",
        "norm2": "norm(reshape({0}, [], 1))",
        "norm2@1": "norm({0})",
        "normF": "norm({0}, 'fro')",
        "logsumexp": "logsumexp(reshape({0}, [], 1), 1)",
        "logsumexp@1": "logsumexp({0}, 1)",
        "softmax": "reshape(softmax(reshape({0}, [], 1), 1), size({0}))",
        "softmax@1": "softmax({0}, 1)",
        "softmax axis 0": "softmax({0}, 1)",
        "softmax axis 1": "softmax({0}, 2)",
        "inv": "inv({0})",
        "det": "det({0})",
        "logdet": "logdet({0})",
        "pinv": "pinv({0})",
        "adj": "adjugate({0})",
        "matrix_power": "{0:A} ^ {1:A}",
        **{name: f"{name}({{0}})" for name in (*SERIES, "sinm", "cosm")},
        "each": "each(@(x) {0}, {1}, {2})",
        "apply": "{0}({*0})",
        "apply_to_entries": "{0}({*0})",
        "range_sum": "total(@({0}) {1}, {2}, {3}, {4})",
        "range_of_powers": "total(@({0}) {1}, {2}, {3}, {4}, true)",
    },
    functions={
        **{
            name: f"{name}({{0}})"
            for name in "exp log log1p expm1 sqrt abs sign sin cos tan sinh cosh tanh softplus"
            " erf conj".split()
        },
        "arcsin": "asin({0})",
        "arccos": "acos({0})",
        "arctan": "atan({0})",
        "sigmoid": "1 ./ (1 + exp(-{0:P}))",
        "relu": "max({0}, 0)",
        "lgamma": "real(gammaln({0}))",
        "digamma": "psi({0})",
        "polygamma": "polygamma({0}, {1})",
        "max": "max({0}, {1})",
        "min": "min({0}, {1})",
        "where": "where({0}, {1}, {2})",
    },
    along={
        "sum": "sum({0}, %d)",
        "mean": "mean({0}, %d)",
        "max": "max({0}, [], %d)",
        "min": "min({0}, [], %d)",
        "prod": "prod({0}, %d)",
        "norm2": "sqrt(sum(abs({0}) .^ 2, %d))",
        "logsumexp": "logsumexp({0}, %d)",
    },
    squeezed=("{0:A}.'", "{0}", "{0}"),
    helpers=HELPERS,
    reserved=frozenset(KEYWORDS),
    base=1,
    dots=(".", ""),
    goes_on=" ...",
    has_columns=True,
    is_batched=False,
)
