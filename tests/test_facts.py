"""What a file that stands alone must know: which outputs are derivatives, and what sizes must be."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.dims import Dim
from tensorcalc.emit.facts import Condition, Derivative, conditions, derivatives, holds, small_sizes
from tensorcalc.full_rank import rank_limits
from tensorcalc.plan import plan
from tensorcalc.variables import join

FOUND = [
    ({"f": "x'*A*x", "g": "x : vector(n); (A + A')*x"}, [("g", "f", "x")]),
    ({"f": "x'*A*x", "g": "x*x'", "h": "A*x + A'*x"}, [("h", "f", "x"), ("g", "f", "A")]),
    ({"f": "x'*A*x", "g": "2*A*x"}, []),
    ({"f": "A : symmetric(n); x'*A*x", "g": "A : symmetric(n); A*x + A'*x"}, [("g", "f", "x")]),
    ({"f": "sum(exp(x))", "g": "exp(x)", "h": "diag(exp(x))"}, [("g", "f", "x"), ("h", "g", "x")]),
    ({"f": "sin(c)", "g": "cos(c)", "h": "-sin(c)"}, [("g", "f", "c"), ("h", "g", "c")]),
    ({"f": "norm2(x)"}, []),
    (  # equal for m = n only
        {
            "f": "A : matrix(m, n); B : matrix(n, n); C : matrix(n, n); sum([A; B].*[C; A])",
            "g": "A : matrix(m, n); B : matrix(n, n); [eye(n), matrix(0, n, m)]*[A; B]",
            "h": "A : matrix(m, n); C : matrix(n, n); [matrix(0, n, m), eye(n)]*[C; A]",
        },
        [("g", "f", "C"), ("h", "f", "B")],
    ),
    ({"f": "sum(where(x <= a, 0, b))", "g": "sum(where(x <= a, 0, 1))"}, [("g", "f", "b")]),
]


@pytest.mark.parametrize(("texts", "expected"), FOUND)
def test_derivatives(texts: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    """Found whatever they are called and however they are written; nothing else is."""
    nodes, _ = join([tc.parse(text) for text in texts.values()])
    found = derivatives(dict(zip(texts, nodes, strict=True)))
    assert {(d.name, d.of, d.by) for d in found} == set(expected)
    assert all(isinstance(d, Derivative) for d in found)


CONDITIONS = [
    ("x : vector(n); x[4]", {"n": 9}, ["n >= 5"]),
    ("x : vector(7); x[4]", {}, []),
    ("X : matrix(m, n); max(X)", {"m": 9, "n": 9}, ["n >= 1", "m >= 1"]),
    ("A : matrix(m, n); x : vector(m); sum(A'*x)", {"m": 400, "n": 2}, ["n == 2"]),
    ("A : matrix(m, n); B : matrix(k, n); x : vector(n); [A; B]*x", {"m": 9, "n": 9, "k": 9}, []),
    ("X : matrix(m, n); log(X)", {"m": 9, "n": 9}, []),
]


@pytest.mark.parametrize(("text", "sizes", "expected"), CONDITIONS)
def test_conditions(text: str, sizes: dict[str, int], expected: list[str]) -> None:
    """What is not always so; small numbers are found that fulfil it."""
    f = tc.parse(text)
    program = plan({"f": f.node}, sizes, f.variables)
    found = conditions([f.node], program, sizes)
    assert [f"{c.size} {'==' if c.is_equal else '>='} {c.other}" for c in found] == expected
    numbers = small_sizes(list(sizes), found)
    assert numbers is not None
    assert all(holds(condition, numbers) for condition in found)


RANKS = [
    ("X : matrix(m, n); inv(X'*X)", {"m": 3, "n": 2}),
    ("X : matrix(n, m); logdet(X*X')", {"n": 2, "m": 3}),
    ("X : matrix(m, n); w : vector(m); inv(X'*diag(w)*X)", {"m": 3, "n": 2}),
    ("T : tensor(m, n, k); inv(T[i,j,k]*T[l,j,k])", {"m": 2, "n": 3, "k": 4}),
    ("X : matrix(m, n); x : vector(2); x[0]*inv(X*X' + eye)", {"m": 2, "n": 3}),
]


@pytest.mark.parametrize(("text", "expected"), RANKS)
def test_sizes_of_full_rank(text: str, expected: dict[str, int]) -> None:
    """A product that is inverted is not of low rank by its sizes, if that can be."""
    f = tc.parse(text)
    assert small_sizes(list(expected), [], rank_limits([f.node])) == expected


def test_sizes_of_full_rank_in_vain() -> None:
    """Where no numbers do, others are taken."""
    n = Dim.of("n")
    assert small_sizes(["n"], [], [(n, n + 1)]) == {"n": 2}


def test_no_sizes() -> None:
    """Contradictions have no numbers."""
    f = tc.parse("x : vector(n); x[4]")
    program = plan({"f": f.node}, {"n": 9}, f.variables)
    (found,) = conditions([f.node], program, {"n": 9})
    two = f.variables["x"].dims[0] * 0 + 2
    assert small_sizes(["n"], [found, Condition(found.size, two, True, "")]) is None
