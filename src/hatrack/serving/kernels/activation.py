"""SwiGLU (Shazeer 2020): the gate's SiLU times the other half, and the scale of each row."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["gated"]


@compiled(parallel=True)
def gated(gate_up: np.ndarray, out: np.ndarray, scale: np.ndarray, scaled: bool) -> None:
    """``out = silu(gate) * up`` for ``gate_up`` ``[tokens, 2 d]``; where ``scaled``, rows are divided by their largest magnitude.

    Args:
        scale: ``[tokens]``, receives what each row of ``out`` must be multiplied by (1 where not ``scaled``).
    """
    d = out.shape[1]
    for t in prange(out.shape[0]):
        most = np.float32(0)
        for k in range(d):
            gate = gate_up[t, k]
            value = gate / (np.float32(1) + np.exp(-gate)) * gate_up[t, d + k]
            out[t, k] = value
            most = max(most, abs(value))
        scale[t] = np.float32(1)
        if scaled and most > 0:
            scale[t] = most
            inverse = np.float32(1) / most
            for k in range(d):
                out[t, k] *= inverse
