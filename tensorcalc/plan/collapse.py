"""The accesses of a nest in, the loops out that can run as one: neighbours wherever they occur.

Loops over axes that follow one another in every array with either of them number one stretch of
memory. As one loop they cost less to compile, vectorise better, and a product of tensors with a
dozen short axes has few loops. Used by `nest.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

Access = Sequence[object]  # one index per axis: a loop's number, or anything else


def collapse(
    accesses: Iterable[Access], kinds: Sequence[object], alone: Collection[int]
) -> list[tuple[int, ...]]:
    """Every loop, in runs that can be one; a loop's number is its place in `kinds`.

    Loops of different kinds are not joined, nor those that stand `alone`.

    >>> collapse([(0, 1, 2), (1, 2), (0,)], "aaa", ())
    [(0,), (1, 2)]
    """
    follows: dict[int, int | None] = {}  # the loop that always comes next, None if there is none
    leads: dict[int, int | None] = {}
    for access in accesses:
        loops = [k if isinstance(k, int) and k >= 0 else None for k in access]
        for before, after in zip([None, *loops], [*loops, None], strict=True):
            for table, one, other in ((follows, before, after), (leads, after, before)):
                if one is not None:
                    table[one] = other if table.get(one, other) == other else None
    joined = {
        first: second
        for first, second in follows.items()
        if second is not None
        and leads[second] == first
        and first != second
        and kinds[first] == kinds[second]
        and first not in alone
        and second not in alone
    }
    inner = set(joined.values())
    runs = []
    for loop in range(len(kinds)):
        if loop not in inner:
            run = [loop]
            while run[-1] in joined:
                run.append(joined[run[-1]])
            runs.append(tuple(run))
    return runs
