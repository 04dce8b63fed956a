"""Words hashed into a fixed number of places: no model, no meaning, any language; for tests and for trying things out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from hatrack.core.digest import sha256_text
from hatrack.core.errors import ConfigError
from hatrack.models.embedders.base import EmbedderSpec, Vectors

__all__ = ["HashingEmbedder"]

_PLACES = 256
_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """The feature hashing of Weinberger et al. 2009: each word adds or takes one at a place that its hash names.

    Raises:
        ConfigError: the number of places is none.
    """

    max_tokens = 256
    tokenizer = None

    def __init__(self, spec: EmbedderSpec) -> None:
        if spec.rest and not (spec.rest.isdigit() and 8 <= int(spec.rest) <= 65_536):
            raise ConfigError("this is no size of a hashing embedder", given=f"hashing:{spec.rest}", allowed="hashing:N, N from 8 to 65536")
        self._size = int(spec.rest or _PLACES)

    @property
    def fingerprint(self) -> str:
        return sha256_text(f"hashing/1/{self._size}")

    @property
    def family(self) -> str:
        return self.fingerprint

    def passages(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._size), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.casefold()):
                digest = hashlib.blake2b(word.encode(), digest_size=5).digest()
                vectors[row, int.from_bytes(digest[:4], "little") % self._size] += 1 if digest[4] & 1 else -1
        vectors[~vectors.any(axis=1), 0] = 1  # a text without a word still has a direction
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)  # type: ignore[no-any-return]  # NumPy's division is untyped

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self.passages(texts)
