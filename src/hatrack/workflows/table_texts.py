"""Texts of a table read by adapters and embedders: by which ones, on rows that did not train them, each text once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hatrack.core.atomic import write_bytes
from hatrack.core.config import ProjectConfig
from hatrack.core.config_tables import TableConfig, TableTextScore, TableTextVectors
from hatrack.core.digest import sha256_json
from hatrack.core.errors import CheckFailed, ConfigError, HatrackError
from hatrack.core.lineage import Manifest
from hatrack.core.project import Project
from hatrack.data.prepare import prepare
from hatrack.data.records import normalised
from hatrack.data.tools import Tools
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.registry.store import Registry
from hatrack.serving.pool import AdapterPool
from hatrack.serving.readers import PoolReader, VectorReader, pinned_score, pinned_version
from hatrack.tabular.fitting.inspect import known_column
from hatrack.tabular.readings import Reading, TextScore
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.table import Table
from hatrack.tabular.values import text_of

__all__ = ["TableTexts"]


@dataclass
class TableTexts:
    """What the tables of one project need to read their texts. Nothing heavy is loaded before a text is read."""

    project: Project
    config: ProjectConfig
    registry: Registry
    report: Callable[[str], None] = lambda line: None
    notes: list[str] = field(default_factory=list)

    def pinned(self, table: TableConfig) -> tuple[Reading, ...]:
        """What the config asks for: scores by the versions that are meant now, vectors by the embedders that are here.

        Raises:
            AdapterError: see ``pinned_score``. ConfigError: the target is read, or two readings have one name.
        """
        asked: list[TableTextScore | TableTextVectors] = [*table.text_scores, *table.text_vectors]
        for one in asked:
            if one.column == table.target:
                raise ConfigError(f"{one.name!r} reads the target", given=one.column, fix="name the column of texts")
        found: list[Reading] = [pinned_score(self.registry, score) for score in table.text_scores]
        found += [self._vectors.pinned(wanted) for wanted in table.text_vectors]
        columns = [name for reading in found for name in reading.columns]
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise ConfigError("two readings of texts make the same column", given=", ".join(twice), fix="give each a name of its own")
        return tuple(found)

    def unseen(self, table: Table, wanted: Sequence[TableTextScore], scores: Sequence[TextScore]) -> Table:
        """The rows whose texts did not train the adapters, as far as the adapters' own rows can still be read.

        A score of a row that the adapter learned by heart says more than one of a new row ever will: the table model would
        trust it too much, and a test on such rows would praise it too much.

        Raises:
            CheckFailed: there are such rows, and ``seen`` says refuse. ConfigError: there is no such column.
        """
        for score, pinned in zip(wanted, scores, strict=True):
            known_column(score.column, table, "text_scores")
            if score.seen == "allow":
                self.notes.append(f"text score {score.name}: rows that trained {pinned.adapter} are allowed, not looked for")
                continue
            learned = self._learned(pinned_version(self.registry, pinned))
            if learned is None:
                self.notes.append(
                    f"text score {score.name}: the training rows of {pinned.adapter} are not in this project as they were, "
                    "so nobody can tell whether they are in this table too"
                )
                continue
            cells = [normalised(text_of(cell)) for cell in table.columns[score.column]]
            rows = [place for place, text in enumerate(cells) if text and text in learned]
            if not rows:
                continue
            count = f"{len(rows)} of {len(table)} rows"
            if score.seen == "refuse":
                raise CheckFailed(
                    f"rows of this table trained {pinned.adapter}: its scores for them are better than for rows to come",
                    given=f"{count}, the first is row {table.numbers[rows[0]]}",
                    allowed="rows whose texts the adapter has never seen",
                    fix="train the adapter on other rows, or set `seen: leave-out` under text_scores to go on without these",
                )
            gone = set(rows)
            self.notes.append(f"text score {score.name}: {count} trained {pinned.adapter} and are left out")
            table = table.take(place for place in range(len(table)) if place not in gone)
        return table

    def _learned(self, manifest: Manifest) -> set[str] | None:
        """Every text that trained a version or stopped its training; None where its rows are not there as they were."""
        config = self.config.adapters.get(manifest.name)
        if config is None:
            return None
        try:
            prepared = prepare(config, self.project.root, tools=Tools(self.report))
        except HatrackError:  # files that are gone or changed past reading: the same as rows that are not there
            return None
        if prepared.record.train_digest != manifest.data.train_digest:
            return None
        return {normalised(one.text) for part in (prepared.splits.train, prepared.splits.validation) for one in part}

    def read(self, reading: Reading, texts: Sequence[str]) -> Array:
        """``[texts, labels]`` or ``[texts, d]``; what was read once is kept in the project, by who read it and the texts.

        Raises:
            AdapterMismatch: who read the training rows is not here.
        """
        if isinstance(reading, TextScore):  # also where the answer is known
            pinned_version(self.registry, reading)
        else:
            self._vectors.check(reading)
        kept = self.project.text_scores / f"{sha256_json([reading.model_dump(mode='json'), list(texts)])}.safetensors"
        found = _kept(kept)
        if found is None or len(found) != len(texts):
            self.report(f"{reading.reader} reads {len(texts):,} different texts of {reading.column}")
            found = self._reader(reading, texts)
            if len(texts) > 1:
                write_bytes(kept, save({"read": np.ascontiguousarray(found)}))
        return found

    def read_now(self, reading: Reading, texts: Sequence[str]) -> Array:
        """As ``read``, without what is kept: for measuring how long it takes."""
        return self._reader(reading, texts)

    @cached_property
    def _vectors(self) -> VectorReader:
        return VectorReader(self.project.base_spec)

    @cached_property
    def _reader(self) -> PoolReader:
        def open_pool() -> AdapterPool:
            spec = self.project.base_spec(self.config.base)
            return AdapterPool(ModelHost(open_base(spec, report=self.report)), self.registry)

        return PoolReader(self.registry, self._vectors, open_pool)


def _kept(path: Path) -> Array | None:
    try:
        return np.asarray(load(path.read_bytes())["read"], np.float64)
    except (OSError, KeyError, SafetensorError):
        return None
