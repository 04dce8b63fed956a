"""A table of the project: its config, its rows, its versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hatrack.core.config import ProjectConfig
from hatrack.core.config_file import read_config
from hatrack.core.config_tables import TableConfig
from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import ConfigError, DataError
from hatrack.core.lineage import DataRecord, Manifest
from hatrack.core.names import closest
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.tabular.fitting.fit import Ground, prepare_table
from hatrack.tabular.fitting.inspect import known_column
from hatrack.tabular.model import TableModel
from hatrack.tabular.read import read_table
from hatrack.tabular.readings import Reading, TextScore, with_readings
from hatrack.tabular.table import Table
from hatrack.workflows.table_texts import TableTexts

__all__ = ["TableProject", "rows_digest"]


@dataclass
class TableProject:
    """What the commands about one table share."""

    project: Project
    config: ProjectConfig
    registry: Registry
    name: str
    table: TableConfig
    report: Callable[[str], None] = lambda line: None

    @classmethod
    def open(cls, root: Path, name: str, report: Callable[[str], None] = lambda line: None) -> TableProject:
        """Read the project in ``root``; ``report`` is told what takes long.

        Raises:
            ConfigError: faults in ``hatrack.yaml``, or no table of this name in it.
        """
        config, project = read_config(root), Project(root.absolute())
        found = config.tables.get(name)
        if found is None:
            near = closest(name, config.tables, 1)
            raise ConfigError(
                f"hatrack.yaml has no table called {name!r}",
                given=name,
                allowed=", ".join(config.tables) or "it has no `tables` yet",
                fix=f"did you mean {near[0]}?" if near else f"add tables: {{{name}: {{data: FILE.csv, target: COLUMN}}}}",
            )
        return cls(project, config, Registry(project), name, found, report)

    @cached_property
    def texts(self) -> TableTexts:
        """Who reads the texts of the table."""
        return TableTexts(self.project, self.config, self.registry, self.report)

    def ground(self, readings: Sequence[Reading] | None = None) -> tuple[Ground, DataRecord]:
        """The rows, read, checked and divided, and the record of what they are.

        Args:
            readings: who reads texts; None: whom the config means now.

        Raises:
            DataError: files or rows that cannot be used. ConfigError: settings that do not fit them. AdapterError: nobody
                reads the texts.
        """
        files, notes = {}, []
        parts: list[Table] = []
        for file in filter(None, (self.table.data.train, self.table.data.test)):
            path = self.project.root / file
            rejects = self.project.rejects / f"{self.name}.jsonl"
            part, said = read_table(path, self.table.data.format, self.table.max_rejected, rejects)
            parts.append(part)
            notes += said
            files[file] = sha256_file(path) if path.is_file() else ""
        readings = self.texts.pinned(self.table) if readings is None else readings
        if readings:
            self.texts.notes.clear()
            parts = [with_readings(readings, self.unseen(part, readings), self.texts.read) for part in parts]
            notes += dict.fromkeys(self.texts.notes)
        ground = prepare_table(parts[0], self.table, parts[1] if len(parts) > 1 else None, readings)
        ground = replace(ground, notes=(*notes, *ground.notes))
        read_out = [name for reading in readings for name in reading.columns]
        train, test = (rows_digest(part.without(read_out)) for part in (ground.train, ground.test))
        record = DataRecord(
            digest=sha256_json([train, test]),
            train_digest=train,
            validation_digest="",
            test_digest=test,
            rows={"train": len(ground.train), "validation": 0, "test": len(ground.test)},
            rejected=sum(map(len, parts)) - len(ground.train) - len(ground.test),
            source_files=files,
        )
        return ground, record

    def unseen(self, part: Table, readings: Sequence[Reading]) -> Table:
        """Rows that did not train their reader; a version of other scores than the config's is explained, not trained."""
        wanted, scores = self.table.text_scores, [reading for reading in readings if isinstance(reading, TextScore)]
        for reading in readings:
            known_column(reading.column, part, "text_scores" if isinstance(reading, TextScore) else "text_vectors")
        same = [(one.name, one.column) for one in wanted] == [(one.name, one.column) for one in scores]
        return self.texts.unseen(part, wanted, scores) if same else part

    def stored(self, reference: str = "") -> tuple[Manifest, TableModel]:
        """A version of the table: the champion, else the newest, or the one that ``NAME@VERSION`` names.

        Raises:
            AdapterNotFound: it was never trained. AdapterMismatch: the name is an adapter's.
        """
        return stored_table(self.registry, reference or self.name)

    def same_target(self, model: TableModel, ground: Ground) -> None:
        """Refuse a version that predicts something else than the config says.

        Raises:
            DataError: another target, or other classes.
        """
        classes = model.card.decision.classes if model.card.decision else ()
        if (model.card.target, classes) != (ground.config.target, ground.target.classes):
            raise DataError(
                "this version predicts something else than hatrack.yaml now says",
                given=f"{model.card.target}, {ground.config.target}",
                fix=f"run `hatrack table train {self.name}`",
            )


def rows_digest(table: Table) -> str:
    """Identity of a table by its cells."""
    rows: list[list[Any]] = [[str(cell) for cell in row.values()] for row in table.rows()]
    return sha256_json([list(table.columns), rows])
