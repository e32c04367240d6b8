"""SymPy expressions in, formulas out, and back: matrix expressions, indexed sums, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorcalc import canonical
from tensorcalc.api import parse
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, IndexNotationError, ShapeError, quote
from tensorcalc.expression import Expr
from tensorcalc.interop.libraries import library
from tensorcalc.limits import metered
from tensorcalc.simplify import simplify
from tensorcalc.traverse import postorder

FORMS = 'the forms are "matrix", "indexed" and "array"'


@metered
def from_sympy(
    expr: Any,
    *,
    indices: Sequence[Any] = (),
    vectors: bool = True,
    first: int = 0,
    properties: Mapping[str, str] | None = None,
) -> Expr:
    """The formula that a SymPy object stands for.

    Parameters
    ----------
    expr
        A matrix expression, a sum over an `IndexedBase`, an array expression, an explicit matrix
        or array with symbolic entries, or a scalar expression. Functions, sizes and names are the
        same; a symbol that is the size of something is that size wherever it stands. An
        `IndexedBase` without a shape is as long as the first range of a subscript says.
    indices
        The free indices of `expr` (symbols or `Idx`) in the order of the result's axes;
        otherwise in alphabetical order. They come before the axes of a matrix or array. An `Idx`
        may be one that does not occur.
    vectors
        SymPy's vectors are matrices of one column. If true, matrices of one column or one row
        become vectors, and axes of one entry are dropped from the result; otherwise they stay.
    first
        The position of the first entry under a subscript: ``Sum(x[i], (i, 0, n - 1))`` is over
        all of x if it is 0, ``Sum(x[i], (i, 1, n))`` if it is 1.
    properties
        Properties of variables by name, such as ``{"S": "spd", "a": "positive"}``.

    Raises
    ------
    TensorcalcError
        SymPy is not installed.
    DomainError
        A part without a counterpart, which the error names.
    ShapeError
        Sizes that do not fit.

    Examples
    --------
    >>> from sympy import MatrixSymbol, symbols  # doctest: +SKIP
    >>> n = symbols("n")  # doctest: +SKIP
    >>> A, x = MatrixSymbol("A", n, n), MatrixSymbol("x", n, 1)  # doctest: +SKIP
    >>> print(from_sympy(x.T * A * x))  # doctest: +SKIP
    x'*A*x
    """
    sympy = library("sympy", "sympy")
    from tensorcalc.interop.sympy_arrays import Arrays
    from tensorcalc.interop.sympy_entries import Entries
    from tensorcalc.interop.sympy_scalars import Scalars

    class Everything(Scalars, Entries, Arrays):
        """All that can be read."""

    try:
        given = sympy.sympify(expr, strict=True)  # a text would be executed
    except sympy.SympifyError:
        raise DomainError(f"{quote(repr(expr))} is no SymPy object") from None
    reader = Everything(sympy, vectors, first, properties or {})
    reading = reader.whole(given)
    for index in indices:  # of one that does not occur it is the same for all
        if isinstance(index, sympy.Idx):
            reader.index(index, {})
    free = {index.key: index.size for index in reader.free.values()}
    order = [reader.free[s].key for s in indices if s in reader.free]
    order = order if indices else sorted(reading.labels, key=str)
    if len(set(order)) < len(indices) or not set(order) >= set(reading.labels):
        listed = ", ".join(map(str, reading.labels)) or "none"
        raise IndexNotationError(f"the free indices are {listed}, not {quote(str(tuple(indices)))}")
    axes = [("own", k) for k in range(len(reading.own))]
    kept = [axis for axis, dim in zip(axes, reading.own, strict=True)
            if not (vectors and dim == Dim.of(1))]  # fmt: skip
    labels = (*reading.labels, *axes)
    sizes = {
        **{key: free[key] for key in order},
        **dict(zip(labels, reading.node.dims, strict=True)),
    }
    node = canonical.contract([*order, *kept], sizes, [(reading.node, labels)])
    (node,) = simplify([node])
    row = kept == axes[1:] and len(axes) == 2 and not order
    return Expr.of(node, reader.variables, (node.rank,), row=row)


@metered
def to_sympy(
    formula: Expr | str,
    form: str = "matrix",
    *,
    indices: Sequence[Any] | None = None,
    symbols: Mapping[str, Any] | None = None,
) -> Any:
    """A formula as a SymPy object.

    Parameters
    ----------
    formula
        An expression or program text.
    form
        ``"matrix"``: a matrix expression of `MatrixSymbol`s, for scalars, vectors and matrices; a
        vector is a matrix of one column, a row one of one row. ``"indexed"``: an entry, with sums
        over entries of `IndexedBase`s. ``"array"``: an array expression of `ArraySymbol`s.
        A scalar is a scalar expression in each.
    indices
        Of the form ``"indexed"``: the subscripts of the entry, one an axis: names, symbols or
        integers. Otherwise they are `Idx` i, j, k and so on, which know their range.
    symbols
        SymPy objects to use for variables and sizes, by name. Others are made: sizes are
        integers, scalars have the properties that are declared.

    Raises
    ------
    TensorcalcError
        SymPy is not installed.
    DomainError
        A part without a counterpart in this form, which the error names.

    Examples
    --------
    >>> to_sympy("x'*A*x")  # doctest: +SKIP
    Trace(x.T*A*x)
    >>> to_sympy("A*x", form="indexed")  # doctest: +SKIP
    Sum(A[i, j]*x[j], (j, 0, m - 1))
    """
    library("sympy", "sympy")
    from tensorcalc.interop.sympy_names import Names
    from tensorcalc.interop.sympy_to_array import to_array
    from tensorcalc.interop.sympy_to_indexed import to_indexed
    from tensorcalc.interop.sympy_to_matrix import matrix_of

    expr = parse(formula) if isinstance(formula, str) else formula
    node = expr.node
    if any(inner.is_complex for inner in postorder([node])):
        raise DomainError("formulas of complex numbers are not written for SymPy")
    names = Names(node, expr.variables, symbols or {})
    if indices is not None and form != "indexed":
        raise DomainError(f"indices are for the form 'indexed', not {quote(repr(form))}")
    if form == "matrix":
        return matrix_of(node, names, row=expr._is_row)
    if form == "array":
        return to_array(node, names)
    if form != "indexed":
        raise DomainError(f"there is no form {quote(repr(form))}", None, FORMS)
    if indices is None:
        indices = []
        for _ in range(node.rank):
            indices.append(names.new(map(str, indices)))
        pairs = zip(indices, node.dims, strict=True)
        indices = [names.sympy.Idx(index, names.size(dim)) for index, dim in pairs]
    if len(indices) != node.rank:
        raise ShapeError(f"{node.rank} indices are needed, not {len(indices)}")
    given = [names.index(index) if isinstance(index, str) else index for index in indices]
    return to_indexed(node, names, given)
