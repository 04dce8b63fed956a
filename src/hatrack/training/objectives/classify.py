"""An encoder with a cosine head that starts at the class centroids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.data.prepare import Prepared
from hatrack.data.tokens import check_truncation
from hatrack.models.encoder import CosineHead, class_centroids, embed, pad_right, token_batches
from hatrack.models.loading import BaseModelFiles, Kind
from hatrack.training.objectives.base import Item, Trainee

__all__ = ["Classify", "EncoderTrainee"]


class Classify:
    """Text to one of the labels."""

    kind: Kind = "encoder"
    rate_scale = 1.0

    def items(self, prepared: Prepared, config: AdapterConfig, files: BaseModelFiles) -> tuple[list[Item], list[Item]]:
        tokenizer: Any = files.tokenizer
        number = {label: i for i, label in enumerate(prepared.labels)}
        parts = []
        for examples in (prepared.splits.train, prepared.splits.validation):
            whole = tokenizer([example.text for example in examples], truncation=False, verbose=False)["input_ids"]
            check_truncation(sum(len(ids) > config.train.max_length for ids in whole), len(whole), config)
            cut = tokenizer([example.text for example in examples], truncation=True, max_length=config.train.max_length)["input_ids"]
            parts.append([Item(e.row, tuple(ids), (number[e.label],)) for e, ids in zip(examples, cut, strict=True)])
        return parts[0], parts[1]

    def trainee(self, base: nn.Module, adapted: nn.Module, prepared: Prepared, config: AdapterConfig, train: Sequence[Item]) -> Trainee:
        adapted.eval()
        size = int(base.config.hidden_size)  # type: ignore[union-attr, arg-type]  # transformers modules carry a config
        embeddings = torch.empty(len(train), size)
        with torch.no_grad():
            for batch in token_batches([item.ids for item in train], 4096):
                embeddings[batch] = embed(adapted, *pad_right([train[i].ids for i in batch], 0))
        classes = torch.tensor([item.labels[0] for item in train])
        head = CosineHead(class_centroids(embeddings, classes, len(prepared.labels)))
        return EncoderTrainee(adapted, head, config.train.label_smoothing)

    def collate(self, items: Sequence[Item], pad_id: int) -> dict[str, torch.Tensor]:
        ids, mask = pad_right([item.ids for item in items], pad_id)
        labels = torch.tensor([item.labels[0] for item in items])
        rows = torch.tensor([item.row for item in items])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "rows": rows}


class EncoderTrainee(Trainee):
    """Cross-entropy over classes."""

    packs = "bidirectional"

    def __init__(self, adapted: nn.Module, head: CosineHead, label_smoothing: float) -> None:
        super().__init__()
        self.adapted = adapted
        self.head = head
        self._smoothing = label_smoothing

    def loss_sum(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """``input_ids`` and ``attention_mask`` are ``[n, t]``, ``labels`` is ``[n]``."""
        logits = self.head(embed(self.fast or self.adapted, batch["input_ids"], batch["attention_mask"]))
        # smoothing is a means of training: validation measures the plain loss, so that runs can be compared
        smoothing = self._smoothing if self.training else 0.0
        loss: torch.Tensor = nn.functional.cross_entropy(logits, batch["labels"], reduction="sum", label_smoothing=smoothing)
        return loss
