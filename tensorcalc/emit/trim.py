"""Names of helpers in, their source with all that it needs, and no more, out. Used by `module.py`.

The helpers of `kernels/` stand in several modules; a module that stands alone has them in one. What
a definition needs are the names in it that some module defines or imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# the modules of helpers, each after those that it imports, but for those that NumPy replaces
ORDER = (
    "hints", "subroutine", "elementwise", "tile", "blas", "lapack", "factor", "linalg", "copy",
)  # fmt: skip
OURS = "tensorcalc.kernels."
MEMORY = "tensorcalc.kernels.memory"  # compiles faster than the functions of NumPy that do the same


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement of a module: what it defines, if anything, the names that it needs, its text."""

    module: str
    names: frozenset[str]
    needs: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Import:
    """``from module import name as alias``, or ``import module`` if there is no name."""

    module: str
    name: str
    alias: str


@cache
def _definitions() -> tuple[tuple[Definition, ...], frozenset[Import]]:
    """All statements of the helpers, in an order in which they run, and their imports."""
    import tensorcalc.kernels

    folder = Path(tensorcalc.kernels.__file__).parent
    found: list[Definition] = []
    imports: set[Import] = set()
    for module in ORDER:
        text = (folder / f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        for node in tree.body[1:]:  # the first is the docstring
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports |= {*imported(node)}
            else:
                names = frozenset(_defined(node))
                segment = _segment(text.splitlines(), node)
                found.append(Definition(module, names, needed(node) - names, segment))
    return tuple(found), frozenset(imports)


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    """What an import statement imports, but for our own helpers."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, "", alias.name.partition(".")[0])
    elif node.module == MEMORY:
        for alias in node.names:
            yield Import("numpy", alias.name, alias.name)
    elif not f"{node.module}.".startswith(OURS) and node.module != "__future__":
        for alias in node.names:
            yield Import(str(node.module), alias.name, alias.asname or alias.name)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


def needed(node: ast.AST) -> frozenset[str]:
    """The global names that a statement reads: all but parameters and what it assigns."""
    read: set[str] = set()
    own: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (read if isinstance(inner.ctx, ast.Load) else own).add(inner.id)
        elif isinstance(inner, ast.arg):
            own.add(inner.arg)
    return frozenset(read - own)


def _segment(lines: list[str], node: ast.stmt) -> str:
    """The text of a statement with its decorators and the comment right before it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *[decorator.lineno for decorator in decorators]]) - 1
    while first and lines[first - 1].startswith("#") and "──" not in lines[first - 1]:
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def helpers(names: Iterable[str]) -> tuple[list[Definition], list[Import]]:
    """The definitions of helpers and of what they need, and what these import.

    A statement that defines nothing runs if anything of its module is needed.
    """
    definitions, imports = _definitions()
    of_name = {name: d for d in definitions for name in d.names}
    chosen: set[Definition] = set()
    used: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name in used:
            continue
        used.add(name)
        definition = of_name.get(name)
        if definition is None or definition in chosen:
            continue
        chosen.add(definition)
        stack += definition.needs
        for other in definitions:
            if not other.names and other.module == definition.module and other not in chosen:
                chosen.add(other)
                stack += other.needs
    texts = "\n".join(d.text for d in chosen)
    wanted = [i for i in imports if i.alias in used and (i.name or i.module in texts)]
    return [d for d in definitions if d in chosen], wanted


def import_lines(imports: Iterable[Import]) -> list[str]:
    """Import statements, those of the standard library first."""
    import sys

    whole = sorted({i.module for i in imports if not i.name})
    parts: dict[str, set[str]] = {}
    for i in imports:
        if i.name:
            text = i.name if i.alias == i.name else f"{i.name} as {i.alias}"
            parts.setdefault(i.module, set()).add(text)
    lines = [(m, f"import {m}") for m in whole if m != "numpy"]
    lines += [("numpy", "import numpy as np")] if "numpy" in whole else []
    lines += [(m, f"from {m} import {', '.join(sorted(n))}") for m, n in sorted(parts.items())]
    standard = [line for m, line in lines if m.partition(".")[0] in sys.stdlib_module_names]
    others = [line for m, line in lines if m.partition(".")[0] not in sys.stdlib_module_names]
    return [*standard, *[""] * bool(standard and others), *others]
