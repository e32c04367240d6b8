"""What the bridges to other libraries do without the libraries."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import tensorcalc as tc
from tensorcalc.interop.program import Program, Signature
from tensorcalc.ir import Variable

CALLS = {
    "sympy": ("to_sympy", "x'*x"),
    "torch": ("function", "x'*x"),
    "jax": ("function", "x'*x"),
}


@pytest.mark.parametrize("extra", CALLS)
def test_a_library_that_is_missing(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one error, which names what to install."""
    monkeypatch.setitem(sys.modules, extra, None)
    name, argument = CALLS[extra]
    call = getattr(import_module(f"tensorcalc.interop.{extra}"), name)
    with pytest.raises(tc.TensorcalcError, match=rf"pip install \"tensorcalc\[{extra}\]\""):
        call(argument)


def test_nothing_is_imported_before_it_is_used() -> None:
    """Importing the bridges imports no library; that to SymPy needs no NumPy either."""
    code = (
        "import sys, tensorcalc.interop.sympy as s; assert 'numpy' not in sys.modules; "
        "import tensorcalc.interop.torch, tensorcalc.interop.jax; "
        "assert not {'sympy', 'torch', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_programs_of_derivatives() -> None:
    """Forward and reverse are programs again, made once; what is transposed is no variable."""
    n = tc.vector("x", "n").node.dims
    x = Variable.of("x", n)
    program = Program({"f": tc.parse("A*x", A="matrix(m, n)", x="vector(n)").node},
                      {"A": tc.matrix("A", "m", "n").variables["A"], "x": x})  # fmt: skip
    forward = program.jvp(["x"])
    assert list(forward.variables) == ["A", "x", "tangent of x"]
    assert program.jvp(["x"]) is forward
    back = forward.vjp(["f"], ["tangent of x"], transposed=True)
    assert list(back.variables) == ["A", "x", "cotangent of f"]
    assert back.shapes([(4, 3), (3,), (4,)]) == [(3,)]
    with pytest.raises(tc.DomainError, match="not linear in x"):
        Program({"f": tc.parse("x'*x", x="vector(n)").node}, {"x": x}).vjp(
            ["f"], ["x"], transposed=True
        )


def test_signature() -> None:
    """Names first in the order given, then as they appear; one twice is an error."""
    signature = Signature("x'*A*x + c", ["c", "x"], "here")
    assert list(signature.variables) == ["c", "x", "A"]
    with pytest.raises(tc.TensorcalcError, match="named twice"):
        Signature("x'*x", ["x", "x"], "here")
    with pytest.raises(tc.TensorcalcError, match="4 values given"):
        signature.bind([1, 2, 3, 4], {})
