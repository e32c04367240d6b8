"""A function in C in, the program that checks its derivatives out. Used by `c.py`.

It stands in the file under ``#ifdef TENSORCALC_CHECK`` and compares with finite differences. As in
`finite_differences.py`, points have the declared properties and are moved within them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from tensorcalc.emit.facts import Derivative
from tensorcalc.ir import Variable

# property: what makes a matrix (n, n) of any numbers have it
MADE: dict[str, str] = {
    "symmetric": """
static void symmetric(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i] = (a[i * n + j] + a[j * n + i]) / 2.0;
}
""",
    "skew": """
static void skew(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            a[i * n + j] = (a[i * n + j] - a[j * n + i]) / 2.0;
            a[j * n + i] = -a[i * n + j];
        }
}
""",
    "diagonal": """
static void diagonal(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            a[i * n + j] = i == j ? a[i * n + j] : 0.0;
}
""",
    "lower": """
static void lower(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            a[i * n + j] = 0.0;
}
""",
    "upper": """
static void upper(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            a[i * n + j] = 0.0;
}
""",
    "orthogonal": """
/* The rows made orthogonal after Gram and Schmidt. */
static void orthogonal(int n, double *a)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k <= i; k++) {
            double product = 0.0;
            for (int j = 0; j < n; j++)
                product += a[i * n + j] * a[k * n + j];
            for (int j = 0; j < n; j++)
                a[i * n + j] = k < i ? a[i * n + j] - product * a[k * n + j]
                                     : a[i * n + j] / sqrt(product);
        }
}
""",
    "spd": """
/* a*a'/n + eye. */
static void spd(int n, double *a)
{
    double given[LARGEST];
    for (int i = 0; i < n * n; i++)
        given[i] = a[i];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            a[i * n + j] = i == j ? 1.0 : 0.0;
            for (int k = 0; k < n; k++)
                a[i * n + j] += given[i * n + k] * given[j * n + k] / n;
        }
}
""",
    "invertible": """
static void invertible(int n, double *a)
{
    for (int i = 0; i < n; i++)
        a[i * n + i] += n;
}
""",
}
# a direction in which an orthogonal matrix stays one
TURNED = """
/* a = x*(a - a')/2. */
static void turned(int n, const double *x, double *a)
{
    double given[LARGEST];
    for (int i = 0; i < n * n; i++)
        given[i] = (a[i] - a[i % n * n + i / n]) / 2.0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            a[i * n + j] = 0.0;
            for (int k = 0; k < n; k++)
                a[i * n + j] += x[i * n + k] * given[k * n + j];
        }
}
"""
DIRECTIONS = {"spd": "symmetric"} | {
    fact: fact for fact in ("symmetric", "skew", "diagonal", "lower", "upper")
}

DRAWN = """
/* Random numbers from one of some ranges, the same in every run. */
static void fill(int count, double *x, int range)
{
    static const double low[] = {-1.7, 0.5, 0.1, 1.1, -0.2, 0.5, 0.1, 1.0, -1.0};
    static const double high[] = {1.7, 2.0, 0.9, 3.0, 0.2, 2.0, 0.9, 5.0, 1.0};
    static unsigned long long state = 88172645463325252ULL; /* xorshift, G. Marsaglia (2003) */
    for (int i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = low[range] + (high[range] - low[range]) * (double)(state >> 11) / 9007199254740992.0;
    }
}
"""
COMPARED = """
/* The relative difference of a derivative (nf, nx) of f (nf) by x (nx) from central differences in
   the direction; infinite if these tell nothing, as beside a kink or outside of the domain. */
static double compare(int nf, const double *f, int nx, double *x, const double *derivative)
{
    static double point[LARGEST], exact[LARGEST], fine[LARGEST], coarse[LARGEST];
    double scale = 0.0, spread = 0.0, difference = 0.0, size = 1.0;
    for (int q = 0; q < nx; q++) {
        point[q] = x[q];
        size = fabs(x[q]) > size ? fabs(x[q]) : size;
    }
    if (run() != 0)
        return INFINITY;
    for (int p = 0; p < nf; p++) {
        exact[p] = fine[p] = coarse[p] = 0.0;
        scale = fmax(scale, 1e-3 * fabs(f[p]));
        for (int q = 0; q < nx; q++)
            exact[p] += derivative[p * nx + q] * direction[q];
    }
    const double step = 1e-4 * size;
    for (int k = -2; k <= 2; k++) {
        for (int q = 0; q < nx; q++)
            x[q] = point[q] + k * step * direction[q];
        if (k != 0 && run() != 0)
            return INFINITY;
        for (int p = 0; p < nf; p++) {
            fine[p] += (k == 1 ? f[p] : k == -1 ? -f[p] : 0.0) / (2.0 * step);
            coarse[p] += (k == 2 ? f[p] : k == -2 ? -f[p] : 0.0) / (4.0 * step);
        }
    }
    for (int q = 0; q < nx; q++)
        x[q] = point[q];
    for (int p = 0; p < nf; p++) {
        const double numerical = (4.0 * fine[p] - coarse[p]) / 3.0;
        if (!(fabs(exact[p]) <= DBL_MAX && fabs(numerical) <= DBL_MAX))
            return INFINITY;
        scale = fmax(scale, fmax(fabs(exact[p]), fabs(numerical)));
        spread = fmax(spread, fabs(fine[p] - coarse[p]));
        difference = fmax(difference, fabs(exact[p] - numerical));
    }
    return spread > 1e-4 * scale ? INFINITY : scale > 0.0 ? difference / scale : 0.0;
}
"""
MAIN = """
int main(void)
{
    int failed = 0;
"""
LOOP = """    {
        double worst = 0.0;
        int points = 0;
        for (int k = 0; k < 40 && points < 3; k++) {
            draw(k);
            fill(%(count)s, direction, 8);
%(projected)s            const double found =
                compare(%(nf)s, at.%(of)s, %(count)s, at.%(by)s, at.%(name)s);
            if (found < INFINITY) {
                worst = fmax(worst, found);
                points++;
            }
        }
        printf("%%s by %%s: ", "%(of)s", "%(by)s");
        if (points == 0)
            printf("no point was found where it can be compared\\n");
        else
            printf("largest relative difference %%.1e at %%d points\\n", worst, points);
        failed |= points == 0 || worst > 1e-6;
    }
"""


def check(
    function: str,
    sizes: Mapping[str, int],
    arguments: Sequence[tuple[str, Variable]],
    results: Sequence[tuple[str, tuple[int, ...]]],
    numbers: Mapping[str, int],
    derivatives: Iterable[Derivative],
) -> str:
    """The text of the check.

    `sizes` are the numbers of size parameters, in their order; `arguments` and `results` have their
    names in C. `numbers` are those of the sizes' names in the IR, `derivatives` have names in C.
    """
    shapes = {name: tuple([d.value(numbers) for d in v.dims]) for name, v in arguments}
    counts = {name: prod(shape) for name, shape in (*shapes.items(), *results)}
    facts = {name: _facts(v) for name, v in arguments}
    derivatives = list(derivatives)
    moved = {DIRECTIONS[f] for d in derivatives for f in facts[d.by] if f in DIRECTIONS}
    used = {fact for found in facts.values() for fact in found} | moved
    turned = [d for d in derivatives if "orthogonal" in facts[d.by]]
    given = [f"at.{name}" if shapes[name] else f"at.{name}[0]" for name, _ in arguments]
    called = [*map(str, sizes.values()), *given, *[f"at.{name}" for name, _ in results]]
    drawn = [line for name, v in arguments for line in _drawn(name, v, counts, facts)]
    parts = [
        "\n#ifdef TENSORCALC_CHECK\n#include <stdio.h>\n",
        f"enum {{ LARGEST = {max(counts.values())} }};",
        "static struct {",
        *[f"    double {name}[{max(1, count)}];" for name, count in counts.items()],
        "} at; /* a point, and the results there */",
        "static double direction[LARGEST];\n",
        "static int run(void)\n{",
        f"    return {function}({', '.join(called)});",
        "}",
        DRAWN.rstrip(),
        *[text.rstrip() for fact, text in MADE.items() if fact in used],
        *[TURNED.rstrip()] * bool(turned),
        "\n/* Draw a point. */\nstatic void draw(int k)\n{",
        *[f"    {line}" for line in drawn],
        *["    (void)k;"] * all("k" not in line for line in drawn),
        "}",
        COMPARED.rstrip(),
        MAIN.rstrip(),
    ]
    for d in derivatives:
        rows = shapes[d.by][0] if shapes[d.by] else 1
        lines = [f"{DIRECTIONS[f]}({rows}, direction);" for f in facts[d.by] if f in DIRECTIONS]
        lines += [f"turned({rows}, at.{d.by}, direction);"] * (d in turned)
        parts.append(
            LOOP.rstrip()
            % {
                "count": counts[d.by],
                "projected": "".join(f"            {line}\n" for line in lines),
                "nf": counts[d.of],
                "of": d.of,
                "by": d.by,
                "name": d.name,
            }
        )
    return "\n".join([*parts, "    return failed;\n}\n#endif\n"])


def _facts(variable: Variable) -> list[str]:
    """The properties that a matrix is made to have."""
    return [fact for fact in MADE if fact in variable.properties and variable.rank == 2]


def _drawn(
    name: str, variable: Variable, counts: Mapping[str, int], facts: Mapping[str, Sequence[str]]
) -> list[str]:
    """What draws one argument."""
    which = "k / 8"  # the ranges of `DRAWN`: any, positive, integers
    if variable.properties & {"positive", "nonnegative"}:
        which = "5 + k % 2"
    if "integer" in variable.properties:
        which = "7"
    lines = [f"fill({counts[name]}, at.{name}, {which});"]
    if "integer" in variable.properties:
        lines.append(f"for (int i = 0; i < {counts[name]}; i++)")
        lines.append(f"    at.{name}[i] = floor(at.{name}[i]);")
    rows = f"(int)sqrt({counts[name]}.0)"
    lines += [f"{fact}({rows}, at.{name});" for fact in facts[name]]
    return lines
