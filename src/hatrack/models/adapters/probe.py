"""A probe: what the adapter answered when it left training, to be answered again wherever it is loaded (F18).

An adapter that loads, answers and does nothing is the worst fault of this field: every request looks healthy. So
training keeps a few inputs with their logits, with and without the adapter; loading recomputes them and refuses when
they are not reproduced, or when adapted and base logits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import PROBE, read_tensors

__all__ = ["PROBE_TOKENS", "Probe", "read_probe", "verify_probe", "write_probe"]

PROBE_TOKENS = 16  # enough to reach every layer, few enough to check in tens of milliseconds
_KEPT = 256  # logits kept of a vocabulary; the largest ones, where an adapter shows
_TENSORS = {"inputs", "lengths", "indices", "adapted", "base"}
_LIKENESS = 0.8  # of what the adapter changes, in 8 bits and at training; another adapter's is near 0
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


@dataclass(frozen=True)
class Probe:
    """Inputs and what was answered to them at training: logits ``[rows, kept]`` at ``indices``, with the adapter and without."""

    inputs: tuple[tuple[int, ...], ...]
    indices: torch.Tensor
    adapted: torch.Tensor
    base: torch.Tensor

    def check(self, logits: torch.Tensor) -> None:
        """Compare what the adapter answers now, on a base in full precision: ``[rows, classes or vocabulary]``.

        Raises:
            AdapterBroken: the logits are not those of training, or the adapter changes nothing.
        """
        logits = logits.gather(1, self.indices)
        error = float((logits - self.adapted).abs().max())
        if not error <= _TOLERANCE:  # written so that NaN is refused too
            raise _acts_otherwise(f"logits differ by {error:.3g} on the stored probe", f"{_TOLERANCE:g}")
        if float((logits - self.base).abs().max()) <= _TOLERANCE / 10:
            raise _changes_nothing()

    def check_effect(self, adapted: torch.Tensor, base: torch.Tensor) -> None:
        """Compare what the adapter changes, on a base in fewer bits, whose own logits are not those of training.

        Raises:
            AdapterBroken: it changes something else than at training, or nothing.
        """
        now = (adapted - base).gather(1, self.indices)
        then = self.adapted - self.base
        if float(now.abs().max()) <= _TOLERANCE / 10:
            raise _changes_nothing()
        likeness = float(torch.nn.functional.cosine_similarity(now.flatten(), then.flatten(), dim=0))
        if not likeness >= _LIKENESS:
            raise _acts_otherwise(f"its effect on the stored probe has a likeness of {likeness:.2f}", f"at least {_LIKENESS} (cosine)")


def read_probe(folder: Path) -> Probe:
    """The probe of the adapter in ``folder``.

    Raises:
        AdapterBroken: it is missing or damaged.
    """
    probe = read_tensors(folder / PROBE)
    if set(probe) != _TENSORS:
        raise AdapterBroken(
            f"{PROBE} is no probe", given=", ".join(sorted(probe)), allowed=", ".join(sorted(_TENSORS)), fix="train the adapter again"
        )
    inputs = tuple(tuple(row[:length].tolist()) for row, length in zip(probe["inputs"], probe["lengths"], strict=True))
    return Probe(inputs, probe["indices"], probe["adapted"], probe["base"])


def verify_probe(folder: Path, adapted: Logits) -> None:
    """Recompute the probe with the adapter on, on a base in full precision.

    Raises:
        AdapterBroken: the logits are not those of training, or the adapter changes nothing.
    """
    probe = read_probe(folder)
    probe.check(adapted(probe.inputs))


def _acts_otherwise(given: str, allowed: str) -> AdapterBroken:
    return AdapterBroken(
        "the adapter does not act as it did when it was trained",
        given=given,
        allowed=allowed,
        fix="the base, the weights or the library changed: restore them or train again",
    )


def _changes_nothing() -> AdapterBroken:
    return AdapterBroken(
        "the adapter changes nothing: its answers are the base's",
        given="equal logits on the stored probe",
        fix="train it again; look at the loss curve of its run",
    )
