"""Encoders as embedders: how a model pools, how much it reads and what goes before a text stand in its own files.

    1_Pooling/config.json               pooling_mode_cls_token, pooling_mode_mean_tokens
    sentence_bert_config.json           max_seq_length
    config_sentence_transformers.json   prompts: {query: ..., passage: ...}

They are sentence-transformers' files; a folder without them is read as one with mean pooling and no prompts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hatrack.core.digest import sha256_json
from hatrack.core.errors import ModelError
from hatrack.core.threads import lent_threads
from hatrack.models.embedders.base import EmbedderSpec, Vectors
from hatrack.models.embedders.tokens import measuring_tokenizer
from hatrack.models.loading import BaseModelFiles, load_module, open_base

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["EncoderEmbedder"]

_TOKENS = 8192  # padded tokens in one forward pass
_LONGEST = 256  # tokens that are read where the model's files say nothing; what all-MiniLM-L6-v2 was trained for
_QUERY, _PASSAGE = ("query", "s2p_query"), ("passage", "document", "corpus")


class EncoderEmbedder:
    """An encoder with mean or first-token pooling; its vectors are scaled to length one.

    Raises:
        ModelError: there is no such model, or it generates.
    """

    def __init__(self, spec: EmbedderSpec) -> None:
        self._files: BaseModelFiles = open_base(spec.rest)
        if self._files.kind != "encoder":
            raise ModelError("this model generates text and is no encoder", given=spec.rest, allowed="an encoder", fix=f"llm:{spec.rest}")
        prompts = self._said("config_sentence_transformers.json").get("prompts") or {}
        self._query = _first(spec.query_prefix, prompts, _QUERY)
        self._passage = _first(spec.passage_prefix, prompts, _PASSAGE)
        self._first_token = bool(self._said("1_Pooling/config.json").get("pooling_mode_cls_token"))
        said = self._said("sentence_bert_config.json").get("max_seq_length") or _LONGEST
        self.max_tokens = min(int(said), int(self._files.config.get("max_position_embeddings") or said))
        self._int8 = spec.precision == "int8"
        self._lock = threading.Lock()  # one at a time: a forward pass uses every core it is given

    @property
    def fingerprint(self) -> str:
        return sha256_json([self.family, "int8/1"]) if self._int8 else self.family

    @property
    def family(self) -> str:
        return sha256_json([self._files.fingerprint, self._query, self._passage, self._first_token, self.max_tokens])

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return measuring_tokenizer(self._files)

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._passage + text for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._query + text for text in texts])

    @cached_property
    def _module(self) -> Any:
        module = load_module(self._files)
        if not self._int8:
            return module
        from hatrack.models.int8_linear import in_int8

        return in_int8(module)

    def _embed(self, texts: list[str]) -> Vectors:
        import torch

        from hatrack.models.encoder import embed, pad_right, token_batches

        with self._lock, torch.inference_mode(), lent_threads():
            tokenizer: Any = self._files.tokenizer
            rows = tokenizer(texts, truncation=True, max_length=self.max_tokens)["input_ids"] if texts else []
            vectors = np.empty((len(rows), self._module.config.hidden_size), dtype=np.float32)
            for batch in token_batches(rows, _TOKENS):
                ids, mask = pad_right([rows[i] for i in batch], tokenizer.pad_token_id or 0)
                if self._first_token:
                    first = self._module(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
                    vectors[batch] = torch.nn.functional.normalize(first, dim=1).numpy()
                else:
                    vectors[batch] = embed(self._module, ids, mask).numpy()
        return vectors

    def _said(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self._files.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _first(chosen: str | None, prompts: dict[str, Any], names: Sequence[str]) -> str:
    if chosen is not None:
        return chosen
    return next((str(prompts[name]) for name in names if prompts.get(name)), "")
