"""``A[i,j]`` in, the value with its axes named out; Kronecker's and Levi-Civita's symbols."""

from __future__ import annotations

from tensorcalc import value as v
from tensorcalc.counting import offset_of
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import IndexNotationError
from tensorcalc.ir import Delta, LeviCivita, Node
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value

MAX_LEVI_CIVITA = 6


def open_subscript(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """A subscripted value as a factor."""
    if _is_reserved(reader, syntax, "delta") or _is_reserved(reader, syntax, "eps"):
        base = Value(_reserved(syntax, reader.shapes), span=syntax.span)
    else:
        base = yield reader.value(syntax.children[0], bound)
    subscripts = [subscript_of(reader, child) for child in syntax.children[1:]]
    return v.subscript(base, subscripts, reader.shapes, syntax.span)


def subscript_of(reader: Reader, syntax: Syntax) -> v.Subscript:
    """An index name, an integer, or an integer of a sum with an offset."""
    if syntax.kind == "number" and syntax.words[0].isdigit():
        return int(syntax.words[0])
    if syntax.kind == "name" and syntax.words[0] not in reader.counted:
        return syntax.words[0]
    counted = [
        reader.counted[part.words[0]]
        for part in (*syntax.children, syntax)
        if part.kind == "name" and part.words[0] in reader.counted
    ]
    if counted:
        offset = offset_of(syntax)
        if offset is not None:
            return counted[0].subscript(offset, syntax.span)
    raise IndexNotationError(
        f"a subscript is an index name or an integer from 0, not {syntax.span.source}",
        syntax.span,
        "for neighbouring entries: `sum[r=0..k-1](x[r]*x[r+1])`" if syntax.kind == "sum" else None,
    )


def _is_reserved(reader: Reader, syntax: Syntax, word: str) -> bool:
    """Whether a subscripted name is Kronecker's delta or Levi-Civita's epsilon."""
    base = syntax.children[0]
    spelled = ("eps", "epsilon") if word == "eps" else (word,)
    return (
        base.kind == "name"
        and base.words[0] in spelled
        and (base.words[0] != "epsilon" or len(syntax.children) > 2)
        and not reader.scope.knows(base.words[0])
    )


def _reserved(syntax: Syntax, shapes: Shapes) -> Node:
    """``delta[i,j]`` or ``eps[i,j,k]`` before its subscripts."""
    word, rank = syntax.children[0].words[0], len(syntax.children) - 1
    least, most = (2, 2) if word == "delta" else (2, MAX_LEVI_CIVITA)
    if not least <= rank <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise IndexNotationError(
            f"{word} takes {wanted} subscripts, {rank} given",
            syntax.span,
            "write `delta[i,j]*delta[j,k]` for three equal indices" if word == "delta" else None,
        )
    return Delta.of(shapes.fresh()) if word == "delta" else LeviCivita.of(rank)
