"""The exponential function as plain arithmetic, which a compiler can do for many numbers at once.

``exp(x) = 2^n 2^f`` with ``n`` the nearest whole number to ``x / ln 2``: ``2^n`` is written into a float's exponent, and ``2^f``
is a polynomial for ``f`` in [-0.5, 0.5], its Taylor series to the sixth power (Cephes' ``expf`` divides the work so, too).
The relative error is below 3e-7.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled
from hatrack.serving.kernels.lanes import (
    LANES,
    load,
    load_few,
    multiply_add,
    none,
    power_of_two,
    put,
    put_few,
    round_even,
    spread,
    within,
)

__all__ = ["exponential", "exponential_of"]

_LOG2_E = np.float32(1.4426950408889634)
_C1, _C2, _C3 = np.float32(0.6931471805599453), np.float32(0.2402265069591007), np.float32(0.05550410866482158)
_C4, _C5, _C6 = np.float32(0.009618129107628477), np.float32(0.0013333558146428443), np.float32(0.0001540353039338161)
_LEAST, _MOST = np.float32(-87.0), np.float32(88.0)  # beyond them a float32 ends
_ONE, _MINUS = np.float32(1), np.float32(-1)


@compiled(parallel=False)
def exponential_of(x):  # type: ignore[no-untyped-def]  # lanes are types of compiled code only
    """``exp`` of sixteen numbers; those outside [-87, 88] count as the nearer of these."""
    power = multiply_add(within(x, spread(_LEAST), spread(_MOST)), spread(_LOG2_E), none())
    whole = round_even(power)
    f = multiply_add(whole, spread(_MINUS), power)
    part = multiply_add(f, spread(_C6), spread(_C5))
    part = multiply_add(f, part, spread(_C4))
    part = multiply_add(f, part, spread(_C3))
    part = multiply_add(f, part, spread(_C2))
    part = multiply_add(f, part, spread(_C1))
    part = multiply_add(f, part, spread(_ONE))
    return multiply_add(part, power_of_two(whole), none())


@compiled(parallel=False)
def exponential(x: np.ndarray, out: np.ndarray) -> None:
    """``out = exp(x)`` for two rows of float32."""
    few = x.shape[0] % LANES
    for k in range(0, x.shape[0] - few, LANES):
        put(out, k, exponential_of(load(x, k)))
    if few:
        k = x.shape[0] - few
        put_few(out, k, exponential_of(load_few(x, k, few)), few)
