"""Cross-encoders (Nogueira & Cho 2019): one model reads question and passage as one text, its head gives the relevance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hatrack.core.errors import ModelError
from hatrack.core.threads import lent_threads
from hatrack.models.loading import BaseModelFiles, load_module, open_base
from hatrack.models.rerankers.base import Relevance

__all__ = ["CrossEncoder"]

_TOKENS = 8192  # padded tokens in one forward pass
_LONGEST = 512  # tokens of a pair; what is longer is cut, the longer text first


class CrossEncoder:
    """Any sequence-classification model with one output, or with two of which the second one means relevant.

    Raises:
        ModelError: there is no such model, or its head is for something else.
    """

    def __init__(self, spec: str) -> None:
        self._files: BaseModelFiles = open_base(spec)
        architecture = (self._files.config.get("architectures") or [""])[0]
        labels = self._files.config.get("id2label")
        outputs = len(labels) if labels else 2  # what transformers takes where a config says nothing
        if not architecture.endswith("ForSequenceClassification") or outputs > 2:
            raise ModelError(
                "this model does not score pairs of texts",
                given=f"{spec}: {architecture or 'no architecture'}, {outputs} outputs",
                allowed="a sequence-classification model with one or two outputs (a cross-encoder, a reranker)",
                fix="name another model in knowledge.search.reranker",
            )
        self._longest = min(_LONGEST, self._files.positions or _LONGEST)
        self._lock = threading.Lock()  # one at a time: a forward pass uses every core it is given

    def scores(self, question: str, passages: Sequence[str]) -> Relevance:
        """The output, or the second one less the first one: logits, see ``Reranker.scores``."""
        import torch

        from hatrack.models.encoder import token_batches

        found = np.empty(len(passages), dtype=np.float32)
        with self._lock, torch.inference_mode(), lent_threads():
            tokenizer: Any = self._files.tokenizer
            pairs = [tokenizer(question, text, truncation=True, max_length=self._longest) for text in passages]
            for batch in token_batches([pair["input_ids"] for pair in pairs], _TOKENS):
                padded = tokenizer.pad([dict(pairs[i]) for i in batch], return_tensors="pt")
                logits = self._module(**padded).logits.float()
                found[batch] = (logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]).numpy()
        return found

    @cached_property
    def _module(self) -> Any:
        return load_module(self._files, scoring=True)
