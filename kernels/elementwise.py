"""Elementwise functions for kernels: a float64 in, a float64 out, branch-free where it matters.

`math.exp` in a Numba loop is a call per element, as pip's Numba has no vector mathematics. The
functions of the first part are polynomials and selections only, so LLVM inlines and vectorises
them; they are accurate to less than 2 ulp and keep NaN, infinities, subnormal numbers and the sign
of zero. The rest are plain scalar code. Kernels of float32 convert at the call, which costs little
and rounds right.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorcalc.kernels.subroutine import subroutine

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


def _rare(name: str) -> Any:
    """A call of the C library's function for arguments that are rare, under an ``if``.

    A loop with calls is not vectorised, unless LLVM knows a masked variant of them for vectors. So
    one is declared, for vectors so long that it is never used: LLVM vectorises all but the call,
    and branches around that for every element. The function is cold so that no register is saved.
    """

    def typing(typingctx, x):
        def codegen(context, builder, signature, args):
            own, double = f"tensorcalc_rare_{name}", ir.DoubleType()
            function = builder.module.globals.get(own)
            if function is None:
                kind = ir.FunctionType(double, [double])
                function = ir.Function(builder.module, kind, own)
                function.linkage = "linkonce_odr"
                for attribute in ("cold", "noinline", "nounwind", "readnone"):
                    function.attributes.add(attribute)
                variant = f'"vector-function-abi-variant"="_ZGV_LLVM_M64v_{own}({own})"'
                set.add(function.attributes, variant)  # llvmlite knows no attributes with values
                inside = ir.IRBuilder(function.append_basic_block())
                library = builder.module.declare_intrinsic(f"llvm.{name}", [double])
                inside.ret(inside.call(library, function.args))
            return builder.call(function, args)

        return types.float64(types.float64), codegen

    return intrinsic(typing)


_rare_sin = _rare("sin")
_rare_cos = _rare("cos")

LOG2E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # ends in zeros: k times it is exact
LN2_LOW = 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5*2^52: adding it rounds to an integer, kept in the low bits
SHIFT_BITS = 0x4338000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000
SIGN_BIT = -0x8000000000000000


@subroutine(types.float64, inlined=True)
def _expm1_core(r, c):
    """``exp(r) - 1 - r + c`` for abs(r) ≤ ln(2)/2: r²·q(r) + c, by a minimax fit."""
    z = r * r
    even = fma(2.092680901085724e-09, z, 2.7557233869386534e-07)
    even = fma(even, z, 2.4801587373002194e-05)
    even = fma(even, z, 0.0013888888888858946)
    even = fma(even, z, 0.04166666666666672)
    even = fma(even, z, 0.5)
    odd = fma(2.5112044767295943e-08, z, 2.7557234878011736e-06)
    odd = fma(odd, z, 0.00019841269896306383)
    odd = fma(odd, z, 0.008333333333317107)
    odd = fma(odd, z, 0.16666666666666682)
    return fma(z, fma(odd, r, even), c)


@subroutine(types.UniTuple(types.float64, 3), inlined=True)
def _exp_parts(x):
    """p, a and b of ``exp(x) = (1 + p)*a*b``: a and b are powers of two, one might overflow.

    The bits of a sum with `SHIFT` hold an integer; moved up, they are the exponent.
    """
    y = 746.0 if x > 746.0 else x  # NaN stays
    y = -746.0 if y < -746.0 else y
    t = fma(y, LOG2E, SHIFT + 2046.0)
    n = t - (SHIFT + 2046.0)
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, y))
    k = bits_of(t) & 0xFFFF  # the exponent + 2046
    half = k >> 1
    return _expm1_core(r, r), float_of(half << 52), float_of((k - half) << 52)


@subroutine(types.float64, inlined=True)
def _expm1_times(x, scale, exponent):
    """``scale*expm1(x)`` for -700 < x < 710 and a power of two, 2^(exponent - 1023)."""
    t = fma(x, LOG2E, SHIFT + exponent)
    n = t - (SHIFT + exponent)
    high = fma(n, -LN2_HIGH, x)
    r = fma(n, -LN2_LOW, high)
    c = fma(n, -LN2_LOW, high - r)  # what r lost by rounding
    s = float_of(bits_of(t) << 52)
    return fma(_expm1_core(r, c), s, fma(r, s, s - scale))


@subroutine(types.float64, inlined=True)
def _with_sign(y, x):
    """The sign of x on y, which has it already, or is 0, or not negative."""
    return float_of(bits_of(y) | (bits_of(x) & SIGN_BIT))


@subroutine(types.Tuple([types.int64, types.float64]), inlined=True)
def _log_parts(y):
    """The bits of `SHIFT` + k + 1023, and f, for ``y = 2^k*(1 + f)``, y positive."""
    b = bits_of(y) + (ONE_BITS - SQRT_HALF_BITS)
    f = float_of((b & 0xFFFFFFFFFFFFF) + SQRT_HALF_BITS) - 1.0
    return ((b >> 52) & 0xFFF) | SHIFT_BITS, f


@subroutine(types.float64, inlined=True)
def _log_core(k, f, c):
    """``k*ln(2) + log(1 + f) + c`` for sqrt(1/2) ≤ 1 + f < sqrt(2); fdlibm's e_log.c."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = fma(
        fma(1.531383769920937332e-01, w, 2.222219843214978396e-01), w, 3.999999999940941908e-01
    )
    even = fma(1.479819860511658591e-01, w, 1.818357216161805012e-01)
    even = fma(fma(even, w, 2.857142874366239149e-01), w, 6.666666666666735130e-01)
    h = 0.5 * f * f
    low = fma(s, fma(fma(odd, z, even), z, h), fma(k, LN2_LOW, c))
    return fma(k, LN2_HIGH, f - (h - low))


# ── functions that vectorise ─────────────────────────────────────────────────────────────────


@subroutine(types.float64, inlined=True)
def exp(x):
    p, a, b = _exp_parts(x)
    return (1.0 + p) * a * b


@subroutine(types.float64, inlined=True)
def expm1(x):
    y = 710.0 if x > 710.0 else x
    y = -40.0 if y < -40.0 else y
    e = 2.0 * _expm1_times(y, 0.5, 1022.0)  # 2^1024 would overflow
    return x if abs(x) < 1e-300 else e  # half of a subnormal number is not exact


@subroutine(types.float64, inlined=True)
def log(x):
    small = x < 2.2250738585072014e-308
    k, f = _log_parts(x * 18014398509481984.0 if small else x)
    n = float_of(k) - (SHIFT + 1077.0 if small else SHIFT + 1023.0)
    result = _log_core(n, f, 0.0)
    result = result if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return result if x < math.inf else x  # inf and NaN stay what they are


@subroutine(types.float64, inlined=True)
def log1p(x):
    u = 1.0 + x
    v = u - 1.0
    c = (1.0 - (u - v)) + (x - v)  # what 1 + x lost by rounding
    k, f = _log_parts(u)
    # c/u = c*2^-k/(1 + f), of which a few per cent matter nowhere
    c = c * float_of((SHIFT_BITS + 2047 - k) << 52) * fma(fma(0.42, f, -0.5), f, 0.5)
    result = _log_core(float_of(k) - (SHIFT + 1023.0), f, c)
    result = result if x > -1.0 else (-math.inf if x == -1.0 else math.nan)
    return _with_sign(result if x < math.inf else x, x)


@subroutine(types.float64, inlined=True)
def sigmoid(x):
    p, a, b = _exp_parts(-x)
    a = float_of((ONE_BITS << 1) - bits_of(a))  # 1/a
    total = a + b
    return a / (total + fma(p, b, a - (total - b)))


@subroutine(types.float64, inlined=True)
def softplus(x):
    """``max(x, 0) + log(1 + exp(-abs(x)))``; the logarithm as in `_log_core`, with a longer fit."""
    p, a, b = _exp_parts(-abs(x))
    f = (1.0 + p) * a * b
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = fma(0.08345021897736232, w, 0.13301122636030083)
    even = fma(even, w, 0.18181744481711315)
    even = fma(even, w, 0.2857142854811656)
    even = fma(even, w, 0.6666666666666631)
    odd = fma(0.1700966010886419, w, 0.12104933985793587)
    odd = fma(odd, w, 0.1538654831192766)
    odd = fma(odd, w, 0.2222222395362831)
    odd = fma(odd, w, 0.40000000000155156)
    h = 0.5 * f * f
    return (0.0 if x < 0.0 else x) + (f - fma(-s, fma(fma(odd, z, even), z, h), h))


@subroutine(types.float64, inlined=True)
def tanh(x):
    y = abs(x)
    e = _expm1_times(2.0 * y, 0.5, 1022.0)
    total = e + 1.0
    t = e / total
    c = e - (total - 1.0)  # what total lost by rounding
    return _with_sign(1.0 if y > 18.71 else fma(t * c, t - 1.0, t), x)


@subroutine(types.float64, inlined=True)
def erf(x):
    """``1 - exp(-q(y))``, y = abs(x): q is a fit of ``-log(erfc(y))``.

    Its weights are such that the relative error of the result is at most 2e-17.
    """
    y = abs(x)
    y = 5.95 if y > 5.95 else y
    z = y * y
    odd = fma(-3.596174082607061e-15, z, -3.368484457855652e-12)
    odd = fma(odd, z, -3.7659009288341314e-10)
    odd = fma(odd, z, -1.0791594759460047e-08)
    odd = fma(odd, z, -6.596419540027707e-08)
    odd = fma(odd, z, 5.694783799711016e-07)
    odd = fma(odd, z, 3.130630619038798e-06)
    odd = fma(odd, z, -2.957750174719484e-05)
    odd = fma(odd, z, 2.5903988958178962e-05)
    odd = fma(odd, z, 0.0016962076278924515)
    odd = fma(odd, z, -0.019128446993812658)
    odd = fma(odd, z, 0.6366197723675898)
    even = fma(1.6167558502079286e-13, z, 4.307365315406171e-11)
    even = fma(even, z, 2.364047513412172e-09)
    even = fma(even, z, 3.465796336296321e-08)
    even = fma(even, z, -1.1130439665903612e-08)
    even = fma(even, z, -2.035349321354575e-06)
    even = fma(even, z, 3.1720087524528114e-06)
    even = fma(even, z, 6.442158381131526e-05)
    even = fma(even, z, -0.0005901322567774934)
    even = fma(even, z, -0.000209194847020703)
    even = fma(even, z, 0.10277260330135768)
    q = fma(1.1283791670955126, y, z * fma(even, y, odd))
    return _with_sign(0.0 - _expm1_times(-q, 1.0, 1023.0), x)


SIN_LIMIT = 262144.0  # up to here an integer times the first parts of pi is exact


@subroutine(types.float64, inlined=True)
def _sin_core(r):
    """``sin(r)`` for abs(r) ≤ pi/2: r + r³·p(r²), p a minimax fit with error 3e-19."""
    z = r * r
    p = 2.721135288797379e-15
    p = fma(p, z, -7.642987587006629e-13)
    p = fma(p, z, 1.6058939549357058e-10)
    p = fma(p, z, -2.505210686951589e-08)
    p = fma(p, z, 2.7557319211098803e-06)
    p = fma(p, z, -0.00019841269841208971)
    p = fma(p, z, 0.008333333333333193)
    p = fma(p, z, -0.16666666666666666)
    return _with_sign(fma(r * z, p, r), r)


@subroutine(types.float64, inlined=True)
def sin(x):
    """Up to `SIN_LIMIT`, ``sin(r + n*pi) = (-1)^n*sin(r)``, pi in three parts."""
    far = 0.0
    if abs(x) > SIN_LIMIT:
        far = _rare_sin(x)
    t = fma(x, 0.3183098861837907, SHIFT)
    n = t - SHIFT
    r = fma(n, -3.1415926535846666, x)
    r = fma(n, -5.1266883031679116e-12, r)
    r = fma(n, -2.1125998133974855e-23, r)
    near = float_of(bits_of(_sin_core(r)) ^ (bits_of(t) << 63))
    return far if abs(x) > SIN_LIMIT else near


@subroutine(types.float64, inlined=True)
def cos(x):
    """Up to `SIN_LIMIT`, ``cos(r + (n + 1/2)*pi) = (-1)^(n + 1)*sin(r)``, pi in three parts."""
    far = 0.0
    if abs(x) > SIN_LIMIT:
        far = _rare_cos(x)
    t = fma(x, 0.3183098861837907, -0.5) + SHIFT
    n = fma(2.0, t - SHIFT, 1.0)
    r = fma(n, -1.5707963267923333, x)
    r = fma(n, -2.5633441515839558e-12, r)
    r = fma(n, -1.0562999066987428e-23, r)
    near = float_of(bits_of(_sin_core(-r)) ^ (bits_of(t) << 63))
    return far if abs(x) > SIN_LIMIT else near


# ── selections ───────────────────────────────────────────────────────────────────────────────


@subroutine(types.float64, inlined=True)
def sign(x):
    s = 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)
    return s if x == x else x


@subroutine(types.float64, inlined=True)
def relu(x):
    return 0.0 if x <= 0.0 else x  # NaN stays NaN


@subroutine(types.float64, inlined=True)
def maximum(x, y):
    return x if (x > y or x != x) else y


@subroutine(types.float64, inlined=True)
def minimum(x, y):
    return x if (x < y or x != x) else y


@subroutine(types.float64, inlined=True)
def norm_power(x, p):
    """``x^p`` of a norm: 0 at 0 also for p < 0, the subgradient of least norm."""
    return 0.0 if (x == 0.0 and p < 0.0) else x**p


@subroutine(types.float64, inlined=True)
def power(x, p):
    return x**p


# ── scalar code ──────────────────────────────────────────────────────────────────────────────


@subroutine(types.float64)
def lgamma(x):
    return math.inf if x == -math.inf else math.lgamma(x)


@subroutine(types.float64)
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


@subroutine(types.float64)
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
