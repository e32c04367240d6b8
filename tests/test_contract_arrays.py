"""`tensorcalc.einsum` on arrays against `numpy.einsum`, on the equations of NumPy's own tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import DomainError, IndexNotationError, ShapeError, TensorcalcError

Array = np.ndarray[Any, np.dtype[Any]]

# numpy/_core/tests/test_einsum.py, by the test that has them; sizes as there, or smaller
SIZES = dict(zip("abcdefghij", [2, 3, 4, 5, 4, 3, 2, 6, 5, 4], strict=True))
LETTERS = {
    "hadamard": "a,ab,abc->abc a,b,ab->ab",
    "transformations": "ea,fb,gc,hd,abcd->efgh ea,fb,abcd,gc,hd->efgh abcd,ea,fb,gc,hd->efgh",
    "complex": (
        "acdf,jbje,gihb,hfac,gfac,gifabc,hfac cd,bdhe,aidb,hgca,gc,hgibcd,hgac "
        "abhe,hidj,jgba,hiab,gab bde,cdh,agdb,hica,ibd,hgicd,hiac chd,bde,agbc,hiad,hgc,hgi,hiad "
        "chd,bde,agbc,hiad,bdi,cgh,agdb bdhe,acad,hiab,agac,hibd"
    ),
    "collapse": (
        "ab,ab,c-> ab,ab,c->c ab,ab,cd,cd-> ab,ab,cd,cd->ac ab,ab,cd,cd->cd ab,ab,cd,cd,ef,ef->"
    ),
    "expand": "ab,cd,ef->abcdef ab,cd,ef->acdf ab,cd,de->abcde ab,cd,de->be ab,bcd,cd->abcd "
    "ab,bcd,cd->abd",
    "edge": (
        "eb,cb,fb->cef dd,fb,be,cdb->cef bca,cdb,dbf,afc-> dcc,fce,ea,dbf->ab fdf,cdd,ccd,afe->ae "
        "abcd,ad ed,fcd,ff,bcf->be baa,dcf,af,cde->be bd,db,eac->ace fff,fae,bef,def->abd "
        "efc,dbc,acf,fd->abe ba,ac,da->bcd"
    ),
    "inner": "ab,ab ab,ba abc,abc abc,bac abc,cba",
    "random": (
        "aab,fa,df,ecc->bde ecb,fef,bad,ed->ac bcf,bbb,fbf,fc-> bb,ff,be->e bcb,bb,fc,fff-> "
        "fbb,dfd,fc,fc-> afd,ba,cc,dc->bf adb,bc,fa,cfc->d bbd,bda,fc,db->acf dba,ead,cad->bce "
        "aef,fbc,dca->bde"
    ),
}
Shapes = Sequence[tuple[int, ...]]
SHAPED: list[tuple[str, Shapes]] = [
    ("i->", [(7,)]),
    ("i->", [(0,)]),
    ("...i->...", [(2, 3, 4)]),
    ("...i->...", [(5,)]),
    ("i...->...", [(2, 3, 4)]),
    ("ii", [(4, 4)]),
    ("..., ...", [(), ()]),
    ("..., ...", [(3, 4), (2, 3, 4)]),
    ("...i, ...i", [(2, 3, 4), (4,)]),
    ("i..., i...", [(4, 3, 2), (4,)]),
    ("i,j", [(3,), (4,)]),
    ("ij, j", [(4, 3), (3,)]),
    ("ji,j", [(4, 3), (4,)]),
    ("ij,jk", [(4, 3), (3, 6)]),
    ("ij,jk", [(4, 0), (0, 6)]),
    ("ij,jk,kl", [(3, 4), (4, 5), (5, 6)]),
    ("ijk, jil -> kl", [(3, 4, 5), (4, 3, 2)]),
    ("i,i,i->i", [(8,), (8,), (8,)]),
    (",i->", [(), (9,)]),
    ("i,->", [(9,), ()]),
    ("i,->i", [(9,), ()]),
    (",i->i", [(), (9,)]),
    ("...,...", [(9,), (9,)]),
    ("i,i", [(9,), (9,)]),
    ("z,mz,zm->", [(2,), (2, 2), (2, 2)]),
    ("...ij,...jk->...ik", [(1, 5), (5, 5)]),
    ("ji,i->", [(2, 2), (2,)]),
    ("ij...,j...->i...", [(1, 2), (2, 2, 1)]),
    ("...i,...i", [(3,), (3,)]),
    ("ijklm,ijn,ijn->", [(5, 6, 4, 2, 3), (5, 6, 7), (5, 6, 7)]),
    ("ijklm,ijn->", [(5, 6, 4, 2, 3), (5, 6, 7)]),
    ("x,yx,zx->xzy", [(2,), (2, 2), (4, 2)]),
    ("ij...,j...->ij...", [(2, 3, 4), (3,)]),
    ("ij...,...j->ij...", [(2, 3, 4), (3,)]),
    ("ij...,j->ij...", [(2, 3, 4), (3,)]),
    ("ik...,k...->i...", [(4, 3), (3, 2)]),
    ("ik...,...kj->i...j", [(4, 3), (3, 2)]),
    ("...k,kj", [(4, 3), (3, 2)]),
    ("ik,k...->i...", [(4, 3), (3, 2)]),
    ("ijkl,k", [(2, 3, 4, 5), (4,)]),
    ("...kl,k", [(2, 3, 4, 5), (4,)]),
    ("...kl,k...", [(2, 3, 4, 5), (4,)]),
    ("...lmn,...lmno->...o", [(1, 1, 1, 6, 6, 5), (6, 6, 5, 3)]),
    ("...lmn,lmno->...o", [(1, 1, 1, 6, 6, 5), (6, 6, 5, 3)]),
    ("cl, cpx->lpx", [(2, 3), (2, 3, 11)]),
    ("cl, cpxy->lpxy", [(3, 3), (3, 3, 4, 4)]),
    ("aabb->ab", [(5, 5, 5, 5)]),
    ("ijij->", [(4, 4, 4, 4)]),
    ("mi,mi,mi->m", [(5, 5), (5, 5), (5, 5)]),
    ("im,im,im->m", [(5, 5), (5, 5), (5, 5)]),
    ("...ij,...jk->...ik", [(2, 1, 1), (2, 1, 1)]),
    ("...ij,...jk->...ik", [(1, 2, 3), (5, 3, 4)]),
    ("bbcdc->d", [(1, 1, 3, 1, 3)]),
    ("ijk,kl,jl", [(1, 5, 4), (4, 6), (5, 6)]),
    ("abjk,kl,jl", [(1, 1, 5, 4), (4, 6), (5, 6)]),
    ("obk,ijk->ioj", [(2, 4, 8), (2, 4, 8)]),
    ("...ft,mf->...mt", [(2, 3, 5), (4, 3)]),
    ("cab,cdd->ab", [(4, 2, 3), (4, 5, 5)]),
    ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 4)]),
    ("ijk,ilm,njm,nlk,abc->", [(2, 4, 8), (2, 4, 8), (2, 4, 8), (2, 4, 8), (2, 4, 8)]),
    # views
    ("...", [(2, 3)]),
    ("ij", [(2, 3)]),
    ("ji", [(2, 3)]),
    ("ii->i", [(3, 3)]),
    ("...ii->...i", [(3, 3, 3)]),
    ("ii...->...i", [(3, 3, 3)]),
    ("...ii->i...", [(3, 3, 3)]),
    ("jii->ij", [(3, 3, 3)]),
    ("ii...->i...", [(3, 3, 3)]),
    ("i...i->i...", [(3, 3, 3)]),
    ("i...i->...i", [(3, 3, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ijk->jik", [(2, 3, 4)]),
    # the documentation
    ("", [()]),
    ("->", [()]),
    ("...->", [(2, 3)]),
    (",ij", [(), (2, 3)]),
    ("ki,jk->ij", [(3, 2), (4, 3)]),
    ("k...,jk", [(3, 2), (4, 3)]),
    ("aB,Ba->aB", [(2, 3), (3, 2)]),
]
EQUATIONS: list[tuple[str, Shapes]] = SHAPED + [
    (equation, [tuple(SIZES[a] for a in term) for term in equation.split("->")[0].split(",")])
    for equations in LETTERS.values()
    for equation in equations.split()
]


def arrays(shapes: Shapes) -> list[Array]:
    """Random arrays of these shapes, the same in every run."""
    random = np.random.default_rng(0)
    return [random.uniform(-1, 1, shape) for shape in shapes]


def ids(table: Sequence[tuple[str, Shapes]]) -> list[str]:
    """What a row is called."""
    return [f"{equation} {shapes}" for equation, shapes in table]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS, ids=ids(EQUATIONS))
def test_expressions_agree_with_numpy(equation: str, shapes: Shapes) -> None:
    """The value of the expression; sizes are numbers, or come from the arrays."""
    given = arrays(shapes)
    variables = [tc.tensor(f"T{k}", *shape) for k, shape in enumerate(shapes)]
    found = tc.einsum(equation, *variables)
    expected = np.einsum(equation, *given, optimize=True)
    assert found.shape == expected.shape
    values = {f"T{k}": array for k, array in enumerate(given)}
    np.testing.assert_allclose(found.evaluate(**values), expected, rtol=1e-10, atol=1e-12)


SMALL = [(equation, shapes) for equation, shapes in SHAPED if len(shapes) <= 2][::2]


@pytest.mark.parametrize(("equation", "shapes"), SMALL, ids=ids(SMALL))
def test_compiled_agrees_with_numpy(equation: str, shapes: Shapes) -> None:
    """A part of the table, compiled."""
    _compare(equation, shapes)


@pytest.mark.slow
@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS, ids=ids(EQUATIONS))
def test_all_compiled_agree_with_numpy(equation: str, shapes: Shapes) -> None:
    """All of the table, compiled."""
    _compare(equation, shapes)


def _compare(equation: str, shapes: Shapes) -> None:
    given = arrays(shapes)
    found = tc.einsum(equation, *given)
    expected = np.einsum(equation, *given, optimize=True)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert not any(np.may_share_memory(found, array) for array in given)


def test_spaces() -> None:
    """Anywhere."""
    array = np.array([[1.0]])
    for equation in ("...a->...a", " ... a -> ... a ", "... a->...a", "...a-> ...a"):
        assert tc.einsum(equation, array) == 1


def test_interleaved() -> None:
    """Operands followed by their labels, with and without an output, with an Ellipsis."""
    A, x = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    np.testing.assert_array_equal(tc.einsum(A, [0, 1], x, [1], [0]), A @ x)
    np.testing.assert_array_equal(tc.einsum(A, [0, 1], x, [1]), A @ x)
    np.testing.assert_array_equal(tc.einsum(A, [1, 0]), A.T)
    np.testing.assert_array_equal(tc.einsum(A, [..., 1], x, [1], [...]), A @ x)
    np.testing.assert_array_equal(tc.einsum(A, [0, 60], x, [60], [0]), A @ x)
    assert tc.einsum(3, [], x, [0], []) == 3 * x.sum()
    assert tc.einsum(A @ A.T, np.array([0, 0])) == np.trace(A @ A.T)


def test_a_letter_does_not_broadcast() -> None:
    """NumPy repeats an axis of size 1 under a letter; here that is an error. See the docstring."""
    with pytest.raises(ShapeError, match="axis 0 of operand 1 has size 1, but 10 is needed"):
        tc.einsum("ij,ij->j", np.ones((10, 2)), np.ones((1, 2)))
    with pytest.raises(ShapeError):
        tc.einsum("i,i", np.ones(2), np.ones(1))


TYPES: list[tuple[str, Sequence[Any], str]] = [
    ("i,i", [np.ones(2, np.float32), np.ones(2, np.float32)], "float32"),
    ("i,i", [np.ones(2, np.float32), np.ones(2)], "float64"),
    ("i,i", [np.ones(2, np.int8), np.ones(2, np.int8)], "float64"),
    ("i,i", [np.ones(2, bool), np.ones(2, bool)], "float64"),
    ("i,i", [np.ones(2, np.float32), np.ones(2, np.int64)], "float64"),
    ("i,i", [np.ones(2, np.float16), np.ones(2, np.float32)], "float32"),
    (",i->i", [2, np.ones(2, np.float32)], "float32"),
    (",i->i", [2.0, [1, 2]], "float64"),
    (",", [2, 3], "float64"),
    ("i,i->i", [np.ones(2, np.complex64), np.ones(2, np.float32)], "complex64"),
    ("i,i->i", [np.ones(2, np.complex64), np.ones(2)], "complex128"),
    ("i->", [np.ones(2, complex)], "complex128"),
    ("i->i", [np.ones(2, ">f8")], "float64"),
]


@pytest.mark.parametrize(("equation", "operands", "dtype"), TYPES)
def test_types(equation: str, operands: Sequence[Any], dtype: str) -> None:
    """Single precision if all are; integers are float64; the value is that of float64."""
    found = tc.einsum(equation, *operands)
    assert found.dtype == np.dtype(dtype) and found.dtype.isnative
    expected = np.einsum(equation, *[np.asarray(o, complex) for o in operands])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_integers_do_not_wrap() -> None:
    """NumPy's sum of these is -96."""
    large = np.full(100, 100, np.int8)
    assert tc.einsum("i,i", large, large) == 1e6


def test_complex_values() -> None:
    """Products and sums of complex numbers, nothing conjugated."""
    random = np.random.default_rng(1)
    A = random.normal(size=(3, 4)) + 1j * random.normal(size=(3, 4))
    x = random.normal(size=4) - 1j * random.normal(size=4)
    np.testing.assert_allclose(tc.einsum("ij,j->i", A, x), A @ x)
    np.testing.assert_allclose(tc.einsum("ij,kj,j->ik", A, A, x), (A * x) @ A.T)
    np.testing.assert_allclose(tc.einsum("ij->ji", A), A.T)


def test_dtype_and_casting() -> None:
    """The type to compute in, and which conversions are allowed."""
    A = np.ones((2, 2))
    assert tc.einsum("ii", A, dtype="f4", casting="same_kind").dtype == np.float32
    assert tc.einsum("ii", A.astype(np.float32), dtype=np.float64).dtype == np.float64
    assert tc.einsum("ii", A, dtype=complex).dtype == np.complex128
    wrong: list[dict[str, Any]] = [
        {"dtype": "f4"},  # not safe
        {"dtype": int},
        {"dtype": "f2"},
        {"dtype": object},
        {"dtype": "bad data type"},
        {"casting": "blah"},
        {"order": "W"},
        {"order": 1},
    ]
    for options in wrong:
        with pytest.raises(DomainError):
            tc.einsum("ii", A, **options)
    with pytest.raises(DomainError):
        tc.einsum("i->", np.ones(2, np.int64), casting="no")
    long = np.ones(2, np.longdouble)
    if long.dtype.itemsize > 8:
        with pytest.raises(DomainError, match="may not be cast"):
            tc.einsum("i->", long)
        assert tc.einsum("i->", long, casting="same_kind") == 2


def test_out() -> None:
    """Written into any array of the right shape, also one of the operands; returned itself."""
    A, x = np.arange(9.0).reshape(3, 3), np.arange(3.0)
    out = np.empty(3)
    assert tc.einsum("ij,j->i", A, x, out=out) is out
    np.testing.assert_array_equal(out, A @ x)
    apart = np.zeros(6)
    tc.einsum("ij,j->i", A, x, out=apart[::2])
    np.testing.assert_array_equal(apart, [5, 0, 14, 0, 23, 0])
    expected = A @ A
    assert tc.einsum("ij,jk->ik", A, A, out=A) is A
    np.testing.assert_array_equal(A, expected)
    zero = np.array(0.0)
    assert tc.einsum("i,i->", x, x, out=zero) is zero
    assert zero == 5
    np.testing.assert_array_equal(tc.einsum("i,j", [1], [2], out=None), [[2]])
    whole = np.zeros(3, int)
    tc.einsum("i->i", x, out=whole, casting="unsafe")
    np.testing.assert_array_equal(whole, [0, 1, 2])


def test_wrong_out() -> None:
    """Another shape or type, read-only, or no array."""
    x = np.arange(3.0)
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    wrong: list[tuple[Any, type[TensorcalcError]]] = [
        (np.zeros(4), ShapeError),
        (np.zeros((3, 1)), ShapeError),
        (np.zeros(3, int), DomainError),
        (np.zeros(3, np.float32), DomainError),
        (fixed, DomainError),
        (np.ma.zeros(3), DomainError),
        ([0, 0, 0], DomainError),
        ("test", DomainError),
    ]
    for out, error in wrong:
        with pytest.raises(error):
            tc.einsum("i->i", x, out=out)


OPTIMIZE = [
    False, True, None, "greedy", "optimal", "auto", "dp", ("greedy", 1000), ("optimal", -1),
    ["einsum_path", (0, 1), (0, 1)], [(1, 2), (0, 1)], [(0, 1, 2)], ((0, 2), (-1, 0)),
    ["einsum_path", (0,), (0, 1, 2)], lambda *args: [(0, 1), (0, 1)],
]  # fmt: skip


@pytest.mark.parametrize("optimize", OPTIMIZE, ids=repr)
def test_optimize(optimize: Any) -> None:
    """What NumPy and opt_einsum take is taken; the value is the same."""
    A, B, C = arrays([(2, 3), (3, 4), (4, 5)])
    found = tc.einsum("ij,jk,kl->il", A, B, C, optimize=optimize)
    np.testing.assert_allclose(found, A @ B @ C)


@pytest.mark.parametrize(
    "optimize",
    [
        "slow", 3, [(0, 1)], [(0, 3), (0, 1)], [(0, 0), (0, 1)], ["einsum_path", "greedy"], [()],
        ["einsum_path", (2, 3), (0, 1)], ("slow", 3), [(0, 0.5)], [3], [], {},
    ],
    ids=repr,
)  # fmt: skip
def test_wrong_optimize(optimize: Any) -> None:
    """An unknown name, or a path that does not contract all operands."""
    A, B, C = arrays([(2, 3), (3, 4), (4, 5)])
    with pytest.raises(DomainError):
        tc.einsum("ij,jk,kl->il", A, B, C, optimize=optimize)


def test_order() -> None:
    """F, C, A: as the operands; K is C here."""
    a, b = np.ones((2, 3, 5), order="F"), np.ones((4, 3), order="F")
    c = np.ones((4, 3))
    for order, fortran in (("F", True), ("f", True), ("C", False), ("A", True), ("K", False)):
        found = tc.einsum("...ft,mf->...mt", a, b, order=order)
        assert found.flags.f_contiguous is fortran and found.flags.c_contiguous is not fortran
    assert tc.einsum("...ft,mf->...mt", a, c, order="A").flags.c_contiguous


ERRORS: list[tuple[Sequence[Any], type[TensorcalcError]]] = [
    ((), DomainError),
    (("",), ShapeError),
    ((0, 0), DomainError),
    ((None,) * 63, DomainError),
    (("", 0, 0), ShapeError),
    ((",", 0, [0], [0]), ShapeError),
    ((",", [0]), ShapeError),
    (("i", 0), ShapeError),
    (("ij", [0, 0]), ShapeError),
    (("i..", [0, 0]), IndexNotationError),
    (("j->..j", [0, 0]), IndexNotationError),
    (("...j$", [0, 0]), IndexNotationError),
    (("i->ij", [0, 0]), IndexNotationError),
    (("ij->jij", [[0, 0], [0, 0]]), IndexNotationError),
    (("ii", np.ones((2, 3))), ShapeError),
    (("ii->i", np.ones((2, 3))), ShapeError),
    (("i", np.ones((2, 3))), ShapeError),
    (("ij,jk", np.ones((2, 3)), np.ones((4, 2))), ShapeError),
    ((np.ones((2, 3)), [-1, 5]), IndexNotationError),
    (("i", np.array([None, 1])), DomainError),
    (("i", ["a"]), DomainError),
    (("i", np.ma.ones(2)), DomainError),
    (("i", [[1], [1, 2]]), DomainError),
    (("i", np.array(["2020"], "datetime64[D]")), DomainError),
]


@pytest.mark.parametrize(("arguments", "error"), ERRORS, ids=lambda x: str(x)[:40])
def test_errors(arguments: Sequence[Any], error: type[TensorcalcError]) -> None:
    """What NumPy refuses is refused, always by our own errors."""
    with pytest.raises(error):
        tc.einsum(*arguments)


def test_many_axes() -> None:
    """26 axes, more than loops may nest in Python."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    shape = (2, 3, *[1] * 24)
    array = np.arange(6.0).reshape(shape)
    found = tc.einsum(f"{letters}->{letters[::-1]}", array)
    np.testing.assert_array_equal(found, array.transpose())


@pytest.mark.slow
def test_many_operands() -> None:
    """More operands than NumPy takes."""
    count = 70
    chain: list[Any] = []
    for k in range(count):
        chain += [np.full((2, 2), 0.5), [k, k + 1]]
    found = tc.einsum(*chain, [0, count])
    np.testing.assert_allclose(found, np.full((2, 2), 0.5))


def test_values_stay_finite_where_numpy_s_do() -> None:
    """NaN and infinity pass through a product; an empty sum is 0."""
    x = np.array([1.0, math.inf, math.nan])
    found = tc.einsum("i,i->i", x, np.ones(3))
    np.testing.assert_array_equal(found, x)
    assert tc.einsum("i,i", np.ones(0), np.ones(0)) == 0
