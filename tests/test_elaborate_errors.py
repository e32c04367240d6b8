"""Rejected programs: the class, message, place and hint of each error."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.errors import (
    DomainError,
    IndexNotationError,
    LimitError,
    ParseError,
    ShapeError,
    TensorcalcError,
    UnknownNameError,
)

D = "X : matrix(m, n); w : vector(n); y : vector(m); "
# program, class, line, column, the message's beginning, a piece of the hint
TABLE: list[tuple[str, type[TensorcalcError], int, int, str, str | None]] = [
    # names
    ("foo(x)", UnknownNameError, 1, 1, "unknown function foo", None),
    ("expp(x)", UnknownNameError, 1, 1, "unknown function expp", "did you mean exp?"),
    ("a + x(b)", UnknownNameError, 1, 5, "unknown function x", None),
    ("x + x(b)", UnknownNameError, 1, 5, "unknown function x", "write `x*(…)` for a product"),
    ("2*exp", UnknownNameError, 1, 3, "exp is a function", "`exp(…)`"),
    ("x : vector(n); x : vector(m)", UnknownNameError, 1, 16, "x is declared twice", None),
    ("r = x; r = y", UnknownNameError, 1, 8, "r is defined twice", None),
    ("s = r + x\nr = y", UnknownNameError, 2, 1, "r is used before its definition", "further up"),
    ("n : vector(n)", ParseError, 1, 1, "n is both a size and a variable", "rename"),
    # declarations
    ("x : vektor(n)", ParseError, 1, 1, "unknown kind vektor", "vector"),
    ("x : vector", ParseError, 1, 1, "vector takes 1 sizes, 0 given", "vector(m)"),
    ("A : matrix(n)", ParseError, 1, 1, "matrix takes 2 sizes, 1 given", "matrix(m, n)"),
    ("x : vector(n) pretty", ParseError, 1, 1, "unknown property pretty", "positive"),
    ("x : vector(n+1)", ParseError, 1, 12, "a size is a name, an integer or a product", "m*n"),
    ("x : vector(n)", ParseError, 1, 1, "the program has no value", "end with an expression"),
    # sizes
    (D + "X*y", ShapeError, 1, len(D) + 1, "the sizes would be both n and m", None),
    (D + "w + y", ShapeError, 1, len(D) + 1, "the terms of a sum have different sizes", None),
    (D + "w.*y", ShapeError, 1, len(D) + 1, "the sizes would be both n and m", None),
    (D + "w[i]*y[i]", ShapeError, 1, len(D) + 1, "index i would be both n and m", None),
    (D + "w[i] + y[i]", ShapeError, 1, len(D) + 1, "index i would be both n and m", None),
    (D + "tr(X)", ShapeError, 1, len(D) + 1, "tr takes a square matrix: X is m×n", None),
    (D + "inv(X)", ShapeError, 1, len(D) + 1, "inv takes a square matrix: X is m×n", None),
    (D + "X^2", ShapeError, 1, len(D) + 1, "only a square matrix has powers: X is m×n", None),
    ("x : vector(3); x[3]", ShapeError, 1, 16, "subscript 3 is out of range: the axis has 3", None),
    ("eye", ShapeError, 1, 1, "a size cannot be inferred", "eye(n)"),
    ("vector(1)", ShapeError, 1, 1, "a size cannot be inferred", "vector(1, n)"),
    ("sum(vector(1))", ShapeError, 1, 1, "a size cannot be inferred", None),
    ("tr(eye)", ShapeError, 1, 1, "a size cannot be inferred", None),
    ("a + vector(1)'*vector(1)", ShapeError, 1, 1, "a size cannot be inferred", None),
    # ranks and orientations
    ("x*y", ShapeError, 1, 1, "cannot multiply as a matrix product", "`x'*y` for the inner"),
    ("x'*y'", ShapeError, 1, 1, "cannot multiply as a matrix product", "inner"),
    ("A*x'", ShapeError, 1, 1, "cannot multiply as a matrix product", "`A*x` and `x'*A`"),
    ("x.*y'", ShapeError, 1, 1, "cannot multiply entry by entry", "inner"),
    ("x + y'", ShapeError, 1, 1, "the terms of a sum have different shapes", None),
    ("x + A", ShapeError, 1, 1, "the terms of a sum have different shapes", None),
    ("x^2", ShapeError, 1, 1, "^ takes a scalar or a square matrix: x is a vector", ".^"),
    ("a/x", ShapeError, 1, 3, "division by something that is not a scalar: x", "./"),
    ("A/B", ShapeError, 1, 3, "division by something that is not a scalar: B", "inv(…)"),
    ("tr(x)", ShapeError, 1, 1, "tr takes a matrix", None),
    ("max(x, y')", ShapeError, 1, 1, "the arguments of max have different shapes", None),
    ("A^x", DomainError, 1, 3, "the power of a matrix must be an integer", None),
    # indices
    ("A[i]*A[i,j]", IndexNotationError, 1, 1, "A has", "declare it"),
    ("A : matrix(m, n); A[i]", IndexNotationError, 1, 19, "1 subscripts, but A is m×n", None),
    ("x[i+1]", IndexNotationError, 1, 3, "a subscript is an index name or an integer from 0, not i+1", None),
    ("x[i] + y[j]", IndexNotationError, 1, 8, "the terms of a sum have different free indices", "sum["),
    ("y[i]*log(x[i]*z[i])", IndexNotationError, 1, 10, "index i is summed in an inner product", "sum[i]("),
    ("x[i]*y[i] + z[i]", IndexNotationError, 1, 1, "index i is summed in an inner product", "sum[i]("),
    ("g[i] = A[i,j]", IndexNotationError, 1, 8, "index j is free but", "write `sum[j](…)`"),
    ("g[i,j] = x[i]", IndexNotationError, 1, 1, "index j stands on the left but never", None),
    ("x[i] -> [i,i]", IndexNotationError, 1, 1, "the axis i is named twice", None),
    ("A[i,j] -> [i]", IndexNotationError, 1, 1, "index j is free", "sum[j]"),
    ("sum[k](x[i])", IndexNotationError, 1, 1, "index k never occurs in what is summed over it", None),
    ("sum(x[i])", IndexNotationError, 1, 1, "sum(…) is over the entries of a whole vector", "sum[i](…)"),
    ("g[i] = A*x[i]", IndexNotationError, 1, 8, "its entry has whole axes", "subscripts"),
    # einsum
    ('einsum("ij,j->i", A)', ShapeError, 1, 8, "the subscripts name 2 operands, 1 are given", None),
    ('einsum("ij,jk->i", A, x)', ShapeError, 1, 8, "the subscripts `jk` name 2 axes, the operand has 1", None),
    ('einsum("ij,j->k", A, x)', IndexNotationError, 1, 8, "the output label k is in no operand", None),
    ('einsum("i1,j", A, x)', IndexNotationError, 1, 8, "'1' is not a letter", "letters"),
    ("einsum(A, x)", ParseError, 1, 1, "einsum starts with its subscripts", "einsum("),
    # domains, limits, arity
    ("a/0", DomainError, 1, 3, "division by zero", None),
    ("a/(b - b)", DomainError, 1, 3, "division by zero", None),
    ("0^-1", DomainError, 1, 1, "division by zero", None),
    ("A^0.5", DomainError, 1, 3, "the power of a matrix must be an integer", None),
    ("a^(10^30)", LimitError, 1, 1, "the exponent is over", None),
    ("A^(10^30)", LimitError, 1, 1, "the exponent is over", None),
    ("1e1000", LimitError, 1, 1, "the exponent of a number is over 400", None),
    ("exp(a, b)", ParseError, 1, 1, "exp takes 1 argument, 2 given", None),
    ("norm2(x, y)", ParseError, 1, 1, "norm2 takes 1 argument, 2 given", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("program", "kind", "line", "column", "message", "hint"), TABLE, ids=[row[0] for row in TABLE]
)
def test_errors(
    program: str,
    kind: type[TensorcalcError],
    line: int,
    column: int,
    message: str,
    hint: str | None,
) -> None:
    """The class, the place, the message and the hint."""
    with pytest.raises(TensorcalcError) as caught:
        tc.parse(program)
    error = caught.value
    assert error.message.startswith(message)
    assert (type(error), error.line, error.column) == (kind, line, column)
    assert error.excerpt is not None and "^" in error.excerpt
    if hint is not None:
        assert hint in (error.hint or "")


def test_the_whole_text_of_an_error() -> None:
    """Place, message, line with a caret, hint."""
    with pytest.raises(TensorcalcError) as caught:
        tc.parse("x : vector(3)\ny[i]*log(x[i]*z[i])")
    assert str(caught.value) == (
        "line 2, column 10: index i is summed in an inner product and also stands outside it\n"
        "  2 | y[i]*log(x[i]*z[i])\n"
        "    |          ^^^^^^^^^\n"
        "hint: write `sum[i](…)` around the inner product to sum there, or around the whole to "
        "keep i inside"
    )


def test_both_uses_of_an_undeclared_name_are_told() -> None:
    """A conflict that comes from an assumption says the assumption."""
    with pytest.raises(ShapeError) as caught:
        tc.parse("x*y")
    assert "x was taken as a vector because its name is between h and z" in str(caught.value)


@pytest.mark.parametrize("program", [row[0] for row in TABLE])
def test_errors_of_the_same_program_are_the_same(program: str) -> None:
    """Deterministic, and never anything but our own errors."""
    texts = set()
    for _ in range(2):
        with pytest.raises(TensorcalcError) as caught:
            tc.parse(program)
        texts.add(str(caught.value))
    assert len(texts) == 1
