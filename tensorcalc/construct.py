"""Expressions made in Python: variables, constants, matrices, unknown functions, einsum.

What operators (`expression.py`) and functions of the language (`language.py`) do not make. Each
builds the syntax that a program text has.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from tensorcalc import unknowns
from tensorcalc.declarations import KINDS, check_name
from tensorcalc.dims import Dim, Dims
from tensorcalc.einsum_string import KIND, uninterleave
from tensorcalc.errors import DomainError, KindError, ParseError, quote
from tensorcalc.expression import Expr, build, combine
from tensorcalc.ir import Variable
from tensorcalc.parse import parse as parse_program
from tensorcalc.python_operands import (
    NOWHERE,
    equation_syntax,
    index_name,
    operand_syntax,
    subscript_syntax,
)
from tensorcalc.syntax import Syntax

# what `einsum` runs for arrays of kinds met before; `contract_arrays` enters it
READY: dict[Hashable, Callable[..., Any]] = {}

Number = int | float | Expr
Size = str | int | Expr
Dependencies = str | Expr | Sequence[str | Expr]


def tensor(name: str, *dims: Size, properties: str = "") -> Expr:
    """A variable of any rank; a dim is a name or an integer.

    `properties` are words such as ``"positive complex"``; of a square matrix also ``"symmetric"``
    and the like, which in a program are kinds.

    >>> import tensorcalc as tc
    >>> S, x = tensor("S", "n", "n", properties="spd"), tensor("x", "n")
    >>> print(tc.diff(x.T @ S @ x, "x"))
    2*S*x
    """
    kind = ("scalar", "vector", "matrix")[len(dims)] if len(dims) < 3 else "tensor"
    words = properties.split()
    square = [word for word in words if KINDS.get(word) == KINDS["symmetric"]]
    if square:
        if len(dims) != 2 or dims[0] != dims[1] or len(square) > 1:
            raise KindError(f"{square[-1]} is a kind of square matrix", None, "such as n×n")
        kind, dims = square[0], dims[:1]
        words.remove(kind)
    names = Syntax("names", (check_name(name),), (), NOWHERE)
    sizes = [_size(dim) for dim in dims]
    declaration = Syntax("declaration", (kind, *words), (names, *sizes), NOWHERE)
    value = Syntax("name", names.words, (), NOWHERE)
    return Expr(Syntax("program", (), (declaration, value), NOWHERE))


def scalar(name: str, properties: str = "") -> Expr:
    """A scalar variable."""
    return tensor(name, properties=properties)


def vector(name: str | Number, n: Size | None = None, properties: str = "") -> Expr:
    """A vector variable of `n` entries (a name, an integer, or None: inferred).

    Of a number or a scalar instead of a name, the vector whose entries it is.

    >>> print(matrix("A", "m", "n") @ vector(1))
    A*vector(1)
    """
    if not isinstance(name, str):
        return _constant("vector", name, [n])
    return _inferred(name, 1) if n is None else tensor(name, n, properties=properties)


def matrix(
    name: str | Number, m: Size | None = None, n: Size | None = None, properties: str = ""
) -> Expr:
    """A matrix variable of `m` rows and `n` columns (names, integers, or None: inferred).

    Of a number or a scalar instead of a name, the matrix whose entries it is.

    >>> import tensorcalc as tc
    >>> x, A = vector("x", "n"), matrix("A", "n", "n")
    >>> print(tc.diff(x.T @ A @ x, "x"))
    (A + A')*x
    """
    if not isinstance(name, str):
        return _constant("matrix", name, [m, n])
    if m is None or n is None:
        return _inferred(name, 2)
    return tensor(name, m, n, properties=properties)


def _inferred(name: str, rank: int) -> Expr:
    variable = Variable.of(
        check_name(name), tuple(Dim.of(f"{name}.{axis}") for axis in range(rank))
    )
    return Expr.of(variable, {name: variable}, (rank,))


def _constant(name: str, value: Number, sizes: Sequence[Size | None]) -> Expr:
    given = [size for size in sizes if size is not None]
    children = [operand_syntax(value), *map(_size, given)]
    # without sizes it waits for what it stands beside
    return build("call", (name,), children, [value, *given], is_open=not given)


def _size(size: Size) -> Syntax:
    """A size given from Python: an integer, a text such as ``"2*n"``, or ``tc.rows(X)``."""
    if isinstance(size, int) and not isinstance(size, bool):
        return Syntax("number", (str(size),), (), NOWHERE)
    if isinstance(size, str):
        statements = parse_program(size).children
        if len(statements) == 1 and statements[0].kind == "value":
            return statements[0].children[0]
    elif isinstance(size, Expr):
        return operand_syntax(size)
    raise DomainError(f"{quote(repr(size))} is no size", None, 'such as 3, "n" or "2*n"')


def eye(n: Size | None = None) -> Expr:
    """The identity of `n` rows (an integer, a name, or None: inferred).

    >>> print(matrix("A", "n", "n") - 2 * eye())
    A - 2*eye
    """
    if n is None:
        return build("name", ("eye",), [], [], is_open=True)
    return build("call", ("eye",), [_size(n)], [n])


def commutation(m: Size, n: Size) -> Expr:
    """The matrix K with ``K @ vec(A) = vec(A.T)`` for A of `m` rows and `n` columns.

    >>> print(commutation("m", "n") @ vector("x"))
    commutation(m, n)*x
    """
    return build("call", ("commutation",), [_size(m), _size(n)], [m, n])


def delta(i: str | int, j: str | int) -> Expr:
    """Kronecker's delta under two index names, ``delta[i,j]`` in the language.

    >>> A = matrix("A", "n", "n")
    >>> print(A["i", "j"] * delta("i", "j"))
    tr(A)
    """
    return _symbol("delta", (i, j))


def eps(*indices: str | int) -> Expr:
    """The Levi-Civita symbol under index names, ``eps[i,j,k]`` in the language.

    >>> x, y = vector("x", 3), vector("y", 3)
    >>> print((eps("i", "j", "k") * x["j"] * y["k"]).arrange("i"))
    cross(x, y)
    """
    return _symbol("eps", indices)


def _symbol(name: str, indices: Sequence[str | int]) -> Expr:
    children = [Syntax("name", (name,), (), NOWHERE), *map(subscript_syntax, indices)]
    return build("subscript", (), children, [], is_open=True)


def counter(name: str) -> Expr:
    """The integer that a sum or product over integers counts with.

    >>> import tensorcalc as tc
    >>> r, A, k = counter("r"), matrix("A", "n", "n"), scalar("k", "integer")
    >>> print(tc.sum(A**r, over={"r": (0, k)}))
    sum[r=0..k](A^r)
    """
    return build("name", (index_name(name),), [], [], is_open=True, payload="counter")


def block(rows: Sequence[Any]) -> Expr:
    """An explicit or block matrix, ``[A, B; C, D]`` in the language.

    `rows` is a list of lists of expressions, numbers and arrays; a plain list is one row. Of one
    column it is a vector, of one row a row vector. The number 0 among blocks is a block of zeros.

    >>> a, b = scalar("a"), scalar("b")
    >>> print(block([[a, b], [0, 1]]))
    [a, b; 0, 1]
    """
    if not isinstance(rows, list | tuple) or not rows:
        raise DomainError("a block matrix is a list of rows", None, "write `[[A, B], [C, D]]`")
    nested = [isinstance(row, list | tuple) for row in rows]
    table = rows if all(nested) else [rows]
    if any(nested) is not all(nested) or not all(table):
        raise DomainError(
            "a block matrix is a list of rows, each a list of blocks",
            None,
            "write `[[A, B], [C, D]]`",
        )
    children = [
        Syntax("row", (), tuple([operand_syntax(item) for item in row]), NOWHERE) for row in table
    ]
    return build("rows", (), children, [item for row in table for item in row])


@dataclass(frozen=True, slots=True)
class Function:
    """An unknown function to apply to expressions; made by `function`."""

    declared: unknowns.UnknownFunction

    def __call__(self, *arguments: Any) -> Expr:
        """The value of the function."""
        return combine("call", (self.declared.name,), arguments, self.declared)

    def __repr__(self) -> str:
        kinds = [", ".join(map(kind_of, self.declared.arguments)), kind_of(self.declared.result)]
        return f"<Function {self.declared.name} : {' -> '.join(kinds)}>"


def kind_of(dims: Dims) -> str:
    """The kind of a plain variable with these dims, as in a declaration.

    >>> kind_of((Dim.of("m"), Dim.of(3)))
    'matrix(m, 3)'
    """
    kind = ("scalar", "vector", "matrix", "tensor")[min(len(dims), 3)]
    return f"{kind}({', '.join(map(str, dims))})" if dims else kind


@overload
def function(name: str, kind: str, *, of: Dependencies) -> Expr: ...
@overload
def function(name: str, kind: str, *, of: None = None) -> Function: ...
def function(name: str, kind: str, *, of: Dependencies | None = None) -> Expr | Function:
    """An unknown function, of which only its name and kind are known.

    Parameters
    ----------
    name
        Its name.
    kind
        With `of`, the kind of its value, such as ``"vector(m)"``; else the kinds of its arguments
        and its value, such as ``"vector(n), scalar -> vector(m)"``.
    of
        The variables that it depends on: a name or a variable, or a list of them. A name that is
        not declared stands for what it does in a program.

    Returns
    -------
    Expr or Function
        With `of`, an expression; else a function to apply to expressions.

    >>> import tensorcalc as tc
    >>> u = function("u", "vector(m)", of="x")
    >>> print(tc.diff(u.T @ u, "x"))
    2*(du/dx)'*u
    >>> g = function("g", "scalar -> scalar")
    >>> print(tc.diff(g(vector("x").T @ vector("x")), "x"))
    2*g'(x'*x)*x
    """
    name = check_name(name)
    if of is None:
        statement = _one_declaration(f"{name} : {kind}", "function")
        return Function(unknowns.declare(statement)[0])
    given = [of] if isinstance(of, str | Expr) else list(of)
    names = []
    for item in given:
        if isinstance(item, Expr) and not isinstance(item.node, Variable):
            raise DomainError(f"{name} depends on variables, not on {quote(str(item))}")
        names.append(item.node.name if isinstance(item, Expr) else item)  # type: ignore[attr-defined]
    statement = _one_declaration(f"{name} : {kind} of {', '.join(names)}", "abstract")
    # the variables stand in the program before the name that depends on them
    known = [operand_syntax(item) for item in given if isinstance(item, Expr)]
    value = Syntax("name", (name,), (), NOWHERE)
    return Expr(Syntax("program", (), (statement, *known, value), statement.span))


def _one_declaration(text: str, kind: str) -> Syntax:
    statements = parse_program(text).children
    if len(statements) != 1 or statements[0].kind != kind:
        raise ParseError(
            f"{quote(text)!r} does not declare one unknown function",
            None,
            'write `tc.function("g", "scalar -> scalar")` '
            'or `tc.function("u", "vector(m)", of="x")`',
        )
    return statements[0]


def hadamard(left: Any, right: Any) -> Expr:
    """The entrywise product, ``.*`` in the language.

    >>> print(hadamard(vector("x", "n"), vector("y", "n")))
    x.*y
    """
    return combine("product", ("*", ".*"), [left, right])


def divide(left: Any, right: Any) -> Expr:
    """The entrywise quotient, ``./`` in the language.

    >>> print(divide(vector("x", "n"), vector("y", "n")))
    x./y
    """
    return combine("product", ("*", "./"), [left, right])


def power(base: Any, exponent: Any) -> Expr:
    """The power of each entry, ``.^`` in the language.

    >>> print(power(vector("x", "n"), 2))
    x.^2
    """
    return combine("power", (".^",), [base, exponent])


def einsum(
    *operands: Any,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
) -> Any:
    """NumPy's einsum: of expressions an expression, of arrays an array, compiled.

    Parameters
    ----------
    *operands
        The subscripts and the operands, ``einsum("ij,j->i", A, x)``, or operands each followed by
        its labels, ``einsum(A, [0, 1], x, [1], [0])``. An ellipsis stands for further axes, which
        broadcast. If one operand is an expression, arrays are constants.
    out
        An array for the result; it may be an operand, or overlap one.
    optimize
        Accepted as NumPy and opt_einsum take it, and checked, but without effect: every
        contraction is planned here.
    dtype
        The type to compute in: float32, float64, complex64 or complex128. Otherwise it is single
        precision if all arrays are, else double.
    order
        ``"F"`` or ``"C"``; ``"A"`` is F if all operands are; ``"K"`` is here the same as C.
    casting
        Which conversions of operands and of the result are allowed, as in NumPy.

    Notes
    -----
    All equations of NumPy give its values. This is different:

    - The result of integers and booleans is float64, so nothing wraps; `out` may have their type,
      and a result that does not fit is an error. Half precision is computed in single, and long
      double is an error unless `casting` allows it. Objects, dates and texts are errors.
    - An axis of size 1 under a letter does not broadcast: that is a `ShapeError`. Under an
      ellipsis it does. An ellipsis that the output does not have is summed.
    - The result is never a view of an operand.
    - Any letter is a label, also a Greek one; integer labels may be larger than 51.
    - Complex arrays are contracted by NumPy, not compiled.
    - Errors are a `TensorcalcError`.

    >>> A, x = matrix("A", "m", "n"), vector("x", "n")
    >>> print(einsum("ij,j->i", A, x))
    A*x
    >>> print(einsum(A, [0, 1], x, [1], [0]))
    A*x
    """
    if out is None and dtype is None and optimize is False and order == "K" and casting == "safe":
        values = operands[1:]
        try:
            run = READY[(operands[0], *map(KIND, values))]
        except (AttributeError, IndexError, KeyError, TypeError):
            pass  # new, of another form, or wrong
        else:
            return run(*values)[0]
    if operands and isinstance(operands[0], str):
        equation, arguments = operands[0], list(operands[1:])
    else:
        equation, arguments = uninterleave(operands)
    if any(isinstance(operand, Expr) for operand in arguments):
        if out is not None or dtype is not None or (order, casting) != ("K", "safe"):
            raise DomainError("out, dtype, order and casting are for arrays, not for expressions")
        return combine("call", ("einsum",), [equation_syntax(equation), *arguments])
    from tensorcalc.contract_arrays import contract_arrays

    return contract_arrays(
        equation,
        arguments,
        READY,
        out=out,
        optimize=optimize,
        dtype=dtype,
        order=order,
        casting=casting,
    )
