"""SwiGLU (Shazeer 2020): the gate's SiLU times the other half."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.exponential import exponential_of
from hatrack.serving.kernels.lanes import LANES, divide, load, load_few, multiply_add, none, put, put_few, spread

__all__ = ["gated"]


@compiled(parallel=True)
def gated(gate_up: np.ndarray, out: np.ndarray) -> None:
    """``out = silu(gate) * up`` for ``gate_up`` ``[tokens, 2 d]``."""
    d, few = out.shape[1], out.shape[1] % LANES
    for t in prange(out.shape[0]):
        both, row = gate_up[t], out[t]
        for k in range(0, d - few, LANES):
            put(row, k, _swiglu(load(both, k), load(both, d + k)))
        if few:
            k = d - few
            put_few(row, k, _swiglu(load_few(both, k, few), load_few(both, d + k, few)), few)


@compiled(parallel=False)
def _swiglu(gate, up):  # type: ignore[no-untyped-def]  # lanes are types of compiled code only
    beside = multiply_add(exponential_of(multiply_add(gate, spread(np.float32(-1)), none())), spread(np.float32(1)), spread(np.float32(1)))
    return multiply_add(divide(gate, beside), up, none())
