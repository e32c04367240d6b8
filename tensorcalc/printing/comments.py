"""A request and its function -> lines for the reader: the formulas, and the shapes."""

from __future__ import annotations

import textwrap

from tensorcalc.printing.code_function import FunctionParts
from tensorcalc.printing.takeaway import Request

WIDTH = 88  # characters of a line
LONGEST = 2000  # characters of a formula


def described(request: Request, parts: FunctionParts) -> list[str]:
    """The formulas, an empty line, and the shapes of arguments and results."""
    said = [f"{a.name} {a.shape}" for a in parts.arguments]
    words = [f"{word}," for word in said[:-1]] + said[-1:]
    results = [f"-> {parts.shapes[0]}."]
    if len(parts.shapes) > 1:
        pairs = zip(request.outputs, parts.shapes, strict=True)
        results = ["->", *[f"{output.identifier} {shape}," for output, shape in pairs]]
        results[-1] = results[-1][:-1] + "."
    rows = ["Shapes:"]
    for word in [*words, *results]:
        if len(rows[-1]) + len(word) > WIDTH:
            rows.append(word)
        else:
            rows[-1] += f" {word}"
    title = [line for whole in request.title for line in _broken(whole)]
    return [*title, "", *rows]


def _broken(line: str) -> list[str]:
    """A line of a formula, in lines that fit; the end of one that nobody would read is left out."""
    shown = line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."
    return textwrap.wrap(shown, WIDTH, subsequent_indent="    ", break_on_hyphens=False) or [""]
