"""How likely a model finds given texts: exact log-probabilities of the marked tokens of rendered rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hatrack.models.encoder import pad_right, token_batches
from hatrack.models.render import Rendered

__all__ = ["log_likelihoods"]

_TOKENS = 1024  # padded tokens in one forward pass: logits of a 50k vocabulary take 200 MB


@torch.inference_mode()
def log_likelihoods(model: nn.Module, rows: Sequence[Rendered]) -> torch.Tensor:
    """``[rows, 2]`` in float64: the sum of the log-probabilities of the marked tokens, in nats, and how many they are."""
    out = torch.empty(len(rows), 2, dtype=torch.float64)
    run: Any = model
    for batch in token_batches([row.ids for row in rows], _TOKENS):
        ids, real = pad_right([rows[i].ids for i in batch], 0)
        marked = pad_right([rows[i].mask for i in batch], 0)[0][:, 1:].bool()
        logits = run(input_ids=ids, attention_mask=real, use_cache=False).logits[:, :-1].float()
        chosen = logits.gather(-1, ids[:, 1:, None]).squeeze(-1) - logits.logsumexp(-1)
        out[batch, 0] = chosen.double().masked_fill(~marked, 0.0).sum(1)
        out[batch, 1] = marked.sum(1).double()
    return out
