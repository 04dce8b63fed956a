"""Files that come from the browser: streamed to a folder of the project, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

from hatrack.core.atomic import staged_file
from hatrack.core.errors import DataFileError

__all__ = ["ALLOWED", "FOLDER", "keep", "safe_name"]

FOLDER = "data"
ALLOWED = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".txt", ".md", ".html", ".docx", ".pdf", ".vtt")
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(given: str) -> str:
    """The name under which a file is kept: without folders, and without characters that mean something elsewhere.

    Raises:
        DataFileError: nothing is left of it, or no reader knows such files.
    """
    name = _STRANGE.sub("-", given.replace("\\", "/").rpartition("/")[2]).strip("-.")[-120:]
    suffix = Path(name).suffix.lower()
    if not Path(name).stem or suffix not in ALLOWED:
        raise DataFileError(
            "this kind of file is not read here", given=given[:200], allowed=", ".join(ALLOWED), fix="save it as CSV or JSONL"
        )
    return name


async def keep(body: AsyncIterator[bytes], folder: Path, name: str, *, replace: bool = False) -> Path:
    """Write a body to ``folder/NAME``; if there is one of this name it is replaced, or it stays and the new one gets a number.

    Raises:
        DataFileError: it is empty. StorageError: disk full, read-only, or not permitted.
    """
    target = folder / name
    number = 1
    while target.exists() and not replace:
        number += 1
        target = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    size = 0
    with staged_file(target) as stream:
        async for part in body:
            size += len(part)
            stream.write(part)
        if not size:
            raise DataFileError("this file is empty", given=name, fix="choose a file that holds something")
    return target
