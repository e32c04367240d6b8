"""`tensorcalc.einsum` on arrays against `numpy.einsum`, on the equations of NumPy's own tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import (
    DomainError,
    IndexNotationError,
    ShapeError,
    TensorcalcError,
    construct,
    contract_arrays,
)
from tensorcalc.emit import cache

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
    ("i,ij->", [(2,), (2, 2)]),
    ("ij,i->", [(2, 2), (2,)]),
    ("i,i,i,i->", [(5,), (5,), (5,), (5,)]),
    ("jk", [(3, 1)]),
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


# numpy/_core/tests/test_einsum.py: axes of size 1 under letters
SINGLETONS: list[tuple[str, Shapes]] = [
    ("i,i", [(2,), (1,)]),
    ("ij,ij->j", [(10, 2), (1, 2)]),
    ("ijk,kl,jl,i->i", [(1, 5, 4), (4, 6), (5, 6), (10,)]),
    ("abjk,kl,jl,ab->ab", [(1, 1, 5, 4), (4, 6), (5, 6), (7, 7)]),
    ("ijp,ipq,ikq->ijk", [(3, 1, 1), (3, 1, 3), (1, 3, 3)]),
    ("jhcabhijaci,dfijejgh->fgje", [(1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1), (3, 1, 3, 1, 1, 1, 1, 2)]),
    ("baegffahgc,hdggeff->dhg", [(2, 1, 4, 1, 1, 1, 1, 2, 1, 1), (1, 1, 1, 1, 4, 1, 1)]),
    ("cehgbaifff,fhhdegih->cdghbi", [(1,) * 10, (2, 1, 1, 2, 4, 1, 1, 1)]),
    ("gah,cdbcghefg->ef", [(2, 3, 1), (1, 3, 1, 1, 1, 2, 1, 4, 1)]),
    ("cacc,bcb->", [(1, 1, 1, 1), (1, 4, 1)]),
]


@pytest.mark.parametrize(("equation", "shapes"), SINGLETONS, ids=ids(SINGLETONS))
def test_singletons(equation: str, shapes: Shapes) -> None:
    """An error, unless NumPy has spread the arrays out; then the value is NumPy's."""
    given = arrays(shapes)
    with pytest.raises(ShapeError):
        tc.einsum(equation, *given)
    terms = equation.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    spread = [
        np.broadcast_to(array, [sizes[label] for label in term])
        for array, term in zip(given, terms, strict=True)
    ]
    values = [tc.tensor(f"T{k}", *array.shape) for k, array in enumerate(spread)]
    found = tc.einsum(equation, *values).evaluate(**{f"T{k}": a for k, a in enumerate(spread)})
    np.testing.assert_allclose(found, np.einsum(equation, *given), rtol=1e-10)


def unaligned(array: Array) -> Array:
    """The array at an odd address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)
    moved: Array = raw[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


def fixed(array: Array) -> Array:
    """The array, read-only."""
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": np.copy,
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "negative": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "a row many times": lambda a: np.broadcast_to(a[0], a.shape),
    "a number many times": lambda a: np.broadcast_to(a[0, 0], a.shape),
    "big-endian": lambda a: a.astype(">f8"),
    "read-only": fixed,
    "misaligned": unaligned,
    "single": lambda a: a.astype(np.float32),
    "half": lambda a: a.astype(np.float16),
    "integers": lambda a: (a * 9).astype(np.int16),
    "booleans": lambda a: a > 0,
    "matrix": lambda a: a.view(np.matrix),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    """Every layout gives the value of a plain copy, in the first and in the second call."""
    A = LAYOUTS[layout](arrays([(3, 3)])[0])
    before = np.array(A, np.float64)
    x = np.arange(3.0)
    for equation in ("ij,j->i", "ji,j->i", "...j,j->...", "ii,j->j", "ij,ij,j->", "ij->ji"):
        operands = [before if term == "ij" else x for term in equation.split("->")[0].split(",")]
        operands[0] = before
        expected = np.einsum(equation, *operands)
        for _ in range(2):
            found = tc.einsum(equation, *[A if value is before else value for value in operands])
            np.testing.assert_allclose(found, expected, rtol=1e-5)
            assert not np.may_share_memory(found, np.asarray(A))
    np.testing.assert_array_equal(np.asarray(A, np.float64), before)


SIZED: list[tuple[str, Shapes]] = [
    ("ij,j->i", [(0, 3), (3,)]),
    ("ij,j->i", [(3, 0), (0,)]),
    ("ij,jk->ik", [(1, 1), (1, 1)]),
    ("...,...->...", [(), ()]),
    ("...i,i...->...", [(0, 2), (2, 0)]),
    ("i->", [(0,)]),
]


@pytest.mark.parametrize(("equation", "shapes"), SIZED, ids=ids(SIZED))
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "c16"])
def test_empty_and_single(equation: str, shapes: Shapes, dtype: str) -> None:
    """Arrays without entries, of one entry, and of no axes."""
    given = [array.astype(dtype) for array in arrays(shapes)]
    expected = np.einsum(equation, *given)
    for _ in range(2):
        found = tc.einsum(equation, *given)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_known_kinds_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call with the same equation, shapes, types and layouts runs the kernel at once."""
    A, x = arrays([(3, 4), (4,)])
    first = tc.einsum("ij,j->i", A, x)
    monkeypatch.setattr(contract_arrays, "parse_einsum", None)
    monkeypatch.setattr(contract_arrays, "_contraction", None)
    np.testing.assert_array_equal(tc.einsum("ij,j->i", 2 * A, x), 2 * first)
    np.testing.assert_array_equal(tc.einsum("ij,j->i", A, x, out=np.empty(3)), first)


def test_kernels_by_equation_type_and_size_class() -> None:
    """Sizes are arguments of a kernel; another type is another kernel."""
    kernels: list[set[str]] = []
    for m, n, dtype in [(31, 40, "f8"), (32, 41, "f8"), (33, 45, "f8"), (31, 40, "f4")]:
        A, x = np.ones((m, n), dtype), np.ones(n, dtype)
        np.testing.assert_array_equal(tc.einsum("qr,qr,r->q", A, A, x), np.full(m, n))
        kernels.append(set(cache._loaded))
    assert kernels[0] == kernels[1] == kernels[2]
    assert len(kernels[3]) == len(kernels[0]) + 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many shapes the oldest are forgotten."""
    monkeypatch.setattr(contract_arrays, "MAX_READY", 5)
    monkeypatch.setattr(construct, "READY", {})
    for n in range(1, 12):
        assert tc.einsum("i,i", np.ones(n), np.ones(n)) == n
    assert 0 < len(construct.READY) <= 5


def test_many_threads_and_shapes() -> None:
    """Every thread gets the value of its own shapes, whoever entered the kernel first."""

    def work(k: int) -> bool:
        shapes = [(n, n + 1) for n in range(1, 30)]
        if k % 2:
            shapes.reverse()
        ones = [np.ones(shape) for shape in shapes]
        return all((tc.einsum("ij->i", one) == one.shape[1]).all() for one in ones)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


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
    ("i,i->i", [np.ones(2, "?"), np.ones(2, "F")], "complex128"),
    ("i,i->i", [np.ones(2, "e"), np.ones(2, "F")], "complex64"),
    *[
        ("i,i->i", [np.arange(2).astype(code), np.ones(2, code)], "float64")
        for code in "?bBhHiIlLqQ"
    ],
    *[("i,i->i", [np.arange(2).astype(code), np.ones(2, code)], "float32") for code in "ef"],
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


OVERLAPS: list[tuple[str, Sequence[slice], slice]] = [
    ("i->i", [np.s_[:5]], np.s_[1:6]),
    ("i->i", [np.s_[1:6]], np.s_[:5]),
    ("i->i", [np.s_[4::-1]], np.s_[:5]),
    ("i,i->i", [np.s_[::2], np.s_[:5]], np.s_[1:6]),
    ("i,j->j", [np.s_[:5], np.s_[3:8]], np.s_[2:7]),
]


@pytest.mark.parametrize(("equation", "operands", "place"), OVERLAPS)
def test_overlapping_out(equation: str, operands: Sequence[slice], place: slice) -> None:
    """A part of the same memory as an operand, shifted or reversed."""
    memory = np.arange(1.0, 11)
    given = [memory[part] for part in operands]
    expected = memory.copy()
    expected[place] = np.einsum(equation, *[array.copy() for array in given])
    tc.einsum(equation, *given, out=memory[place])
    np.testing.assert_array_equal(memory, expected)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i8", "e", "f", "d", ">f8", "F"])
def test_out_of_the_type_of_the_operands(dtype: str) -> None:
    """As NumPy does it, on an operand as well."""
    A = np.arange(9).astype(dtype).reshape(3, 3)
    expected = np.einsum("ij,jk->ik", A, A)
    out = np.zeros((3, 3), dtype)
    tc.einsum("ij,jk->ik", A, A, out=out)
    np.testing.assert_array_equal(out, expected)
    assert tc.einsum("ij,jk->ik", A, A, out=A) is A
    np.testing.assert_array_equal(A, expected)


def test_integers_that_out_does_not_hold() -> None:
    """NumPy wraps around."""
    bytes_, large = np.full(100, 100, np.int8), np.full(2, 1 << 30)
    out = np.zeros((), np.int64)
    assert tc.einsum("i,i", bytes_, bytes_, out=out) == 10**6
    for operand, dtype in [(bytes_, "i1"), (large << 1, "i8")]:
        with pytest.raises(DomainError, match="beyond the integers"):
            tc.einsum("i,i,i", operand, operand, operand, out=np.zeros((), dtype))


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


def _in_order(*args: Any) -> list[tuple[int, int]]:
    """The path of somebody's own search."""
    return [(0, 1), (0, 1)]


OPTIMIZE = [
    False, True, None, "greedy", "optimal", "auto", "dp", ("greedy", 1000), ("optimal", -1),
    ["einsum_path", (0, 1), (0, 1)], [(1, 2), (0, 1)], [(0, 1, 2)], ((0, 2), (-1, 0)),
    ["einsum_path", (0,), (0, 1, 2)], _in_order,
]  # fmt: skip


@pytest.mark.parametrize(
    "optimize", OPTIMIZE, ids=lambda given: getattr(given, "__name__", repr(given))
)
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
    ((".i...", [0, 0]), IndexNotationError),
    (("j->.j...", [0, 0]), IndexNotationError),
    (("i%...", [0, 0]), IndexNotationError),
    (("i->&", [0, 0]), IndexNotationError),
    (("i->i->i", [0, 0]), IndexNotationError),
    (("i->i,", [0, 0]), IndexNotationError),
    (("i...i...", [0, 0]), IndexNotationError),
    (("...i", 0), ShapeError),
    (("i...j", [0, 0]), ShapeError),
    (("ij...", [0, 0]), ShapeError),
    (("i,i", [0, 0], None), DomainError),
    ((b"i,i", [0, 0], [0, 0]), DomainError),
    (("aabcb,abc", np.ones((3, 3, 4, 5, 6)), np.ones((3, 4, 5))), ShapeError),
    (("i->i", np.ones((6, 1))), ShapeError),
    (("...,...", np.ones(2), np.ones(3)), ShapeError),
    (("i", np.zeros(2, "V8")), DomainError),
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
