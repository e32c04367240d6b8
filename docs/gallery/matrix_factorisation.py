"""Two factors for the handwritten digits, against the singular value decomposition."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient by U ", tc.diff(f, "U"))
print("gradient by V ", tc.diff(f, "V"))
print("Hessian by U  ", tc.diff(f, "U", "U"))

T, k = load_digits().data / 16, 5
rng = np.random.default_rng(0)
obj = objective(f, ["U", "V"], T=T, sizes={"k": k})
x0 = rng.standard_normal(obj.size) / 10
found = minimize(
    obj.fun_and_grad, x0, jac=True, hessp=obj.hessp, method="trust-ncg", options={"gtol": 1e-5}
)
best = obj.unpack(found.x)

left, values, right = np.linalg.svd(T, full_matrices=False)
lowest = np.sum(values[k:] ** 2)
assert np.isclose(found.fun, lowest, rtol=1e-9)
np.testing.assert_allclose(best["U"] @ best["V"].T, (left * values)[:, :k] @ right[:k], atol=1e-5)
print(f"matrix factorisation: {found.nit} steps in {obj.size} dimensions,")
print(f"  {found.fun / lowest - 1:.1e} above the optimum by singular values")
