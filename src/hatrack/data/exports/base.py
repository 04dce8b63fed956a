"""Exports write examples in the formats of other tools; what a format cannot hold is refused with its row number."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from hatrack.core.atomic import staged_file
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataError, RowErrors
from hatrack.core.plugins import Plugins
from hatrack.data.records import Example

__all__ = ["EXPORTS", "Export", "export_examples"]


class Export(Protocol):
    """One format, JSON Lines with a record for each example.

    Attributes:
        fewest: examples that the target asks for.
        largest: bytes of a file that the target takes; None where it says nothing of that.
    """

    fewest: int
    largest: int | None

    def record(self, example: Example, config: AdapterConfig) -> dict[str, Any]:
        """The example as the target has it.

        Raises:
            ValueError: the target cannot hold it, and why.
        """
        ...


EXPORTS: Plugins[type[Export]] = Plugins(
    "export",
    {
        "alpaca": "hatrack.data.exports.alpaca:Alpaca",
        "chat": "hatrack.data.exports.chat:Chat",
        "jsonl": "hatrack.data.exports.jsonl:Jsonl",
        "openai": "hatrack.data.exports.openai:OpenAI",
    },
)


def export_examples(examples: Iterable[Example], config: AdapterConfig, export_name: str, target: Path) -> int:
    """Write ``target`` whole or not at all; return how many examples it holds.

    Raises:
        ConfigError: no export has this name.
        RowErrors: rows that the target cannot hold; all of them.
        DataError: fewer examples than the target asks for, or a larger file than it takes.
        StorageError: disk full, read-only, or not permitted.
    """
    export = EXPORTS.get(export_name)()
    written, size, faults = 0, 0, list[tuple[int, str]]()
    with staged_file(target) as stream:
        for example in examples:
            try:
                record = export.record(example, config)
            except ValueError as error:
                faults.append((example.row, str(error)))
                continue
            size += stream.write(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n")
            written += 1
            if export.largest and size > export.largest:
                raise DataError(
                    f"the format {export_name} takes no file of this size",
                    given=f"more than {export.largest:,} bytes after {written:,} examples",
                    allowed=f"{export.largest:,} bytes",
                    fix="give fewer rows, or shorter ones",
                )
        if faults:
            raise RowErrors(
                f"{len(faults)} of {written + len(faults)} rows do not fit the format {export_name}",
                rows=tuple(faults),
                allowed="rows that the target can hold; nothing is left out or changed in silence",
                fix="choose another format, or leave these rows out of the data",
            )
        if written < export.fewest:
            raise DataError(f"the format {export_name} asks for more examples", given=str(written), allowed=f"at least {export.fewest}")
    return written
