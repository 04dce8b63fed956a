"""Texts to labels on a loaded base: by a head, or by how likely each label is as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hatrack.core.chat import Message
from hatrack.core.lineage import Manifest
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels

__all__ = ["Labelled", "classify"]


@dataclass(frozen=True)
class Labelled:
    """Probability of each label of one text, likeliest first.

    A hosted model only says one: its probability is None, ``labels`` is empty, and so is the label where it said none.
    """

    label: str | None
    probability: float | None
    labels: tuple[tuple[str, float], ...]


def classify(host: ModelHost, manifest: Manifest, card: AdapterCard, texts: Sequence[str]) -> list[Labelled]:
    """The labels of each text; the adapter is in place on the host."""
    head = host.adapters[manifest.digest].head
    with torch.inference_mode():
        if head is not None:
            logits = head(host.embed_ids(host.tokenize(texts, card.max_length)))
        else:
            renderer: Any = host.renderer
            trie = build_trie([renderer.answer_ids(label) for label in card.labels])
            system = (Message("system", card.system),) if card.system else ()
            prompts = [renderer.prompt((*system, Message("user", text)), card.max_length).ids for text in texts]
            logits = score_labels(host.module, prompts, trie)
        probabilities = torch.softmax(logits, dim=1).tolist()
    found = []
    for row in probabilities:
        ranked = tuple(sorted(zip(card.labels, row, strict=True), key=lambda pair: -pair[1]))
        found.append(Labelled(*ranked[0], ranked))
    return found
