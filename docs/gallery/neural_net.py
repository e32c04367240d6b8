"""A small neural network that reads handwritten digits, against scikit-learn's."""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tensorcalc as tc
from tensorcalc.interop.scipy import objective

f = tc.parse(Path(__file__).with_suffix(".tc").read_text())
for name in ("A", "a", "B", "b"):
    print(f"gradient by {name} ", tc.diff(f, name))

X, labels = load_digits(return_X_y=True)
X, X_new, labels, labels_new = train_test_split(X / 16, labels, train_size=600, random_state=0)
Y, c = (labels[:, None] == np.arange(10)).astype(float), 1.0

model = MLPClassifier((16,), "tanh", solver="lbfgs", alpha=c, max_iter=2000, random_state=0)
model.fit(X, labels)
obj = objective(f, ["A", "a", "B", "b"], X=X, Y=Y, c=c)
(A, B), (a, b) = model.coefs_, model.intercepts_
theirs = obj.pack(A=A, a=a, B=B, b=b)
value, gradient = obj.fun_and_grad(theirs)
assert np.isclose(value, model.loss_, rtol=1e-9)  # the same loss
assert np.max(np.abs(gradient)) < 1e-3  # which is least, or nearly so

rng = np.random.default_rng(0)
x0 = obj.pack(A=rng.normal(0, 0.1, A.shape), a=0, B=rng.normal(0, 0.1, B.shape), b=0)
options = {"maxiter": 2000, "maxfun": 4000}
found = minimize(obj.fun_and_grad, x0, jac=True, method="L-BFGS-B", options=options)
assert found.fun < 1.05 * model.loss_

best = obj.unpack(found.x)
read = np.argmax(np.tanh(X_new @ best["A"] + best["a"]) @ best["B"] + best["b"], axis=1)
ours, others = np.mean(read == labels_new), model.score(X_new, labels_new)
assert ours > others - 0.02
print(f"neural network: loss {found.fun:.5f} after {found.nit} steps, {ours:.1%} of new digits")
print(f"  read rightly; scikit-learn {model.loss_:.5f} after {model.n_iter_}, {others:.1%}")
