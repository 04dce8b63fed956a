"""Routing by what a text is about: the adapter whose own inputs it is nearest to, or none.

    text ─► embedder ─► cosine to the centroids of each adapter ─► nearest one that reaches its threshold, else nobody

A nearest-centroid classifier with rejection; centroids and thresholds were learned by ``hatrack route --learn`` and lie
in the registry with the version. A version that has learned none uses what the newest version of its name has learned.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hatrack.answering.decision import ContentScore, Wanted
from hatrack.core.errors import AdapterBroken
from hatrack.models.content import CONTENT, ContentProfile
from hatrack.registry.store import CHAMPION, Registry

__all__ = ["ContentIndex", "Embed"]

_REMEMBERED = 2048  # embeddings of texts that were asked before
_log = logging.getLogger(__name__)


class Embed(Protocol):
    """Turns texts into embeddings of length one, ``[texts, d]``."""

    @property
    def fingerprint(self) -> str: ...

    def __call__(self, texts: list[str]) -> NDArray[np.float32]: ...


class ContentIndex:
    """The profiles of all adapters, read again when the registry has changed. Thread-safe."""

    def __init__(self, registry: Registry, embed: Callable[[], Embed], threshold: float | None = None) -> None:
        """``embed`` is called when the first text is compared; ``threshold`` replaces the learned ones."""
        self._registry = registry
        self._open = embed
        self._threshold = threshold
        self._lock = threading.Lock()
        self._stamp: object = None
        self._profiles: dict[str, ContentProfile] = {}
        self._embedder: Embed | None = None
        self._vector = lru_cache(_REMEMBERED)(self._embed)

    def scores(self, text: str, wanted: Wanted) -> tuple[ContentScore, ...]:
        """Every adapter that this tenant may use and that has learned its content, nearest first.

        Raises:
            ModelError: the embedder cannot be had.
        """
        profiles = {name: profile for name, profile in self.profiles().items() if wanted.may_use(name)}
        if not profiles:
            return ()
        vector = self.vector(text)[None]
        found = []
        for name, profile in profiles.items():
            threshold = profile.figures.threshold if self._threshold is None else self._threshold
            found.append(ContentScore(name, float(profile.similarity(vector)[0]), threshold))
        return tuple(sorted(found, key=lambda score: (-score.similarity, score.adapter)))

    def vector(self, text: str) -> NDArray[np.float32]:
        """The embedding of one text, ``[d]``."""
        with self._lock:  # one at a time: a forward pass uses every core it is given
            return self._vector(text)

    def profiles(self) -> dict[str, ContentProfile]:
        """By adapter; what is damaged or was learned with another embedder is left out, with a warning."""
        with self._lock:
            stamp = self._registry.stamp()
            if stamp != self._stamp:
                self._profiles = self._read()
                self._stamp = stamp
            return self._profiles

    def _read(self) -> dict[str, ContentProfile]:
        attached = self._registry.attached(CONTENT)
        found: dict[str, ContentProfile] = {}
        for name in self._registry.names() if attached else ():
            versions = {manifest.version: manifest for manifest in self._registry.versions(name)}
            champion = self._registry.aliases(name).get(CHAMPION)
            newest_first = [versions[champion]] if champion else []
            newest_first += reversed(versions.values())
            learned = next((manifest.digest for manifest in newest_first if manifest.digest in attached), None)
            if learned is None:
                continue
            try:
                profile = ContentProfile.load(attached[learned])
            except AdapterBroken as error:
                _log.warning("%s is not found by content: %s", name, error)
                continue
            if profile.figures.embedder != self._opened().fingerprint:
                _log.warning("%s is not found by content: it was learned with another embedder; run `hatrack route --learn`", name)
                continue
            found[name] = profile
        return found

    def _opened(self) -> Embed:
        if self._embedder is None:
            self._embedder = self._open()
        return self._embedder

    def _embed(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._opened()([text])[0]
        return vector
