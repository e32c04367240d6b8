"""The syntax tree that the parser makes and the elaborator reads: kinds, children, spans.

One node type serves every construct; `kind` says which, `words` holds its names, operators or
digits, `children` its parts. Nothing here recurses: trees may be 100,000 levels deep.

==============  =================================  =============================================
kind            words                              children
==============  =================================  =============================================
program                                            statements
declaration     (kind, *properties)                a ``names`` node, then the dims (expressions)
abstract        (kind, *properties)                ``names``, ``names`` after ``of``, then the dims
function                                           ``names``, argument types…, result ``type``
names           names declared together
type            (kind,)                            its dims (expressions)
define                                             target (name or subscript), value
value                                              expression
arrow           index names                        expression
sum             signs ``+``/``-``, one per term    terms
product         operators, one per factor          factors (the first operator is ``*``)
negate                                             operand
power           (``^`` or ``.^``,)                 base, exponent
transpose                                          operand
hermitian                                          operand
compare         (operator,)                        left, right
subscript                                          base, subscripts…
call            (function name,)                   arguments…
indexed_call    (function name, *index names)      arguments…
range_call      (function name, index name)        from, to, arguments…
rows                                               rows of an explicit matrix
row                                                entries
name            (name,)
number          (digits,)
string          (text,)
node            an IR node already made (`payload`): how Python operators hold results
==============  =================================  =============================================
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorcalc.errors import Span


@dataclass(frozen=True, slots=True, eq=False)
class Syntax:
    """A construct of the language, as written."""

    kind: str
    words: tuple[str, ...]
    children: tuple[Syntax, ...]
    span: Span
    payload: object = None
