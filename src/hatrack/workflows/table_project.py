"""A table of the project: its config, its rows, its versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.config import ProjectConfig
from hatrack.core.config_file import read_config
from hatrack.core.config_tables import TableConfig
from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import DataRecord, Manifest
from hatrack.core.names import closest
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.tabular.fitting.fit import Ground, prepare_table
from hatrack.tabular.model import TableModel
from hatrack.tabular.read import read_table
from hatrack.tabular.table import Table

__all__ = ["TableProject"]


@dataclass
class TableProject:
    """What the commands about one table share."""

    project: Project
    config: ProjectConfig
    registry: Registry
    name: str
    table: TableConfig

    @classmethod
    def open(cls, root: Path, name: str) -> TableProject:
        """Read the project in ``root``.

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
        return cls(project, config, Registry(project), name, found)

    def ground(self) -> tuple[Ground, DataRecord]:
        """The rows, read, checked and divided, and the record of what they are.

        Raises:
            DataError: files or rows that cannot be used. ConfigError: settings that do not fit them.
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
        ground = prepare_table(parts[0], self.table, parts[1] if len(parts) > 1 else None)
        ground = Ground(**{**vars(ground), "notes": (*notes, *ground.notes)})
        train, test = _digest(ground.train), _digest(ground.test)
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

    def stored(self, reference: str = "") -> tuple[Manifest, TableModel]:
        """A version of the table: the champion, else the newest, or the one that ``NAME@VERSION`` names.

        Raises:
            AdapterNotFound: it was never trained. AdapterMismatch: the name is an adapter's.
        """
        return stored_table(self.registry, reference or self.name)


def _digest(table: Table) -> str:
    rows: list[list[Any]] = [[str(cell) for cell in row.values()] for row in table.rows()]
    return sha256_json([list(table.columns), rows])
