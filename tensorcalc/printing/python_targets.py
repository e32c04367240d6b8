"""The tables of NumPy, JAX and PyTorch: what each operation is called there."""

from __future__ import annotations

from tensorcalc.functions import FUNCTIONS
from tensorcalc.printing.target import Target

SERIES = ("expm", "logm", "sqrtm", "sinm", "cosm")
NUMPY_WORDS = {
    "axis": "{0}.shape[{1}]",
    "quotient": "({0} // ({1}))",
    "power": "**",
    "pi": "np.pi",
    "e": "np.e",
    "integer": "int({0})",
    # constants
    "eye": "np.eye({0})",
    "ones": "np.ones({*0})",
    "zeros": "np.zeros({*0})",
    "full": "np.full({*0}, {0})",
    "unit": "np.eye({0})[{1}]",
    "section": "np.eye({0}, {1}, -{2:A})",
    "range": "np.arange({0}, dtype=float)",
    "merge": "np.eye({0}).reshape({*0})",
    "signs": "np.linalg.det(np.eye({*0})[np.moveaxis(np.indices(({*1})), 0, -1)])",
    "data": "np.array({0})",
    "complex data": "np.array({0})",
    # products
    "transpose": "{0:A}.T",
    "matmul": "{0:P} @ {1:N}",
    "vecmat": "{0:P} @ {1:N}",
    "dot": "{0:P} @ {1:N}",
    "outer": "np.outer({0}, {1})",
    "scale_rows": "{0:A}[:, None] * {1:N}",
    "einsum": 'np.einsum("{*0}", {*1})',
    "einsum of many": 'np.einsum("{*0}", {*1}, optimize=True)',
    "kron": "np.kron({0}, {1})",
    "cross": "np.cross({0}, {1})",
    # parts and wholes
    "entry": "{0:A}[{*0}]",
    "column": "{0:A}[:, None]",
    "row": "{0:A}[None, :]",
    "vec": "{0:A}.T.ravel()",
    "diag": "np.diag({0})",
    "diag_matrix": "np.diag({0})",
    "single": "[{0}]",
    "entries": "np.array([{*0}])",
    "joined": "np.concatenate([{*0}])",
    "rows": "np.array([{*0}])",
    "blocks": "np.block([{*0}])",
    "signs of rows": "[|, |], [|]",
    "signs of blocks": "[|, |], [|]",
    # truth
    "truth": "1.0 * ({0})",
    "is_true": "{0:S} != 0",
    # functions of arrays
    "tr": "np.trace({0})",
    "sum": "np.sum({0})",
    "mean": "np.mean({0})",
    "max": "np.max({0})",
    "min": "np.min({0})",
    "prod": "np.prod({0})",
    "norm1": "np.sum(np.abs({0}))",
    "norm2": "np.linalg.norm({0})",
    "normF": "np.linalg.norm({0})",
    "normF batched": "np.linalg.norm({0}, axis=(-2, -1))",
    "logsumexp": "scipy.special.logsumexp({0})",
    "softmax": "scipy.special.softmax({0})",
    "softmax axis 0": "scipy.special.softmax({0}, axis=0)",
    "softmax axis 1": "scipy.special.softmax({0}, axis=1)",
    "inv": "np.linalg.inv({0})",
    "solve": "np.linalg.solve({0}, {1})",
    "det": "np.linalg.det({0})",
    "logdet": "logdet({0})",
    "pinv": "np.linalg.pinv({0})",
    "adj": "adjugate({0})",
    "matrix_power": "np.linalg.matrix_power({0}, {1})",
    "powers": "powers({0}, {1})",
    **{name: f"scipy.linalg.{name}({{0}})" for name in SERIES},
    **{f"series {name}": f"series(scipy.linalg.{name}, {{0}}, {{1}})" for name in SERIES},
    # functions that are given
    "apply": "{0}({*0})",
    "apply_to_entries": "{0}({*0})",
    "a function of stacks": "each({0}, {1}, {*0})",
    # sums over integers
    "range_sum": "total(lambda {0}: {1}, {2}, {3}, {4})",
    "range_of_powers": "total(lambda {0}: {1}, {2}, {3}, {4}, telescopes=True)",
}
NUMPY_ALONG = {
    "sum": "np.sum({0}, axis=%d)",
    "mean": "np.mean({0}, axis=%d)",
    "max": "np.max({0}, axis=%d)",
    "min": "np.min({0}, axis=%d)",
    "prod": "np.prod({0}, axis=%d)",
    "norm2": "np.linalg.norm({0}, axis=%d)",
    "logsumexp": "scipy.special.logsumexp({0}, axis=%d)",
}
HELPERS = {
    "logdet": '''
def logdet(x):
    """The logarithm of the determinant; where that is negative, NaN."""
    sign, value = np.linalg.slogdet(x)
    return np.where(sign < 0, np.nan, value)[()]
''',
    "adjugate": '''
def adjugate(x):
    """The transposed cofactors, by the singular values."""
    u, s, v = np.linalg.svd(x)
    others = [np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(s.shape[-1])]
    unit = (np.linalg.det(u) * np.linalg.det(v))[..., None, None]
    turned = np.swapaxes(v.conj(), -1, -2) * np.stack(others, axis=-1)[..., None, :]
    return unit * (turned @ np.swapaxes(u.conj(), -1, -2))
''',
    "each": '''
def each(function, depth, *arrays):
    """The values of a function, for each place along the first axes of its arguments."""
    if depth == 0:
        return function(*arrays)
    return np.stack([each(function, depth - 1, *parts) for parts in zip(*arrays)])
''',
    "powers": '''
def powers(x, k):
    """A stack of matrices, each to its integer power."""
    if x.ndim > 2:
        return np.stack([powers(*pair) for pair in zip(x, k)])
    return np.linalg.matrix_power(x, int(k))
''',
    "series": '''
def series(function, x, order):
    """A power series of matrices or its derivatives, blocks of the series of larger matrices."""
    if x.ndim > 2:
        return np.stack([series(function, a, order) for a in x])
    n = len(x)
    result = np.empty((n, n) + (n * n,) * order, np.result_type(x, float))
    for place in np.ndindex((n * n,) * order):
        large = x
        for k, position in enumerate(place):
            unit = np.zeros((n, n))
            unit[divmod(position, n)] = 1.0
            side = np.kron(np.eye(2**k), unit)
            large = np.block([[large, side], [np.zeros_like(large), large]])
        result[(..., *place)] = function(large)[:n, -n:]
    return result.reshape((n, n) * (1 + order))
''',
    "total": '''
def total(term, low, high, start, telescopes=False):
    """The sum of term(r) for r = low, ..., high, which is `start` if there is none.

    One that `telescopes` is, backwards, minus the sum over what lies between its ends.
    """
    sign = 1
    if telescopes and high < low - 1:
        low, high, sign = high + 1, low - 1, -1
    for r in range(low, high + 1):
        start = start + sign * term(r)
    return start
''',
    "arrays": '''
def arrays(*given):
    """Arrays of floating-point numbers, each with as many axes as is asked for."""
    found = []
    for name, value, axes in given:
        array = np.asarray(value)
        if array.ndim != axes:
            raise ValueError(f"{name} needs {axes} axes, not {array.ndim}")
        found.append(array if array.dtype.kind in "fc" else array.astype(float))
    return found
''',
    "reaches": '''
def reaches(name, size, least):
    """Refuse a size that is too small for the subscripts."""
    if size < least:
        raise ValueError(f"{name} is {size}, but at least {least} is needed")
''',
    "fits": '''
def fits(name, array, *shape):
    """Refuse an array of another shape; None stands for any size."""
    if any(size not in (None, found) for size, found in zip(shape, array.shape)):
        raise ValueError(f"{name} has the shape {array.shape}, but {shape} is needed")
''',
}
NUMPY = Target(
    name="numpy",
    title="NumPy",
    words=NUMPY_WORDS,
    functions={name: entry.numpy for name, entry in FUNCTIONS.items()}
    | {"sqrt": "np.sqrt({0})", "where": "np.where({0}, {1}, {2})"},
    along=NUMPY_ALONG,
    helpers=HELPERS,
    reserved=frozenset("np scipy sum int float range zip len".split()),
)

# ── JAX: NumPy's names, but for what it lacks or calls otherwise ──────────────────────────────


def _jax(text: str) -> str:
    """NumPy code as JAX has it."""
    text = text.replace("np.", "jnp.").replace("scipy.", "jax.scipy.")
    return text.replace("jax.scipy.special.softmax", "jax.nn.softmax")


NUMPY_LIKE = ("logdet", "adjugate", "each", "total", "fits", "reaches")
JAX_LACKS = ("logm", "sqrtm", "powers", "complex data", *[f"series {name}" for name in SERIES])
JAX = Target(
    name="jax",
    title="JAX",
    words={word: _jax(template) for word, template in NUMPY_WORDS.items() if word not in JAX_LACKS}
    | {
        "range": "jnp.arange({0}) * 1.0",
        "section": "jnp.eye({0}, {1}, k=-{2:A})",
        "einsum of many": 'jnp.einsum("{*0}", {*1})',
        "single": "jnp.reshape({0}, 1)",
        "sinm": "sinm({0})",
        "cosm": "cosm({0})",
    },
    functions={name: _jax(template) for name, template in NUMPY.functions.items()}
    | {"polygamma": "jax.scipy.special.polygamma({0}, {1})"},
    along={word: _jax(template) for word, template in NUMPY_ALONG.items()},
    helpers={
        **{name: _jax(HELPERS[name]) for name in NUMPY_LIKE},
        "sinm": """
def sinm(x):
    \"\"\"The sine of a matrix, a block of the exponential of a real one.\"\"\"
    zero = jnp.zeros_like(x)
    return jax.scipy.linalg.expm(jnp.block([[zero, x], [-x, zero]]))[: len(x), len(x) :]
""",
        "cosm": """
def cosm(x):
    \"\"\"The cosine of a matrix, a block of the exponential of a real one.\"\"\"
    zero = jnp.zeros_like(x)
    return jax.scipy.linalg.expm(jnp.block([[zero, x], [-x, zero]]))[: len(x), : len(x)]
""",
        "arrays": '''
def arrays(*given):
    """Arrays of floating-point numbers, each with as many axes as is asked for."""
    found = []
    for name, value, axes in given:
        array = jnp.asarray(value)
        if array.ndim != axes:
            raise ValueError(f"{name} needs {axes} axes, not {array.ndim}")
        found.append(array if jnp.issubdtype(array.dtype, jnp.inexact) else array * 1.0)
    return found
''',
    },
    reserved=frozenset("jax jnp np sum int float range zip len".split()),
    static_integers=True,
)

# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────

TORCH = Target(
    name="torch",
    title="PyTorch",
    words={
        "axis": "{0}.shape[{1}]",
        "quotient": "({0} // ({1}))",
        "power": "**",
        "pi": "torch.pi",
        "e": "torch.e",
        "integer": "int({0})",
        "tensor": "torch.tensor({0}, **kind)",
        "eye": "torch.eye({0}, **kind)",
        "ones": "torch.ones({*0}, **kind)",
        "zeros": "torch.zeros({*0}, **kind)",
        "full": "{0:P} * torch.ones({*0}, **kind)",
        "unit": "torch.eye({0}, **kind)[{1}]",
        "section": "section({0}, {1}, {2}, kind)",
        "range": 'torch.arange({0}, device=kind["device"]).to(kind["dtype"])',
        "merge": "torch.eye({0}, **kind).reshape({*0})",
        "data": "torch.tensor({0}, **kind)",
        "transpose": "{0:A}.T",
        "matmul": "{0:P} @ {1:N}",
        "vecmat": "{0:P} @ {1:N}",
        "dot": "{0:P} @ {1:N}",
        "outer": "torch.outer({0}, {1})",
        "scale_rows": "{0:A}[:, None] * {1:N}",
        "einsum": 'torch.einsum("{*0}", {*1})',
        "kron": "torch.kron({0}, {1})",
        "cross": "torch.linalg.cross({0}, {1})",
        "entry": "{0:A}[{*0}]",
        "column": "{0:A}[:, None]",
        "row": "{0:A}[None, :]",
        "scalar": "{0:A}.reshape(1, 1)",
        "vec": "{0:A}.T.reshape(-1)",
        "diag": "torch.diag({0})",
        "diag_matrix": "torch.diag({0})",
        "single": "{0:A}.reshape(1)",
        "entries": "torch.stack([{*0}])",
        "joined": "torch.cat([{*0}])",
        "rows": "torch.stack([{*0}])",
        "blocks": "torch.cat([{*0}])",
        "signs of rows": "torch.stack([|, |]), torch.stack([|])",
        "signs of blocks": "torch.cat([|, |], 1), torch.cat([|], 1)",
        "truth": "torch.as_tensor({0}, **kind)",
        "is_true": "{0:S} != 0",
        "tr": "torch.trace({0})",
        "sum": "torch.sum({0})",
        "mean": "torch.mean({0})",
        "max": "torch.max({0})",
        "min": "torch.min({0})",
        "prod": "torch.prod({0})",
        "norm1": "torch.sum(torch.abs({0}))",
        "norm2": "torch.linalg.norm({0})",
        "normF": "torch.linalg.norm({0})",
        "normF batched": "torch.linalg.norm({0}, dim=(-2, -1))",
        "logsumexp": "torch.logsumexp({0:A}.reshape(-1), 0)",
        "softmax": "torch.softmax({0:A}.reshape(-1), 0).reshape({0:A}.shape)",
        "softmax@1": "torch.softmax({0}, 0)",
        "softmax axis 0": "torch.softmax({0}, 0)",
        "softmax axis 1": "torch.softmax({0}, 1)",
        "inv": "torch.linalg.inv({0})",
        "solve": "torch.linalg.solve({0}, {1})",
        "det": "torch.linalg.det({0})",
        "logdet": "torch.logdet({0})",
        "pinv": "torch.linalg.pinv({0})",
        "adj": "adjugate({0})",
        "matrix_power": "torch.linalg.matrix_power({0}, {1})",
        "powers": "powers({0}, {1})",
        "expm": "torch.linalg.matrix_exp({0})",
        "sinm": "sinm({0})",
        "cosm": "cosm({0})",
        "apply": "{0}({*0})",
        "apply_to_entries": "{0}({*0})",
        "a function of stacks": "each({0}, {1}, {*0})",
        "range_sum": "total(lambda {0}: {1}, {2}, {3}, {4})",
        "range_of_powers": "total(lambda {0}: {1}, {2}, {3}, {4}, telescopes=True)",
    },
    functions={
        **{
            name: f"torch.{name}({{0}})"
            for name in "exp log log1p expm1 sqrt abs sign sin cos tan arcsin arccos arctan sinh"
            " cosh tanh sigmoid relu erf lgamma digamma".split()
        },
        "conj": "torch.conj_physical({0})",
        "softplus": "torch.logaddexp({0}, torch.zeros_like({0}))",
        "polygamma": "polygamma({0}, {1})",
        "max": "torch.maximum({0}, {1})",
        "min": "torch.minimum({0}, {1})",
        "where": "torch.where({0}, {1}, {2})",
    },
    along={
        "sum": "torch.sum({0}, %d)",
        "mean": "torch.mean({0}, %d)",
        "max": "torch.amax({0}, %d)",
        "min": "torch.amin({0}, %d)",
        "prod": "torch.prod({0}, %d)",
        "norm2": "torch.linalg.norm({0}, dim=%d)",
        "logsumexp": "torch.logsumexp({0}, %d)",
    },
    helpers={
        "section": '''
def section(rows, columns, offset, kind):
    """1 where the row is the column plus an offset, else 0."""
    row = torch.arange(rows, device=kind["device"])[:, None]
    column = torch.arange(columns, device=kind["device"])[None, :]
    return (row == column + offset).to(kind["dtype"])
''',
        "polygamma": '''
def polygamma(order, x):
    """The derivatives of digamma, by Hurwitz's zeta function (Abramowitz and Stegun 6.4.10)."""
    sign = torch.where(order % 2 == 0, -1.0, 1.0).to(x.dtype)
    higher = sign * torch.exp(torch.lgamma(order + 1)) * torch.special.zeta(order + 1, x)
    return torch.where(order == 0, torch.digamma(x), higher)
''',
        "adjugate": '''
def adjugate(x):
    """The transposed cofactors, by the singular values."""
    u, s, v = torch.linalg.svd(x)
    others = [torch.cat([s[..., :k], s[..., k + 1 :]], -1).prod(-1) for k in range(s.shape[-1])]
    unit = (torch.linalg.det(u) * torch.linalg.det(v))[..., None, None]
    return unit * ((v.mH * torch.stack(others, -1)[..., None, :]) @ u.mH)
''',
        "sinm": '''
def sinm(x):
    """The sine of a matrix, a block of the exponential of a real one."""
    zero = torch.zeros_like(x)
    large = torch.cat([torch.cat([zero, x], -1), torch.cat([-x, zero], -1)], -2)
    return torch.linalg.matrix_exp(large)[..., : x.shape[-1], x.shape[-1] :]
''',
        "cosm": '''
def cosm(x):
    """The cosine of a matrix, a block of the exponential of a real one."""
    zero = torch.zeros_like(x)
    large = torch.cat([torch.cat([zero, x], -1), torch.cat([-x, zero], -1)], -2)
    return torch.linalg.matrix_exp(large)[..., : x.shape[-1], : x.shape[-1]]
''',
        **{
            name: HELPERS[name].replace("np.", "torch.")
            for name in ("each", "powers", "total", "reaches")
        },
        "arrays": '''
def arrays(*given):
    """Tensors of one floating-point type, each with as many axes as is asked for; and that type.

    Type and device are those of the tensors and arrays among the values.
    """
    known = [torch.as_tensor(value) for _, value, _ in given if hasattr(value, "dtype")]
    types = [x.dtype for x in known if x.is_floating_point() or x.is_complex()]
    dtype = functools.reduce(torch.promote_types, types) if types else torch.get_default_dtype()
    kind = {"dtype": dtype, "device": next((x.device for x in known if x.ndim), None)}
    found = [torch.as_tensor(value, **kind) for _, value, _ in given]
    for (name, _, axes), tensor in zip(given, found):
        if tensor.ndim != axes:
            raise ValueError(f"{name} needs {axes} axes, not {tensor.ndim}")
    return [*found, kind]
''',
        "fits": HELPERS["fits"].replace("{array.shape}", "{tuple(array.shape)}"),
    },
    reserved=frozenset("torch kind sum int float range zip len functools".split()),
    has_tensors=True,
)
