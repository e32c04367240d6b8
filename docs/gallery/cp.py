"""The CP decomposition of the handwritten digits, by least squares in turn and by gradient."""

from pathlib import Path

import numpy as np
from scipy.linalg import khatri_rao, lstsq
from scipy.optimize import minimize
from sklearn.datasets import load_digits

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient by A ", tc.diff(f, "A"))
print("Hessian by A  ", tc.diff(f, "A", "A"))

digits = load_digits()
T = np.array([digits.images[digits.target == k].mean(axis=0) / 16 for k in range(10)])
r, c = 4, 0.1
rng = np.random.default_rng(0)
start = {name: rng.uniform(size=(size, r)) for name, size in zip("ABC", T.shape, strict=True)}
obj = objective(f, ["A", "B", "C"], T=T, c=c, **start)

# ── in turn: the Hessian by A is eye times (B'*B).*(C'*C) + c*eye, so one Newton step is best ─
gradients = {name: tc.compile(tc.diff(f, name)) for name in "ABC"}
factors = dict(start)


def improve(name, one, other):
    """Put one factor where its gradient is zero."""
    core = (factors[one].T @ factors[one]) * (factors[other].T @ factors[other]) + c * np.eye(r)
    gradient = gradients[name](T=T, c=c, **factors)
    factors[name] = factors[name] - np.linalg.solve(2 * core, gradient.T).T


improve("C", "A", "B")
products = np.vstack([khatri_rao(start["A"], start["B"]), np.sqrt(c) * np.eye(r)])
unfolded = np.vstack([T.reshape(-1, T.shape[2]), np.zeros((r, T.shape[2]))])
np.testing.assert_allclose(factors["C"], lstsq(products, unfolded)[0].T, atol=1e-10)
for _ in range(1000):
    for names in ("ABC", "BCA", "CAB"):
        improve(*names)
in_turn = obj.fun(obj.pack(**factors))

# ── all at once, with products of the whole Hessian ──────────────────────────────────────────
found = minimize(
    obj.fun_and_grad,
    obj.x0,
    jac=True,
    hessp=obj.hessp,
    method="trust-krylov",
    options={"gtol": 1e-8},
)
assert np.isclose(found.fun, in_turn, rtol=1e-9)
print(f"CP: {found.fun:.9f} after {found.nit} steps of second order,")
print(f"  {in_turn:.9f} after a thousand rounds of least squares")
