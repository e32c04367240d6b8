"""A long matrix expression -> names for what it repeats, then the expression in terms of them.

The user's own definitions come first: where ``R = X - vector(1)*mu'`` was written, a result with
that in it is shown with R again. What else repeats gets a name of its own when that saves enough.
Used by `printing/document.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import matrix_algebra as m
from tensorcalc.dims import Dims
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.matrix_sizes import own_sizes
from tensorcalc.traverse import Steps, trampoline

ONE = Fraction(1)
MAX_COST = 1500  # symbols of an expression that is looked through
MIN_ALONG, MAX_LOST = 8, 3  # symbols of a user's definition, and what showing it may cost
MIN_COST = 25  # symbols of an expression that gets names of our own
# symbols that a name of our own must save (a product's more); a user's must save some
MIN_SAVED, MIN_SAVED_BY_PRODUCT = 5, 8
MAX_TRIED = 12
PLAIN = ("name", "number", "spread", "rows")
LINEAR = ("tr", "sum", "diag", "vec", "mean")
MAX_NAMES = 8
MAX_CHAIN = 4  # factors that are named together
LETTERS = {"scalar": "cdfgb", "column": "srtuvpqz", "matrix": "YZTUVWRS"}


@dataclass(frozen=True, slots=True)
class Definition:
    """A name, what it stands for, and the sizes of that."""

    name: str
    form: Matrix
    dims: Dims

    @property
    def symbol(self) -> Matrix:
        """The name as an expression."""
        form = self.form
        return m.name(self.name, form.shape, symmetric=form.symmetric, is_complex=form.is_complex)


def abbreviate(
    result: Matrix, definitions: Sequence[Definition], sizes: Mapping[str, Dims]
) -> tuple[list[Definition], Matrix]:
    """Definitions in order, each in terms of those before it, and the result in terms of all.

    `sizes` are those of the names in the expressions, which are not given anew.
    """
    if result.cost > MAX_COST:
        return [], result
    lines: list[Definition] = []
    for definition in sorted(definitions, key=lambda d: -d.form.cost):
        if definition.form.cost > 2 and definition.form.op != "name":
            found = _with(definition, lines, result)
            if _cost(*found) < _cost(lines, result):
                lines, result = found
    for definition in definitions if lines else ():  # one of the user's names calls for the others
        if definition.form.cost >= MIN_ALONG and definition.name not in {d.name for d in lines}:
            found = _with(definition, lines, result)
            if found[1] != result and _cost(*found) <= _cost(lines, result) + MAX_LOST:
                lines, result = found
    names = _names(sizes, [result, *[d.form for d in definitions]])
    while len(lines) < MAX_NAMES and _cost(lines, result) >= MIN_COST:
        best: tuple[list[Definition], Matrix] = lines, result
        before = least = _cost(lines, result)
        for form in _repeated([result, *[line.form for line in lines]]):
            text = next((n for n in names[form.shape] if n not in {d.name for d in lines}), None)
            dims = own_sizes(form, {**sizes, **{d.name: d.dims for d in lines}})
            if text is not None and dims is not None:
                found = _with(Definition(text, form, dims), lines, result)
                if _cost(*found) < least and before - _cost(*found) >= _enough(form):
                    best, least = found, _cost(*found)
        if best[1] is result:
            break
        lines, result = best
    return _in_order(lines), result


def _cost(lines: Iterable[Definition], result: Matrix) -> int:
    return result.cost + sum(line.form.cost + 2 for line in lines)


def _with(
    definition: Definition, lines: list[Definition], result: Matrix
) -> tuple[list[Definition], Matrix]:
    """Lines and result with one more name used wherever it fits."""
    fold = _Fold(definition)
    made = [replace(line, form=fold(line.form)) for line in lines]
    form = definition.form
    for line, new in zip(lines, made, strict=True):
        if new.form == line.form:  # else the two would name each other: K and K'
            form = _Fold(line)(form)
    return [*made, replace(definition, form=form)], fold(result)


def _in_order(lines: list[Definition]) -> list[Definition]:
    """The definitions with those first that others name."""
    waiting = {line.name: line for line in lines}
    done: list[Definition] = []
    while waiting:
        ready = [
            line for line in waiting.values()
            if not (_words(line.form) & waiting.keys()) - {line.name}
        ]  # fmt: skip
        if not ready:
            raise RuntimeError("definitions name each other")
        done += ready
        for line in ready:
            del waiting[line.name]
    return done


def _words(form: Matrix) -> set[str]:
    return {str(x.data) for x in _parts(form) if x.op == "name"}


def _parts(form: Matrix) -> Iterator[Matrix]:
    """All parts of an expression, each as often as it stands in it."""
    stack = [form]
    while stack:
        x = stack.pop()
        stack.extend(x.args)
        yield x


def _names(taken: Container[str], forms: Iterable[Matrix]) -> dict[str, list[str]]:
    """Free names by shape."""
    used = {word for form in forms for word in _words(form)}
    used |= {str(x.data) for form in forms for x in _parts(form) if x.op in ("call", "rangesum")}
    return {
        shape: [letter for letter in letters if letter not in used and letter not in taken]
        for shape, letters in LETTERS.items()
    }


# ── what repeats ─────────────────────────────────────────────────────────────────────────────


def _repeated(forms: Sequence[Matrix]) -> list[Matrix]:
    """What stands in the expressions more than once, vectors as columns."""
    counts: Counter[Matrix] = Counter()
    bound = {str(x.data) for form in forms for x in _parts(form) if x.op == "rangesum"}
    for form in forms:
        for x in _parts(form):
            for part in (x, *_chains(x)):
                if _is_worth_naming(part):
                    counts[_upright(part)] += 1
    saved = {form: count * (form.cost - 1) - form.cost - 2 for form, count in counts.items()}
    found = sorted((f for f in saved if saved[f] >= _enough(f)), key=lambda f: -saved[f])
    return [f for f in found if not bound or not _words(f) & bound][:MAX_TRIED]


def _is_worth_naming(x: Matrix) -> bool:
    is_scalars = x.op == "product" and not m.parts(x)[2]
    return x.op not in PLAIN and not is_scalars and x.cost > (2 if x.op == "call" else 3)


def _enough(form: Matrix) -> int:
    is_product = form.op == "product" and form.shape != "column"
    return MIN_SAVED_BY_PRODUCT if is_product else MIN_SAVED


def _upright(x: Matrix) -> Matrix:
    """The expression or its transpose: a column, or the shorter one."""
    turned = m.transpose(x)
    if x.shape == "row" or (x.shape == "matrix" and turned.cost < x.cost):
        return turned
    return x


def _chains(x: Matrix) -> Iterator[Matrix]:
    """Neighbouring factors of a product that make a vector."""
    if x.op != "product":
        return
    _, scalars, chain = m.parts(x)
    for size in range(2, min(MAX_CHAIN, len(chain)) + 1):
        for start in range(len(chain) - size + 1):
            made = m.product(ONE, [], chain[start : start + size])
            if made.shape in ("column", "row") and (size < len(chain) or scalars):
                yield made


# ── a name put in ────────────────────────────────────────────────────────────────────────────


class _Fold:
    """Puts a name wherever what it stands for is a part: a factor, some of the terms."""

    def __init__(self, definition: Definition) -> None:
        self.symbol = definition.symbol
        form = definition.form
        self.whole = {form.key: self.symbol}
        if form.shape != "scalar":
            self.whole.setdefault(m.transpose(form).key, m.transpose(self.symbol))
        self.patterns = [(form, self.symbol)]
        if form.shape != "scalar" and not form.symmetric:
            self.patterns.append((m.transpose(form), m.transpose(self.symbol)))
        self.done: dict[bytes, Matrix] = {}

    def __call__(self, x: Matrix) -> Matrix:
        return trampoline(self.visit(x))

    def visit(self, x: Matrix) -> Steps[Matrix]:
        if x.key in self.whole:
            return self.whole[x.key]
        if x.key not in self.done:
            args: list[Matrix] = []
            for arg in x.args:
                args.append((yield self.visit(arg)))
            made = x
            if any(a is not b for a, b in zip(args, x.args, strict=True)):
                made = rebuilt(x, args)
            for pattern, symbol in self.patterns:
                made = _matched(made, pattern, symbol)
            self.done[x.key] = made
        return self.done[x.key]


def rebuilt(x: Matrix, args: list[Matrix]) -> Matrix:
    """The same operator on other operands, tidied."""
    match x.op:
        case "product":
            coefficient, count = x.data
            return m.product(coefficient, args[:count], args[count:])
        case "sum":
            return m.sum_(zip(x.data, args, strict=True))
        case "hadamard":
            return m.hadamard(args)
        case "power":
            return m.power(args[0], args[1])
        case "transpose":
            return m.transpose(args[0])
        case "call" if x.data in LINEAR and len(args) == 1:
            coefficient, scalars, chain = m.parts(args[0])
            if chain:
                inner = x.with_args((m.product(ONE, [], chain),))
                shaped = [inner] if inner.shape != "scalar" else []
                return m.product(coefficient, [*scalars, *([] if shaped else [inner])], shaped)
    return x.with_args(tuple(args))


def _matched(x: Matrix, pattern: Matrix, symbol: Matrix) -> Matrix:
    """The expression with the symbol for the pattern, where that is among its terms or factors."""
    if pattern.op == "sum" and x.op == "sum" and x.shape == pattern.shape:
        return _in_sum(x, pattern, symbol)
    if x.op == "hadamard" and pattern.op == "hadamard":
        left = Counter(x.args) - Counter(pattern.args)
        if left.total() == len(x.args) - len(pattern.args):
            return m.hadamard([*left.elements(), symbol])
    if x.op == "product" and pattern.op in ("product", "call", "power"):
        return _in_product(x, pattern, symbol)
    return x


def _in_sum(x: Matrix, pattern: Matrix, symbol: Matrix) -> Matrix:
    known = {term: coefficient for coefficient, term in m.terms(x)}
    wanted = {term: coefficient for coefficient, term in m.terms(pattern)}
    ratios = {known[term] / c if term in known else None for term, c in wanted.items()}
    if len(ratios) != 1 or None in ratios:
        return x
    (ratio,) = ratios
    rest = [(c, term) for term, c in known.items() if term not in wanted]
    return m.sum_([*rest, (ratio or ONE, symbol)])


def _in_product(x: Matrix, pattern: Matrix, symbol: Matrix) -> Matrix:
    coefficient, scalars, chain = m.parts(x)
    own, wanted, inner = m.parts(pattern)
    left = Counter(scalars) - Counter(wanted)
    if left.total() != len(scalars) - len(wanted) or len(chain) < len(inner):
        return x
    if not inner:
        return m.product(coefficient / own, [*left.elements(), symbol], chain)
    for start in range(len(chain) - len(inner) + 1):
        if chain[start : start + len(inner)] == inner:
            rest = [*chain[:start], symbol, *chain[start + len(inner) :]]
            return m.product(coefficient / own, left.elements(), rest)
    return x
