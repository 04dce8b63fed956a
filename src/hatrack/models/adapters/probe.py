"""A probe: what the adapter answered when it left training, to be answered again wherever it is loaded (F18).

An adapter that loads, answers and does nothing is the worst fault of this field: every request looks healthy. So
training keeps a few inputs with their logits, with and without the adapter; loading recomputes them and refuses when
they are not reproduced, or when adapted and base logits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import PROBE, read_tensors

__all__ = ["PROBE_TOKENS", "verify_probe", "write_probe"]

PROBE_TOKENS = 16  # enough to reach every layer, few enough to check in tens of milliseconds
_KEPT = 256  # logits kept of a vocabulary; the largest ones, where an adapter shows
_TENSORS = {"inputs", "lengths", "indices", "adapted", "base"}
_TOLERANCE = 2e-3  # absolute, on logits of order ten; another thread count moves them by about 1e-5

Logits = Callable[[Sequence[Sequence[int]]], torch.Tensor]


def write_probe(folder: Path, inputs: Sequence[Sequence[int]], adapted: torch.Tensor, base: torch.Tensor) -> None:
    """Keep ``inputs`` and their logits ``[rows, classes or vocabulary]``, with and without the adapter."""
    kept = min(_KEPT, adapted.shape[1])
    indices = adapted.topk(kept, dim=1).indices.sort(dim=1).values
    lengths = torch.tensor([len(ids) for ids in inputs])
    padded = torch.zeros(len(inputs), int(lengths.max()), dtype=torch.long)
    for row, ids in enumerate(inputs):
        padded[row, : len(ids)] = torch.tensor(list(ids))
    tensors = {
        "inputs": padded,
        "lengths": lengths,
        "indices": indices,
        "adapted": adapted.gather(1, indices).contiguous(),
        "base": base.gather(1, indices).contiguous(),
    }
    save_file(tensors, folder / PROBE)


def verify_probe(folder: Path, adapted: Logits) -> None:
    """Recompute the probe with the adapter on.

    Raises:
        AdapterBroken: the logits are not those of training, or the adapter changes nothing.
    """
    probe = read_tensors(folder / PROBE)
    if set(probe) != _TENSORS:
        raise AdapterBroken(
            f"{PROBE} is no probe", given=", ".join(sorted(probe)), allowed=", ".join(sorted(_TENSORS)), fix="train the adapter again"
        )
    inputs = [row[:length].tolist() for row, length in zip(probe["inputs"], probe["lengths"], strict=True)]
    logits = adapted(inputs).gather(1, probe["indices"])
    error = float((logits - probe["adapted"]).abs().max())
    if not error <= _TOLERANCE:  # written so that NaN is refused too
        raise AdapterBroken(
            "the adapter does not act as it did when it was trained",
            given=f"logits differ by {error:.3g} on the stored probe",
            allowed=f"{_TOLERANCE:g}",
            fix="the base, the weights or the library changed: restore them or train again",
        )
    if float((logits - probe["base"]).abs().max()) <= _TOLERANCE / 10:
        raise AdapterBroken(
            "the adapter changes nothing: its answers are the base's",
            given="equal logits on the stored probe",
            fix="train it again; look at the loss curve of its run",
        )
