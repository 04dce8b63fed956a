"""Embeddings from an endpoint that speaks OpenAI's protocol: OpenAI, Mistral, vLLM, or another Hatrack server.

openai:text-embedding-3-small                         OpenAI itself, key in OPENAI_API_KEY
openai:mistral-embed@https://api.mistral.ai/v1#MISTRAL_API_KEY
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hatrack.core.digest import sha256_json
from hatrack.core.errors import ConfigError
from hatrack.models.backends.endpoint import Endpoint
from hatrack.models.embedders.base import EmbedderSpec, Vectors

__all__ = ["OpenAIEmbedder"]

_ADDRESS, _KEY = "https://api.openai.com/v1", "OPENAI_API_KEY"
_BATCH = 128  # texts in one request
_RETRIES = 5
_DOING = "the embeddings"


class OpenAIEmbedder:
    """Asks ``MODEL@URL#KEY_VARIABLE``; the key is read from the environment at the first text.

    Raises:
        ConfigError: no model is named.
    """

    max_tokens = 512
    tokenizer = None

    def __init__(self, spec: EmbedderSpec) -> None:
        model, _, address = spec.rest.partition("@")
        address, _, variable = address.partition("#")
        if not model:
            raise ConfigError(
                "no embedding model is named", given=f"openai:{spec.rest}", allowed="openai:MODEL or openai:MODEL@URL#KEY_VARIABLE"
            )
        self._model, self._address, self._variable = model, address or _ADDRESS, variable or _KEY
        self._query, self._passage = spec.query_prefix or "", spec.passage_prefix or ""

    @property
    def fingerprint(self) -> str:
        """Of the name: what the provider runs under it cannot be seen."""
        return sha256_json(["openai", self._address, self._model, self._query, self._passage])

    @property
    def family(self) -> str:
        return self.fingerprint

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._passage + text for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._query + text for text in texts])

    @cached_property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self._address, self._variable, _RETRIES)

    def _embed(self, texts: list[str]) -> Vectors:
        rows: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            batch = [text or " " for text in texts[start : start + _BATCH]]  # an empty text is refused
            with self._endpoint.errors(_DOING):
                answer = self._endpoint.client.embeddings.create(model=self._model, input=batch, encoding_format="float")
                found = [one.embedding for one in sorted(answer.data, key=lambda one: one.index)]
            if len(found) != len(batch) or len({len(row) for row in [*rows[:1], *found]}) != 1:
                raise self._endpoint.misspoke(_DOING, f"{len(found)} vectors for {len(batch)} texts")
            rows += found
        vectors = np.asarray(rows, dtype=np.float32).reshape(len(texts), len(rows[0]) if rows else 0)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]  # untyped division
