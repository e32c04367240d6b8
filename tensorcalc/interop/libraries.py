"""The name of an optional library in, the module or one clean error out."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tensorcalc.errors import TensorcalcError


def library(name: str, extra: str) -> Any:
    """The module `name`, which comes with the extra `extra` of this package.

    Raises
    ------
    TensorcalcError
        If it is not installed.

    >>> library("math", "none").sqrt(4.0)
    2.0
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise TensorcalcError(
            f"tensorcalc.interop.{extra} needs {name}, which cannot be imported: {error}",
            hint=f'pip install "tensorcalc[{extra}]"',
        ) from error
