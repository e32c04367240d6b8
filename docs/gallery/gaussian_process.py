"""Gaussian process regression with learned kernel on the diabetes data, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.preprocessing import scale

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
for name in "als":
    print(f"gradient by {name} ", tc.diff(f, name))

X, y = load_diabetes(return_X_y=True)
X, y = scale(X)[:100], scale(y)[:100]

obj = objective(f, ["a", "l", "s"], X=X, y=y)
x0 = obj.pack(a=0, l=1, s=-1)
found = minimize(obj.fun_and_grad, x0, jac=True, method="L-BFGS-B", options={"ftol": 1e-12})


def theirs(x):
    """The same value and gradient by scikit-learn."""
    at = {name: np.exp(value) for name, value in obj.unpack(x).items()}
    kernel = ConstantKernel(at["a"]) * RBF(at["l"]) + WhiteKernel(at["s"])
    model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(X, y)
    value, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    return -value, -gradient


for x in (x0, found.x):
    value, gradient = obj.fun_and_grad(x)
    expected, slope = theirs(x)
    assert np.isclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6)
other = minimize(theirs, x0, jac=True, method="L-BFGS-B", options={"ftol": 1e-12})
assert np.isclose(found.fun, other.fun, rtol=1e-6)
print(f"Gaussian process: log marginal likelihood {-found.fun:.6f}, scikit-learn {-other.fun:.6f}")
