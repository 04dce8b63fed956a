"""SwiGLU (Shazeer 2020): the gate's SiLU times the other half, and the scale of each row."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.exponential import exponential
from hatrack.serving.kernels.norm import rescale

__all__ = ["gated"]


@compiled(parallel=True)
def gated(gate_up: np.ndarray, out: np.ndarray, scale: np.ndarray, scaled: bool) -> None:
    """``out = silu(gate) * up`` for ``gate_up`` ``[tokens, 2 d]``; where ``scaled``, rows are divided by their largest magnitude.

    Args:
        scale: ``[tokens]``, receives what each row of ``out`` must be multiplied by (1 where not ``scaled``).
    """
    d = out.shape[1]
    for t in prange(out.shape[0]):
        gate, up, row = gate_up[t, :d], gate_up[t, d:], out[t]
        for k in range(d):
            row[k] = -gate[k]
        exponential(row, row)
        for k in range(d):
            row[k] = gate[k] / (np.float32(1) + row[k]) * up[k]
        scale[t] = np.float32(1)
        if scaled:
            scale[t] = rescale(row)
