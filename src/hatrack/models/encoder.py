"""Encoders as classifiers: mean-pooled, normalised embeddings against one vector for each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["HEAD_SCALE", "CosineHead", "class_centroids", "embed", "pad_right", "token_batches"]

HEAD_SCALE = 20.0  # inverse temperature of the cosine softmax


class CosineHead(nn.Module):
    """``logits = scale · e Wᵀ`` for embeddings ``e [n, d]`` of length one and class vectors ``W [classes, d]``.

    Started at the class centroids it classifies before any training (nearest class mean, Mensink et al. 2013).
    """

    def __init__(self, weight: torch.Tensor, scale: float = HEAD_SCALE) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.scale = scale

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """``[n, d]`` to ``[n, classes]``."""
        return self.scale * nn.functional.linear(embeddings, self.weight)


def embed(encoder: Callable[..., Any], input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean of the last hidden states over real tokens, scaled to length one: ``[n, t]`` to ``[n, d]``.

    The pooler of all-MiniLM is untrained; the mean is what its embeddings were trained with (Reimers & Gurevych 2019).
    """
    hidden = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    kept = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return nn.functional.normalize((hidden * kept).sum(1) / kept.sum(1), dim=1)


def pad_right(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, both ``[n, longest]``."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(list(row))
        mask[i, : len(row)] = 1
    return ids, mask


def token_batches(rows: Sequence[Sequence[Any]], tokens: int, most: int = 64) -> list[list[int]]:
    """Row numbers in batches of similar length: at most ``tokens`` padded tokens and ``most`` rows each."""
    order = sorted(range(len(rows)), key=lambda i: (-len(rows[i]), i))
    batches: list[list[int]] = []
    for i in order:
        if batches and len(batches[-1]) < most and (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def class_centroids(embeddings: torch.Tensor, classes: torch.Tensor, count: int) -> torch.Tensor:
    """Normalised mean embedding of each class: ``[n, d]`` and ``[n]`` to ``[count, d]``; zero where a class has no row."""
    sums = torch.zeros(count, embeddings.shape[1]).index_add_(0, classes, embeddings)
    return nn.functional.normalize(sums, dim=1)
