"""Factor analysis of the wine data, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_wine
from sklearn.decomposition import FactorAnalysis
from sklearn.preprocessing import scale

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient by W ", tc.diff(f, "W"))
print("gradient by v ", tc.diff(f, "v"))

X, k = scale(load_wine().data), 3
n, p = X.shape
S = X.T @ X / n

# the start: the leading principal axes, and half of the variance as noise
values, vectors = np.linalg.eigh(S)
obj = objective(f, ["W", "v"], S=S)
x0 = obj.pack(W=vectors[:, -k:] * np.sqrt(values[-k:]), v=np.log(0.5))
found = minimize(
    obj.fun_and_grad, x0, jac=True, hessp=obj.hessp, method="trust-krylov", options={"gtol": 1e-9}
)
best = obj.unpack(found.x)
covariance = best["W"] @ best["W"].T + np.diag(np.exp(best["v"]))

model = FactorAnalysis(k, tol=1e-12, max_iter=100_000, svd_method="lapack").fit(X)
likelihood = -found.fun - p / 2 * np.log(2 * np.pi)
# any rotation of the factors is as good: compare what does not depend on it
assert np.isclose(likelihood, model.score(X), rtol=1e-8)
np.testing.assert_allclose(covariance, model.get_covariance(), atol=1e-4)
print(f"factor analysis: log-likelihood {likelihood:.8f} per sample after {found.nit} steps,")
print(f"  scikit-learn {model.score(X):.8f}")
