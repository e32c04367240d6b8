"""Formulas -> a text of another language that stands alone, by the table of `languages.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from tensorcalc.errors import DomainError, quote
from tensorcalc.expression import Expr
from tensorcalc.ir import Node, Variable
from tensorcalc.printing.languages import WRITERS


@dataclass(frozen=True)
class Output:
    """One result: its name, its formula, and the variable it is the derivative by."""

    name: str
    expression: Expr
    by: str | None = None

    @property
    def identifier(self) -> str:
        """The name as languages want it: ``gradient_w``."""
        return self.name.replace(" ", "_")


@dataclass(frozen=True)
class Request:
    """What is to be written: outputs of one function, of all `variables`.

    The first output is the formula itself; the others are its derivatives, which the text checks.
    """

    name: str  # of the function
    outputs: tuple[Output, ...]
    variables: Mapping[str, Variable]

    @property
    def nodes(self) -> list[Node]:
        """What is computed."""
        return [output.expression._stated for output in self.outputs]

    @property
    def names(self) -> list[str]:
        """The names of the function and its results."""
        return [self.name, *[output.identifier for output in self.outputs]]

    @property
    def title(self) -> list[str]:
        """The formulas, for the reader: a line, or more, of each."""
        if len(self.outputs) == 1:
            return self.outputs[0].expression.to_text().split("\n")
        lines: list[str] = []
        for output in self.outputs:
            *helpers, last = output.expression.to_text().split("\n")
            lines += [*helpers, f"{output.identifier} = {last}"]
        return lines


def write(language: str, request: Request) -> str:
    """The text of a request.

    Raises
    ------
    DomainError
        There is no such language, or it cannot say a function of the formula.
    """
    if language not in WRITERS:
        known = ", ".join(WRITERS)
        raise DomainError(f"no code for {quote(str(language))}", None, f"the languages are {known}")
    if not request.name.isidentifier() or not request.name.isascii():
        raise DomainError(f"{quote(request.name)} is no name of a function")
    module, _, name = WRITERS[language].partition(":")
    return str(getattr(import_module(module), name)(request))
