"""The functions in C that a written file may bring along, by name: each stands in it if called."""

from __future__ import annotations

import re
from collections.abc import Iterable

CALL = re.compile(r"\b([a-z]\w*)\(")

# in an order in which each is defined before it is called
HELPERS: dict[str, str] = {
    "larger": """
/* The larger of two sizes. */
static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}
""",
    "fits": """
/* Whether an array of so many numbers can have an address. */
static int fits(double count)
{
    return count <= (double)PTRDIFF_MAX / (double)sizeof(double);
}
""",
    "numbers": """
/* Memory for so many numbers, all of them `start`; NULL if there is none. */
static double *numbers(ptrdiff_t count, double start)
{
    double *made = malloc(sizeof(double) * (size_t)larger(count, 1));
    for (ptrdiff_t i = 0; made && i < count; i++)
        made[i] = start;
    return made;
}
""",
    "zeros": """
/* Memory for so many numbers, all of them 0; NULL if there is none. */
static double *zeros(ptrdiff_t count)
{
    return calloc((size_t)larger(count, 1), sizeof(double));
}
""",
    "sigmoid": """
/* 1/(1 + exp(-x)), with the exponential that softplus has, too. */
static double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
""",
    "softplus": """
/* log(1 + exp(x)), without overflow. */
static double softplus(double x)
{
    return (x < 0.0 ? 0.0 : x) + log1p(exp(-fabs(x)));
}
""",
    "relu": """
static double relu(double x)
{
    return x <= 0.0 ? 0.0 : x; /* NaN stays NaN */
}
""",
    "sign": """
static double sign(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x == x ? 0.0 : x;
}
""",
    "maximum": """
/* The larger of two numbers, NaN if one is. */
static double maximum(double x, double y)
{
    return x > y || x != x ? x : y;
}
""",
    "minimum": """
/* The smaller of two numbers, NaN if one is. */
static double minimum(double x, double y)
{
    return x < y || x != x ? x : y;
}
""",
    "norm_power": """
/* x^p of a norm: 0 at 0 also for p < 0, the subgradient of least norm. */
static double norm_power(double x, double p)
{
    return x == 0.0 && p < 0.0 ? 0.0 : pow(x, p);
}
""",
    "digamma": """
/* The derivative of lgamma: recurrence up to 10, then Abramowitz and Stegun 6.3.18; 6.3.7 for
   negative x. */
static double digamma(double x)
{
    const double pi = 3.141592653589793;
    if (x == 0.0)
        return -1.0 / x;
    if (x < 0.0 && x == floor(x))
        return NAN;
    double total = 0.0, y = x;
    if (y < 0.0) {
        total = -pi / tan(pi * (y - floor(y)));
        y = 1.0 - y;
    }
    for (; y < 10.0; y += 1.0)
        total -= 1.0 / y;
    const double z = 1.0 / (y * y);
    static const double series[] = {1.0 / 12, 1.0 / 120, 1.0 / 252, 1.0 / 240, 1.0 / 132,
                                    691.0 / 32760, 1.0 / 12};
    double sum = 0.0;
    for (int k = 6; k >= 0; k--)
        sum = series[k] - z * sum;
    return total + (log(y) - 0.5 / y - z * sum);
}
""",
    "polygamma": """
/* The n-th derivative of digamma, (-1)^(n+1) n! zeta(n+1, x) (Abramowitz and Stegun 6.4.10); the
   Hurwitz zeta by Euler and Maclaurin. */
static double polygamma(double n, double x)
{
    if (n == 0.0)
        return digamma(x);
    const int is_odd = fmod(n, 2.0) == 1.0;
    if (x <= 0.0 && x == floor(x))
        return is_odd ? INFINITY : NAN;
    const double s = n + 1.0;
    double zeta = 0.0, y = x;
    for (; y < 0.0; y += 1.0)
        zeta += pow(y, -s);
    for (; y < 12.0 + s; y += 1.0)
        zeta += pow(y, -s);
    zeta += pow(y, 1.0 - s) / (s - 1.0) + 0.5 * pow(y, -s);
    /* Bernoulli numbers over factorials, B2/2!, B4/4!, ... */
    static const double bernoulli[] = {
        1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160,
        -691.0 / 1307674368000.0, 1.0 / 74724249600.0, -3617.0 / 10670622842880000.0};
    double term = s * pow(y, -s - 1.0);
    for (int j = 0; j < 8; j++) {
        zeta += bernoulli[j] * term;
        term *= (s + 2.0 * j + 1.0) * (s + 2.0 * j + 2.0) / (y * y);
    }
    return (is_odd ? 1.0 : -1.0) * zeta * tgamma(s);
}
""",
    "norm": """
/* The Euclidean norm of n numbers; squares neither overflow nor vanish. */
static double norm(ptrdiff_t n, const double *x)
{
    double total = 0.0, scale = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += x[i] * x[i];
    if (1e-280 < total && total < 1e300)
        return sqrt(total);
    for (ptrdiff_t i = 0; i < n; i++)
        scale = fabs(x[i]) > scale || x[i] != x[i] ? fabs(x[i]) : scale;
    if (scale == 0.0 || !(scale <= DBL_MAX))
        return scale;
    total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += x[i] / scale * (x[i] / scale);
    return scale * sqrt(total);
}
""",
    "gemv": """
/* y = a*x + beta*y for a (m, n), x (n), y (m). Of the strides of a matrix, here and below, that of
   rows or that of columns is 1. */
static void gemv(ptrdiff_t m, ptrdiff_t n, const double *a, ptrdiff_t a_row, ptrdiff_t a_column,
                 const double *x, ptrdiff_t x_step, double beta, double *y, ptrdiff_t y_step)
{
    if (m == 0)
        return;
    if (n == 0) { /* BLAS would leave y as it is */
        for (ptrdiff_t i = 0; beta == 0.0 && i < m; i++)
            y[i * y_step] = 0.0;
        return;
    }
    const int by_rows = a_column == 1;
    cblas_dgemv(by_rows ? CblasRowMajor : CblasColMajor, CblasNoTrans, (int)m, (int)n, 1.0, a,
                (int)(by_rows ? larger(a_row, n) : larger(a_column, m)), x, (int)x_step, beta, y,
                (int)y_step);
}
""",
    "gemm": """
/* c = a*b + beta*c for a (m, k), b (k, n), c (m, n). */
static void gemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t a_row,
                 ptrdiff_t a_column, const double *b, ptrdiff_t b_row, ptrdiff_t b_column,
                 double beta, double *c, ptrdiff_t c_row, ptrdiff_t c_column)
{
    if (m == 0 || n == 0)
        return;
    const int by_rows = c_column == 1;
    const int a_rows = a_column == 1 && (by_rows || a_row != 1);
    const int b_rows = b_column == 1 && (by_rows || b_row != 1);
    cblas_dgemm(by_rows ? CblasRowMajor : CblasColMajor,
                a_rows == by_rows ? CblasNoTrans : CblasTrans,
                b_rows == by_rows ? CblasNoTrans : CblasTrans, (int)m, (int)n, (int)k, 1.0, a,
                (int)(a_rows ? larger(a_row, larger(k, 1)) : larger(a_column, m)), b,
                (int)(b_rows ? larger(b_row, n) : larger(b_column, larger(k, 1))), beta, c,
                (int)(by_rows ? larger(c_row, n) : larger(c_column, m)));
}
""",
    "mirror": """
/* Fill the upper triangle of a matrix from the lower one, in tiles that stay cached. */
static void mirror(ptrdiff_t n, double *c, ptrdiff_t c_row, ptrdiff_t c_column)
{
    for (ptrdiff_t i0 = 0; i0 < n; i0 += 32)
        for (ptrdiff_t j0 = 0; j0 <= i0; j0 += 32)
            for (ptrdiff_t i = i0; i < i0 + 32 && i < n; i++)
                for (ptrdiff_t j = j0; j < j0 + 32 && j < i; j++)
                    c[j * c_row + i * c_column] = c[i * c_row + j * c_column];
}
""",
    "syrk": """
/* c = a*a' + beta*c for a (n, k) and symmetric c (n, n) with rows that are c_row apart. */
static void syrk(ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t a_row, ptrdiff_t a_column,
                 double beta, double *c, ptrdiff_t c_row)
{
    if (n == 0)
        return;
    const int by_rows = a_column == 1;
    cblas_dsyrk(CblasRowMajor, CblasLower, by_rows ? CblasNoTrans : CblasTrans, (int)n, (int)k, 1.0,
                a, (int)(by_rows ? larger(a_row, larger(k, 1)) : larger(a_column, n)), beta, c,
                (int)larger(c_row, n));
    mirror(n, c, c_row, 1);
}
""",
    "gemmt": """
/* c = a*b + beta*c for a (n, k), b (k, n), where the result is known to be symmetric: only blocks
   on and below the diagonal are computed, small ones on it and ever larger ones below. */
static void gemmt(ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t a_row, ptrdiff_t a_column,
                  const double *b, ptrdiff_t b_row, ptrdiff_t b_column, double beta, double *c,
                  ptrdiff_t c_row, ptrdiff_t c_column)
{
    const ptrdiff_t leaf = n > 1024 ? (n + 15) / 16 : 64;
    for (ptrdiff_t i = 0; i < n; i += leaf) {
        const ptrdiff_t rows = leaf < n - i ? leaf : n - i;
        gemm(rows, rows, k, a + i * a_row, a_row, a_column, b + i * b_column, b_row, b_column, beta,
             c + i * (c_row + c_column), c_row, c_column);
    }
    for (ptrdiff_t size = leaf; size < n; size *= 2)
        for (ptrdiff_t i = 0; i < n - size; i += 2 * size) {
            const ptrdiff_t below = i + size;
            const ptrdiff_t rows = size < n - below ? size : n - below;
            gemm(rows, size, k, a + below * a_row, a_row, a_column, b + i * b_column, b_row,
                 b_column, beta, c + below * c_row + i * c_column, c_row, c_column);
        }
    mirror(n, c, c_row, c_column);
}
""",
    "factorize": """
/* Factorize a (n, n) into lu (n, n) and pivots (n). The result says what they hold:
   1: the upper triangle R with a = R'*R, if a is symmetric and positive definite;
   0: lower G and unit upper H with a = G*H*P', LAPACK's LU of the transpose; in step k the
      columns k and pivots[k] - 1 were exchanged. All is NaN if a is not finite. */
static int factorize(ptrdiff_t n, const double *a, double *lu, int *pivots)
{
    int order = (int)n, info = 0, is_finite = 1, is_definite = n > 0;
    for (ptrdiff_t i = 0; i < n; i++)
        is_definite = is_definite && a[i * n + i] > 0.0;
    for (ptrdiff_t i0 = 0; is_definite && i0 < n; i0 += 32) /* in tiles that stay cached */
        for (ptrdiff_t j0 = i0; j0 < n; j0 += 32)
            for (ptrdiff_t i = i0; i < i0 + 32 && i < n; i++)
                for (ptrdiff_t j = larger(i, j0); j < j0 + 32 && j < n; j++)
                    is_definite &= a[i * n + j] - a[j * n + i] == 0.0; /* not if infinite */
    if (is_definite) {
        char lower[] = "L"; /* to Fortran a matrix by rows is its transpose */
        memcpy(lu, a, sizeof(double) * (size_t)(n * n));
        dpotrf_(lower, &order, lu, &order, &info);
        if (info == 0)
            return 1;
    }
    for (ptrdiff_t i = 0; i < n * n; i++)
        is_finite = is_finite && a[i] - a[i] == 0.0;
    for (ptrdiff_t i = 0; i < n * n; i++)
        lu[i] = is_finite ? a[i] : NAN;
    for (ptrdiff_t i = 0; i < n; i++)
        pivots[i] = (int)i + 1;
    if (is_finite && n > 0)
        dgetrf_(&order, &order, lu, &order, pivots, &info);
    return 0;
}
""",
    "factor_logdet": """
/* The logarithm of the determinant: NaN where that is negative, -infinity where it is 0. */
static double factor_logdet(ptrdiff_t n, const double *lu, const int *pivots, int kind)
{
    double total = 0.0;
    int is_negative = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double pivot = lu[k * n + k];
        if (pivot == 0.0)
            return -INFINITY;
        is_negative ^= kind == 0 && (pivot < 0.0) != (pivots[k] != k + 1);
        total += log(fabs(pivot));
    }
    return is_negative ? NAN : kind == 1 ? 2.0 * total : total;
}
""",
    "factor_det": """
/* The determinant, as mantissa and exponent until the end. */
static double factor_det(ptrdiff_t n, const double *lu, const int *pivots, int kind)
{
    double result = 1.0;
    long exponent = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double pivot = lu[k * n + k];
        int shift;
        result = frexp(result * (kind == 0 && pivots[k] != k + 1 ? -pivot : pivot), &shift);
        exponent += shift;
        if (kind == 1) {
            result = frexp(result * pivot, &shift);
            exponent += shift;
        }
    }
    return ldexp(result, exponent > 4000 ? 4000 : exponent < -4000 ? -4000 : (int)exponent);
}
""",
    "factor_solve": """
/* Fill out (n, m) with inv(a)*b, or inv(a')*b, for b (n, m); NaN if a is singular. */
static void factor_solve(ptrdiff_t n, ptrdiff_t m, const double *lu, const int *pivots, int kind,
                         int transposed, const double *b, double *out)
{
    int is_singular = 0;
    for (ptrdiff_t k = 0; k < n; k++)
        is_singular = is_singular || !(fabs(lu[k * n + k]) > 0.0); /* 0 or NaN */
    for (ptrdiff_t i = 0; i < n * m; i++)
        out[i] = is_singular ? NAN : b[i];
    if (is_singular || n == 0 || m == 0)
        return;
    for (int stage = 0; stage < 4; stage++) { /* exchange; two triangles; exchange */
        if (stage == 0 || stage == 3) {
            for (ptrdiff_t s = 0; s < n && kind == 0 && transposed == (stage == 0); s++) {
                const ptrdiff_t k = transposed ? s : n - 1 - s;
                if (pivots[k] != k + 1)
                    cblas_dswap((int)m, out + k * m, 1, out + (pivots[k] - 1) * m, 1);
            }
            continue;
        }
        const int upper = kind == 1 || stage - 1 != transposed;
        const int across = kind == 1 ? stage == 1 : transposed; /* the triangle is transposed */
        cblas_dtrsm(CblasRowMajor, CblasLeft, upper ? CblasUpper : CblasLower,
                    across ? CblasTrans : CblasNoTrans,
                    upper && kind == 0 ? CblasUnit : CblasNonUnit, (int)n, (int)m, 1.0, lu, (int)n,
                    out, (int)m);
    }
}
""",
    "factor_inverse": """
/* Fill out (n, n) with the inverse; work has room for 64*n numbers. */
static void factor_inverse(ptrdiff_t n, const double *lu, int *pivots, int kind, double *out,
                           double *work)
{
    int order = (int)n, room = 64 * order, info = 0;
    memcpy(out, lu, sizeof(double) * (size_t)(n * n));
    if (kind == 1) {
        char lower[] = "L";
        dpotri_(lower, &order, out, &order, &info);
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < i; j++)
                out[i * n + j] = out[j * n + i];
    } else if (n > 0)
        dgetri_(&order, out, &order, pivots, work, &room, &info);
    for (ptrdiff_t i = 0; info != 0 && i < n * n; i++)
        out[i] = NAN;
}
""",
    "multiply": """
/* Fill c with a*b, all of them (n, n) and c none of the others. */
static void multiply(ptrdiff_t n, const double *a, const double *b, double *c)
{
    gemm(n, n, n, a, n, 1, b, n, 1, 0.0, c, n, 1);
}
""",
    "matrix_power": """
/* Fill out (n, n) with an integer power of a (n, n), by repeated squaring; with NaN, and the value
   is 0, if the exponent is no integer. There is room for 4*n*n numbers, in work for 64*n. */
static int matrix_power(ptrdiff_t n, const double *a, double exponent, double *out, double *room,
                        int *pivots, double *work)
{
    double *square = room, *other = room + n * n, *result = room + 2 * n * n, *swapped;
    const int is_integer = exponent == floor(exponent) && fabs(exponent) <= DBL_MAX;
    for (ptrdiff_t i = 0; i < n * n; i++) {
        square[i] = a[i];
        result[i] = !is_integer ? NAN : i % n == i / n ? 1.0 : 0.0;
    }
    if (is_integer && exponent < 0.0) {
        double *lu = room + 3 * n * n;
        const int kind = factorize(n, a, lu, pivots);
        factor_inverse(n, lu, pivots, kind, square, work);
    }
    for (double left = fabs(exponent); is_integer && left >= 1.0; left = floor(left / 2.0)) {
        if (fmod(left, 2.0) == 1.0) {
            multiply(n, result, square, other);
            swapped = result, result = other, other = swapped;
        }
        if (left >= 2.0) {
            multiply(n, square, square, other);
            swapped = square, square = other, other = swapped;
        }
    }
    memcpy(out, result, sizeof(double) * (size_t)(n * n));
    return is_integer;
}
""",
    "expm": """
/* Fill out (n, n) with the exponential of the matrix a (n, n), NaN if a is not finite: Pade's
   approximation of degree 13, and squares of it. There is room for 8*n*n numbers.
   Higham, "The scaling and squaring method for the matrix exponential revisited" (2005) */
static void expm(ptrdiff_t n, const double *a, double *out, double *room, int *pivots)
{
    static const double pade[] = {
        64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
        129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
        40840800.0, 960960.0, 16380.0, 182.0, 1.0};
    const ptrdiff_t size = n * n;
    double *x = room, *x2 = x + size, *x4 = x2 + size, *x6 = x4 + size, *low = x6 + size;
    double *high = low + size, *even = high + size, *odd = even + size, *swapped;
    double largest = 0.0, scale = 1.0;
    int squarings = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        double total = 0.0;
        for (ptrdiff_t i = 0; i < n; i++)
            total += fabs(a[i * n + j]);
        largest = total > largest || total != total ? total : largest;
    }
    if (!(largest <= DBL_MAX))
        scale = NAN;
    for (; largest > 5.371920351148152 && largest <= DBL_MAX; squarings++) {
        largest *= 0.5;
        scale *= 0.5;
    }
    for (ptrdiff_t i = 0; i < size; i++)
        x[i] = a[i] * scale;
    multiply(n, x, x, x2);
    multiply(n, x2, x2, x4);
    multiply(n, x2, x4, x6);
    for (int parity = 0; parity < 2; parity++) { /* the even powers, then the odd ones over x */
        const double *p = pade + parity;
        for (ptrdiff_t i = 0; i < size; i++)
            high[i] = p[12] * x6[i] + p[10] * x4[i] + p[8] * x2[i];
        multiply(n, x6, high, low);
        for (ptrdiff_t i = 0; i < size; i++) {
            low[i] += p[6] * x6[i] + p[4] * x4[i] + p[2] * x2[i];
            low[i] += i % n == i / n ? p[0] : 0.0;
        }
        if (parity == 0)
            memcpy(even, low, sizeof(double) * (size_t)size);
    }
    multiply(n, x, low, odd);
    for (ptrdiff_t i = 0; i < size; i++) {
        low[i] = even[i] - odd[i];
        high[i] = even[i] + odd[i];
    }
    const int kind = factorize(n, low, x, pivots);
    factor_solve(n, n, x, pivots, kind, 0, high, low);
    for (; squarings > 0; squarings--) {
        multiply(n, low, low, high);
        swapped = low, low = high, high = swapped;
    }
    memcpy(out, low, sizeof(double) * (size_t)size);
}
""",
}

# the routines of LAPACK, as Fortran names them; Accelerate and MKL declare them themselves
LAPACK: dict[str, str] = {
    "dpotrf_": "void dpotrf_(char *uplo, int *n, double *a, int *lda, int *info);",
    "dpotri_": "void dpotri_(char *uplo, int *n, double *a, int *lda, int *info);",
    "dgetrf_": "void dgetrf_(int *m, int *n, double *a, int *lda, int *pivots, int *info);",
    "dgetri_": (
        "void dgetri_(int *n, double *a, int *lda, int *pivots, double *work, int *lwork,\n"
        "             int *info);"
    ),
}


def called(texts: Iterable[str]) -> list[str]:
    """The helpers that texts call, and those that these call, in the order of their definition."""
    found: set[str] = set()
    stack = list(texts)
    while stack:
        for name in CALL.findall(stack.pop()):
            if name in HELPERS and name not in found:
                found.add(name)
                stack.append(HELPERS[name])
    return [name for name in HELPERS if name in found]
