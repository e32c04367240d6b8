"""What the passes of planning do to programs as a user writes them: steps, memory, operations."""

from __future__ import annotations

import random
from math import prod

import pytest

import tensorcalc as tc
from tensorcalc.plan import plan
from tensorcalc.plan.paths import contraction_path
from tensorcalc.plan.program import Load, Loop, Nest, Pass, Program, Store, flat, statements

LAYERS = 5
NET = "; ".join(
    [f"W{k} : matrix(n, n)" for k in range(LAYERS)]
    + ["x : matrix(b, n)", "Y : matrix(b, n)", "h0 = relu(x*W0')"]
    + [f"h{k} = relu(h{k - 1}*W{k}')" for k in range(1, LAYERS)]
    + [f"sum(logsumexp(h{LAYERS - 1}, 2)) - sum(Y.*h{LAYERS - 1})"]
)
LINEAR = "; ".join(  # without a function in the last layer
    [f"W{k} : matrix(n, n)" for k in range(1, LAYERS + 1)]
    + ["x : matrix(b, n)", "Y : matrix(b, n)", "h0 = x"]
    + [f"h{k} = relu(h{k - 1}*W{k}')" for k in range(1, LAYERS)]
    + [f"z = h{LAYERS - 1}*W{LAYERS}'", "sum(logsumexp(z, 2)) - sum(Y.*z)"]
)
LOGISTIC = "X : matrix(m, n); y : vector(m); w : vector(n); sum(log(1 + exp(-y.*(X*w))))"
FACTORS = "U : matrix(n, k); V : matrix(m, k); T : matrix(n, m); R = U*V' - T; tr(R'*R)"
KERNEL = (
    "x : matrix(m, d); y : matrix(n, d); b : vector(n); w : vector(m)\n"
    "w[i]*exp(-sum[k]((x[i,k] - y[j,k])^2))*b[j]"
)
ATTENTION = (
    "Q : tensor(h, l, d); K : tensor(h, l, d); V : tensor(h, l, d); G : tensor(h, l, d)\n"
    "S[h,i,j] = Q[h,i,k]*K[h,j,k]/sqrt(d)\nP[h,i,j] = softmax[j](S[h,i,j])\n"
    "P[h,i,j]*V[h,j,k]*G[h,i,k]"
)


SCALING = (
    "T : matrix(n, n); Y : matrix(n, d)\n"
    "D[i,j] = sqrt(sum[k]((Y[i,k] - Y[j,k])^2) + 0.0001); sum((D - T).^2)"
)
LAYER = (
    "X : matrix(m, n); Y : matrix(m, c); V : matrix(n, h); b : vector(h); W : matrix(h, c)\n"
    "H[i,j] = sigmoid(X[i,k]*V[k,j] + b[j]); sum((H*W - Y).^2)"
)
SWISH = LAYER.replace("sigmoid(X[i,k]*V[k,j] + b[j])", "Z[i,j]*sigmoid(Z[i,j])").replace(
    "H[i,j] =", "Z[i,j] = X[i,k]*V[k,j] + b[j]; H[i,j] ="
)
LINEAR_ATTENTION = (
    "Q : tensor(h, l, d); K : tensor(h, l, d); V : tensor(h, l, d); Y : tensor(h, l, d)\n"
    "k[h,t,d] = exp(K[h,t,d]); q[h,t,d] = exp(Q[h,t,d]); z[h,t] = sum[s,d](q[h,t,d]*k[h,s,d])\n"
    "R[h,t,c] = q[h,t,d]*k[h,s,d]*V[h,s,c]/z[h,t]; sum((R - Y).^2)"
)
HIDDEN_MARKOV = (
    "A : matrix(n, n); B : matrix(m, n); p : matrix(m, n)\n"
    "T[i,j] = softmax[j](A[i,j]); a[s,j] = p[s,i]*T[i,j]*exp(B[s,j]); sum[s](log(sum[j](a[s,j])))"
)
LOGSUMEXP = "C : matrix(m, n); f : vector(m); sum[j](log(sum[i](exp(f[i] - C[i,j]))))"


def planned(text: str, wrt: str, budget: int | None = None, **sizes: int) -> Program:
    """The program of a value ("" in `wrt`) and derivatives."""
    formula = tc.parse(text)
    outputs = {w: (tc.diff(formula, *w.split(",")) if w else formula) for w in wrt.split(";")}
    nodes = {name: output.node for name, output in outputs.items()}
    return plan(nodes, sizes, formula.variables, budget=budget)


def kinds(program: Program) -> list[str]:
    """The classes of all steps, those in passes too."""
    return [step.kind for step in flat(program.steps)]


def weights(text: str) -> str:
    """The names of a network's weights."""
    return ";".join(name for name in tc.parse(text).variables if name.startswith("W"))


@pytest.mark.parametrize("text", [NET, LINEAR])
def test_gradients_of_layers_share_what_comes_before(text: str) -> None:
    """Forward one product a layer, backward one, and one for each gradient."""
    program = planned(text, f";{weights(text)}", n=256, b=128)
    assert sum(kind.endswith("GEMM") for kind in kinds(program)) == 3 * LAYERS - 1


def test_a_network_keeps_one_array_of_each_layer() -> None:
    """Gradients are computed when they can be, and where `relu` is not zero is read off it."""
    program = planned(LINEAR, f";{weights(LINEAR)}", n=1024, b=256)
    assert program.memory[0] <= (LAYERS + 4) * 8 * 1024 * 256


def test_a_hessian_of_a_network_has_no_large_intermediate() -> None:
    """The outer products with the data come last."""
    program = planned(NET, "W0,W0", n=24, b=16)
    between, results = program.memory
    assert results == 8 * 24**4
    assert between < results / 4


# text, derivative, classes that there are, classes that there are not
STEPS: list[tuple[str, str, set[str], set[str]]] = [
    ("A : matrix(n, n); b : vector(n); inv(A)*b", "", {"factor", "solve"}, {"inv", "GEMV"}),
    ("A : matrix(n, n); b : vector(n); inv(A)'*b", "", {"solve_transposed"}, {"inv", "solve"}),
    ("A : matrix(n, n); B : matrix(n, m); B'*inv(A)", "", {"solve_transposed"}, {"inv", "GEMM"}),
    ("A : matrix(n, n); logdet(A)", ";A", {"factor", "logdet", "inv"}, {"solve"}),
    ("A : spd(n); b : vector(n); b'*inv(A)*b + logdet(A)", "", {"factor", "logdet"}, {"inv"}),
    ("X : matrix(m, n); w : vector(m); X'*diag(w)*X", "", {"GEMMT"}, {"GEMM", "SYRK"}),
    ("X : matrix(m, n); w : vector(m); X'*diag(exp(w) + w.^2)*X", "", {"SYRK"}, {"GEMM", "GEMMT"}),
    ("X : matrix(m, n); w : vector(m) nonnegative; z : vector(m); X'*diag(w.*z.*sigmoid(z).*z)*X", "", {"SYRK"}, {"GEMM", "GEMMT"}),
    ("X : matrix(m, n); w : vector(m); z : vector(m); X'*diag(w.*z.*w)*X", "", {"GEMMT"}, {"GEMM", "SYRK"}),
    ("X : matrix(m, n); Z : matrix(m, n); w : vector(m); (X.*Z)'*diag(w.^2)*(X.*Z)", "", {"SYRK"}, {"GEMM", "GEMMT"}),
    ("X : matrix(m, n); w : vector(m) nonnegative; Z : matrix(m, n); X'*diag(w)*Z", "", {"GEMM"}, {"SYRK", "GEMMT"}),
    ("X : matrix(m, n); X'*X", "", {"SYRK"}, {"GEMM"}),
    (KERNEL, ";x", {"LOOP"}, {"GEMM"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wrt", "wanted", "unwanted"), STEPS)
def test_steps(text: str, wrt: str, wanted: set[str], unwanted: set[str]) -> None:
    """One factorization for all, solutions for products with inverses, halves of symmetric ones."""
    found = kinds(planned(text, wrt, n=200, m=300, d=3))
    assert wanted <= {*found}
    assert unwanted.isdisjoint(found)
    assert found.count("factor") <= 1


# text, derivatives, sizes, loops that the largest nest has at most
NESTS: list[tuple[str, str, dict[str, int], int]] = [
    (LINEAR_ATTENTION, ";Q;K;V", {"h": 4, "l": 128, "d": 16}, 3),
    (HIDDEN_MARKOV, ";A;B;p", {"m": 500, "n": 40}, 2),
    (LOGSUMEXP, "f,f", {"m": 300, "n": 200}, 2),
]


@pytest.mark.parametrize(("text", "wrt", "sizes", "most"), NESTS)
def test_what_products_share_is_no_outer_product(
    text: str, wrt: str, sizes: dict[str, int], most: int
) -> None:
    """All sums over products are products of matrices: no nest has loops of both operands."""
    program = planned(text, wrt, budget=1 << 40, **sizes)
    nests = [step for step in flat(program.steps) if isinstance(step, Nest)]
    assert any("GEMM" in kind or kind == "SYRK" for kind in kinds(program))
    assert nests
    for step in nests:
        loops = [statement for statement in statements(step.body) if isinstance(statement, Loop)]
        assert len(loops) <= most


# text, derivatives, sizes, bytes that lie between the steps at most
MEMORY: list[tuple[str, str, dict[str, int], int]] = [
    (LOGISTIC, ";w", {"m": 400_000, "n": 50}, 1 << 20),
    (LOGISTIC, "w", {"m": 8000, "n": 4000}, 1 << 20),
    (FACTORS, ";U;V", {"n": 4000, "m": 4000, "k": 5}, 4 << 20),
    (KERNEL, ";x", {"m": 8000, "n": 8000, "d": 3}, 1 << 20),
    (ATTENTION, ";Q;K;V", {"h": 8, "l": 1024, "d": 64}, 32 << 20),
    (SCALING, ";Y", {"n": 2000, "d": 2}, 1 << 20),
]


@pytest.mark.parametrize(("text", "wrt", "sizes", "most"), MEMORY)
def test_sums_over_samples_need_no_memory(
    text: str, wrt: str, sizes: dict[str, int], most: int
) -> None:
    """What lies between the steps is as large as a block, whatever the cache of the machine."""
    for budget in (None, 1 << 19, 1 << 20):
        assert planned(text, wrt, budget, **sizes).memory[0] <= most


@pytest.mark.parametrize(
    ("text", "wrt", "sizes"),
    [
        (LAYER, ";V;W;b", {"m": 5000, "n": 40, "h": 60, "c": 50}),
        (ATTENTION, ";Q;K;V", {"h": 4, "l": 64, "d": 32}),
        (SWISH, ";V;W;b", {"m": 500, "n": 20, "h": 50, "c": 40}),
        (LAYER, ";V;W;b", {"m": 200, "n": 40, "h": 60, "c": 50}),
    ],
)
def test_intermediates_stand_as_loops_walk_them(text: str, wrt: str, sizes: dict[str, int]) -> None:
    """All arrays that a nest over entries reads are read along their rows."""
    program = planned(text, wrt, **sizes)
    for step in flat(program.steps):
        if isinstance(step, Nest) and step.outputs[0].startswith("t"):
            found = [s.index for s in statements(step.body) if isinstance(s, Load)]
            assert len({index[-1] for index in found if len(index) > 1}) <= 1


def test_passes_are_over_rows() -> None:
    """Of two indices alike that whose blocks are no strips of what is read."""
    program = planned(SCALING, ";Y", n=2000, d=2)
    (whole,) = [step for step in program.steps if isinstance(step, Pass)]
    nests = [step for step in whole.steps if isinstance(step, Nest)]
    loads = [s for step in nests for s in statements(step.body) if isinstance(s, Load)]
    (table,) = [b.name for b in program.arguments if b.variable == "T"]
    (index,) = {load.index for load in loads if load.buffer == table}
    assert whole.low in str(index[0])
    assert whole.low not in str(index[1])


def test_small_programs_have_no_passes() -> None:
    """What fits into the cache is done at once."""
    assert not any("PASS" in kind for kind in kinds(planned(LOGISTIC, ";w", m=500, n=50)))


@pytest.mark.parametrize("count", [3, 7, 12, 25, 60])
def test_paths_of_random_networks(count: int) -> None:
    """Steps take all operands; the cost is their multiplications, and no more than greedy's."""
    from opt_einsum import paths

    rng = random.Random(count)
    pairs = [rng.sample(range(count), 2) for _ in range(count + count // 2)]
    inputs = [frozenset(k for k, pair in enumerate(pairs) if node in pair) for node in range(count)]
    extents = {k: rng.choice([2, 3, 4]) for k in range(len(pairs))}

    def cost(steps: list[tuple[int, ...]]) -> int:
        live, total = list(inputs), 0
        for step in steps:
            parts = [live.pop(k) for k in sorted(step, reverse=True)]
            united = frozenset[int]().union(*parts)
            total += prod(extents[label] for label in united)
            live.append(united & frozenset[int]().union(*live))
        assert live == [frozenset()]
        return total

    steps, multiplications = contraction_path(inputs, frozenset(), extents)
    assert all(len(step) == 2 for step in steps)
    assert cost([*steps]) == multiplications
    assert (steps, multiplications) == contraction_path(inputs, frozenset(), extents)
    greedy = paths.get_path_fn("greedy")(inputs, frozenset(), extents, None)
    if all(len(step) == 2 for step in greedy):
        assert multiplications <= cost([*greedy])


def test_planning_of_many_operands_ends() -> None:
    """A chain of 500 small matrices."""
    inputs = [frozenset({k, k + 1}) for k in range(500)]
    steps, _ = contraction_path(inputs, frozenset({0, 500}), dict.fromkeys(range(501), 4))
    assert len(steps) == 499


def test_a_loop_over_the_first_part_of_an_array_is_no_slice_of_it() -> None:
    """Nothing in the pass over 2*n entries is stored in an array of n."""
    text = (
        "B : symmetric(n); C : matrix(n, n); y : vector(n); r = [B, C]'*y\n"
        "sum[i](sum[j](exp([y; y][i]*y[j]))*det(r[i]*B + 6*eye(n)))"
    )
    program = planned(text, "B", n=100)
    buffers = {b.name: b for b in (*program.temporaries, *program.results)}
    (whole,) = [step for step in program.steps if isinstance(step, Pass)]
    assert whole.kind.startswith("PASS over 2*n")
    lengths = {whole.block, whole.extent}
    for step in whole.steps:
        for store in statements(step.body) if isinstance(step, Nest) else ():
            if isinstance(store, Store) and whole.low in str(store.index):
                (axis,) = [k for k, index in enumerate(store.index) if whole.low in str(index)]
                assert buffers[store.buffer].extents[axis] in lengths
