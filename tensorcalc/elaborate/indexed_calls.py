"""``sum[i,j](…)`` in, the reduction over named indices out."""

from __future__ import annotations

import difflib
from dataclasses import replace

from tensorcalc.elaborate.arity import check_arity
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import IndexNotationError, UnknownNameError
from tensorcalc.reductions import REDUCTIONS, reduce_indices
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value


def indexed_call(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``sum[i,j](…)``, ``max[i](…)``: a reduction over named indices."""
    name, *indices = syntax.words
    if name not in REDUCTIONS:
        near = difflib.get_close_matches(name, REDUCTIONS, 1)
        raise UnknownNameError(
            f"{name}[…](…) is not a reduction",
            syntax.span,
            f"did you mean {near[0]}?" if near else f"they are {', '.join(REDUCTIONS)}",
        )
    check_arity(syntax, 1, 1)
    if len(set(indices)) < len(indices):
        raise IndexNotationError(
            f"{name}[{', '.join(indices)}] names an index twice",
            syntax.span,
            f"write `{name}[{', '.join(dict.fromkeys(indices))}](…)`",
        )
    value = yield reader.value(syntax.children[0], bound | frozenset(indices))
    value = replace(value, span=syntax.span)
    return reduce_indices(name, value, indices, syntax.span)
