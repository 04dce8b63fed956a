"""An encoder with a cosine head that starts at the class centroids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import TrainingError
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
        if config.train.r_drop and not any(isinstance(part, nn.Dropout) and part.p > 0 for part in adapted.modules()):
            raise TrainingError(
                "train.r_drop compares two passes under other dropout, and there is no dropout",
                given=f"r_drop: {config.train.r_drop:g}, base_dropout: {config.train.base_dropout}, options.dropout: 0",
                allowed="a base with dropout (base_dropout: keep), or dropout in the method's options",
                fix="set train.base_dropout: keep, or leave out train.r_drop",
            )
        return EncoderTrainee(adapted, head, config.train.label_smoothing, config.train.r_drop)

    def collate(self, items: Sequence[Item], pad_id: int) -> dict[str, torch.Tensor]:
        ids, mask = pad_right([item.ids for item in items], pad_id)
        labels = torch.tensor([item.labels[0] for item in items])
        rows = torch.tensor([item.row for item in items])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "rows": rows}


class EncoderTrainee(Trainee):
    """Cross-entropy over classes."""

    packs = "bidirectional"

    def __init__(self, adapted: nn.Module, head: CosineHead, label_smoothing: float, r_drop: float = 0.0) -> None:
        super().__init__()
        self.adapted = adapted
        self.head = head
        self._smoothing = label_smoothing
        self._r_drop = r_drop

    def loss_sum(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """``input_ids`` and ``attention_mask`` are ``[n, t]``, ``labels`` is ``[n]``.

        With R-Drop every row is run twice, under two draws of dropout: half of both losses, and the distance between the
        two answers, KL in both directions, times its weight (Liang et al. 2021, equation 3, halved).
        """
        ids, mask, labels = batch["input_ids"], batch["attention_mask"], batch["labels"]
        twice = self.training and self._r_drop > 0
        if twice:
            ids, mask, labels = (torch.cat([part, part]) for part in (ids, mask, labels))
        logits = self.head(embed(self.fast or self.adapted, ids, mask))
        # smoothing is a means of training: validation measures the plain loss, so that runs can be compared
        smoothing = self._smoothing if self.training else 0.0
        loss: torch.Tensor = nn.functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
        return loss / 2 + self._r_drop * _apart(logits) if twice else loss


def _apart(logits: torch.Tensor) -> torch.Tensor:
    """Mean of KL(p, q) and KL(q, p), summed over rows; ``logits [2n, classes]`` hold p above q."""
    p, q = logits.log_softmax(-1).chunk(2)
    return ((p.exp() - q.exp()) * (p - q)).sum() / 2
