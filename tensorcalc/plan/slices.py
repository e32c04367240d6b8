"""Tasks in, tasks and passes over slices of an index out: the split index.

A pass works through the range of an index block by block, and within a block does all tasks that
depend on the index: what is large is read once while it is in the cache, what lies between the
tasks is no larger than a block, and sums over the index are added up from block to block. In
``X'*f(X*w)`` the index is that of the rows; in an attention block first the batch, then the query.

Loops of several tasks run over one index if one task reads, at its loop, the axis that another
writes at its own. Which index is split, and how long a block is, is decided by the bytes that the
program would move beyond the cache. Used by `schedule.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from math import prod
from pathlib import Path

from tensorcalc.dims import Dim
from tensorcalc.ir import Node
from tensorcalc.plan import ranges
from tensorcalc.plan.tasks import Place, Slice, Task, is_call

MAX_INDICES = 8  # that are tried, those of the most bytes
MAX_DEPTH = 2  # passes inside of each other
FRESH = 1 << 23  # bytes from which a new array costs as much again to get
FAR = 8  # times as much as in the core's own cache is in the next one …
FAR_COST = 0.4  # … whose bytes cost less than those of memory
MIN_SAVED = 1 << 20  # bytes that a pass must save …
MIN_SHARE = 0.2  # … and their share
STEP_BYTES = 4096  # what one more call or loop costs, as bytes moved in the same time
STRIP = 256  # bytes: neighbours in memory of half as many cost as much again to read
SHORT = 6  # bytes that a multiplication costs more in a product of one row than of many
CACHE_SIZE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")  # where Linux says it
ROWS = 32  # that a product of matrices should have
MAX_TRIED = 400  # arrangements
WHOLE = ("GEMM", "SYRK")  # which BLAS does in several threads
MAX_LEFT = 0.5  # the share of a program's work that may be BLAS's for it to have passes for threads


@cache
def cache_bytes() -> int:
    """Half of a core's own cache: the other half is for what streams through."""
    try:
        text = CACHE_SIZE.read_text(encoding="ascii").strip()
        found = int(text.removesuffix("K")) << 10
    except (OSError, ValueError):
        found = 1 << 20
    return max(1 << 19, min(found, 1 << 21) // 2)


@dataclass(slots=True)
class Pass:
    """Tasks, and passes, that are done block by block of one slice."""

    slice: Slice
    items: list[Item]


Item = Task | Pass


@dataclass(slots=True)
class Sliced:
    """How tasks are done: in order, and which axes of which results hold only a block."""

    items: list[Item]
    cuts: dict[Node, dict[int, Slice]] = field(default_factory=dict)


def slice_tasks(
    tasks: Sequence[Task],
    roots: Collection[Node],
    sizes: Mapping[str, int],
    item: int,
    budget: int | None = None,
    threads: int = 1,
) -> Sliced:
    """The order of the tasks, with passes where these save memory traffic.

    `item` is the bytes of a number, `budget` the bytes of a block and what it needs. For more than
    one of `threads` there are passes over what is much work, too.
    """
    arranger = _Arranger(tasks, roots, sizes, item, budget or cache_bytes())
    _, items = arranger.best(list(tasks), 0)
    if threads > 1:
        items = arranger.shared(items, threads)
    for place in _passes(items):
        arranger.fix(*place)
    return Sliced(items, arranger.block_axes(items))


def tasks_of(items: Sequence[Item]) -> Iterator[Task]:
    """All tasks, those in passes included."""
    for item in items:
        if isinstance(item, Pass):
            yield from tasks_of(item.items)
        else:
            yield item


def _passes(items: Sequence[Item]) -> Iterator[tuple[Pass, list[Task]]]:
    """All passes, each with its tasks, before those inside of it."""
    for item in items:
        if isinstance(item, Pass):
            yield item, list(tasks_of(item.items))
            yield from _passes(item.items)


Loop = tuple[Task, int]  # a task and the number of one of its loops


class _Arranger:
    """The search for the passes that save most."""

    def __init__(
        self,
        tasks: Sequence[Task],
        roots: Collection[Node],
        sizes: Mapping[str, int],
        item: int,
        budget: int,
    ) -> None:
        self.roots, self.sizes, self.item, self.budget = set(roots), sizes, item, budget
        self.of = {task.node: task for task in tasks}
        self.users: dict[Node, list[Task]] = {}
        for task in tasks:
            for node in {node for node, _ in task.reads}:
                self.users.setdefault(node, []).append(task)
        self.passed = {task.node for task in tasks if self.is_passed_on(task)}
        self.indices = self._indices(tasks)
        self.loops: dict[Task, dict[Slice, int]] = {}  # which loop of a task a slice cuts
        self.tried = 0
        self.known: dict[tuple[Task, ...], tuple[float, list[Item]]] = {}

    # ── indices: loops of several tasks that run together ────────────────────────────────────

    def _indices(self, tasks: Sequence[Task]) -> dict[Loop, Loop]:
        """Every loop's index, named by one of its loops."""
        parent: dict[Loop, Loop] = {(t, k): (t, k) for t in tasks for k in range(len(t.space))}

        def find(loop: Loop) -> Loop:
            while parent[loop] != loop:
                parent[loop] = loop = parent[parent[loop]]
            return loop

        members: dict[Loop, set[Task]] = {loop: {loop[0]} for loop in parent}

        def join(first: Loop, second: Loop) -> None:
            first, second = find(first), find(second)
            if first != second and members[first].isdisjoint(members[second]):
                parent[second] = first
                members[first] |= members.pop(second)

        for task in tasks:
            for node, place in task.reads:
                made = self.of.get(node)
                if made is None:
                    continue
                for mine, theirs in zip(place, made.target, strict=True):
                    if not (_is_loop(mine) and _is_loop(theirs)):
                        continue
                    # a loop may read only the first part of what a longer one writes
                    if task.space[mine] == made.space[theirs]:  # type: ignore[index]
                        join((made, theirs), (task, mine))  # type: ignore[arg-type]
        by_dim: dict[Dim, list[Loop]] = {}
        for loop in parent:
            if find(loop) == loop:
                by_dim.setdefault(loop[0].space[loop[1]], []).append(loop)
        for found in by_dim.values():  # of one size, though nothing says that they belong together
            for other in found[1:]:
                join(found[0], other)
        return {loop: find(loop) for loop in parent}

    def is_passed_on(self, task: Task) -> bool:
        """Whether only tasks of the same loops read a result: then it is never stored."""
        readers = self.users.get(task.node, ())
        if task.node in self.roots or task.reduced or not readers or not task.is_nest:
            return False
        loops = sorted(k for k in task.target if _is_loop(k))  # type: ignore[type-var]
        return loops == list(range(len(task.space))) and all(
            user.is_nest
            and Counter(user.space) == Counter(task.space)
            and all(_is_loop(k) for k, own in zip(place, task.target, strict=True) if _is_loop(own))
            for user in readers
            for node, place in user.reads
            if node is task.node
        )

    # ── bytes ────────────────────────────────────────────────────────────────────────────────

    def extent(self, task: Task, loop: int) -> int:
        """How many points a loop has, within a block if it is cut."""
        whole = task.space[loop].value(self.sizes)
        return min(whole, task.cut[loop].block) if loop in task.cut else whole

    def bytes(self, task: Task, node: Node, place: Place) -> int:
        """The bytes of what a task touches of a node."""
        loops = {index for index in place if _is_loop(index)}
        extents = [self.extent(task, index) for index in loops]  # type: ignore[arg-type]
        extents += [
            dim.value(self.sizes)
            for dim, index in zip(node.dims, place, strict=True)
            if index not in loops and not (isinstance(index, int) and index < 0)
        ]
        return self.item * prod(extents)

    def touched(self, task: Task) -> dict[Node, int]:
        """The bytes of every node that a task reads or writes."""
        found: dict[Node, int] = {}
        for node, place in (*task.reads, *[(task.node, target) for target in task.targets]):
            count = 0 if node in self.passed else self.bytes(task, node, place)
            found[node] = min(self.item * self.elements(node), max(found.get(node, 0), count))
        return found

    def elements(self, node: Node) -> int:
        return prod(dim.value(self.sizes) for dim in node.dims)

    def plain(self, tasks: Sequence[Task], near: float = 1.0) -> float:
        """The bytes moved beyond the cache by tasks that are done one after the other.

        `near` is what it costs to touch a byte for the first time.
        """
        once, each = self.moved(tasks)
        steps = STEP_BYTES * len(tasks) + sum(self.waste(task) for task in tasks)
        return steps + near * once + self.rate(once) * (each - once)

    def moved(self, tasks: Sequence[Task]) -> tuple[int, int]:
        """The bytes of all that tasks touch, and the same counted anew for every task."""
        most: dict[Node, int] = {}
        each = fresh = 0
        for task in tasks:
            for node, count in self.touched(task).items():
                if count > self.budget // 8 or node not in most:
                    each += count
                if node is task.node and count > FRESH and node not in self.roots:
                    fresh += count  # the system has to find the memory
                most[node] = max(most.get(node, 0), count)
        once = sum(most.values())
        return once + fresh, max(once, each) + fresh

    def rate(self, total: int) -> float:
        """What it costs to touch a byte again, by how many there are."""
        if total <= self.budget:
            return 0.0
        return FAR_COST if total <= FAR * self.budget else 1.0

    def waste(self, task: Task) -> float:
        """What short blocks cost a product of matrices, and more calls of it, as bytes."""
        if "GEMM" not in task.chosen.kind and task.chosen.kind != "SYRK":
            return 0.0
        work = prod(self.extent(task, k) for k in range(len(task.space)))
        lost, calls = 0.0, 1
        for group in (task.chosen.m, task.chosen.n, task.chosen.k):
            whole = prod(task.space[k].value(self.sizes) for k in group)
            block = prod(self.extent(task, k) for k in group)
            lost += SHORT / max(1, block) - SHORT / max(1, whole)
            before = max([place for place, k in enumerate(group) if k in task.cut], default=0)
            calls *= prod(self.extent(task, k) for k in group[:before])
        return work * lost + STEP_BYTES * (calls - 1)

    # ── the search ───────────────────────────────────────────────────────────────────────────

    def best(self, tasks: list[Task], depth: int, near: float = 1.0) -> tuple[float, list[Item]]:
        """The cheapest way to do the tasks: in order, or with passes."""
        if depth == 0 and tuple(tasks) in self.known:
            return self.known[tuple(tasks)]
        cost = limit = self.plain(tasks, near)
        chosen: list[Item] = list(tasks)
        if depth >= MAX_DEPTH or cost <= self.budget:
            return cost, chosen
        for index in self.candidates(tasks):
            loops = {t: k for t in tasks for k in range(len(t.space))
                     if self.indices[t, k] == index and k not in t.cut}  # fmt: skip
            for block in self.blocks(loops):
                if self.tried >= MAX_TRIED:
                    break
                self.tried += 1
                found = self.with_slice(tasks, loops, block, depth, near)
                least = 0 if depth else MIN_SAVED
                if found[0] < min(cost, limit * (1 - MIN_SHARE), limit - least):
                    cost, chosen = found
        if depth == 0:
            self.known[tuple(tasks)] = cost, chosen
        return cost, chosen

    def candidates(self, tasks: Sequence[Task]) -> list[Loop]:
        """The indices of the most bytes."""
        weight: dict[Loop, int] = {}
        for task in tasks:
            count = sum(self.touched(task).values())
            for k in range(len(task.space)):
                if k not in task.cut and self.extent(task, k) > 1:
                    index = self.indices[task, k]
                    weight[index] = weight.get(index, 0) + count
        return sorted(weight, key=lambda index: -weight[index])[:MAX_INDICES]

    def blocks(self, loops: Mapping[Task, int]) -> list[int]:
        """Lengths of a block to try: as long as its slices fit into half of the cache, and 1."""
        if not loops:
            return []
        task, loop = next(iter(loops.items()))
        extent = self.extent(task, loop)
        unit = sum(self.units(loops).values())
        fitting = max(1, self.budget // 2 // max(1, unit))
        found = {1 << (fitting.bit_length() - 1), 1 << (fitting * FAR // 2).bit_length() - 1}
        if fitting < ROWS:
            found |= {1, ROWS // 2, ROWS, 2 * ROWS, 4 * ROWS}
        return sorted(block for block in found if 2 * block <= extent)

    def units(self, loops: Mapping[Task, int]) -> dict[Node, int]:
        """The bytes of what one point of a slice touches, of nodes that have it for an axis."""
        most: dict[Node, int] = {}
        for task, loop in loops.items():
            extent = self.extent(task, loop)
            for node, place in (*task.reads, (task.node, task.target)):
                if loop in place and node not in self.passed:
                    count = self.bytes(task, node, place) // max(1, extent)
                    most[node] = max(most.get(node, 0), count)
        return most

    def with_slice(
        self,
        tasks: list[Task],
        loops: Mapping[Task, int],
        block: int,
        depth: int,
        near: float = 1.0,
        wanted: Callable[[Sequence[Task]], bool] = lambda inside: False,
    ) -> tuple[float, list[Item]]:
        """The tasks in passes over one index, and what these cost.

        A pass stands where it saves something, or is `wanted`.
        """
        dim = next(task.space[loop] for task, loop in loops.items())
        level = self.levels(tasks, loops)
        items: list[Item] = []
        cost = 0.0
        for number in range(max(level.values()) + 1):
            plain = [task for task in tasks if level[task] == number and task not in loops]
            if plain:
                more, done = (
                    self.best(plain, depth) if depth == 0 else (self.plain(plain, near), plain)
                )
                cost, items = cost + more, [*items, *done]
            inside = [task for task in tasks if level[task] == number and task in loops]
            if not inside:
                continue
            whole = self.plain(inside, near)
            extent = self.extent(inside[0], loops[inside[0]])
            count = -(-extent // block)
            new = Slice(dim, block)
            for task in inside:
                task.cut[loops[task]] = new
            fixed, added, local, strips = self.traffic(inside, new)
            steps = STEP_BYTES * len(inside) + sum(self.waste(task) for task in inside)
            total, each = self.moved(inside)
            passing = near * (max(0, total - fixed - local) + strips)
            once, done = self.best(inside, depth + 1, min(near, self.rate(total)))
            if any(isinstance(found, Pass) for found in done):
                more = count * (passing + once)
            elif total <= self.budget:  # blocks, and what is added to, never leave the cache
                more = count * (passing + steps) + near * (fixed + added)
            elif total - fixed <= self.budget:
                more = count * (passing + steps + self.rate(total) * (fixed + added))
            else:
                again = max(0, each + added + fixed + local - total)
                more = count * (passing + steps + self.rate(total) * again)
            for task in inside:
                del task.cut[loops[task]]
            if more < whole or wanted(inside):
                for task in inside:
                    self.loops.setdefault(task, {})[new] = loops[task]
                cost, items = cost + more, [*items, Pass(new, done)]
            else:
                cost, items = cost + whole, [*items, *inside]
        return cost, items

    def shared(self, items: Sequence[Item], threads: int) -> list[Item]:
        """The items, with passes where tasks without one are work that threads can share."""
        result: list[Item] = []
        for is_pass, run in groupby(items, lambda item: isinstance(item, Pass)):
            group = list(run)
            result += group if is_pass else self.for_threads(list(tasks_of(group)), threads)
        return result

    def for_threads(self, tasks: list[Task], threads: int) -> list[Item]:
        """The tasks in passes over the index of most work, if there is one.

        Products of whole matrices and functions of them are left to BLAS, which has its threads.
        """
        work = {task: self.work(task) for task in tasks}
        left = sum(work[task] for task in tasks if _is_of_whole(task))
        total = sum(work.values())
        chosen: list[Item] = list(tasks)
        if total < ranges.MIN_WORK or left > MAX_LEFT * total:
            return chosen
        best = 0.0, 0.0
        for index in self.candidates(tasks):
            loops = {t: k for t in tasks for k in range(len(t.space))
                     if self.indices[t, k] == index}  # fmt: skip
            extent = self.extent(*next(iter(loops.items())))
            whole = -(-extent // (ranges.SHARES[0] * threads))
            if extent < 2 * threads:
                continue

            def wanted(inside: Sequence[Task], loops: Mapping[Task, int] = loops) -> bool:
                kept = {t.node: t.target for t in inside if loops[t] in t.reduced}
                added = self.item * sum(self.elements(node) for node in kept)
                done = sum(work[task] for task in inside)
                return done > max(ranges.MIN_WORK, ranges.MAX_ADDED * added * threads)

            for block in {*[b for b in self.blocks(loops) if b < whole], whole}:
                cost, items = self.with_slice(tasks, loops, block, 0, 1.0, wanted)
                inside = tasks_of([item for item in items if isinstance(item, Pass)])
                found = round(sum(work[task] for task in inside) / total, 1), -cost
                if found > best:
                    best, chosen = found, items
        return chosen

    def work(self, task: Task) -> int:
        """The operations of a task and half the bytes that it touches."""
        points = prod(dim.value(self.sizes) for dim in task.space) * len(task.instances)
        return 2 * points + sum(self.touched(task).values()) // 2

    def traffic(self, tasks: Sequence[Task], new: Slice) -> tuple[int, int, int, int]:
        """Bytes of a block: of what has no axis that is cut, is added to, is for the block only.

        And what it costs that a block of an array's last axis is strips of it, as bytes.
        """
        most: dict[Node, int] = {}
        fixed: set[Node] = set()
        added: set[Node] = set()
        local: set[Node] = set()
        strips: set[Node] = set()
        inside = {task.node for task in tasks}
        for task in tasks:
            for node, count in self.touched(task).items():
                most[node] = max(most.get(node, 0), count)
            (loop,) = [k for k, cut in task.cut.items() if cut is new]
            fixed |= {node for node, place in task.reads if loop not in place}
            places = (*task.reads, (task.node, task.target))
            strips |= {node for node, place in places if len(place) > 1 and place[-1] == loop}
            if loop in task.reduced:
                added.add(task.node)
            elif task.node not in self.roots and inside.issuperset(
                user.node for user in self.users.get(task.node, ())
            ):
                local.add(task.node)
        fixed = (fixed - inside) | added
        return (
            sum(most[node] for node in fixed),
            sum(most[node] for node in added),
            sum(most[node] for node in local),
            sum(most[node] for node in strips - local) * STRIP // (2 * self.item * new.block),
        )

    def levels(self, tasks: Sequence[Task], loops: Mapping[Task, int]) -> dict[Task, int]:
        """Which pass a task belongs to; one without the index comes before the pass of its number.

        What is summed over the index, or read across it, is there after the pass only.
        """
        level: dict[Task, int] = {}
        for task in tasks:
            own = 0
            for node, place in task.reads:
                made = self.of.get(node)
                if made is None or made not in level:
                    continue
                later = made in loops and not self.is_aligned(made, task, place, loops)
                own = max(own, level[made] + later)
            level[task] = own
        for task in reversed(tasks):  # as late as those that read it: less is kept whole
            readers = [user for user in self.users.get(task.node, ()) if user in level]
            if task in loops and loops[task] not in task.reduced and readers:
                if task.node in self.roots:
                    continue
                aligned = all(
                    user in loops and self.is_aligned(task, user, place, loops)
                    for user in readers
                    for node, place in user.reads
                    if node is task.node
                )
                least = min(level[user] for user in readers)
                if aligned and least > level[task] and not self.holds(task, least, level, loops):
                    level[task] = least
        return level

    def holds(
        self, task: Task, later: int, level: Mapping[Task, int], loops: Mapping[Task, int]
    ) -> bool:
        """Whether what others read before a later pass would be kept whole for a task in it."""
        for node, place in task.reads:
            made = self.of.get(node)
            if made is None or made not in loops or level[made] >= later or node in self.roots:
                continue
            if self.elements(node) < self.elements(task.node):
                continue
            others = [user for user in self.users[node] if user is not task and user in level]
            if self.is_aligned(made, task, place, loops) and any(level[o] < later for o in others):
                return True
        return False

    def is_aligned(self, made: Task, reader: Task, place: Place, loops: Mapping[Task, int]) -> bool:
        """Whether a task reads, of another in the same pass, its own slice only."""
        loop = loops[made]
        if reader not in loops or loop in made.reduced:
            return False
        axes = [axis for axis, index in enumerate(made.target) if index == loop]
        return bool(axes) and all(place[axis] == loops[reader] for axis in axes)

    # ── what was chosen ──────────────────────────────────────────────────────────────────────

    def fix(self, found: Pass, tasks: Sequence[Task]) -> None:
        """Cut the loops of the tasks of a pass."""
        for task in tasks:
            task.cut[self.loops[task][found.slice]] = found.slice

    def block_axes(self, items: Sequence[Item]) -> dict[Node, dict[int, Slice]]:
        """The axes of results that nobody needs beyond a block."""
        inside: dict[Task, set[Slice]] = {}
        for found, tasks in _passes(items):
            for task in tasks:
                inside.setdefault(task, set()).add(found.slice)
        cuts: dict[Node, dict[int, Slice]] = {}
        for task in inside:
            if task.node in self.roots:
                continue
            for axis, index in enumerate(task.target):
                found_slice = task.cut.get(index) if isinstance(index, int) else None
                if found_slice is None or task.target.count(index) > 1:
                    continue
                readers = self.users.get(task.node, ())
                if all(
                    found_slice in inside.get(user, ())
                    and isinstance(place[axis], int)
                    and user.cut.get(place[axis]) is found_slice  # type: ignore[arg-type]
                    for user in readers
                    for node, place in user.reads
                    if node is task.node
                ):
                    cuts.setdefault(task.node, {})[axis] = found_slice
        return cuts


def _is_of_whole(task: Task) -> bool:
    """Whether it is one product of matrices, or a function of one."""
    return is_call(task.node) or (task.chosen.kind in WHOLE and not task.chosen.loops)


def _is_loop(index: object) -> bool:
    return isinstance(index, int) and index >= 0
