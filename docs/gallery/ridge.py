"""Ridge regression on the diabetes data, against the normal equations and scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient ", tc.diff(f, "w"))
print("Hessian  ", tc.diff(f, "w", "w"))

X, y = load_diabetes(return_X_y=True)
y = y - y.mean()  # the columns of X are centred already
c = 0.1

obj = objective(f, "w", X=X, y=y, c=c)
found = minimize(obj.fun_and_grad, obj.pack(w=0), jac=True, hessp=obj.hessp, method="trust-krylov")
# the gradient is linear: from anywhere, one step of Newton's method ends where it is zero
newton = -np.linalg.solve(obj.hess(np.zeros(10)), obj.grad(np.zeros(10)))

expected = Ridge(alpha=c, fit_intercept=False, solver="cholesky").fit(X, y).coef_
np.testing.assert_allclose(newton, expected, rtol=1e-10)
np.testing.assert_allclose(found.x, expected, rtol=1e-6, atol=1e-6)
print(f"ridge: {np.max(np.abs(newton - expected)):.1e} from scikit-learn's weights")
