"""The Kalman filter on the diabetes data: regression, five patients at a time."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient ", tc.diff(f, "K"))
print("Hessian  ", tc.diff(f, "K", "K"))
gradient = tc.compile(tc.diff(f, "K"))

X, y = load_diabetes(return_X_y=True)
X, y = X[:440], y[:440] - y[:440].mean()
c, m, p = 0.1, 5, X.shape[1]

# the state are the weights of a linear model: before any observation 0, give or take 1/c
w, P, R = np.zeros(p), np.eye(p) / c, np.eye(m)
for H, z in zip(X.reshape(-1, m, p), y.reshape(-1, m), strict=True):
    K = np.linalg.solve(H @ P @ H.T + R, H @ P).T  # where the gradient is zero
    assert np.max(np.abs(gradient(P=P, H=H, R=R, K=K))) < 1e-10
    w = w + K @ (z - H @ w)
    P = (np.eye(p) - K @ H) @ P

# the last gain once more, by descent
obj = objective(f, "K", P=P, H=H, R=R)
found = minimize(obj.fun_and_grad, obj.pack(K=0), jac=True, options={"gtol": 1e-9})
last = np.linalg.solve(H @ P @ H.T + R, H @ P).T
np.testing.assert_allclose(obj.unpack(found.x)["K"], last, atol=1e-7)

# all observations at once are ridge regression
expected = Ridge(alpha=c, fit_intercept=False).fit(X, y).coef_
np.testing.assert_allclose(w, expected, rtol=1e-8)
print(
    f"Kalman: after {len(y) // m} updates {np.max(np.abs(w - expected)):.1e} from ridge regression"
)
