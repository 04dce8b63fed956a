"""A table in ``hatrack.yaml`` from a file and the name of the column to predict."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from hatrack.core.atomic import write_text
from hatrack.core.config_file import CONFIG_NAME, parse_config, read_config
from hatrack.core.errors import ConfigError, DataFileError
from hatrack.core.names import NAME_RULE, closest, valid_name
from hatrack.tabular.read import read_table
from hatrack.workflows.init import insert_entry

__all__ = ["write_table"]


def write_table(data: Path, folder: Path, name: str, target: str, *, add: bool) -> tuple[Path, str]:
    """Write a ``hatrack.yaml``, or add to the one that is there; returns its path and what was found, in words.

    Raises:
        ConfigError: the name cannot be used, or there is a config already, or none to add to.
        DataFileError: the file is no table, or has no such column.
    """
    path = folder / CONFIG_NAME
    if not valid_name(name) or name == "base":
        raise ConfigError("this cannot be the name of a table", given=repr(name), allowed=NAME_RULE)
    if path.exists() and not add:
        raise ConfigError(
            "there is a hatrack.yaml already", given=str(path), fix="say --add to add this table to it, or choose another --project"
        )
    if add:
        config = read_config(folder)
        if name in config.tables or name in config.adapters:
            raise ConfigError(f"hatrack.yaml has an entry called {name} already", given=name, fix="choose another --name")
    table, _ = read_table(data, max_rejected=1.0)
    if target not in table.columns:
        near = closest(target, table.columns, 1)
        raise DataFileError(
            f"the file has no column {target!r}",
            given=str(data),
            allowed=", ".join(table.columns),
            fix=f"did you mean {near[0]}?" if near else "name one of these with --table",
        )
    entry = {"data": os.path.relpath(data.absolute(), folder.absolute()), "target": target}
    words = f"{len(table):,} rows, {len(table.columns) - 1} columns to predict {target!r} from"
    if add:
        return insert_entry(folder, "tables", name, entry), words
    text = yaml.safe_dump({"tables": {name: entry}}, sort_keys=False)  # tables need no base model
    parse_config(text)
    write_text(path, text)
    return path, words
