"""Softmax regression on the handwritten digits, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient ", tc.diff(f, "W"))

X, labels = load_digits(return_X_y=True)
X, Y, c = X / 16, (labels[:, None] == np.arange(10)).astype(float), 1.0

obj = objective(f, "W", X=X, Y=Y, c=c)
found = minimize(
    obj.fun_and_grad,
    obj.pack(W=0),
    jac=True,
    hessp=obj.hessp,
    method="trust-ncg",
    options={"gtol": 1e-7},
)
W = obj.unpack(found.x)["W"]

model = LogisticRegression(C=1 / c, fit_intercept=False, solver="newton-cholesky", tol=1e-9)
expected = model.fit(X, labels).coef_.T
np.testing.assert_allclose(W, expected, atol=1e-6)
right = np.mean(np.argmax(X @ W, axis=1) == labels)
print(f"softmax: {found.nit} steps, {np.max(np.abs(W - expected)):.1e} from scikit-learn's")
print(f"  weights; {right:.1%} of the digits are read rightly")
