"""A workload and a size in, checked and timed peers out: one cell of the table.

The peers of a cell take turns, and every other round in reverse, so that the noise of the machine
meets all of them. That they share one process costs something: a cache that one peer filled is
cold for the next (an untimed call before each turn warms it), and OpenBLAS's worker threads go on
spinning after a call and take the core from whoever comes next (a pause before each turn lets them
fall asleep; with one thread there are none). On a busy machine a ratio of wall times within some
15 per cent of 1 says nothing; the ``cpu`` clock, with one thread, is steadier.
"""

from __future__ import annotations

import gc
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.workload import Array, Results, Workload

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

TOLERANCE = 1e-8  # of a result, relative to its largest entry
PAUSE = 0.05  # seconds before a turn, for the threads of the last peer to fall asleep
SAMPLE = 1e-3  # seconds that one sample should take, far above the grain of the clock
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Call = Callable[[], Any]  # a tuple of results, or a dict of them


@dataclass(slots=True)
class Timing:
    """What became of one peer in one cell; seconds for one call."""

    correct: bool = False
    error: float | None = None  # the largest relative difference from NumPy's results
    failure: str | None = None  # why there are no numbers
    first: float | None = None  # build, compile (or load from the cache) and call once
    median: float | None = None
    quartiles: tuple[float, float] | None = None
    samples: list[float] = field(default_factory=list, repr=False)


def available(peers: Sequence[str]) -> list[str]:
    """Those of the peers that are installed."""
    return [peer for peer in peers if peer in PEERS and importlib.util.find_spec(peer)]


def measure(
    workload: Workload,
    size: str,
    peers: Sequence[str],
    *,
    rounds: int,
    budget: float,
    clock: str = "wall",
) -> dict[str, Any]:
    """Build all peers, compare them with NumPy, then time those that agree, in turns.

    Parameters
    ----------
    workload, size
        The cell.
    peers
        Names from `PEERS`; ratios are relative to the one named tensorcalc.
    rounds
        How many turns each peer gets.
    budget
        Seconds of a turn. At least one sample is taken in every turn.
    clock
        ``wall``, or ``cpu``: the time that the processors spent on this process, which on a busy
        machine leaves out the others, and counts every thread.
    """
    arrays = workload.arrays(size)
    expected = workload.numpy(*arrays.values())
    timings = {peer: Timing() for peer in peers}
    calls: dict[str, Call] = {}
    for peer in peers:
        call = _check(peer, workload, arrays, expected, timings[peer])
        if call is not None:
            calls[peer] = call
    del expected
    repeats = {peer: _repeats(call) for peer, call in calls.items()}
    for turn in range(rounds):
        for peer in list(calls) if turn % 2 == 0 else list(calls)[::-1]:
            timings[peer].samples += _turn(calls[peer], repeats[peer], budget, CLOCKS[clock])
    for peer in calls:
        _summarise(timings[peer])
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    return {
        "workload": workload.name,
        "size": size,
        "shapes": shapes,
        "peers": {peer: _facts(timing) for peer, timing in timings.items()},
        "ratios": _ratios(timings),
    }


def _check(
    peer: str, workload: Workload, arrays: dict[str, Array], expected: Results, timing: Timing
) -> Call | None:
    """The call to time, if its results are NumPy's."""
    start = time.perf_counter()
    try:
        call = PEERS[peer](workload, arrays)
        found = call()
        values = found.values() if isinstance(found, dict) else found
        results = [np.asarray(value) for value in values]
    except Exception as error:  # a peer that fails is a line of the table, not the end of the run
        timing.failure = f"{type(error).__name__}: {error}".splitlines()[0]
        return None
    timing.first = time.perf_counter() - start
    if [result.shape for result in results] != [np.shape(value) for value in expected]:
        timing.failure = f"shapes {[result.shape for result in results]}"
        return None
    timing.error = max(_difference(*pair) for pair in zip(results, expected, strict=True))
    timing.correct = timing.error <= TOLERANCE
    if not timing.correct:
        timing.failure = f"differs from NumPy by {timing.error:.1e}"
        return None
    return call


def _difference(result: Array, expected: Array) -> float:
    """The largest difference relative to the largest entry; infinite if there is a NaN."""
    scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    difference = float(np.max(np.abs(result - expected), initial=0.0)) / scale
    return difference if np.isfinite(difference) else float("inf")


def _repeats(call: Call) -> int:
    """How many calls make a sample."""
    for _ in range(3):
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
    return max(1, round(SAMPLE / max(seconds, 1e-7)))


def _turn(call: Call, repeats: int, budget: float, clock: Callable[[], float]) -> list[float]:
    """Seconds a call, sample by sample, until the budget is spent."""
    time.sleep(min(PAUSE, budget))
    gc.collect()
    gc.disable()
    try:
        call()
        samples: list[float] = []
        end = time.perf_counter() + budget
        while not samples or time.perf_counter() < end:
            start = clock()
            for _ in range(repeats):
                call()
            samples.append((clock() - start) / repeats)
    finally:
        gc.enable()
    return samples


def _summarise(timing: Timing) -> None:
    timing.median = statistics.median(timing.samples)
    low, high = np.percentile(timing.samples, [25, 75])
    timing.quartiles = (float(low), float(high))


def _facts(timing: Timing) -> dict[str, Any]:
    """What goes into the file: the samples only by their number."""
    return {**asdict(timing), "samples": len(timing.samples)}


def _ratios(timings: dict[str, Timing]) -> dict[str, float]:
    """How many times as long as tensorcalc each rival took: above 1, tensorcalc is faster."""
    own = timings["tensorcalc"].median if "tensorcalc" in timings else None
    if own is None:
        return {}
    return {
        peer: timing.median / own
        for peer, timing in timings.items()
        if peer != "tensorcalc" and timing.median is not None
    }


# ── the peers: a workload and its arrays in, a call without arguments out ─────────────────────


def _tensorcalc(workload: Workload, arrays: dict[str, Array]) -> Call:
    import tensorcalc as tc

    return partial(tc.compile(formulas(workload)), **arrays)


def formulas(workload: Workload) -> dict[str, Expr]:
    """The wanted results as expressions, by name, in the order of the results of all peers."""
    import tensorcalc as tc

    formula = tc.parse(workload.program)
    found: dict[str, Expr] = {}
    for output in workload.outputs:
        kind, *names = output.split() or [""]
        if kind == "hvp":
            products = tc.hvp(formula, names, [f"d{name}" for name in names])
            found |= {f"hvp {name}": product for name, product in products.items()}
        else:
            found[output] = tc.diff(formula, *output.split())
    return found


def _numpy(workload: Workload, arrays: dict[str, Array]) -> Call:
    return partial(workload.numpy, *arrays.values())


def _jax(workload: Workload, arrays: dict[str, Array]) -> Call:
    """Values and gradients from one reverse pass, in float64, on arrays that JAX holds already.

    A product with a Hessian is the gradient's forward derivative.
    """
    import jax  # type: ignore[import-not-found, unused-ignore]
    import jax.scipy.linalg  # type: ignore[import-not-found, unused-ignore]

    jax.config.update("jax_enable_x64", True)
    names = list(arrays)
    outputs = [output.split() for output in workload.outputs]
    gradients = [names.index(output[0]) for output in outputs if len(output) == 1]
    hessians = [names.index(output[0]) for output in outputs if output[:1] == output[1:] != []]
    moved = [
        names.index(name) for output in outputs if output[:1] == ["hvp"] for name in output[1:]
    ]
    own = len(names) - len(moved)  # the directions come last

    def formula(*inputs: Any) -> Any:
        return workload.jax(jax, *inputs)

    def function(*inputs: Any) -> list[Any]:
        here, directions = inputs[:own], list(inputs[own:])
        if gradients:
            value, found = jax.value_and_grad(formula, gradients)(*here)
            results = [value, *found]
        else:
            results = [formula(*here)] if [] in outputs else []
        results += [jax.hessian(formula, k)(*here) for k in hessians]
        if moved:
            results += jax.jvp(partial(slopes, here), [here[k] for k in moved], directions)[1]
        return results

    def slopes(here: Any, *points: Any) -> Any:
        """The gradients by the moved arrays, at other points for these."""
        there = dict(enumerate(here)) | dict(zip(moved, points, strict=True))
        return jax.grad(formula, moved)(*there.values())

    compiled = jax.jit(function)
    inputs = [jax.device_put(array) for array in arrays.values()]
    return lambda: jax.block_until_ready(compiled(*inputs))


PEERS: dict[str, Callable[[Workload, dict[str, Array]], Call]] = {
    "tensorcalc": _tensorcalc,
    "numpy": _numpy,
    "jax": _jax,
}
