"""A Gaussian mixture on the iris data: by EM, and by gradient, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

HERE = Path(__file__).parent
X, labels = load_iris(return_X_y=True)
n, p = X.shape
constant = n * p / 2 * np.log(2 * np.pi)

# ── EM: the M-step is where the gradients of one component's part are zero ───────────────────
part = tc.parse((HERE / "mixture_component.tc").read_text())
print("gradient by mu ", tc.diff(part, "mu"))
print("gradient by S  ", tc.diff(part, "S"))
density = tc.compile((HERE / "mixture_density.tc").read_text())
gradients = tc.compile(tc.grad(part, ["mu", "S"]))

R = (labels[:, None] == np.arange(3)).astype(float)  # the start: the species
likelihoods = [-np.inf]
while len(likelihoods) < 2 or likelihoods[-1] - likelihoods[-2] > 1e-10:
    weights, means, covariances = [], [], []
    for r in R.T:
        mu = X.T @ r / r.sum()
        S = (X - mu).T @ (r[:, None] * (X - mu)) / r.sum()
        zero = gradients(X=X, r=r, mu=mu, S=S)
        assert all(np.max(np.abs(gradient)) < 1e-8 for gradient in zero.values())
        weights, means, covariances = [*weights, r.sum() / n], [*means, mu], [*covariances, S]
    logs = [
        np.log(weight) + density(X=X, mu=mu, S=S)
        for weight, mu, S in zip(weights, means, covariances, strict=True)
    ]
    likelihoods.append(np.logaddexp.reduce(logs).sum() - constant)
    R = np.exp(log_softmax(np.transpose(logs), axis=1))

model = GaussianMixture(
    3,
    tol=1e-13,
    max_iter=1000,
    reg_covar=0,
    weights_init=np.full(3, 1 / 3),
    means_init=[X[labels == k].mean(axis=0) for k in range(3)],
    precisions_init=[np.linalg.inv(np.cov(X[labels == k].T, bias=True)) for k in range(3)],
)
expected = n * model.fit(X).score(X)
assert np.isclose(likelihoods[-1], expected, rtol=1e-9)

# ── the same by descent ──────────────────────────────────────────────────────────────────────
f = tc.parse((HERE / "mixture.tc").read_text())
species = [X[labels == k] for k in range(3)]
obj = objective(f, ["a", "M", "L"], X=X, T=np.tril(np.ones((p, p))))
x0 = obj.pack(
    a=np.zeros(3),
    M=[part.mean(axis=0) for part in species],
    L=[np.linalg.cholesky(np.linalg.inv(np.cov(part.T, bias=True))) for part in species],
)
found = minimize(obj.fun_and_grad, x0, jac=True, method="BFGS", options={"gtol": 1e-4})
assert np.isclose(found.fun + constant, -expected, rtol=1e-9)
best = obj.unpack(found.x)
np.testing.assert_allclose(best["M"], model.means_, rtol=1e-4)
print(f"mixture: log-likelihood {likelihoods[-1]:.6f} by {len(likelihoods) - 1} steps of EM,")
print(f"  {-found.fun - constant:.6f} by {found.nit} of BFGS, scikit-learn {expected:.6f}")
