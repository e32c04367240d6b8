"""The range of an index and the work of its pass in, the ranges that threads do out.

Used by `slices.py`, which makes passes of large loops for several threads, and by `plan`.
"""

from __future__ import annotations

from itertools import pairwise

MIN_WORK = 10_000_000  # operations and half the bytes; half a millisecond or more
PAUSE = 500_000_000  # work after which a thread looks for an interrupt: at most some 0.2 s
SHARES = (4, 2, 1)  # ranges per thread: of several, a thread that is late does fewer
MIN_BLOCKS = 4  # that a range has if there are several per thread
MAX_ADDED = 8  # work for each byte of the results that every range has for its own


def is_large(work: int) -> bool:
    """Whether a program of so much work may have parts for several threads."""
    return 4 * work >= MIN_WORK


def split_range(
    extent: int, block: int, work: int, added: int, threads: int
) -> tuple[tuple[int, ...], ...]:
    """The ranges of an index in which threads do a pass, with the positions where one may pause.

    `added` are the bytes of what is joined from range to range. None if that is too much, or the
    work not worth it.

    >>> split_range(100, 8, 10**7, 8, 2)
    ((0, 50), (50, 100))
    >>> split_range(100, 1, 6 * 10**9, 8, 2)[:2]
    ((0, 6, 12), (12, 18, 25))
    """
    if threads < 2 or extent < threads or work < MIN_WORK:
        return ()
    for share in SHARES:
        count = share * threads
        if share > 1 and count * MIN_BLOCKS * block > extent:
            continue
        if MAX_ADDED * added * count <= work:
            break
    else:
        return ()
    pauses = min(1 + work // (count * PAUSE), max(1, extent // (count * block)))
    ends = [extent * k // count for k in range(count + 1)]
    return tuple([
        tuple([low + (high - low) * k // pauses for k in range(pauses + 1)])
        for low, high in pairwise(ends)
    ])  # fmt: skip
