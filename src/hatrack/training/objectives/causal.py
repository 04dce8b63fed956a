"""Next-token loss on the answers: instruct, and classify-by-text, whose answer is the label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.data.prepare import Prepared
from hatrack.data.tokens import render_examples
from hatrack.models.encoder import pad_right
from hatrack.models.loading import BaseModelFiles, Kind
from hatrack.models.render import ChatRenderer, Rendered
from hatrack.training.fast.blocks import forwards
from hatrack.training.fast.label_loss import label_loss
from hatrack.training.objectives.base import IGNORED, Item, Trainee

__all__ = ["CausalTrainee", "ClassifyByText", "Instruct"]


class Instruct:
    """Prompt to text: every assistant turn carries loss."""

    kind: Kind = "causal"
    rate_scale = 1.0

    def items(self, prepared: Prepared, config: AdapterConfig, files: BaseModelFiles) -> tuple[list[Item], list[Item]]:
        renderer = ChatRenderer(files.tokenizer, files.stop_ids)
        parts = []
        for examples in (prepared.splits.train, prepared.splits.validation):
            rendered = render_examples(examples, config, renderer)
            parts.append([_item(example.row, one) for example, one in zip(examples, rendered, strict=True)])
        return parts[0], parts[1]

    def trainee(self, base: nn.Module, adapted: nn.Module, prepared: Prepared, config: AdapterConfig, train: Sequence[Item]) -> Trainee:
        return CausalTrainee(base, adapted, train[0].ids, label_only=config.train.fast.label_only != "off")

    def collate(self, items: Sequence[Item], pad_id: int) -> dict[str, torch.Tensor]:
        ids, mask = pad_right([item.ids for item in items], pad_id)
        labels, _ = pad_right([item.labels for item in items], IGNORED)
        rows = torch.tensor([item.row for item in items])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "rows": rows}


class ClassifyByText(Instruct):
    """The label is generated as text; ``hatrack.data.tokens.conversation`` makes it the assistant's turn."""


class CausalTrainee(Trainee):
    """Cross-entropy of the next token, with logits computed only where there is a label.

    The output head of a small model is a fifth of its work, and a classification row has a handful of labels. Some
    architectures do more behind the head (soft-capping, scaling), some methods before it (virtual tokens); so it is
    tried once, and where the two ways differ the plain one is used.
    """

    packs = "causal"

    def __init__(self, base: nn.Module, adapted: nn.Module, probe: Sequence[int], *, label_only: bool = True) -> None:
        super().__init__()
        self.adapted: Any = adapted
        self._base: list[Any] = [base]  # in a list: it is inside ``adapted`` already and must not be registered twice
        self._at_labels = label_only
        self.label_only = label_only and self._label_only_is_exact(probe)

    def loss_sum(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """``input_ids``, ``attention_mask`` and ``labels`` are ``[n, t]``; labels are not shifted."""
        product = self.fast.loss_in_parts if self.fast is not None else None
        head = self.vocabulary_head() if product is not None else None
        if product is None or head is None:
            logits, labels, _ = self.label_logits(batch)
            loss: torch.Tensor = nn.functional.cross_entropy(logits, labels, reduction="sum")
            return loss
        targets, wanted = _targets(batch)
        with forwards({head: lambda hidden: hidden}):  # the model's own code still selects and shapes
            hidden = self._logits(batch["input_ids"], batch["attention_mask"], wanted)
        if hidden.dtype != torch.float32:  # mixed precision
            return nn.functional.cross_entropy(head(hidden).float(), targets[wanted], reduction="sum")
        return label_loss(hidden, head.weight, targets[wanted], product)

    def vocabulary_head(self) -> nn.Linear | None:
        """None too where the architecture does more behind it than multiply."""
        head = self._base[0].get_output_embeddings()
        plain = type(head) is nn.Linear and head.bias is None and head.weight.dtype == torch.float32 and not head.weight.requires_grad
        return head if plain and self.label_only else None

    def label_logits(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Wherever a label follows: logits ``[labels, v]`` in float32, the label, and the row it stands in (both ``[labels]``)."""
        targets, wanted = _targets(batch)
        logits = self._logits(batch["input_ids"], batch["attention_mask"], wanted)
        return logits.float(), targets[wanted], wanted.nonzero()[:, 0]

    def _logits(self, ids: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """At the wanted positions, in the order of rows: ``[wanted, vocabulary]``."""
        layout = self.fast.layout(ids, mask, wanted) if self.fast is not None else None
        if self.fast is None:
            return self._padded(ids, mask, wanted)
        if layout is None:
            with self.fast.padded(ids, mask):
                return self._padded(ids, mask, wanted)
        at = self.fast.at(layout, wanted)
        if self._at_labels:
            logits: torch.Tensor = self.fast.run(layout, at, logits_to_keep=at, use_cache=False).logits[0]
            return logits
        everywhere: torch.Tensor = self.fast.run(layout, use_cache=False).logits[0]
        return everywhere[at]

    def _padded(self, ids: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if self.label_only:
            hidden = self._base[0].base_model(**inputs).last_hidden_state
            at_labels: torch.Tensor = self._base[0].get_output_embeddings()(hidden[wanted])
            return at_labels
        logits: torch.Tensor = self.adapted(**inputs).logits[:, -ids.shape[1] :]  # virtual tokens stand before the row's
        return logits[wanted]

    @torch.no_grad()
    def _label_only_is_exact(self, probe: Sequence[int]) -> bool:
        base = self._base[0]
        if getattr(base, "base_model", base) is base or base.get_output_embeddings() is None:
            return False
        training = base.training
        self.adapted.eval()
        ids = torch.tensor([list(probe[:16])])
        # far larger logits than any model gives: soft-capping hardly moves small ones
        louder = base.get_output_embeddings().register_forward_hook(lambda module, inputs, logits: logits * 1000)
        try:
            short = base.get_output_embeddings()(base.base_model(input_ids=ids, use_cache=False).last_hidden_state)
            plain = self.adapted(input_ids=ids, use_cache=False).logits
        finally:
            louder.remove()
        self.adapted.train(training)
        return short.shape == plain.shape and bool(torch.allclose(short, plain, rtol=1e-5, atol=1e-5))


def _targets(batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """What is predicted at each position, and where that is a label: both ``[n, t]``."""
    targets = batch["labels"].roll(-1, 1)  # what stands at a position is predicted there
    targets[:, -1] = IGNORED
    return targets, targets != IGNORED


def _item(row: int, rendered: Rendered) -> Item:
    labels = tuple(token if kept else IGNORED for token, kept in zip(rendered.ids, rendered.mask, strict=True))
    return Item(row, rendered.ids, labels)
