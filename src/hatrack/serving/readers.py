"""Who reads the texts of tables: found when a table is trained, and asked again, by digest, whenever it predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hatrack.core.config_tables import TableTextScore, TableTextVectors
from hatrack.core.errors import AdapterError, AdapterMismatch, AdapterNotFound, ConfigError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE, closest
from hatrack.models.adapters.folder import read_card
from hatrack.models.embedders.base import Embedder, open_embedder
from hatrack.registry.store import Registry
from hatrack.serving.labels import Labelled, classify
from hatrack.serving.pool import AdapterPool
from hatrack.tabular.readings import Reading, TextScore, TextVectors
from hatrack.tabular.scorers.base import Array

if TYPE_CHECKING:  # a table that reads no text needs no decoder
    from hatrack.serving.service import ModelService

__all__ = ["PoolReader", "ServiceReader", "VectorReader", "pinned_score", "pinned_version"]

_AT_ONCE = 32  # texts in one call: in a server others are answered between two calls


def pinned_score(registry: Registry, wanted: TableTextScore) -> TextScore:
    """What the config asks for, as the version that its name means now.

    Raises:
        AdapterNotFound: there is no such adapter. AdapterError: it knows no labels, is the base, a table, or is hosted and
            gives no probabilities. ConfigError: a label that it does not know.
    """
    if wanted.adapter == BASE:
        raise AdapterError("the base knows no labels", given=f"adapter: {BASE}", allowed="an adapter of task classify or classify-by-text")
    manifest = registry.resolve(wanted.adapter)
    card = read_card(registry.folder(manifest))
    if not card.labels:
        raise AdapterError(
            f"{manifest.name} knows no labels, so it cannot read a column of a table",
            given=f"{wanted.adapter}, task {card.task}",
            allowed="an adapter of task classify or classify-by-text",
        )
    for label in wanted.labels:
        if label not in card.labels:
            near = closest(label, card.labels, 1)
            raise ConfigError(
                f"{manifest.name} knows no label {label!r}",
                given=f"text_scores {wanted.name}: labels",
                allowed=", ".join(card.labels),
                fix=f"did you mean {near[0]}?" if near else "choose one of these",
            )
    labels = wanted.labels or (card.labels if len(card.labels) > 2 else card.labels[-1:])  # the other one is what is left to 1
    return TextScore(
        name=wanted.name, column=wanted.column, adapter=f"{manifest.name}@{manifest.version}", digest=manifest.digest, labels=labels
    )


def pinned_version(registry: Registry, score: TextScore) -> Manifest:
    """The very version that read the texts in training.

    Raises:
        AdapterMismatch: it is not registered here; another version of the same name is no substitute.
    """
    manifest = registry.find(score.digest)
    if manifest is not None:
        return manifest
    name = score.adapter.partition("@")[0]
    try:
        now = registry.resolve(name)
        given = f"{now.name}@{now.version}, digest {now.digest[:12]}"
    except AdapterNotFound:
        given = f"no adapter {name}"
    raise AdapterMismatch(
        f"this table reads {score.column} by another adapter than is here",
        given=given,
        allowed=f"{score.adapter}, digest {score.digest[:12]}, which read the training rows",
        fix="bring that version back, or train the table again",
    )


class VectorReader:
    """Reads with embedders; each is opened once. ``local`` turns a path of the project into one that can be opened."""

    def __init__(self, local: Callable[[str], str]) -> None:
        self._local = local
        self._opened: dict[str, Embedder] = {}

    def pinned(self, wanted: TableTextVectors) -> TextVectors:
        """What the config asks for, with the embedder as it is now.

        Raises:
            ConfigError: no such kind of embedder. ModelError: no such model.
        """
        made = self._embedder(wanted.embedder).fingerprint
        return TextVectors(name=wanted.name, column=wanted.column, embedder=wanted.embedder, fingerprint=made, parts=wanted.parts)

    def check(self, reading: TextVectors) -> Embedder:
        """The embedder that training used.

        Raises:
            AdapterMismatch: it makes other vectors now.
        """
        embedder = self._embedder(reading.embedder)
        if embedder.fingerprint != reading.fingerprint:
            raise AdapterMismatch(
                f"this table reads {reading.column} by another embedder than is here",
                given=f"{reading.embedder}, fingerprint {embedder.fingerprint[:12]}",
                allowed=f"fingerprint {reading.fingerprint[:12]}, which read the training rows",
                fix="bring that embedder back, or train the table again",
            )
        return embedder

    def __call__(self, reading: TextVectors, texts: Sequence[str]) -> Array:
        embedder = self.check(reading)
        return np.vstack([np.asarray(embedder.passages(list(part)), np.float64) for part in _parts(texts)])

    def _embedder(self, spec: str) -> Embedder:
        if spec not in self._opened:
            self._opened[spec] = open_embedder(spec, self._local)
        return self._opened[spec]


class PoolReader:
    """Reads with a pool of this process; ``open_pool`` loads the base, and is called when there is something to read."""

    def __init__(self, registry: Registry, vectors: VectorReader, open_pool: Callable[[], AdapterPool]) -> None:
        self._registry = registry
        self._vectors = vectors
        self._open = open_pool
        self._pool: AdapterPool | None = None

    def __call__(self, reading: Reading, texts: Sequence[str]) -> Array:
        if isinstance(reading, TextVectors):
            return self._vectors(reading, texts)
        manifest = pinned_version(self._registry, reading)
        self._pool = self._pool or self._open()
        found = []
        with self._pool.using(f"{manifest.name}@{manifest.version}") as resident:
            card = resident.adapter.card if resident.adapter else read_card(self._registry.folder(manifest))
            for part in _parts(texts):
                found += classify(self._pool.host, manifest, card, part)
        return _matrix(reading, found)


class ServiceReader:
    """Reads with the service of a server, between the requests of others."""

    def __init__(self, service: ModelService) -> None:
        self._service = service
        self._vectors = VectorReader(service.project.base_spec)

    def __call__(self, reading: Reading, texts: Sequence[str]) -> Array:
        if isinstance(reading, TextVectors):
            return self._vectors(reading, texts)
        manifest = pinned_version(self._service.registry, reading)
        found: list[Labelled] = []
        for part in _parts(texts):
            found += self._service.classify(manifest, part).result()
        return _matrix(reading, found)


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _AT_ONCE):
        yield texts[start : start + _AT_ONCE]


def _matrix(score: TextScore, found: Sequence[Labelled]) -> Array:
    return np.array([[dict(one.labels)[label] for label in score.labels] for one in found], np.float64).reshape(-1, len(score.labels))
