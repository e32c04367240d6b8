"""``NAME=VALUE`` arguments and data files in, arrays that fit the declarations out.

    w=0                     a number; for a vector or matrix: filled with it
    A=[1,2;3,4]             entries, rows separated by ``;``
    X=data.csv              a table of numbers, with or without a header line
    X=data.csv:1-30         columns by number from 1, or by name in the header: y=data.csv:label
    T=tensor.npy            an array of any rank
    X=data.npz:features     one array of several

Nothing in a file is ever executed: arrays of objects are refused.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import click
import numpy as np

from tensorcalc.binding import Array, bind_sizes, with_sizes
from tensorcalc.cli.options import spelled
from tensorcalc.errors import (
    DomainError,
    LimitError,
    ParseError,
    ShapeError,
    UnknownNameError,
    quote,
)

if TYPE_CHECKING:
    from tensorcalc.ir import Variable

DELIMITERS = (",", ";", "\t")  # the first one that the first line has; else white space
ARRAYS = (b"\x93NUMPY", b"PK")  # how .npy and .npz files begin
MISSING = ("", "na", "n/a", "null", "none", "?", "-", ".")  # what stands for no number
NAME = re.compile(r"\w+'*")


def read_arguments(
    arguments: Sequence[str], data: str | None, variables: Mapping[str, Variable]
) -> dict[str, Array]:
    """The arrays of ``NAME=VALUE`` arguments, and those of the file `data` that are variables."""
    values: dict[str, Array] = {}
    if data is not None:
        found = _load(Path(data))
        if not isinstance(found, Mapping):
            raise click.UsageError("--data takes a .npz file; for one array write NAME=file.npy")
        values.update((name, array) for name, array in found.items() if name in variables)
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not NAME.fullmatch(name.strip()):
            raise click.UsageError(f"{quote(argument)!r} is not like NAME=VALUE")
        name = spelled(name.strip())
        if name not in variables:
            known = ", ".join(variables) or "none"
            raise UnknownNameError(
                f"{name} is not a variable of the formula", None, f"the variables are {known}"
            )
        values[name] = read_value(text.strip(), name)
    return {name: _with_rank(value, variables[name].rank) for name, value in values.items()}


def fill(
    values: Mapping[str, Array], variables: Mapping[str, Variable], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """`values` with every number that stands for a whole array made that array.

    `sizes` are sizes that are known beforehand; the others are told by the other arrays.
    """
    whole = {n: value for n, value in values.items() if value.ndim or not variables[n].rank}
    known = with_sizes(variables, bind_sizes(variables, whole), sizes)
    filled = dict(values)
    for name, value in values.items():
        if name not in whole:
            if any(size not in known for dim in variables[name].dims for size in dim.names):
                missing = [other for other in variables if other not in values]
                raise ShapeError(
                    f"how large {name} is cannot be told from the other values",
                    None,
                    f"give {' and '.join([*missing, 'its size'])}: --dim NAME=SIZE",
                )
            shape = tuple(dim.value(known) for dim in variables[name].dims)
            try:
                filled[name] = np.full(shape, float(value))
            except ValueError:  # NumPy's limit of sizes and of their product
                raise LimitError(f"{name} would have the shape {shape}") from None
    return filled


def _with_rank(value: Array, rank: int) -> Array:
    """The value without axes of size 1 that a table has and a vector or number has not."""
    if rank < value.ndim == 2:
        if rank == 1 and 1 in value.shape:
            return value.reshape(-1)
        if rank == 0 and value.size == 1:
            return value.reshape(())
    return value


def read_value(text: str, name: str) -> Array:
    """The array that a value says: a number, entries in brackets, or a file."""
    try:
        return np.asarray(float(text))
    except ValueError:
        pass
    if text.startswith("["):
        return _literal(text, name)
    path, columns = Path(text), None
    if not path.exists() and ":" in text:
        before, _, columns = text.rpartition(":")
        path = Path(before)
    if not path.is_file():
        raise click.UsageError(
            f"{name}={quote(text)}: neither a number, nor entries in brackets, nor a file"
        )
    try:
        found = _load(path) if path.suffix in (".npy", ".npz") else None
        if found is None:
            return _read_table(path, columns)
    except OSError as error:
        raise click.UsageError(f"{quote(str(path))}: {error.strerror or error}") from None
    if isinstance(found, Mapping):
        if columns not in found:
            raise UnknownNameError(
                f"which array of {quote(str(path))} is {name}?",
                None,
                f"write {name}={path}:NAME with one of {', '.join(found)}",
            )
        return found[columns]
    if columns is not None:
        raise click.UsageError(f"{name}={quote(text)}: columns are of tables, not of .npy files")
    return found


def _literal(text: str, name: str) -> Array:
    """``[1,2;3,4]``, and the nested lists of Python."""
    try:
        if text.startswith("[["):
            return np.asarray(json.loads(text), dtype=float)
        if not text.endswith("]"):
            raise ValueError("the closing bracket is missing")
        rows = [re.split(r"[,\s]+", row.strip()) for row in text[1:-1].split(";")]
        if len({len(row) for row in rows}) > 1:
            raise ValueError("its rows have different lengths")
        return np.asarray([[float(entry) for entry in row] for row in rows])
    except (ValueError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise ParseError(
            f"{name}={quote(text)} is not a matrix: {quote(reason)}",
            None,
            "write rows as [1,2;3,4]",
        ) from None


def _load(path: Path) -> Array | dict[str, Array]:
    """The array of a .npy file, or those of a .npz file by name."""
    try:
        with path.open("rb") as stream:
            start = stream.read(len(ARRAYS[0]))
            if not start.startswith(ARRAYS):
                raise ValueError("it is neither a .npy nor a .npz file")
            stream.seek(0)
            found: Any = np.load(stream, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
            return {name: found[name] for name in found.files}
    except FileNotFoundError:
        raise click.UsageError(f"{quote(str(path))}: there is no such file") from None
    except Exception as error:  # NumPy lets zipfile's, zlib's and its own exceptions through
        raise DomainError(f"{quote(str(path))} cannot be read: {quote(str(error))}") from None


def _read_table(path: Path, columns: str | None) -> Array:
    """The numbers of a text file: a table of two axes, a column per column asked for."""
    delimiter, count, header, places = None, 0, list[str](), None
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines, catch_warnings():
            simplefilter("ignore", UserWarning)  # a table without rows is our own error
            first = lines.readline().strip()
            delimiter = next((mark for mark in DELIMITERS if mark in first), None)
            cells = _cells(first.removeprefix("#"), delimiter)
            count = len(cells)
            header = [] if _is_row(cells) else cells
            if not header:
                lines.seek(0)
            places = None if columns is None else _columns(columns, header, count, path)
            table = np.loadtxt(lines, delimiter=delimiter, usecols=places, ndmin=2, quotechar='"')
    except UnicodeDecodeError as error:
        message = f"{quote(str(path))} is not a table of numbers, for it is not text in UTF-8"
        raise DomainError(f"{message}: {quote(str(error))}") from None
    except ValueError as error:
        start = 2 if header else 1
        where = _mistake(path, delimiter, start, places or range(count), count) or str(error)
        raise DomainError(
            f"{quote(str(path))} is not a table of numbers: {quote(where)}",
            None,
            "fill in or remove what is missing; columns are chosen by data.csv:1-30 or "
            "data.csv:label",
        ) from None
    if not table.size:
        raise DomainError(f"{quote(str(path))} has no rows")
    return table


def _is_row(cells: Sequence[str]) -> bool:
    """Whether the first line is one of numbers, of which some may be missing, and no header."""
    numbers = [_is_number(cell) for cell in cells]
    rest = [cell for cell, is_number in zip(cells, numbers, strict=True) if not is_number]
    return all(cell.lower() in MISSING for cell in rest) and (any(numbers) or not rest)


def _mistake(
    path: Path, delimiter: str | None, start: int, places: Sequence[int], count: int
) -> str:
    """The first cell that is no number, or row of another length, from the line `start` on."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip("\r\n")
            if number < start or not text.strip():
                continue
            cells = _cells(text, delimiter)
            if len(cells) != count:
                return f"line {number} has {len(cells)} columns, the first line {count}"
            for place in places:
                if not _is_number(cells[place]):
                    found = f"is {cells[place]!r}" if cells[place] else "is empty"
                    return f"line {number}, column {place + 1} {found}"
    return ""


def _cells(line: str, delimiter: str | None) -> list[str]:
    cells = line.split() if delimiter is None else next(csv.reader([line], delimiter=delimiter), [])
    return [cell.strip() for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(text: str, header: Sequence[str], count: int, path: Path) -> list[int]:
    """The places, from 0, of columns given by name, number or range of numbers."""
    places: list[int] = []
    for part in text.split(","):
        word = part.strip()
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if header.count(word) > 1:
            raise DomainError(
                f"{quote(str(path))} has several columns {quote(word)}",
                None,
                "choose one by its number",
            )
        if word in header:
            places.append(header.index(word))
        elif ends and 1 <= int(ends[1]) <= int(ends[2] or ends[1]) <= count:
            places += range(int(ends[1]) - 1, int(ends[2] or ends[1]))
        else:
            names = f", or of {', '.join(header)}" if header else ""
            raise UnknownNameError(
                f"{quote(str(path))} has no column {quote(word)}",
                None,
                quote(f"one of 1 to {count}{names}"),
            )
    return places
