"""Texts to vectors with an encoder: what finding paraphrases needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hatrack.core.threads import lent_threads
from hatrack.models.encoder import embed, pad_right, token_batches
from hatrack.models.loading import BaseModelFiles, load_module

__all__ = ["TextEmbedder"]

_TOKENS = 8192  # padded tokens in one forward pass
_MAX_LENGTH = 256  # tokens of a text that are read; what all-MiniLM-L6-v2 was trained for


class TextEmbedder:
    """Mean-pooled, normalised sentence embeddings.

    Args:
        files: an encoder; it is loaded when the first text is embedded.
    """

    def __init__(self, files: BaseModelFiles) -> None:
        self._files = files
        self._module: Any = None

    @property
    def fingerprint(self) -> str:
        """Of the encoder: other weights are other vectors."""
        return self._files.fingerprint

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of length one, float32 ``[texts, d]``."""
        if self._module is None:
            self._module = load_module(self._files)
        tokenizer: Any = self._files.tokenizer
        rows = tokenizer(list(texts), truncation=True, max_length=_MAX_LENGTH)["input_ids"]
        vectors = np.empty((len(rows), self._module.config.hidden_size), dtype=np.float32)
        with torch.inference_mode(), lent_threads():
            for batch in token_batches(rows, _TOKENS):
                ids, mask = pad_right([rows[i] for i in batch], tokenizer.pad_token_id or 0)
                vectors[batch] = embed(self._module, ids, mask).numpy()
        return vectors
