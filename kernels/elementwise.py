"""Elementwise functions for kernels: a float64 in, a float64 out, branch-free where it matters.

`math.exp` in a Numba loop is a call per element, as pip's Numba has no vector mathematics. The
functions of the first part are polynomials and selections only, so LLVM inlines and vectorises
them; they are accurate to about 1 ulp and keep NaN, infinities and subnormal results. The rest
are plain scalar code. Kernels of float32 convert at the call, which costs little and rounds right.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": True}

# ── building blocks ──────────────────────────────────────────────────────────────────────────


def inline(typing: Any) -> Any:
    """An intrinsic, which type checkers cannot follow."""
    return intrinsic(typing)


@inline
def bits_of(typingctx, x):
    """The 64 bits of a float64, as an integer."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@inline
def float_of(typingctx, bits):
    """The float64 with the given 64 bits."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@inline
def fma(typingctx, x, y, z):
    """``x*y + z``, rounded once where the processor can."""

    def codegen(context, builder, signature, args):
        double = ir.DoubleType()
        signature = ir.FunctionType(double, [double] * 3)
        function = builder.module.declare_intrinsic("llvm.fmuladd", [double], signature)
        return builder.call(function, args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@inline
def accumulate(typingctx, total, x):
    """``total + x`` in an order that LLVM may choose, so that a sum vectorises.

    Only this one addition is free; NaN and infinities keep their meaning.
    """

    def codegen(context, builder, signature, args):
        return builder.fadd(args[0], args[1], flags=("reassoc", "nsz", "contract"))

    return total(total, total), codegen


def _extremum(name: str) -> Any:
    """The larger or smaller of two floats, NaN if one is: a maximum so written vectorises."""

    def typing(typingctx, total, x):
        def codegen(context, builder, signature, args):
            number = args[0].type
            signature = ir.FunctionType(number, [number] * 2)
            function = builder.module.declare_intrinsic(name, [number], signature)
            return builder.call(function, args)

        return total(total, total), codegen

    return intrinsic(typing)


larger = _extremum("llvm.maximum")
smaller = _extremum("llvm.minimum")

LOG2E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # ends in zeros: k times it is exact
LN2_LOW = 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5*2^52: adding it rounds to an integer, kept in the low bits
SHIFT_BITS = 0x4338000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000


@njit(**OPTIONS)
def _power_of_two(k):
    return float_of((k + 1023) << 52)


@njit(**OPTIONS)
def _expm1_core(r):
    """``exp(r) - 1`` for abs(r) ≤ ln(2)/2: r + r²·q(r), q a Chebyshev fit with error 1.1e-16."""
    q = 2.5100472505694996e-08
    q = fma(q, r, 2.7620201591031547e-07)
    q = fma(q, r, 2.7557268276905696e-06)
    q = fma(q, r, 2.4801521057868204e-05)
    q = fma(q, r, 0.00019841269863171557)
    q = fma(q, r, 0.0013888888917367081)
    q = fma(q, r, 0.008333333333330039)
    q = fma(q, r, 0.041666666666623824)
    q = fma(q, r, 0.16666666666666669)
    q = fma(q, r, 0.5)
    return fma(r * r, q, r)


@njit(**OPTIONS)
def _log_core(k, f, c):
    """``k*ln(2) + log(1 + f) + c`` for sqrt(1/2) ≤ 1 + f < sqrt(2); fdlibm's e_log.c."""
    s = f / (2.0 + f)
    z = s * s
    r = 1.479819860511658591e-01
    r = fma(r, z, 1.531383769920937332e-01)
    r = fma(r, z, 1.818357216161805012e-01)
    r = fma(r, z, 2.222219843214978396e-01)
    r = fma(r, z, 2.857142874366239149e-01)
    r = fma(r, z, 3.999999999940941908e-01)
    r = fma(r, z, 6.666666666666735130e-01)
    h = 0.5 * f * f
    return k * LN2_HIGH - ((h - fma(s, h + r * z, k * LN2_LOW + c)) - f)


# ── functions that vectorise ─────────────────────────────────────────────────────────────────


@njit(**OPTIONS)
def exp(x):
    y = x if x < 710.0 else 710.0
    y = y if y > -746.0 else -746.0
    t = y * LOG2E + SHIFT
    k = bits_of(t) - SHIFT_BITS
    n = t - SHIFT
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, y))
    p = 1.0 + _expm1_core(r)
    half = k >> 1  # two factors: one alone would overflow or flush subnormal results
    result = p * _power_of_two(half) * _power_of_two(k - half)
    return result if x == x else x


@njit(**OPTIONS)
def expm1(x):
    y = x if x < 710.0 else 710.0
    y = y if y > -40.0 else -40.0
    t = y * LOG2E + SHIFT
    k = bits_of(t) - SHIFT_BITS
    n = t - SHIFT
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, y))
    s = _power_of_two(k - 1)  # half of 2^k, which may overflow
    p = _expm1_core(r)
    result = 2.0 * fma(p, s, s - 0.5)
    result = p if n == 0.0 else result
    return result if x == x else x


@njit(**OPTIONS)
def log(x):
    small = x < 2.2250738585072014e-308
    y = x * 18014398509481984.0 if small else x
    b = bits_of(y) + (ONE_BITS - SQRT_HALF_BITS)
    k = (b >> 52) - 1023
    f = float_of((b & 0xFFFFFFFFFFFFF) + SQRT_HALF_BITS) - 1.0
    n = float(k - 54) if small else float(k)
    result = _log_core(n, f, 0.0)
    result = result if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return result if x < math.inf else x  # inf and NaN stay what they are


@njit(**OPTIONS)
def log1p(x):
    u = 1.0 + x
    c = 1.0 - (u - x) if x > 1.0 else x - (u - 1.0)  # what 1 + x lost by rounding
    b = bits_of(u) + (ONE_BITS - SQRT_HALF_BITS)
    k = (b >> 52) - 1023
    f = float_of((b & 0xFFFFFFFFFFFFF) + SQRT_HALF_BITS) - 1.0
    f = x if k == 0 else f
    c = 0.0 if k == 0 else c / u
    result = _log_core(float(k), f, c)
    result = result if x > -1.0 else (-math.inf if x == -1.0 else math.nan)
    return result if x < math.inf else x


@njit(**OPTIONS)
def sigmoid(x):
    e = exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@njit(**OPTIONS)
def softplus(x):
    e = exp(-abs(x))
    u = 1.0 + e  # from 1 to 2: a log1p without special cases
    large = e > 0.41421356237309503
    f = 0.5 * u - 1.0 if large else e
    c = (e - (u - 1.0)) / u if large else 0.0
    n = 1.0 if large else 0.0
    return (x if x > 0.0 else 0.0) + _log_core(n, f, c)


@njit(**OPTIONS)
def tanh(x):
    a = abs(x)
    y = a if a < 22.0 else 22.0
    e = expm1(2.0 * y)
    t = e / (e + 2.0)
    t = t if x >= 0.0 else -t
    return t if x == x else x


# ── selections ───────────────────────────────────────────────────────────────────────────────


@njit(**OPTIONS)
def sign(x):
    s = 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)
    return s if x == x else x


@njit(**OPTIONS)
def relu(x):
    return 0.0 if x <= 0.0 else x  # NaN stays NaN


@njit(**OPTIONS)
def maximum(x, y):
    return x if (x > y or x != x) else y


@njit(**OPTIONS)
def minimum(x, y):
    return x if (x < y or x != x) else y


@njit(**OPTIONS)
def norm_power(x, p):
    """``x^p`` of a norm: 0 at 0 also for p < 0, the subgradient of least norm."""
    return 0.0 if (x == 0.0 and p < 0.0) else x**p


@njit(**OPTIONS)
def power(x, p):
    return x**p


# ── scalar code ──────────────────────────────────────────────────────────────────────────────

SCALAR: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


@njit(**SCALAR)
def lgamma(x):
    return math.inf if x == -math.inf else math.lgamma(x)


@njit(**SCALAR)
def digamma(x):
    """Recurrence up to 10, then Abramowitz and Stegun 6.3.18; 6.3.7 for negative x."""
    if x == 0.0:
        return -math.inf if math.copysign(1.0, x) > 0.0 else math.inf
    if x < 0.0 and (x == math.floor(x)):
        return math.nan
    total = 0.0
    y = x
    if y < 0.0:
        fraction = y - math.floor(y)
        total -= math.pi / math.tan(math.pi * fraction)
        y = 1.0 - y
    while y < 10.0:
        total -= 1.0 / y
        y += 1.0
    z = 1.0 / (y * y)
    series = 1.0 / 12.0 - z * (
        1.0 / 120.0
        - z
        * (1.0 / 252.0 - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z / 12.0))))
    )
    return total + (math.log(y) - 0.5 / y - z * series)


@njit(**SCALAR)
def polygamma(n, x):
    """``(-1)^(n+1) n! zeta(n+1, x)`` (6.4.10), the Hurwitz zeta by Euler and Maclaurin."""
    if n == 0.0:
        return digamma(x)
    if x <= 0.0 and x == math.floor(x):
        return math.inf if n % 2.0 == 1.0 else math.nan
    if not (x > 0.0):  # step up to positive arguments
        total = 0.0
        y = x
        while y < 0.0:
            total += y ** (-(n + 1.0))
            y += 1.0
        zeta = total
    else:
        zeta = 0.0
        y = x
    s = n + 1.0
    factorial = math.gamma(s)
    bound = 12.0 + s
    while y < bound:
        zeta += y**-s
        y += 1.0
    zeta += y ** (1.0 - s) / (s - 1.0) + 0.5 * y**-s
    # Bernoulli numbers over factorials, B2/2!, B4/4!, …
    term = s * y ** (-s - 1.0)
    z = 1.0 / (y * y)
    for j, b in enumerate(
        (
            1.0 / 12.0,
            -1.0 / 720.0,
            1.0 / 30240.0,
            -1.0 / 1209600.0,
            1.0 / 47900160.0,
            -691.0 / 1307674368000.0,
            1.0 / 74724249600.0,
            -3617.0 / 10670622842880000.0,
        )
    ):
        zeta += b * term
        term *= (s + 2.0 * j + 1.0) * (s + 2.0 * j + 2.0) * z
    return zeta * factorial if n % 2.0 == 1.0 else -zeta * factorial
