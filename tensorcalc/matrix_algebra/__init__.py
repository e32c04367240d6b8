"""The matrix-expression algebra: what `recognize` makes and all printers of matrix form render.

A `Matrix` is an operator on smaller ones, with an orientation (`shape`) that the IR does not have.
The functions here build expressions tidily: double transposes vanish, transposes go where they
cost least, equal scalars become powers, common factors of sums are taken out when that is shorter.

===========  ===================================  =============================================
op           args                                 data
===========  ===================================  =============================================
name         –                                    text
number       –                                    Fraction
eye          –                                    its size as text, where it must be said
spread       a scalar, repeated at every entry    its size as text, where it must be said
product      scalars, then the chain of factors   (coefficient, number of scalars)
sum          terms                                coefficients
hadamard     factors                              –
power        base, exponent                       –
transpose    operand                              –
hermitian    operand                              –
matrixpower  base, exponent                       –
rangesum     body, first and last value           name of the counter
entry        operand                              integer subscripts
rows         entries or blocks, row by row        number of columns
call         arguments                            function name
compare      left, right                          function name (`lt` …)
===========  ===================================  =============================================

    expression.py  the expressions as such
    arithmetic.py  products, sums, powers; signs and common factors
    chains.py      the chain of a product's factors
    transposes.py  transposes, pushed in where that is shorter
    entrywise.py   functions applied entry by entry
    wording.py     the user's wording, which is kept to
"""

from tensorcalc.matrix_algebra.arithmetic import (
    diag as diag,
    hadamard as hadamard,
    power as power,
    product as product,
    sum_ as sum_,
)
from tensorcalc.matrix_algebra.chains import times as times
from tensorcalc.matrix_algebra.entrywise import entrywise as entrywise
from tensorcalc.matrix_algebra.expression import (
    ONE as ONE,
    TRANSPOSED as TRANSPOSED,
    Matrix as Matrix,
    call as call,
    entry as entry,
    eye as eye,
    matrix_power as matrix_power,
    name as name,
    number as number,
    ones as ones,
    parts as parts,
    range_sum as range_sum,
    rows as rows,
    spread as spread,
    terms as terms,
)
from tensorcalc.matrix_algebra.transposes import ENTRYWISE as ENTRYWISE, transpose as transpose
from tensorcalc.matrix_algebra.wording import (
    Wording as Wording,
    appearance as appearance,
    sketch as sketch,
    worded as worded,
)
