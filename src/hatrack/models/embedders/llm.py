"""The pooled hidden states of a language model: no second model on the machine, at some cost in quality."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hatrack.core.digest import sha256_json
from hatrack.models.embedders.base import EmbedderSpec, Vectors
from hatrack.models.embedders.tokens import measuring_tokenizer
from hatrack.models.loading import open_base

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from hatrack.models.host import ModelHost

__all__ = ["PooledEmbedder"]

_BATCH = 64


class PooledEmbedder:
    """Mean of the last hidden states of any base model, scaled to length one.

    Raises:
        ModelError: there is no such model.
    """

    max_tokens = 256

    def __init__(self, spec: EmbedderSpec) -> None:
        self._files = open_base(spec.rest)
        self._query, self._passage = spec.query_prefix or "", spec.passage_prefix or ""
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        return sha256_json(["pooled", self._files.fingerprint, self._query, self._passage, self.max_tokens])

    @property
    def family(self) -> str:
        return self.fingerprint

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return measuring_tokenizer(self._files)

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._passage + text for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._query + text for text in texts])

    @cached_property
    def _host(self) -> ModelHost:
        from hatrack.models.host import ModelHost

        return ModelHost(self._files)

    def _embed(self, texts: list[str]) -> Vectors:
        with self._lock:
            host = self._host
            parts = []
            for start in range(0, len(texts), _BATCH):
                rows = host.tokenize(texts[start : start + _BATCH], self.max_tokens)
                parts.append(host.embed_ids([row or [0] for row in rows]).float().numpy())
            return np.concatenate(parts) if parts else np.empty((0, host.module.config.hidden_size), dtype=np.float32)
