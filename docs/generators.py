"""The tables of the project -> the Markdown of those parts of the pages that are made from them.

A page says where: ``<!-- generated: rewrites -->`` is replaced by what the generator of that name
gives, whenever the pages are built (`conf.py`). The files themselves stay as they are.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorcalc as tc
from tensorcalc.functions import ARGUMENTS, FUNCTIONS, Function
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS, MatrixFunctionEntry
from tensorcalc.rules import RULES

if TYPE_CHECKING:
    import click

    from bench.workload import Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MARK = re.compile(r"^<!-- generated: ([\w ]+) -->$", re.MULTILINE)
WIDTH = 80  # of the help of a command
Row = tuple[str, ...]


def fill(page: str) -> str:
    """The text of a page, with all that is generated in its places."""
    return MARK.sub(lambda mark: GENERATORS[mark[1]](), page)


# ── pieces of Markdown ───────────────────────────────────────────────────────────────────────


def table(header: Row, rows: Iterable[Row]) -> str:
    """A table; bars within cells are escaped."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(text: str) -> str:
    """A piece of code in a line."""
    return "`" + text.replace("|", r"\|") + "`"


def fenced(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def math(formula: str) -> str:
    """A formula of the language as mathematics in a line, without bars, which would end a cell."""
    latex = tc.parse(formula).to_latex().replace("\n", " ")
    latex = latex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return f"${latex}$"


# ── contents ─────────────────────────────────────────────────────────────────────────────────

# the pages of each part, in order; a star stands for all of a folder that have no place elsewhere
CONTENTS = {
    "Learn": "tutorial derivations glossary",
    "Use": "notation command_line api * errors",
    "Gallery": "gallery/README gallery/*",
    "Look inside": "rules internals performance changelog",
}


def contents() -> str:
    """The tables of contents with all pages that there are, but for the first."""
    pages = sorted(page.relative_to(HERE).with_suffix("") for page in HERE.rglob("*.md"))
    names = [page.as_posix() for page in pages]
    placed = {"index", *" ".join(CONTENTS.values()).split()}
    parts = []
    for caption, patterns in CONTENTS.items():
        found = []
        for pattern in patterns.split():
            folder, star, _ = pattern.partition("*")
            rest = [n for n in names if n not in placed and n == folder + n.rpartition("/")[2]]
            found += rest if star else [name for name in names if name == pattern]
        lines = [f":caption: {caption}", ":maxdepth: 1", "", *found]
        parts += [fenced("\n".join(lines), "{toctree}")] if found else []
    return "\n\n".join(parts)


# ── rules ────────────────────────────────────────────────────────────────────────────────────


def differentials() -> str:
    """Functions of whole arrays: what each takes, and its differential."""
    rows = [
        row
        for name, entry in MATRIX_FUNCTIONS.items()
        if entry.differential is not None
        for row in _differential_rows(name, entry)
    ]
    return table(("function", "of", "differential", "as mathematics"), rows)


def _differential_rows(name: str, entry: MatrixFunctionEntry) -> Iterator[Row]:
    argument, _, kind = entry.argument.partition(" : ")
    declared = f"{entry.argument}; d{argument} : {kind}"
    forms = [(f"{name}({argument})", "", entry.differential)]
    if entry.parameter:  # the one function with a parameter is the power
        exponent = entry.parameter.partition(" : ")[0]
        declared += f"; {entry.parameter}"
        call = f"{argument}^{exponent}"
        forms = [
            (call, f", {exponent} ≥ 0", entry.differential),
            (call, f", {exponent} < 0", entry.backwards),
        ]
    for call, condition, formula in forms:
        if formula is not None:
            mathematics = math(f"{declared}; {formula}")
            yield code(call) + condition, code(kind), code(formula), mathematics


def power_series() -> str:
    """Functions that are power series: the derivative where everything commutes."""
    rows = [
        (code(f"{name}(X)"), code(entry.slope), math(f"{entry.argument}; {entry.slope}"))
        for name, entry in MATRIX_FUNCTIONS.items()
        if entry.slope is not None
    ]
    return table(("function", "slope", "as mathematics"), rows)


def elementwise() -> str:
    """Elementwise functions: the derivative by each argument, and where it is tested."""
    rows = [row for name, function in FUNCTIONS.items() for row in _derivative_rows(name, function)]
    return table(("function", "by", "derivative", "as mathematics", "compared on"), rows)


def _derivative_rows(name: str, function: Function) -> Iterator[Row]:
    names = ARGUMENTS[: function.arity]
    declared = f"{', '.join(names)} : scalar; "
    low, high = function.domain
    for argument, derivative in zip(names, function.derivatives, strict=True):
        rule = (
            ("none", "") if derivative is None else (code(derivative), math(declared + derivative))
        )
        yield (code(f"{name}({', '.join(names)})"), code(argument), *rule, f"({low:g}, {high:g})")


def rewrites() -> str:
    """The rewrite rules: what is written, and the form that takes its place."""
    rows = [(code(written), code(form), code(kind)) for kind, written, form in RULES]
    return table(("written", "rewritten as", "for"), rows)


# ── command line ─────────────────────────────────────────────────────────────────────────────


def commands() -> str:
    """The help of every command, as it prints itself."""
    from tensorcalc.cli.main import cli

    return "\n\n".join(_help(cli, "tensorcalc"))


def _help(command: click.Command, name: str, above: click.Context | None = None) -> Iterator[str]:
    import click

    context = click.Context(
        command,
        info_name=name,
        parent=above,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **(command.context_settings if above is None else {}),
    )
    yield f"### {context.command_path}"
    yield fenced(command.get_help(context))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _help(found, child, context)


# ── performance ──────────────────────────────────────────────────────────────────────────────


def figures() -> str:
    """What README.md publishes under "Speed", the one place where measured figures are kept."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Speed\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    if section is None:
        raise LookupError("README.md has no section Speed")
    return section[1].strip()


def measurement() -> str:
    """How it is measured: what the two modules that measure say of themselves."""
    from bench import measure, run

    texts = [inspect.getdoc(module) or "" for module in (measure, run)]
    return "\n\n".join(_prose(text.partition("\n\n")[2]) for text in texts)


def _prose(text: str) -> str:
    """A docstring as Markdown: literals with one backtick, and indented lines as code."""
    parts = re.split(r"\n\n", text.replace("``", "`"))
    return "\n\n".join(
        fenced(inspect.cleandoc(part), "sh") if part.startswith("    ") else part for part in parts
    )


def workloads() -> str:
    """All workloads: what is computed, of which program, at which sizes."""
    from bench.workloads import FAMILIES

    parts = []
    for family, members in FAMILIES.items():
        parts.append(f"### {family.capitalize()}")
        above = ""
        for workload in members:
            wanted = ", ".join(_wanted(workload.outputs))
            parts.append(f"**{workload.name}**, {workload.title}. Results: {wanted}.")
            if workload.program != above:
                parts.append(fenced(workload.program))
                above = workload.program
            parts.append(_sizes(workload))
    return "\n\n".join(parts)


def _wanted(outputs: Iterable[str]) -> Iterator[str]:
    """The wanted results in words; `bench.workload.Workload.outputs` says how they are coded."""
    names = [output.split() for output in outputs]
    gradients = ", ".join(name for (name,) in [found for found in names if len(found) == 1])
    if [] in names:
        yield "value"
    if gradients:
        yield f"gradient by {gradients}"
    for found in names:
        if found[:1] == ["hvp"]:
            yield f"Hessian by {', '.join(found[1:])} times a direction"
        elif len(found) == 2:
            yield f"Hessian by {', '.join(dict.fromkeys(found))}"


def _sizes(workload: Workload) -> str:
    letters = list(inspect.signature(workload.data).parameters)[1:]
    if letters == ["numbers"]:  # of a contraction: its letters, in the order in which they occur
        labels = "".join(re.findall(r"tensor\(([^)]*)\)", workload.program))
        letters = list(dict.fromkeys(re.findall(r"\w", labels)))
    lines = []
    for size, numbers in workload.sizes.items():
        pairs = [f"{letter} = {k}" for letter, k in zip(letters, numbers, strict=True)]
        is_one = len(numbers) > 6 and len(set(numbers)) == 1
        lines.append(f"{size}: " + (f"all sizes {numbers[0]}" if is_one else ", ".join(pairs)))
    return "; ".join(lines) + "."


# ── names ────────────────────────────────────────────────────────────────────────────────────

TITLES = {
    "api": "Formulas and their derivatives",
    "expression": "Expressions",
    "construct": "Expressions made in Python",
    "kernel": "Kernels",
    "threads": "Threads",
    "limits": "Limits",
    "errors": "Errors",
}


def public_names() -> str:
    """The public names that are not functions of the language, by the module they come from."""
    homes: dict[str, list[str]] = {}
    for name, home in tc._HOME.items():
        homes.setdefault(home, []).append(name)
    order = sorted(homes, key=lambda home: [*TITLES, home].index(home))
    return "\n\n".join(
        part
        for home in order
        for part in [f"## {TITLES.get(home, home.capitalize())}", *map(_documented, homes[home])]
    )


def _documented(name: str) -> str:
    """The directive that prints a name's docstring."""
    found: Any = getattr(tc, name)
    full = f"tensorcalc.{name}"
    if isinstance(found, type) and issubclass(found, Exception):
        lines = [f".. autoexception:: {full}"]
    elif isinstance(found, type):
        lines = [f".. autoclass:: {full}", "   :members:"]
    elif callable(found):
        lines = [f".. autofunction:: {full}"]
    else:
        lines = [f".. py:data:: {full}", "", f"   The constant ``{found}`` of the language."]
    return fenced("\n".join(lines), "{eval-rst}")


def language_functions() -> str:
    """The functions of the language that are functions of expressions, too."""
    return " ".join(code(f"tc.{name}") for name in tc._LANGUAGE)


def changelog() -> str:
    """CHANGELOG.md without its heading."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n")[2]


GENERATORS: dict[str, Callable[[], str]] = {
    "contents": contents,
    "differentials": differentials,
    "power series": power_series,
    "elementwise": elementwise,
    "rewrites": rewrites,
    "commands": commands,
    "figures": figures,
    "measurement": measurement,
    "workloads": workloads,
    "public names": public_names,
    "functions": language_functions,
    "changelog": changelog,
}
