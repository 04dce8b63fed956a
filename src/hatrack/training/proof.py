"""What use will answer with a new adapter, computed from its files before the run counts as finished (F18, F21).

Some methods are written in another form than they are trained in: PiSSA, AdaLoRA and DoRA become matrices for the base
as it was. So the files are read back, put on a fresh base as serving would, and asked; what they answer goes into the
probe. Where it is not what the trained model answered, the adapter is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.switch import Active, Switch, place
from hatrack.models.causal import last_logits
from hatrack.models.encoder import embed, pad_right
from hatrack.models.loading import BaseModelFiles, Kind, load_module

__all__ = ["TOLERANCE", "check_reproduced", "outputs", "served_outputs"]

TOLERANCE = 1e-4  # relative to the largest logit, at least absolute


def outputs(module: nn.Module, inputs: Sequence[Sequence[int]], kind: Kind) -> torch.Tensor:
    """What a probe keeps of a base, adapted or not: next-token logits, or embeddings."""
    if kind == "causal":
        return last_logits(module, inputs)
    with torch.no_grad():
        return embed(module, *pad_right(inputs, 0))


def served_outputs(files: BaseModelFiles, folder: Path, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
    """``outputs`` of a fresh base with the adapter whose weights and config lie in ``folder``."""
    active = Active()
    module = Switch(load_module(files), active)
    place(module, read_variants(folder, module), "new", active)
    active.name = "new"
    return outputs(module, inputs, files.kind)


def check_reproduced(trained: torch.Tensor, served: torch.Tensor, method: str) -> None:
    """Refuse an adapter that use would apply otherwise than it was trained.

    Raises:
        AdapterBroken: the two differ by more than ``TOLERANCE``.
    """
    error = float((trained - served).abs().max())
    allowed = TOLERANCE * max(1.0, float(trained.abs().max()))
    if not error <= allowed:  # written so that NaN is refused too
        raise AdapterBroken(
            f"the written {method} adapter does not act as the trained one",
            given=f"logits differ by {error:.3g}",
            allowed=f"{allowed:.3g}",
            fix="train with another method, and report this with the base and the options",
        )
