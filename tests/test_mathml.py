"""MathML: well-formed, and what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import tensorcalc as tc

FORMULAS = [
    ("x'*A*x", "x"), ("norm2(A*x - y)^2/3", "x"), ("logdet(X)", "X"), ("softmax(z)", "z"),
    ("sum(log(1 + exp(-y.*(X*w))))", "w"), ("k : scalar integer; tr(A*X^k)", "X"),
    ("x'*[a, b; 2*b, a]*x", "x"), ("A*B", "A"), ("where(x < y, x, y)", "x"), ("lambda*x'*x", "x"),
    ("u : vector(m) of x; u'*u", "x"), ("z : vector(n) complex; z^H*y", "y"), ("kron(x, y)", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "name"), FORMULAS)
@pytest.mark.parametrize("layout", ["mixed", "numerator", "vec"])
def test_well_formed(formula: str, name: str, layout: str) -> None:
    """An XML parser reads it; the root is `math`; every letter stands in an element."""
    for expression in (tc.parse(formula), tc.diff(formula, name)):
        text = expression.to_mathml(layout=layout)
        root = ElementTree.fromstring(text)  # noqa: S314  (our own text)
        assert root.tag.endswith("}math")
        for element in root.iter():
            leaf = element.tag.rpartition("}")[2] in ("mi", "mo", "mn", "mtext")
            assert leaf or not (element.text or "").strip()
            assert not (element.tail or "").strip()


def test_parts() -> None:
    """Fractions, superscripts, Greek letters, bold vectors."""
    shown = tc.parse("lambda*x'*x/3 + a^2").to_mathml()
    for part in ("<mfrac>", "<msup>", "<mi>λ</mi>", '<mi mathvariant="bold">x</mi>', "<mn>3</mn>"):
        assert part in shown
