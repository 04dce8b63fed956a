"""The task prefer: pairs of answers as rows of the loop, their reference computed once before training."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from hatrack.core.config import AdapterConfig, Preference
from hatrack.core.errors import TrainingError
from hatrack.data.prepare import Prepared
from hatrack.data.tokens import render_pairs
from hatrack.models.encoder import pad_right, token_batches
from hatrack.models.loading import BaseModelFiles, Kind
from hatrack.models.render import ChatRenderer, Rendered
from hatrack.training.objectives.base import IGNORED, Item, Trainee
from hatrack.training.objectives.causal import CausalTrainee
from hatrack.training.objectives.prefer.losses import Likelihoods, dpo_loss, kto_loss, orpo_loss

__all__ = ["Pair", "Prefer", "PreferTrainee"]

_TOKENS = 4096  # padded tokens in one forward pass without gradients


@dataclass(frozen=True)
class Pair(Item):
    """A pair as one row: ``ids`` are the prompt and the better answer, the one label stands for the pair.

    Attributes:
        texts: the better answer, the worse, and for kto another row's better answer, all behind this row's prompt.
        reference: the log-probability of each before training; None until ``PreferTrainee.begin`` has seen the row.
    """

    texts: tuple[Rendered, ...] = ()
    reference: tuple[float, ...] | None = None

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        return tuple(text.ids for text in self.texts)


class Prefer:
    """The better answer shall become more likely than the worse one."""

    kind: Kind = "causal"
    rate_scale = 0.2  # a step away from the reference undoes what it knew sooner than it teaches

    def items(self, prepared: Prepared, config: AdapterConfig, files: BaseModelFiles) -> tuple[list[Item], list[Item]]:
        kto = config.preference.loss == "kto"
        if kto and config.train.accumulation > 1:
            raise TrainingError(
                "kto takes its reference point from the rows of one forward pass; accumulation would change the loss",
                given=f"train.accumulation: {config.train.accumulation}",
                allowed="1",
                fix="raise train.batch_size instead, or choose preference.loss: dpo",
            )
        renderer = ChatRenderer(files.tokenizer, files.stop_ids)
        parts: list[list[Item]] = []
        for examples in (prepared.splits.train, prepared.splits.validation):
            pairs = render_pairs(examples, config, renderer)
            others = [pairs[i - 1][0].behind(pair[0].prompt) for i, pair in enumerate(pairs)] if kto else None
            items: list[Item] = []
            for i, (example, pair) in enumerate(zip(examples, pairs, strict=True)):
                texts = (*pair, _cut(others[i], config.train.max_length)) if others else pair
                items.append(Pair(example.row, pair[0].ids, (0,), texts))
            parts.append(items)
        return parts[0], parts[1]

    def trainee(self, base: nn.Module, adapted: nn.Module, prepared: Prepared, config: AdapterConfig, train: Sequence[Item]) -> Trainee:
        return PreferTrainee(base, adapted, train[0].ids, config.preference, from_base=config.parent is None)

    def collate(self, items: Sequence[Item], pad_id: int) -> dict[str, torch.Tensor]:
        pairs = [cast(Pair, item) for item in items]
        count = len(pairs[0].texts)
        batch = _padded([pair.texts[i] for i in range(count) for pair in pairs], pad_id)
        reference = [pair.reference or (0.0,) * count for pair in pairs]
        return {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "targets": batch["labels"],
            "reference": torch.tensor(reference, dtype=torch.float32).T,
            "labels": torch.tensor([pair.labels[0] for pair in pairs]),
            "rows": torch.tensor([pair.row for pair in pairs]),
        }


class PreferTrainee(CausalTrainee):
    """One of the losses in ``losses``, for each pair.

    Args:
        from_base: the reference is the base, with the adapter off; else it is the adapter as training begins.
    """

    def __init__(self, base: nn.Module, adapted: nn.Module, probe: Sequence[int], settings: Preference, *, from_base: bool) -> None:
        super().__init__(base, adapted, probe)
        self._settings = settings
        self._from_base = from_base

    def begin(self, items: Sequence[Item]) -> list[Item]:
        """Every pair with its reference; nothing for orpo, which has none."""
        if self._settings.loss == "orpo":
            return list(items)
        pairs = [cast(Pair, item) for item in items]
        flat = [text for pair in pairs for text in pair.texts]
        found = torch.empty(len(flat))
        training = self.training
        self.eval()
        off = getattr(self.adapted, "disable_adapter", None) if self._from_base else None
        # methods that have no such switch start at the base themselves
        with torch.no_grad(), off() if off else contextlib.nullcontext():
            for rows in token_batches([text.ids for text in flat], _TOKENS):
                found[rows] = self._likelihoods(_padded([flat[i] for i in rows], 0))
        self.train(training)
        by_pair = found.view(len(pairs), -1).tolist()
        return [replace(pair, reference=tuple(values)) for pair, values in zip(pairs, by_pair, strict=True)]

    def vocabulary_head(self) -> None:
        """Preferences compare probabilities of whole answers."""

    def loss_sum(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Texts of ``n`` pairs lie one kind after the other: ``input_ids``, ``attention_mask``, ``targets`` ``[k n, t]``.

        ``reference`` is ``[k, n]``; ``k`` is 3 for kto, else 2.
        """
        n = len(batch["labels"])
        inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": batch["targets"]}
        pairs = {key: value[: 2 * n] for key, value in inputs.items()}
        policy = Likelihoods(*self._likelihoods(pairs).view(2, n))
        reference = Likelihoods(*batch["reference"][:2])
        beta = self._settings.beta
        if self._settings.loss == "orpo":
            tokens = (pairs["labels"] != IGNORED).sum(1).view(2, n)
            return orpo_loss(policy, tokens[0], tokens[1], beta).sum()
        if self._settings.loss == "dpo":
            return dpo_loss(policy, reference, beta).sum()
        with torch.no_grad():
            others = self._likelihoods({key: value[2 * n :] for key, value in inputs.items()})
        divergence = (others - batch["reference"][2]).mean().clamp(min=0)
        return kto_loss(policy, reference, divergence, beta).sum()

    def _likelihoods(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The summed log-probability of the labels of each row: ``[rows]``."""
        logits, labels, rows = self.label_logits(batch)
        each = -nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.zeros(len(batch["labels"]), device=each.device).index_add(0, rows, each)


def _padded(texts: Sequence[Rendered], pad_id: int) -> dict[str, torch.Tensor]:
    ids, mask = pad_right([text.ids for text in texts], pad_id)
    labels = [[token if kept else IGNORED for token, kept in zip(text.ids, text.mask, strict=True)] for text in texts]
    return {"input_ids": ids, "attention_mask": mask, "labels": pad_right(labels, IGNORED)[0]}


def _cut(text: Rendered, length: int) -> Rendered:
    """Another row's answer may be longer than its own; its beginning serves as well."""
    return Rendered(text.ids[:length], text.mask[:length])
