"""Neighbourhood components analysis of the breast-cancer data, against scikit-learn."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.preprocessing import scale

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient ", tc.diff(f, "A"))

X, labels = load_breast_cancer(return_X_y=True)
X, Y = scale(X), (labels[:, None] == labels).astype(float)
start = PCA(2).fit(X).components_

N = np.diag(np.full(len(X), -np.inf))
N[~np.eye(len(X), dtype=bool)] = 0

obj = objective(f, "A", X=X, Y=Y, N=N)
options = {"ftol": 1e-13, "gtol": 1e-7, "maxiter": 1000}
x0 = obj.pack(A=start)
found = minimize(obj.fun_and_grad, x0, jac=True, method="L-BFGS-B", options=options)

model = NeighborhoodComponentsAnalysis(2, init=start, tol=1e-9, max_iter=1000).fit(X, labels)
theirs = obj.pack(A=model.components_)
distances = cdist(X @ model.components_.T, X @ model.components_.T, "sqeuclidean")
np.fill_diagonal(distances, np.inf)
assert np.isclose(obj.fun(theirs), -np.sum(softmax(-distances, axis=1) * Y), rtol=1e-9)
print(f"NCA: {-found.fun:.4f} of {len(X)} samples beside their own kind after {found.nit} steps,")
print(f"  {-obj.fun(x0):.4f} at the start, scikit-learn {-obj.fun(theirs):.4f}")
assert np.isclose(found.fun, obj.fun(theirs), rtol=1e-3)
