"""Logistic regression on the breast-cancer data, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient by w ", tc.diff(f, "w"))
print("gradient by b ", tc.diff(f, "b"))

X, labels = load_breast_cancer(return_X_y=True)
X, y, c = scale(X), 2.0 * labels - 1, 1.0

obj = objective(f, ["w", "b"], X=X, y=y, c=c)
x0 = obj.pack(w=0, b=0)
options = {"gtol": 1e-8}
found = minimize(
    obj.fun_and_grad, x0, jac=True, hessp=obj.hessp, method="trust-ncg", options=options
)
best = obj.unpack(found.x)

model = LogisticRegression(C=1 / c, solver="newton-cholesky", tol=1e-10).fit(X, labels)
np.testing.assert_allclose(best["w"], model.coef_[0], atol=1e-6)
np.testing.assert_allclose(best["b"], model.intercept_[0], atol=1e-6)
right = np.mean(np.sign(X @ best["w"] + best["b"]) == y)
print(f"logistic: {found.nit} steps, {np.max(np.abs(best['w'] - model.coef_)):.1e} from")
print(f"  scikit-learn's weights; {right:.1%} of the samples on the right side")
