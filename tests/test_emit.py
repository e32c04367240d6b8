"""Emission: closed names in the text, the cache's safety, a second process, standalone modules."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
import warnings
from pathlib import Path

import numpy as np
import pytest

from tensorcalc import canonical as c
from tensorcalc.dims import Dim
from tensorcalc.emit import cache, emit
from tensorcalc.emit.module import kernel_module
from tensorcalc.emit.source import check, source
from tensorcalc.ir import Node, Variable
from tensorcalc.kernel import compile_nodes
from tensorcalc.plan import plan

M, N = Dim.of("range"), Dim.of("n):\n    import os")  # names that must never reach the text
A = Variable.of("__import__('os')", (M, N))
x = Variable.of('"""', (N,))
SIZES = {M.names[0]: 40, N.names[0]: 30}
Ax = c.einsum(1, (M, N), [(A, (0, 1)), (x, (1,))])
EXP = c.elementwise("exp", (Ax,))
OUTPUTS: dict[str, Node] = {
    "exec": c.einsum(0, (M,), [(c.elementwise("tanh", (Ax,)), (0,))]),
    "o": c.elementwise("max", (Ax, c.elementwise("polygamma", (c.ones((M,)), EXP)))),
    "d": c.matrix_function("norm2", c.einsum(2, (M, N), [(A, (0, 1)), (x, (1,))])),
}  # fmt: skip

KEYWORDS = set("def for in if else return".split())
FUNCTIONS = set(
    "kernel number double range empty zeros shape gemv gemm syrk accumulate tanh exp polygamma "
    "maximum norm wide natural known".split()
)


def test_only_allowed_names() -> None:
    """Every name token is a keyword, of the closed list, or a letter with a number."""
    for dtype in ("float64", "float32"):
        text = source(plan(OUTPUTS, SIZES), dtype).body
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and token.string not in KEYWORDS | FUNCTIONS:
                assert re.fullmatch(r"[acinotv]\d+", token.string), token.string
            assert token.type not in (tokenize.STRING, tokenize.COMMENT)


@pytest.mark.parametrize(
    "text", ["import os", "a0 = os", "a0 = a1.__class__", "a0 = lambda: 0", "def k(user): pass"]
)
def test_foreign_names_are_refused(text: str) -> None:
    """The last look at a text before it is compiled."""
    with pytest.raises(AssertionError):
        check(text)


def test_nesting_is_bounded() -> None:
    """Twenty axes never make more than 15 nested blocks."""
    pair = Dim.of(2)
    v = [Variable.of(f"v{k}", (pair,)) for k in range(20)]
    node = c.einsum(20, [pair] * 20, [(a, (k,)) for k, a in enumerate(v)])
    text = source(plan({"o": node}, {}), "float64").body
    assert max(len(line) - len(line.lstrip()) for line in text.splitlines()) // 4 <= 15


def test_sizes_are_arguments() -> None:
    """Another size of the same class is the same text."""
    texts = {
        kernel_module(source(plan(OUTPUTS, dict(zip(SIZES, sizes, strict=True))), "float64"))
        for sizes in [(40, 30), (80, 55)]
    }
    assert len(texts) == 1


# ── the cache ────────────────────────────────────────────────────────────────────────────────

SCRIPT = """
import sys
import numpy as np
from tensorcalc import canonical as c
from tensorcalc.dims import Dim
from tensorcalc.emit import cache
from tensorcalc.ir import Variable
from tensorcalc.kernel import compile_nodes
n = Dim.of("n")
x = Variable.of("x", (n,))
f = c.einsum(0, (n,), [(c.elementwise("sigmoid", (x,)), (0,)), (x, (0,)), (x, (0,))])
k = compile_nodes({"f": f}, {"x": x}, True)
print(float(k(x=np.arange(3.0))))
(loaded,) = cache._loaded.values()
stats = loaded.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def run_script(folder: Path) -> list[str]:
    """The lines a fresh process prints with its cache in `folder`."""
    environment = {
        **os.environ,
        cache.VARIABLE: str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True
    )
    return [*done.stdout.splitlines(), done.stderr]


def test_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Cold: one miss. Warm: one hit. Damaged: no crash, the right value, compiled again."""
    value = float(np.sum(np.arange(3.0) ** 2 / (1 + np.exp(-np.arange(3.0)))))
    cold, warm = run_script(tmp_path), run_script(tmp_path)
    assert cold[1] == "0 1"
    assert warm[1] == "1 0"
    for file in tmp_path.glob("*/__pycache__/*.nb?"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    damaged = run_script(tmp_path)
    assert damaged[1] == "0 1"
    for lines in (cold, warm, damaged):
        assert float(lines[0]) == pytest.approx(value, rel=1e-14)
        assert lines[2] == ""
    folder = next(tmp_path.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700


def test_unwritable_folder_warns_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is a file: kernels work, with one warning."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(blocked))
    one = Variable.of("one", (Dim.of("n"),))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for scale in (2, 3):
            program = plan({"o": c.scale(scale, one)}, {"n": 2})
            assert emit(program, "float64")[1](np.ones(2))[0].tolist() == [scale, scale]
    assert [w.category for w in caught] == [cache.CacheWarning]


def test_write_is_atomic(tmp_path: Path) -> None:
    """A file appears whole, and no temporary one stays."""
    cache.write(tmp_path / "a.py", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


# ── standalone modules ───────────────────────────────────────────────────────────────────────


def test_standalone_module(tmp_path: Path) -> None:
    """The saved module runs where tensorcalc cannot be imported, and checks shapes."""
    m, n = Dim.of("m"), Dim.of("n")
    matrix, vector = Variable.of("A", (m, n)), Variable.of("x", (n,))
    product = c.einsum(1, (m, n), [(matrix, (0, 1)), (vector, (1,))])
    outputs = {
        "value": c.matrix_function("norm2", c.elementwise("tanh", (product,))),
        "Ax": product,
    }
    formula = 'norm2(A*x) """\nimport os'
    kernel = compile_nodes(outputs, {"A": matrix, "x": vector}, False, formula)
    values = {"A": np.linspace(0, 1, 1200).reshape(40, 30), "x": np.linspace(-1, 1, 30)}
    expected = kernel(**values)
    kernel.save(tmp_path / "saved.py")
    text = (tmp_path / "saved.py").read_text()
    assert not any(  # the formula is only inside of the docstring
        isinstance(node, ast.Import) and node.names[0].name == "os"
        for node in ast.walk(ast.parse(text))
    )
    script = (
        "import sys; sys.modules['tensorcalc'] = None\n"
        "import numpy as np, saved\n"
        "A, x = np.linspace(0, 1, 1200).reshape(40, 30), np.linspace(-1, 1, 30)\n"
        "r = saved.run(A=A, x=x)\n"
        "print(float(r['value']), float(r['Ax'].sum()))\n"
        "print(saved.__doc__)\n"
        "try: saved.run(A=A, x=x[:5])\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    lines = done.stdout.splitlines()
    assert float(lines[0].split()[0]) == pytest.approx(float(expected["value"]), rel=1e-13)
    assert lines[3].strip() == formula.splitlines()[0]
    assert lines[-1] == "axis 0 of x has size 5, not 30"
