"""The normal form: facts of a node in, the one node that stands for them out.

Every node is built here, so equal formulas become one object. What is folded is what never makes
an expression larger: units of products and sums, deltas (by renaming labels), numbers (exact
rationals stay exact), equal terms and equal factors, transposes of transposes. Note that ``0*x``
is 0 and ``x/x`` is 1 also where x is infinite or NaN. Larger rewrites are `simplify.py`'s.

    arithmetic.py       numbers, sums, contractions, entrywise functions
    matrix_function.py  functions of matrices
    unknown.py          unknown functions
    range_sum.py        sums over integers
    rebuild.py          a node with other operands
    conjugate.py        the complex conjugate
    facts.py            what is known of a node
    labels.py           factors flattened, deltas absorbed
    structure.py        constants of structure (merged axes, blocks) in a contraction
    order.py            labels and operands in canonical order, antisymmetric axes, too
    contraction.py      the canonical numbering of a contraction's labels
"""

from tensorcalc.canonical.arithmetic import (
    NORMS as NORMS,
    SMALL as SMALL,
    add as add,
    contract as contract,
    einsum as einsum,
    elementwise as elementwise,
    number as number,
    ones as ones,
    power as power,
    scale as scale,
    size as size,
    without_axes as without_axes,
    zeros as zeros,
)
from tensorcalc.canonical.conjugate import conjugate as conjugate
from tensorcalc.canonical.facts import (
    Term as Term,
    as_number as as_number,
    is_symmetric as is_symmetric,
    is_zero as is_zero,
    terms_of as terms_of,
)
from tensorcalc.canonical.labels import Factor as Factor, expand as expand
from tensorcalc.canonical.matrix_function import matrix_function as matrix_function
from tensorcalc.canonical.range_sum import (
    range_sum as range_sum,
    replace_counter as replace_counter,
)
from tensorcalc.canonical.rebuild import rebuild as rebuild, rename_sizes as rename_sizes
from tensorcalc.canonical.unknown import unknown as unknown
