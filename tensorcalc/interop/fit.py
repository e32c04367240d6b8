"""An objective and a start in, its minimum by a method of SciPy out, with progress on the way.

All methods end by one rule: when no entry of the gradient is larger than `tolerance`, times the
largest one at the start, or the root of the value, if that is over 1. The best point that was
evaluated is the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.errors import DomainError
from tensorcalc.interop.scipy import Objective

# method: what it takes of the second derivative, and the options that end it by its own rule
METHODS: dict[str, tuple[str, dict[str, float]]] = {
    "L-BFGS-B": ("", {"ftol": 0, "gtol": 0, "maxfun": 2**31 - 1}),
    "BFGS": ("", {"gtol": 0}),
    "CG": ("", {"gtol": 0}),
    "Newton-CG": ("hessp", {"xtol": 1e-300}),  # at 0 SciPy 1.12 does not begin
    "trust-ncg": ("hessp", {"gtol": 0}),
    "trust-krylov": ("hessp", {"gtol": 0}),
    "trust-exact": ("hess", {"gtol": 0}),
}
STEEP = 10.0  # the slope outside of the domain, by that of the best point
WITH_BOUNDS = ("L-BFGS-B",)


@dataclass(frozen=True)
class Progress:
    """The best point so far.

    `gradient_norm` is the largest entry of the gradient; of a variable with bounds, without what
    would leave them.
    """

    x: Array
    value: float
    gradient_norm: float
    iterations: int
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Where a minimisation ended: `variables` by name; `message` says why it ended."""

    variables: dict[str, Array]
    progress: Progress
    converged: bool
    message: str


def fit(
    objective: Objective,
    x0: Array | None = None,
    *,
    method: str = "L-BFGS-B",
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
    callback: Callable[[Progress], object] | None = None,
) -> Fit:
    """Minimise a scalar objective by a method of `scipy.optimize.minimize`.

    Parameters
    ----------
    x0
        The start, of shape ``(size,)``; without it the starts given to the objective.
    method
        One of `METHODS`. Those of second order get products with the Hessian, trust-exact the
        Hessian.
    tolerance
        How large an entry of the gradient may be at the end, times the largest at the start, or the
        root of the value, if that is over 1.
    callback
        Called at the start and after every iteration; raising StopIteration ends the fit.

    Raises
    ------
    DomainError
        If the value at the start is not finite, falls without end, or a variable that is declared
        positive does not start so, or has a method that keeps no bounds.

    >>> from tensorcalc.interop.scipy import objective
    >>> found = fit(objective("(a - 3)^2 + 1", "a", a=0.0), method="BFGS")
    >>> found.converged, round(float(found.variables["a"]), 6)
    (True, 3.0)
    """
    from scipy.optimize import minimize

    if method not in METHODS:
        raise DomainError(f"unknown method {method}", hint=f"one of {', '.join(METHODS)}")
    bounds = objective.bounds
    if bounds is not None and method not in WITH_BOUNDS:
        raise DomainError(
            f"{method} keeps no bounds, but a variable is declared positive or nonnegative",
            hint=f"use {' or '.join(WITH_BOUNDS)}, or write the variable as exp of another",
        )
    start = objective.x0 if x0 is None else np.asarray(x0, dtype=float)
    if bounds is not None and not ((bounds.lb <= start) & (start <= bounds.ub)).all():
        raise DomainError(
            "the start is not positive, or not nonnegative, where that is declared",
            hint="give another start",
        )
    watch = Watch(objective, bounds, tolerance, callback)
    second, own = METHODS[method]
    try:
        watch.begin(start)
        found = minimize(
            watch,
            start,
            jac=True,
            method=method,
            bounds=bounds,
            callback=watch.after_iteration,
            options={**own, "maxiter": max_iterations},
            **({second: getattr(objective, second)} if second else {}),
        )
        message = f"{method} found no way on ({str(found.message).strip(' :')})"
    except StopIteration:  # before the first iteration
        message = ""
    progress = watch.progress
    if watch.converged:
        message = "the gradient is small"
    elif watch.stopped:
        message = "the callback ended it"
    elif progress.iterations >= max_iterations:
        message = f"after {max_iterations} iterations the gradient is not small"
    return Fit(objective.unpack(progress.x), progress, watch.converged, message)


class Watch:
    """The objective for SciPy, which remembers the best point and knows when to stop."""

    def __init__(
        self,
        objective: Objective,
        bounds: Any,
        tolerance: float,
        callback: Callable[[Progress], object] | None,
    ) -> None:
        self.objective, self.bounds, self.tolerance = objective, bounds, tolerance
        self.callback = callback
        self.iterations = self.evaluations = 0
        self.stopped = False
        self.value = np.inf
        self.first: float | None = None  # the norm of the gradient at the start
        self.began = time.perf_counter()

    def begin(self, x: Array) -> None:
        """Evaluate the start, and stop if it is the end."""
        value, gradient = self(x)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            what = "gradient" if np.isfinite(value) else "value"
            raise DomainError(f"the {what} at the start is not finite", hint="give another start")
        self._report()

    def __call__(self, x: Array) -> tuple[float, Array]:
        value, gradient = self.objective.fun_and_grad(x)
        self.evaluations += 1
        if value == -np.inf and self.evaluations > 1:
            raise DomainError("the value is unbounded: there is no optimum")
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return self._outside(x) if self.evaluations > 1 else (value, gradient)
        if value < self.value:
            self.value, self.gradient, self.x = value, gradient.copy(), np.array(x, dtype=float)
        return value, gradient

    def _outside(self, x: Array) -> tuple[float, Array]:
        """Where the formula has no finite value: a steep slope up from the best point.

        Line searches interpolate, and an infinite value would mislead them.
        """
        step = x - self.x
        distance = float(np.linalg.norm(step))
        steepness = STEEP * (1 + float(np.linalg.norm(self.gradient)))
        return self.value + steepness * distance, steepness * step / distance

    def after_iteration(self, x: Array) -> None:
        """What SciPy calls; by this name of the argument it hands over the point."""
        self.iterations += 1
        self._report()

    def _report(self) -> None:
        try:
            if self.callback is not None:
                self.callback(self.progress)
        except StopIteration:
            self.stopped = True
        if self.stopped or self.converged:
            raise StopIteration

    @property
    def progress(self) -> Progress:
        """The best point so far."""
        gradient = self.gradient
        if self.bounds is not None:
            step = np.clip(self.x - gradient, self.bounds.lb, self.bounds.ub)
            gradient = self.x - step
        return Progress(
            self.x.copy(),
            self.value,
            float(np.max(np.abs(gradient), initial=0.0)),
            self.iterations,
            self.evaluations,
            time.perf_counter() - self.began,
        )

    @property
    def converged(self) -> bool:
        """Whether the gradient at the best point is small, beside that of the start.

        Where it is small beside the root of the value, rounding of the value hides the way on.
        """
        norm = self.progress.gradient_norm
        self.first = norm if self.first is None else self.first
        if norm <= self.tolerance * max(1.0, self.first):
            return True
        hidden = self.tolerance * float(abs(self.value)) ** 0.5
        return bool(norm <= min(hidden, self.first / 10))
