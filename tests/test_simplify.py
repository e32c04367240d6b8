"""The normal form: formulas that are equal by flattening and folding are one node."""

from __future__ import annotations

from fractions import Fraction

import pytest

import tensorcalc as tc
from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Node, Variable
from tensorcalc.simplify import simplify

EQUAL = [
    ("(A*B)*C", "A*(B*C)"),
    ("(A*B)'", "B'*A'"),
    ("A''", "A"),
    ("(x'*A*y)'", "y'*A'*x"),
    ("x'*A*y", "y'*A'*x"),
    ("tr(A*B*C)", "tr(C*A*B)"),
    ("tr(A*B)", "tr(B*A)"),
    ("tr(A)", "tr(A')"),
    ("tr(x*y')", "x'*y"),
    ("sum(x.*y)", "x'*y"),
    ("sum(A)", "sum(A')"),
    ("sum(sum(A,1))", "sum(A)"),
    ("A*eye", "A"),
    ("A*eye*B", "A*B"),
    ("tr(eye*A)", "tr(A)"),
    ("diag(x)*y", "x.*y"),
    ("diag(x)*diag(y)", "diag(x.*y)"),
    ("diag(diag(x))", "x"),
    ("diag(x*y')", "x.*y"),
    ("(a + b) + c", "a + (b + c)"),
    ("a - (b - c)", "a - b + c"),
    ("2*(a + b)", "2*a + 2*b"),
    ("-(a - b)", "b - a"),
    ("(2*x + 2*y)'*z", "2*(x + y)'*z"),
    ("(y - x)'*(x - y)", "-(x - y)'*(x - y)"),
    ("(a - b)^3", "-(b - a)^3"),
    ("(b - a)^-1", "-1/(a - b)"),
    ("(2*a + 2*b)^-1", "0.5/(a + b)"),
    ("a*b/b", "a"),
    ("a^2*a", "a^3"),
    ("a^2/a", "a"),
    ("a^-1*a^2", "a"),
    ("sqrt(a)*sqrt(a)", "a"),
    ("x.*x.*x", "x.^3"),
    ("x.^2.*x", "x.^3"),
    ("(x.^2)'*x", "sum(x.^3)"),
    ("sum(x.^2)", "x'*x"),
    ("norm2(x)^2", "x'*x"),
    ("norm2(2*x)^2", "4*x'*x"),
    ("norm2(A*x)^2", "x'*A'*A*x"),
    ("norm2(x - y)^2", "(x - y)'*(x - y)"),
    ("norm2(x - x)^2", "0*a"),
    ("norm2(A)^2", "tr(A'*A)"),
    ("norm2(x)*norm2(x)", "x'*x"),
    ("mean(vector(3, n))", "3 + 0*a"),
    ("outer(x, y)", "x*y'"),
    ("A^3", "A*A*A"),
    ("A^40", "A^20*A^20"),
    ("A^-1", "inv(A)"),
    ("x*1", "x"),
    ("x + 0", "x"),
    ("exp(x - x)", "exp(0*x)"),
    ("(a*x)'*(b*y)", "a*b*(x'*y)"),
    ("(A + A)*x", "2*A*x"),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_formulas_are_one_node(left: str, right: str) -> None:
    """Both texts give the same node, `x` and `x'` apart in their reading only."""
    assert tc.parse(left).node is tc.parse(right).node


DIFFERENT = [
    ("A*B", "B*A"), ("tr(A*B*C)", "tr(A*C*B)"), ("A", "A'"),
    ("x*y'", "y*x'"), ("sum(A,1)", "sum(A,2)"), ("(a - b)^2", "(a + b)^2"), ("a^b", "b^a"),
    ("max(a, b)", "min(a, b)"), ("sqrt(a^2)", "a"), ("diag(diag(A))", "A"), ("norm2(x)", "norm1(x)"),
    ("A*A'", "A'*A"), ("sum(x)^2", "sum(x.^2)"), ("tr(A)^2", "tr(A*A)"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_formulas_stay_different(left: str, right: str) -> None:
    """Nothing is folded that must not be."""
    assert tc.parse(left).node is not tc.parse(right).node


N = Dim.of("n")


def test_simplified_is_a_fixed_point() -> None:
    """What `simplify` returns it leaves alone."""
    for left, _ in EQUAL:
        node = tc.parse(left).node
        assert simplify([node]) == [node]


def test_a_large_shared_sum_stays_shared() -> None:
    """A sum of many terms with two users is not opened in either."""
    terms: list[tuple[Fraction, Node]] = [
        (Fraction(1), Variable.of(f"v{k}", (N,))) for k in range(20)
    ]
    shared = canonical.add((N,), terms)
    x = Variable.of("x", (N,))
    root = canonical.add(
        (N,),
        [
            (Fraction(1), canonical.elementwise("exp", [shared])),
            (Fraction(1), shared),
            (Fraction(1), x),
        ],
    )
    (found,) = simplify([root])
    assert isinstance(found, Add) and shared in found.operands


def test_several_roots_keep_their_order() -> None:
    """One result per root."""
    a, b = tc.parse("x'*x").node, tc.parse("y'*y").node
    assert simplify([b, a, b]) == [b, a, b]
    assert simplify([]) == []
