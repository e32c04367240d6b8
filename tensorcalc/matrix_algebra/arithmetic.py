"""Products, sums and powers, tidied as they are made: each folds into the others.

The exponents of a product are sums, and what the terms of a sum have in common makes products; a
sign that is pulled out of a factor turns a sum around. So these constructors stand together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from tensorcalc.matrix_algebra.chains import chained, is_mirrored, shorter_turned
from tensorcalc.matrix_algebra.expression import (
    ONE,
    Matrix,
    Term,
    call,
    eye,
    is_identity,
    is_row_of_ones,
    number,
    ones,
    parts,
    primed,
    rows,
    spread,
    terms,
)
from tensorcalc.matrix_algebra.transposes import pushed, transpose
from tensorcalc.matrix_algebra.wording import (
    MAX_FACTORED,
    PLAIN,
    appearance,
    current_wording,
    is_written,
    order_of_scalar,
    order_of_term,
    sketch,
)

MIN_SAVED = 4  # symbols that taking a factor out of some terms of a sum, not of all, must save
MAX_TRIED = 4  # factors that may be taken out, those that save most at first sight
MAX_KNOWN = 4096  # sums that are remembered
SCALARS, LAST, FIRST = range(3)

# ── products ─────────────────────────────────────────────────────────────────────────────────


def product(coefficient: Fraction, scalars: Iterable[Matrix], chain: Iterable[Matrix]) -> Matrix:
    """``coefficient * scalars * chain``; units vanish, nested products open."""
    loose: list[Matrix] = []
    flat: list[Matrix] = []
    for scalar in scalars:
        c, inner, own = parts(scalar)
        coefficient *= c
        loose += inner
        if own:
            loose.append(chained(ONE, [], own))
    for factor in chain:
        turned = factor.op == "transpose" and factor.args[0].op == "product"
        c, inner, own = parts(factor.args[0] if turned else factor)
        coefficient *= c
        loose += inner
        flat += [transpose(f) for f in reversed(own)] if turned else own
    units = [factor for factor in flat if factor.op == "eye" or is_identity(factor)]
    if units:
        flat = [factor for factor in flat if factor not in units] or units[:1]
    flat = _outer_sums(
        [
            transpose(factor) if factor.shape == "matrix" and factor.symmetric else factor
            for factor in flat
        ]
    )
    kept = _merged_powers(loose)
    if not flat and len(kept) == 1 and kept[0].op == "product":
        c, kept, flat = parts(kept[0])
        coefficient *= c
    if len(flat) == 1 and flat[0].op == "spread":
        return spread(product(coefficient, [*kept, *flat[0].args], []), flat[0].shape)
    sign, flat = _pull_out(coefficient, flat)
    coefficient *= sign
    sign, kept = _pull_out(coefficient, kept)
    coefficient *= sign
    return chained(coefficient, sorted(kept, key=order_of_scalar), shorter_turned(flat))


def _merged_powers(factors: Iterable[Matrix]) -> list[Matrix]:
    """The factors with the powers of one base made one."""
    powers: dict[Matrix, list[Matrix]] = {}
    for factor in factors:
        is_power = factor.op == "power" and factor.args[1].shape == "scalar"
        base, exponent = factor.args if is_power else (factor, number(ONE))
        powers.setdefault(base, []).append(exponent)
    merged = []
    for base, exponents in powers.items():
        total = exponents[0] if len(exponents) == 1 else sum_([(ONE, e) for e in exponents])
        if not (total.op == "number" and total.data == 0):
            merged.append(power(base, total))
    return merged


def _outer_sums(chain: list[Matrix]) -> list[Matrix]:
    """In an outer product ``vector(1)'*X`` is written as the row ``sum(X, 1)``."""
    done: list[Matrix] = []
    for factor in chain:
        is_outer = len(done) > 1 and done[-2].shape == "column" and is_row_of_ones(done[-1])
        if is_outer and factor.shape == "matrix":
            done[-1] = _column_sums(factor)
        else:
            done.append(factor)
    return done


def _column_sums(x: Matrix) -> Matrix:
    if x.op == "transpose" or x.symmetric:
        return Matrix("transpose", "row", (product(ONE, [], [transpose(x), ones("column")]),))
    return call("sum", [x, number(ONE)], "row")


def _scaled(coefficient: Fraction, x: Matrix) -> Matrix:
    """A number times an expression."""
    return x if coefficient == 1 else product(coefficient, [], [x])


def hadamard(factors: Iterable[Matrix]) -> Matrix:
    """The entrywise product; numbers and scalars go in front."""
    coefficient = ONE
    scalars: list[Matrix] = []
    flat: list[Matrix] = []
    shape = "scalar"
    for factor in factors:
        if factor.op == "spread":
            scalars += factor.args
            shape = factor.shape
            continue
        c, own, chain = parts(factor)
        if len(chain) == 1 and chain[0].op == "hadamard":
            flat += chain[0].args
        elif chain:
            flat.append(chained(ONE, [], chain))
        coefficient *= c
        scalars += own
    if not flat:
        return spread(product(coefficient, scalars, []), shape)
    sign, merged = _pull_out(coefficient, _merged_powers(flat))
    coefficient *= sign
    merged.sort(key=lambda f: (f.op == "power", f.cost, appearance(sketch(f))))
    if not merged:
        return spread(product(coefficient, scalars, []), flat[0].shape)
    if len(merged) == 1:
        return product(coefficient, scalars, merged)
    cost = len(merged) - 1 + sum(f.op in ("sum", "product") for f in merged)
    symmetric = all(f.symmetric for f in merged)
    inner = Matrix("hadamard", merged[0].shape, tuple(merged), cost=cost, symmetric=symmetric)
    return product(coefficient, scalars, [inner])


def power(base: Matrix, exponent: Matrix) -> Matrix:
    """``base^exponent``, entry by entry."""
    if exponent.op == "number" and exponent.data == 1:
        return base
    shape = base.shape if base.shape != "scalar" else exponent.shape
    even = exponent.op == "number" and exponent.data.denominator == 1 and exponent.data % 2 == 0
    if even and _written_sign(base) == -1:
        base = _multiplied(-ONE, base)
    symmetric = base.symmetric and (exponent.shape == "scalar" or exponent.symmetric)
    return Matrix("power", shape, (base, exponent), symmetric=symmetric)


def diag(vector: Matrix) -> Matrix:
    """The diagonal matrix of a column."""
    if vector.op == "spread":
        return product(ONE, [*vector.args], [eye()])
    return call("diag", [vector], "matrix", symmetric=True)


# ── signs ────────────────────────────────────────────────────────────────────────────────────


def _pull_out(coefficient: Fraction, chain: list[Matrix]) -> tuple[Fraction, list[Matrix]]:
    """Pull numbers out of sums, and turn signs around where that leaves fewer of them.

    A difference that the user wrote keeps the sign that it has there.
    """
    factor_out = ONE
    balanced = []
    result = list(chain)
    for k, factor in enumerate(chain):
        inner = factor.args[0] if factor.op == "transpose" else factor
        if inner.op != "sum":
            continue
        coefficients = [c for c, _ in terms(inner)]
        common = abs(coefficients[0])
        if any(abs(c) != common for c in coefficients):
            common = ONE
        negative = sum(c < 0 for c in coefficients)
        if (sign := _written_sign(_multiplied(1 / common, inner))) is not None:
            common *= sign
        elif 2 * negative > len(coefficients):
            common = -common
        elif 2 * negative == len(coefficients):
            balanced.append(k)
        if common != 1:
            result[k] = _multiplied(1 / common, factor)
            factor_out *= common
    # one difference may turn around; two, as in a quadratic form, are better left alike
    if len(balanced) == 1 and coefficient * factor_out < 0:
        result[balanced[0]] = _multiplied(-ONE, result[balanced[0]])
        factor_out = -factor_out
    for k, factor in enumerate(result):  # an odd power of a difference turns around like it
        if factor.op == "rows" and coefficient * factor_out < 0:
            turned = [product(-ONE, [], [entry]) for entry in factor.args]
            if sum(entry.cost for entry in turned) <= sum(entry.cost for entry in factor.args):
                result[k] = factor.with_args(tuple(turned))
                factor_out = -factor_out
        if factor.op == "power" and _is_odd(factor.args[1]) and factor.args[0].op == "sum":
            base, exponent = factor.args
            sign = _written_sign(base)
            negative = sum(c < 0 for c, _ in terms(base))
            free = sign is None and 2 * negative == len(base.args)
            if sign == -1 or (free and coefficient * factor_out < 0):
                result[k] = power(_multiplied(-ONE, base), exponent)
                factor_out = -factor_out
    return factor_out, result


def _is_odd(exponent: Matrix) -> bool:
    return exponent.op == "number" and exponent.data.denominator == 1 and exponent.data % 2 == 1


def _multiplied(by: Fraction, factor: Matrix) -> Matrix:
    """A sum, or a transposed sum, with every coefficient multiplied."""
    inner = factor.args[0] if factor.op == "transpose" else factor
    total = _plain_sum([(by * c, t) for c, t in terms(inner)])
    return transpose(total) if factor.op == "transpose" else total


def _written_sign(x: Matrix) -> int | None:
    """The sign by which a sum becomes one of the user's; None if it is none of them."""
    written = current_wording().sums
    if not written or x.op != "sum" or len(x.args) > MAX_FACTORED:
        return None
    if not {x.key, transpose(x).key}.isdisjoint(written):
        return 1
    turned = _multiplied(-ONE, x)
    return None if {turned.key, transpose(turned).key}.isdisjoint(written) else -1


# ── sums ─────────────────────────────────────────────────────────────────────────────────────


def sum_(items: Iterable[Term]) -> Matrix:
    """The sum, with common factors taken out where that is shorter."""
    return _factored(_merge(_added_diagonals(_added_rows(list(items)))))


def _plain_sum(items: Iterable[Term]) -> Matrix:
    """The sum of the terms as they are, equal ones merged."""
    return _build(_merge(items))


def _merge(items: Iterable[Term]) -> list[Term]:
    """Terms without coefficients of their own; equal ones merged."""
    merged: dict[Matrix, Fraction] = {}
    for coefficient, item in items:
        for c, term in terms(item):
            own, scalars, chain = parts(term)
            bare = term if own == 1 else chained(ONE, scalars, chain)
            own *= coefficient * c
            if own < 0 and len(chain) > 1:  # a difference in it may turn around
                sign, turned = _pull_out(own, chain)
                if sign < 0:
                    own, bare = own * sign, chained(ONE, scalars, turned)
            merged[bare] = merged.get(bare, Fraction(0)) + own
    return [(c, t) for t, c in merged.items() if c]


def _added_rows(items: Sequence[Term]) -> list[Term]:
    """The terms with matrices written out added entry by entry."""
    groups: dict[tuple[object, ...], list[Term]] = {}
    for coefficient, term in items:
        own, scalars, chain = parts(term)
        if not scalars and len(chain) == 1 and chain[0].op == "rows":
            shapes = tuple(part.shape for part in chain[0].args)
            key = (chain[0].shape, chain[0].data, shapes, chain[0].dims)
            groups.setdefault(key, []).append((coefficient * own, chain[0]))
        else:
            groups[term.key, len(groups)] = [(coefficient, term)]
    result = []
    for group in groups.values():
        if len(group) == 1:
            result += group
            continue
        columns = group[0][1].data
        entries = [
            sum_(_without_zeros([(c, term.args[k]) for c, term in group]))
            for k in range(len(group[0][1].args))
        ]
        table = [entries[k : k + columns] for k in range(0, len(entries), columns)]
        result.append((ONE, rows(table, group[0][1].dims)))
    return result


def _without_zeros(items: list[Term]) -> list[Term]:
    """The terms of a sum that are not blocks of zeros; one, if all are."""
    kept = [
        (c, x)
        for c, x in items
        if not (x.op == "call" and x.data in ("vector", "matrix") and x.args[0].data == 0)
    ]
    return kept or items[:1]


def _added_diagonals(items: list[Term]) -> list[Term]:
    """``diag(x) + diag(y)`` as ``diag(x + y)``."""
    vectors: list[Term] = []
    rest: list[Term] = []
    for coefficient, term in items:
        own, scalars, chain = parts(term)
        if len(chain) == 1 and chain[0].data == "diag" and chain[0].shape == "matrix":
            vectors.append((coefficient * own, product(ONE, scalars, [chain[0].args[0]])))
        else:
            rest.append((coefficient, term))
    return items if len(vectors) < 2 else [*rest, (ONE, diag(sum_(vectors)))]


def _build(items: Sequence[Term]) -> Matrix:
    """The sum of terms that are merged already."""
    if not items:
        return number(Fraction(0))
    if len(items) == 1:
        return _scaled(*items[0])
    shape = next((t.shape for _, t in items if t.shape != "scalar"), "scalar")
    if all(t.op == "spread" or t.shape == "scalar" for _, t in items) and shape != "scalar":
        bare = [(c, t.args[0] if t.op == "spread" else t) for c, t in items]
        return spread(sum_(bare), shape)
    ordered = sorted(items, key=order_of_term)
    symmetric = shape == "matrix" and (
        all(t.symmetric for _, t in ordered)
        or (len(ordered) <= MAX_FACTORED and is_mirrored(ordered))
    )
    data = tuple(c for c, _ in ordered)
    cost = len(ordered) - 1 + sum(abs(c) != 1 for c in data) + (data[0] < 0)
    args = tuple(t for _, t in ordered)
    return Matrix("sum", shape, args, data, cost=cost, symmetric=symmetric)


# ── common factors ───────────────────────────────────────────────────────────────────────────


def _factored(items: list[Term]) -> Matrix:
    """The sum with common factors taken out; parts of sums are met again and again."""
    if current_wording() is PLAIN:
        return _with_factors_out(items)
    known = current_wording().factored
    if len(known) > MAX_KNOWN:
        known.clear()
    key = frozenset([(c, term.key) for c, term in items])
    if key not in known:
        known[key] = _with_factors_out(items)
    return known[key]


def _with_factors_out(items: list[Term]) -> Matrix:
    """Take common scalars, first or last factors out of terms, as long as that saves symbols."""
    best = _build(items)
    while 1 < len(items) <= MAX_FACTORED:
        found: list[tuple[int, int, Matrix, list[int], int]] = []
        for place in (SCALARS, LAST, FIRST):
            groups: dict[Matrix, list[int]] = {}
            for k, (_, term) in enumerate(items):
                for factor in _factors_at(term, place):
                    groups.setdefault(factor, []).append(k)
            for common, members in groups.items():
                # of some terms the common factor may leave a unit matrix only
                apart = [k for k in members if items[k][1] != common and _has_chain(items[k][1])]
                for chosen in (members, apart) if len(apart) < len(members) else (members,):
                    if len(chosen) > 1:
                        rough = common.cost * (1 - len(chosen))
                        found.append((rough, len(found), common, chosen, place))
        improved: list[tuple[int, int, list[Term], Matrix]] = []
        for _, turn, common, members, place in sorted(found, key=lambda f: f[:2])[:MAX_TRIED]:
            new = _take_out(items, common, members, place)
            total = _build(new)
            # terms alike are better left alike, unless much is saved
            alike = len(members) == len(items) or new[-1][1].args[0].symmetric
            least = 1 if alike else MIN_SAVED
            if total.cost <= best.cost - least:
                improved.append((total.cost, turn, new, total))
        if not improved:
            break
        _, _, items, best = min(improved, key=lambda c: c[:2])
    return _turned_sum(items, best)


def _turned_sum(items: list[Term], total: Matrix) -> Matrix:
    """``(A*B)' + (C*D)'`` as ``(A*B + C*D)'`` where that has fewer symbols."""
    if total.op != "sum" or total.shape != "matrix" or total.symmetric or len(items) > MAX_FACTORED:
        return total
    turned = _plain_sum([(c, transpose(t)) for c, t in items])
    outside = primed(turned)
    return outside if outside.cost < total.cost or is_written(turned) else total


def _take_out(items: list[Term], common: Matrix, members: list[int], place: int) -> list[Term]:
    """The terms with those of `members` made one: a sum times `common`."""
    inner = []
    for k in members:
        coefficient, scalars, chain = parts(items[k][1])
        if place == SCALARS:
            scalars.remove(common)  # one of them: what is left may have it once more
        else:
            chain = chain[:-1] if place == LAST else chain[1:]
            if not chain and (common.shape == "matrix" or place == LAST):
                chain = [eye()]
        inner.append((items[k][0] * coefficient, chained(ONE, scalars, chain)))
    if any(term.shape != inner[0][1].shape for _, term in inner):
        return items
    total = sum_(inner)
    if place == SCALARS:
        made = (
            product(ONE, [common], [total])
            if total.shape != "scalar"
            else product(ONE, [common, total], [])
        )
    else:
        made = product(ONE, [], [total, common] if place == LAST else [common, total])
    kept = [item for k, item in enumerate(items) if k not in members]
    return _merge([*kept, (ONE, made)])


def _factors_at(term: Matrix, place: int) -> list[Matrix]:
    """The factors of a term that a common one is looked for among."""
    _, scalars, chain = parts(term)
    if place == SCALARS:
        return scalars if chain or len(scalars) > 1 else []
    end = chain[-1:] if place == LAST else chain[:1]
    # units and ones do not say their size, so they may differ where they look alike
    return [factor for factor in end if factor.op not in ("eye", "spread")]


def _has_chain(term: Matrix) -> bool:
    """Whether a product has more than one factor beside its scalars."""
    return len(parts(term)[2]) > 1


# ── transposes of products and sums ──────────────────────────────────────────────────────────


@pushed("product")
def _transposed_product(x: Matrix) -> Matrix:
    coefficient, scalars, chain = parts(x)
    return product(coefficient, scalars, [transpose(f) for f in reversed(chain)])


@pushed("hadamard")
def _transposed_hadamard(x: Matrix) -> Matrix:
    return hadamard([transpose(f) for f in x.args])


@pushed("sum")
def _transposed_sum(x: Matrix) -> Matrix | None:
    if len(x.args) > MAX_FACTORED:
        return None
    return _plain_sum([(c, transpose(t)) for c, t in terms(x)])
