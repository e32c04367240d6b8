"""Maximum likelihood of a multivariate normal on the iris data, against the closed form."""

from pathlib import Path

import numpy as np
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris

import tensorcalc as tc
from tensorcalc.interop.fit import fit
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
print("gradient by mu ", tc.diff(f, "mu"))
print("gradient by S  ", tc.diff(f, "S"))

X = load_iris().data
n, p = X.shape

# where both gradients are zero: the mean and the covariance of the sample
mu, S = X.mean(axis=0), np.cov(X.T, bias=True)
obj = objective(f, ["mu", "S"], X=X)
closed = obj.pack(mu=mu, S=S)
assert np.max(np.abs(obj.grad(closed))) < 1e-9
likelihood = multivariate_normal(mu, S).logpdf(X).sum()
assert np.isclose(obj.fun(closed) + n * p / 2 * np.log(2 * np.pi), -likelihood)

# the same point by descent; of the symmetric S the vector has the lower triangle only
x0 = obj.pack(mu=mu + 0.1, S=np.diag(np.diag(S)))
found = fit(obj, x0, method="trust-exact", tolerance=1e-9)
np.testing.assert_allclose(found.progress.x, closed, rtol=1e-7, atol=1e-9)
off = np.max(np.abs(found.progress.x - closed))
print(f"normal: {found.progress.iterations} steps, {off:.1e} from the closed form")
