"""The exponential function as plain arithmetic, which a compiler can do for many numbers at once.

``exp(x) = 2^n 2^f`` with ``n`` the nearest whole number to ``x / ln 2``: ``2^n`` is written into a float's exponent, and ``2^f``
is a polynomial for ``f`` in [-0.5, 0.5], its Taylor series to the sixth power (Cephes' ``expf`` divides the work so, too).
The relative error is below 3e-7.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled

__all__ = ["exponential"]

_LOG2_E = np.float32(1.4426950408889634)
_C1, _C2, _C3 = np.float32(0.6931471805599453), np.float32(0.2402265069591007), np.float32(0.05550410866482158)
_C4, _C5, _C6 = np.float32(0.009618129107628477), np.float32(0.0013333558146428443), np.float32(0.0001540353039338161)
_LEAST, _MOST = np.float32(-87.0), np.float32(88.0)  # beyond them a float32 ends


@compiled(parallel=False)
def exponential(x: np.ndarray, out: np.ndarray) -> None:
    """``out = exp(x)`` for two rows of float32; numbers outside [-87, 88] count as the nearer of these."""
    for k in range(x.shape[0]):
        low = _LEAST if x[k] < _LEAST else x[k]  # so that what is no number stays none
        power = (_MOST if low > _MOST else low) * _LOG2_E
        whole = np.floor(power + np.float32(0.5))
        f = power - whole
        part = _C3 + f * (_C4 + f * (_C5 + f * _C6))
        part = np.float32(1) + f * (_C1 + f * (_C2 + f * part))
        out[k] = part * np.uint32(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23)).view(np.float32)
