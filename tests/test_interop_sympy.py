"""SymPy and back: every construct is compared with SymPy's own value on explicit arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from strategies import program
from sympy_values import evaluated

import tensorcalc as tc
from tensorcalc.binding import bind_sizes
from tensorcalc.interop.sympy import from_sympy, to_sympy
from tensorcalc.interop.sympy_functions import READ, WRITTEN
from tensorcalc.interpret import evaluate

pytestmark = pytest.mark.interop

SETUP_SIZES = "nmkpqrstl"  # letters that sizes have, which mean something else in SymPy
SIZES = {"n": 3, "m": 4, "k": 2}
# the symbols of the tables, as a user makes them
SETUP = """
from sympy import *
from sympy.combinatorics import Permutation
from sympy.matrices.expressions.diagonal import DiagonalMatrix, DiagonalOf, DiagMatrix, diagonalize_vector
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct
from sympy.matrices.expressions.permutation import PermutationMatrix
from sympy.matrices.expressions.special import OneMatrix
from sympy.tensor.array.expressions import *
n, m, k = symbols("n m k")
i, j, r = symbols("i j r", integer=True)
a, b = symbols("a b", positive=True)
A, B, C = MatrixSymbol("A", n, m), MatrixSymbol("B", m, n), MatrixSymbol("C", n, m)
S, R = MatrixSymbol("S", n, n), MatrixSymbol("R", n, n)
x, y, z = MatrixSymbol("x", m, 1), MatrixSymbol("y", n, 1), MatrixSymbol("z", n, 1)
X, W = IndexedBase("X", shape=(n, m)), IndexedBase("W", shape=(n, n))
u, v, w = IndexedBase("u", shape=(n,)), IndexedBase("v"), IndexedBase("w", shape=(m,))
P, Q = ArraySymbol("P", (n, m, k)), ArraySymbol("Q", (k, n))
I, J = Idx("I", n), Idx("J", m)
t = Symbol("t")
"""
# expressions of SymPy; after a bar the free indices and their sizes
READINGS = """
A*x
A*B + S
3*A - C/2
A.T*y
y.T*S*z
y*x.T
x.T
S.I*y
S**3
S**-2
S**k
Trace(A*B)
log(Determinant(S*S.T + Identity(n)))
Determinant(S)*S
HadamardProduct(A, C, A)
HadamardPower(A, 2)
HadamardPower(a, A)
HadamardProduct(x, A.T*y)
DiagMatrix(x)*B
diagonalize_vector(y)*S
DiagonalMatrix(S)
DiagonalOf(S)
Identity(n) + S
OneMatrix(n, m) + A
ZeroMatrix(n, m) + A
KroneckerProduct(A, B)
KroneckerProduct(S, x)
S.applyfunc(exp)
x.applyfunc(lambda t: a*t**2 + 1)
A.applyfunc(Lambda(t, Max(t, 0)))
A.applyfunc(Lambda(t, Piecewise((t, t > a), (0, True))))
BlockMatrix([[S, A], [B, Identity(m)]])
BlockDiagMatrix(S, A)
BlockMatrix([[S, A]])
S[0, 1]
S[i, j]*R[j, i] | i 3 j 3
(A*x)[1, 0]
A[1:3, 0:2]
PermutationMatrix(Permutation([1, 0, 2]))*S.subs(n, 3)
FunctionMatrix(3, 4, Lambda((i, j), i - a*j))
DotProduct(y, z)
Adjoint(A)*y
exp(Trace(S)/10)*S
S/n
Matrix([[a, b], [1, a*b]])
Matrix([a, b, 3])
Matrix([[a, 2, b]])*y.subs(n, 3)
ImmutableDenseNDimArray([[[a, 1], [2, b]], [[0, 1], [b, b]]])
Sum(X[i, j]*w[j], (j, 0, m - 1)) | i 3
Sum(exp(-X[i, j]*w[j]), (i, 0, n - 1), (j, 0, m - 1))
Sum(X[i, j]**2*KroneckerDelta(i, r), (i, 0, n - 1), (j, 0, m - 1)) + u[r] | r 3
log(Sum(exp(Sum(X[i, j]*w[j], (j, 0, m - 1))), (i, 0, n - 1)))
W[i, i]*u[i] | i 3
X[i, 0] + u[i] | i 3
X[I, J]*w[J] | I 3 J 4
u[I]*v[I] | I 3
Sum(u[i]*v[i], (i, 0, n - 1))
Sum(w[i]*w[i + 1], (i, 0, m - 2))
Sum(w[i], (i, 1, m - 2))
Sum(i*u[i], (i, 0, n - 1)) + n
Sum(u[i], (i, 0, n - 1))/n
Sum(u[i]*KroneckerDelta(i, 1), (i, 0, n - 1))
Sum(a**r, (r, 0, 3))
Product(u[i] + 2, (i, 0, n - 1))
Sum(Sum(W[i, j], (i, 0, n - 1))**2, (j, 0, n - 1))
Sum(S[i, j]*u[j], (j, 0, n - 1)) | i 3
X[n - 1, 0]
P
P[0, 1, 1]
ArrayTensorProduct(Q, Q)
ArrayContraction(ArrayTensorProduct(P, Q), (2, 3))
ArrayContraction(ArrayTensorProduct(P, P), (0, 3), (1, 4), (2, 5))
ArrayContraction(P, (1,))
ArrayDiagonal(ArrayTensorProduct(P, Q), (2, 3))
ArrayDiagonal(ArrayTensorProduct(P, Q), (0, 4), (2, 3))
PermuteDims(P, [1, 2, 0])
ArrayAdd(Q, PermuteDims(ArrayTensorProduct(Q, OneArray()), [0, 1]))
ArrayTensorProduct(2, Q)
ArrayElementwiseApplyFunc(Lambda(t, t**2 + 1), P)
Reshape(P, (n*m, k))
Reshape(P, (n, m*k))
Reshape(P, (n*m*k,))
ArrayTensorProduct(OneArray(n), Q)
ArrayContraction(ArrayTensorProduct(A, x), (1, 2))
log(a)*sin(b)**2 + sqrt(a)/(1 + b) - pi/3
Max(a, b, 2) + Min(a, b) + Abs(a - b)
Piecewise((a, a < b), (b, (a > 2) & (b < 1)), (a*b, True))
Piecewise((1, Eq(a, b)), (2, Or(Ne(a, 2), a < b)), (3, True))
Heaviside(a - b, 0) + sign(b - a) + exp(1)
0.1*a + Rational(1, 7)
LeviCivita(i, j, r) | i 3 j 3 r 3
""".strip().splitlines()  # fmt: skip
REFUSED = {
    "Integral(a, a)": "Integral",
    "gamma(a)": "gamma",
    "Function('g')(a)": "g",
    "Function('exp')(a)": "exp has no counterpart",
    "Function('Sum')(a)": "Sum has no counterpart",
    "Float('1e400')": "beyond every float",
    "X.subs(n, 3)[3, j]": "position 3 is outside",
    "S**1.5": "MatPow",
    "Sum(W[i, j], (j, 0, i), (i, 0, n - 1))": "limits that depend on an index",
    "MatrixSymbol('n', n, n)": "n is a size and also an array",
    "'print(1)'": "is no SymPy object",
    "[1, 2]": "is no SymPy object",
    "Sum(a**r, (r, 0, oo))": "Infinity",
    "KroneckerDelta(i, j, (0, 3))": "with a range",
    "sqrt(-1)*a": "ImaginaryUnit",
    "oo": "Infinity",
    "Derivative(a**2, a)": "Derivative",
    "Piecewise((a, a < b))": "without a last case",
    "MatPow(S, Rational(1, 3))": "MatPow",
    "A[0:3:2, 0:2]": "MatrixSlice",
    "W[i, j]*X[j, j]": "j runs over",
    "X[i + 1, j]": "nothing tells what i",
    "X[i*i, j]": "no index plus an integer",
    "KroneckerDelta(i, j)": "nothing tells what",
    "W[i, r*n]": "no index plus an integer",
}


@pytest.fixture(scope="module")
def symbols() -> dict[str, Any]:
    """The names that the expressions of the tables use; without SymPy these tests fail."""
    import_module("sympy")
    names: dict[str, Any] = {}
    exec(SETUP, names)  # noqa: S102  (our own text)
    return names


def random_values(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Numbers for variables by name, the same ones each time; scalars are positive."""
    found: dict[str, Any] = {}
    for name, shape in shapes.items():
        random = np.random.default_rng([ord(letter) for letter in name])
        array = random.normal(size=shape) if shape else random.uniform(0.5, 2.0)
        square = len(shape) == 2 and shape[0] == shape[1]
        found[name] = array + 2 * np.eye(shape[0]) if square else array
    return found


def values_of(formula: tc.Expr) -> dict[str, Any]:
    """Random values for the variables of a formula."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, variable in formula.variables.items():
        shapes[name] = tuple(
            [
                dim.value({**SIZES, **{d: 3 for d in dim.names if d not in SIZES}})
                for dim in variable.dims
            ]
        )
    return random_values(shapes)


@pytest.mark.parametrize("text", READINGS)
def test_from_sympy(symbols: dict[str, Any], text: str) -> None:
    """A formula has the value that SymPy's own evaluation gives."""
    written, _, free = text.partition(" | ")
    expr = eval(written, dict(symbols))  # noqa: S307
    words = free.split()
    indices = [(name, int(count)) for name, count in zip(words[::2], words[1::2], strict=True)]
    names = {**symbols, "I": symbols["I"], "J": symbols["J"]}
    formula = from_sympy(expr, indices=[names[name] for name, _ in indices])
    values = values_of(formula)
    if "k" in formula.variables:  # an exponent here
        values["k"] = 2
    # sizes that only SymPy's expression tells are told by further variables
    found = _evaluate(formula, values)
    expected = evaluated(expr, {s: v for s, v in SIZES.items() if s not in formula.variables},
                         values, indices)  # fmt: skip
    np.testing.assert_allclose(found, expected if indices else np.squeeze(expected), atol=1e-10)


def _evaluate(
    formula: tc.Expr, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None
) -> Any:
    """The value by the interpreter; the sizes are those of the table or given."""
    arrays = {name: np.asarray(value, float) for name, value in values.items()}
    if sizes is None:
        sizes = {**SIZES, **bind_sizes(formula.variables, arrays)}
    return evaluate([formula.node], arrays, sizes, np.dtype(np.float64))[0]


def _subscripts(formula: tc.Expr) -> list[Any]:
    """Indices for the entry of a formula that know their ranges, also where it has none of them."""
    sympy = import_module("sympy")
    names = {name: sympy.Symbol(name) for name in SETUP_SIZES}
    sizes = [sympy.sympify(size, locals=names) for size in formula.shape]
    return [sympy.Idx(f"index{k}", size) for k, size in enumerate(sizes)]


@pytest.mark.parametrize("text", READINGS)
@pytest.mark.parametrize("form", ["matrix", "indexed", "array"])
def test_round_trip(symbols: dict[str, Any], text: str, form: str) -> None:
    """What is written for SymPy has the value there, and is read as the same formula."""
    written, _, free = text.partition(" | ")
    formula = from_sympy(
        eval(written, dict(symbols)),  # noqa: S307
        indices=[symbols[name] for name in free.split()[::2]],
    )
    try:
        expr = to_sympy(formula, form)
    except tc.DomainError as error:
        assert "has no counterpart in SymPy's" in str(error)  # noqa: PT017
        return
    subscripts = _subscripts(formula) if form == "indexed" else []
    if subscripts:
        expr = to_sympy(formula, form, indices=subscripts)
    again = from_sympy(expr, indices=subscripts)
    values = values_of(formula)
    if "k" in values:
        values["k"] = 2
    np.testing.assert_allclose(_evaluate(again, values), _evaluate(formula, values), atol=1e-10)


# formulas, and the forms that SymPy has for them
WRITINGS = {
    "x'*A*x": "mia", "A*x": "mia", "x'": "ia", "A*B": "mia", "sum(exp(B*z))": "mia",
    "2*x - 3*y + c": "mia", "x.*y": "mia", "x.*exp(x)": "mia", "exp(A)": "mia", "diag(x)*A": "mia",
    "diag(A)": "mia", "tr(A)": "mia", "logdet(S)": "mia", "inv(S)*x": "mia", "A^3": "mia",
    "sum(B,1)'": "mia", "sum(B,2)": "mia", "mean(x)": "mia", "norm2(x)": "mia", "normF(A)": "mia",
    "softmax(x)": "mia", "logsumexp(x)": "mia", "kron(A,B)": "mia", "sigmoid(x)": "mia",
    "max(x,0)": "mia", "max(x,y)": "i", "where(x > 0, x, 0)": "mia", "[A,B]": "mi",
    "[c,1;2,c^2]": "mia", "x[0]": "mi", "A[1,2]": "mi", "sum[r=0..3](c^r)": "mia", "x*y'": "mia",
    "T[i,j,l]*B[i,j] -> [l]": "ia", "eye(n) + A": "mia", "det(A)*c": "mia", "norm1(x)": "mia",
    "log(1 + x.*x)": "mia", "abs(x).^c": "mia", "c^x[0]": "mi", "vec(A)": "ia", "sum(x)/n": "mia",
    "softplus(-y.*(A*x))": "ia", "A[i,i] -> [i]": "mia", "prod(x)": "i", "lgamma(c)": "mia",
    "abs(x)": "mia", "tr(A*A')": "mia", "x./(1 + y.*y)": "mia", "1/(c + 1)": "mia",
    "T[i,j,l]*x[i] -> [l,j]": "ia", "T": "ia", "sum[i,j,l](T[i,j,l]^2)": "ia", "tanh(c*x)": "mia",
    "logsumexp(B,2)": "mi", "softmax(B,1)": "mi", "erf(x)": "mia", "arctan(x)": "mia",
    "x.^2": "mia", "c*pi": "mia", "cross(p,q)": "i", "A^-2": "mia", "log1p(abs(x))": "mia",
}  # fmt: skip
KINDS = {
    "A": "matrix(n,n)", "B": "matrix(n,m)", "x": "vector(n)", "y": "vector(n)", "z": "vector(m)",
    "S": "spd(n)", "c": "scalar positive", "T": "tensor(n,m,k)", "p": "vector(3)", "q": "vector(3)",
}  # fmt: skip
FORMS = {"m": "matrix", "i": "indexed", "a": "array"}


@pytest.mark.parametrize(
    ("text", "form"), [(text, form) for text, forms in WRITINGS.items() for form in forms]
)
def test_to_sympy(text: str, form: str) -> None:
    """What is written has our value when SymPy evaluates it."""
    expr = tc.parse(text, **{name: kind for name, kind in KINDS.items() if name in text})
    values = values_of(expr)
    if "S" in values:
        values["S"] = values["S"] @ values["S"].T
    made = to_sympy(expr, FORMS[form])
    expected = _evaluate(expr, values)
    free = sorted(map(str, made.atoms(import_module("sympy").Idx))) if form == "i" else []
    indices = list(zip(free, expected.shape, strict=True)) if form == "i" else []
    found = evaluated(made, SIZES, values, indices)
    shape = expected.shape if form != "m" else (*expected.shape, 1)[:2] if expected.ndim else ()
    np.testing.assert_allclose(found, expected.reshape(shape), atol=1e-9)
    read = from_sympy(made, properties={"S": "spd"} if "S" in values else None)
    np.testing.assert_allclose(_evaluate(read, values), expected, atol=1e-9)


@pytest.mark.parametrize(("text", "forms"), WRITINGS.items())
def test_other_forms_are_refused(text: str, forms: str) -> None:
    """A form that SymPy has not is an error that says so, and of what."""
    expr = tc.parse(text, **{name: kind for name, kind in KINDS.items() if name in text})
    if text == "x'":
        return
    for form in set("mia") - set(forms):
        with pytest.raises(tc.DomainError, match=f"has no counterpart in SymPy's {FORMS[form]}"):
            to_sympy(expr, FORMS[form])


def test_functions_of_reshaped_arrays() -> None:
    """They stand inside: SymPy takes no function of what is reshaped, and no product of it."""
    made = to_sympy("X : matrix(m, n); exp(vec(X))", "array")
    assert type(made).__name__ == "Reshape"
    assert from_sympy(made) == tc.parse("X : matrix(m, n); exp(vec(X))")
    for text in ("sum(exp(vec(X)))", "exp(vec(X)).*x", "exp(vec(X))*x'"):
        with pytest.raises(tc.DomainError, match="an axis made of several has no counterpart"):
            to_sympy(f"X : matrix(m, n); x : vector(m*n); {text}", "array")


@pytest.mark.parametrize("text", ["vec(X)", "2*vec(X)", "exp(vec(X))"])
def test_merged_axes_alone(text: str) -> None:
    """The constant by which vec is written has no array expression, as a term neither."""
    derivative = tc.diff(f"X : matrix(m, n); {text}", "X")
    with pytest.raises(tc.DomainError, match="an axis made of several has no counterpart"):
        to_sympy(derivative, "array")


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_refused(symbols: dict[str, Any], text: str, message: str) -> None:
    """What cannot be read is an error that names it."""
    with pytest.raises(tc.TensorcalcError, match=message):
        from_sympy(eval(text, dict(symbols)))  # noqa: S307


@pytest.mark.parametrize("function", READ)
def test_functions_are_read(symbols: dict[str, Any], function: str) -> None:
    """Every function of the table has SymPy's value."""
    sympy = import_module("sympy")
    point = {"acosh": 1.7, "asec": 1.7, "acsc": 1.7}.get(function, 0.4)
    many = function in ("Max", "Min")
    arguments = [point, 0.7] if many else [1, point] if function == "polygamma" else [point]
    names = sympy.symbols("p q")[: len(arguments)]
    expr = getattr(sympy, function)(*names)
    values = dict(zip(("p", "q"), arguments, strict=False))
    expected = float(sympy.re(sympy.N(expr.subs({name: values[str(name)] for name in names}))))
    np.testing.assert_allclose(_evaluate(from_sympy(expr), values), expected, atol=1e-12)


@pytest.mark.parametrize("function", set(WRITTEN) - {"conj"})
def test_functions_are_written(function: str) -> None:
    """Every function of ours has its value in SymPy."""
    from tensorcalc import canonical
    from tensorcalc.functions import FUNCTIONS
    from tensorcalc.ir import Variable

    sympy = import_module("sympy")
    variables = {name: Variable.of(name, ()) for name in "pq"[: FUNCTIONS[function].arity]}
    expr = tc.Expr.of(canonical.elementwise(function, list(variables.values())), variables, (0,))
    values = {"p": 1.0 if function == "polygamma" else 0.4, "q": 0.7}
    values = {name: values[name] for name in variables}
    made = to_sympy(expr)
    found = float(sympy.N(made.subs({sympy.Symbol(name): v for name, v in values.items()})))
    np.testing.assert_allclose(found, _evaluate(expr, values), atol=1e-12)


def test_vectors_may_stay_columns(symbols: dict[str, Any]) -> None:
    """With `vectors=False` a column is a matrix, and so is a product of a row and a column."""
    A, x = symbols["A"], symbols["x"]
    assert from_sympy(A * x).shape == ("n",)
    assert from_sympy(A * x, vectors=False).shape == ("n", 1)
    assert from_sympy(x.T * x).shape == ()
    assert from_sympy(x.T * x, vectors=False).shape == (1, 1)
    assert str(from_sympy(x.T)) == "x'"


def test_counting_from_one(symbols: dict[str, Any]) -> None:
    """Sums from 1 to n are over all entries if the first one is called 1."""
    expr = eval("Sum(X[i, 1]*i, (i, 1, n))", dict(symbols))  # noqa: S307
    formula = from_sympy(expr, first=1)
    X = np.arange(12.0).reshape(3, 4)
    assert formula.evaluate(X=X) == X[:, 0] @ [1, 2, 3]


def test_names_and_symbols(symbols: dict[str, Any]) -> None:
    """The caller's symbols are used; assumptions become properties and come back."""
    A, x, n, m = (symbols[name] for name in "AxnZm"[:3] + "m")
    assert to_sympy("A*x", symbols={"A": A, "x": x, "n": n, "m": m}) == A * x
    formula = from_sympy(symbols["a"] ** 2)
    assert formula.variables["a"].properties == {"positive"}
    assert to_sympy(formula) == symbols["a"] ** 2
    i, j = symbols["i"], symbols["j"]
    entry = to_sympy("A*x", "indexed", indices=[i])
    assert entry.free_symbols >= {i}
    assert j in {limit[0] for limit in entry.limits}
    with pytest.raises(tc.ShapeError, match="1 indices are needed, not 2"):
        to_sympy("A*x", "indexed", indices=[i, j])
    with pytest.raises(tc.DomainError, match="there is no form"):
        to_sympy("A*x", "tensor")


def test_derivatives_agree(symbols: dict[str, Any]) -> None:
    """SymPy's derivative of a matrix expression and ours have one value."""
    for text in ("y.T*S*y", "Trace(S*R*S)"):
        expr = eval(text, dict(symbols))  # noqa: S307
        by = symbols["y"] if text == "y.T*S*y" else symbols["S"]
        ours = tc.diff(from_sympy(expr), by.name)
        theirs = from_sympy(expr.diff(by))
        values = values_of(ours) | values_of(theirs)
        np.testing.assert_allclose(_evaluate(theirs, values), _evaluate(ours, values), atol=1e-10)


@pytest.mark.parametrize("form", ["matrix", "indexed", "array"])
def test_random_programs(form: str) -> None:
    """Random formulas survive the way through every form that has them."""
    written = 0
    for seed in range(150):
        made = program(seed)
        formula = tc.parse(made.text)
        try:
            expr = to_sympy(formula, form)
        except tc.DomainError as error:
            assert "SymPy's" in str(error)  # noqa: PT017
            continue
        if expr.has(import_module("sympy").zoo):  # one through a condition that is false
            continue
        words = {name: " ".join(v.properties) for name, v in formula.variables.items()}
        subscripts = _subscripts(formula) if form == "indexed" else []
        if subscripts:
            expr = to_sympy(formula, form, indices=subscripts)
        words = {name: word for name, word in words.items() if word}
        again = from_sympy(expr, properties=words, indices=subscripts)
        data: dict[str, Any] = {name: made.problem.data[name] for name in formula.variables}
        sizes = bind_sizes(formula.variables, {n: np.asarray(v) for n, v in data.items()})
        letters = formula._size_letters()  # what sizes without a name are called
        sizes |= {letter: sizes[name] for name, letter in letters.items() if name in sizes}
        data |= {name: sizes[name] for name in again.variables if name in sizes}
        found, expected = (_evaluate(f, data, sizes) for f in (again, formula))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8, err_msg=made.text)
        written += 1
    assert written >= {"matrix": 40, "indexed": 75, "array": 30}[form]
