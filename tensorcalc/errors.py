"""What a user may see raised: the exception tree, source spans, and the caret excerpt.

    TensorcalcError
    ├── ParseError            the text is not a program
    ├── UnknownNameError      an unknown or twice-defined name
    ├── IndexNotationError    a free, repeated or missing index
    ├── ShapeError            sizes or orientations that do not fit
    ├── KindError             a scalar, vector or matrix where another kind is needed; unknown kinds
    ├── DomainError           an operation without a meaning here (no differential, …)
    └── LimitError            a named limit was passed

Every error carries `line`, `column` (from 1; None where there is no text), `excerpt` and `hint`.
`docs/errors.md` shows one of each, from the table in `tests/test_messages.py`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_QUOTED = 80
MAX_MESSAGE = 600
LONG_WORD = re.compile(rf"\S{{{MAX_QUOTED + 1},}}")
LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch ``text[start:end]`` of a program."""

    text: str
    start: int
    end: int

    def join(self, other: Span) -> Span:
        """From the start of this span to the end of the other."""
        return Span(self.text, min(self.start, other.start), max(self.end, other.end))

    @property
    def line(self) -> int:
        """The line of the start, from 1."""
        return sum(1 for _ in LINE_END.finditer(self.text, 0, self.start)) + 1

    @property
    def column(self) -> int:
        """The column of the start, from 1."""
        return self.start - self._begin() + 1

    @property
    def source(self) -> str:
        """The stretch itself, cut to a quotable length."""
        return quote(self.text[self.start : self.end])

    def _begin(self) -> int:
        """Where the line of the start begins."""
        return max(self.text.rfind(end, 0, self.start) for end in "\n\r") + 1

    def excerpt(self) -> str:
        """The line with a caret under the stretch, control characters escaped.

        >>> print(Span("x*", 1, 2).excerpt())
          1 | x*
            |  ^
        """
        begin = self._begin()
        line_end = LINE_END.search(self.text, self.start)
        stop = line_end.start() if line_end else len(self.text)
        left = max(begin, self.start - MAX_QUOTED // 2)
        right = min(stop, left + MAX_QUOTED)
        middle = max(self.start, min(self.end, right))
        before = ("…" if left > begin else "") + escape(self.text[left : self.start])
        marked = escape(self.text[self.start : middle])
        after = escape(self.text[middle:right]) + ("…" if right < stop else "")
        number = str(self.line)
        carets = " " * _width(before) + "^" * max(1, _width(marked))
        return f"  {number} | {before}{marked}{after}\n  {' ' * len(number)} | {carets}"


def escape(text: str) -> str:
    r"""Text with control characters, surrogates and invisible characters written out.

    >>> escape("a\0b")
    'a\\x00b'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quote(text: str) -> str:
    """User text made fit for a message: escaped, and cut at `MAX_QUOTED` characters.

    >>> len(quote("x" * 1000))
    80
    """
    text = escape(text[: MAX_QUOTED + 1])
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"


def _short(text: str) -> str:
    """A message without words that are longer than what is quoted, and not much longer itself."""
    if len(text) <= MAX_QUOTED:
        return text
    text = LONG_WORD.sub(lambda word: word[0][: MAX_QUOTED - 1] + "…", text)
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _width(text: str) -> int:
    """Columns that the text takes in a terminal: Chinese letters two, accents none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


class TensorcalcError(Exception):
    """Any rejected input. `message` says what was found and expected, `hint` how to mend it."""

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        if span is not None:  # the words are the text's: a name may be as long as the text
            message, hint = _short(message), hint and _short(hint)
        super().__init__(message)
        self.message = message
        self.span = span if span is not None and span.text else None
        self.hint = hint

    @property
    def line(self) -> int | None:
        """The line of the error in the program text, from 1."""
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        """The column of the error in its line, from 1."""
        return self.span.column if self.span else None

    @property
    def excerpt(self) -> str | None:
        """The line of the error with a caret under the place."""
        return self.span.excerpt() if self.span else None

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.span else ""
        parts = [place + self.message]
        if self.span:
            parts.append(self.span.excerpt())
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)


class ParseError(TensorcalcError):
    """The text is not a program of the language."""


class UnknownNameError(TensorcalcError):
    """A name that nothing declares, defines or provides, or that is defined twice."""


class IndexNotationError(TensorcalcError):
    """An index that is free, repeated or missing where it must not be."""


class ShapeError(TensorcalcError):
    """Sizes, ranks or orientations that do not fit."""


class KindError(TensorcalcError):
    """A kind or property that is none, or a scalar, vector or matrix where another is needed."""


class DomainError(TensorcalcError):
    """An operation without a meaning for what it is given.

    `words` are what it may be written as in the text, where its place is not known yet.
    """

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        hint: str | None = None,
        *,
        words: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, span, hint)
        self.words = words


class LimitError(TensorcalcError):
    """A named limit (`limits.py`) was passed."""
