"""Steps of preparing data, each kept on disk under everything that decides its outcome; an unchanged step is not repeated.

The key of a step covers its parameters, the keys of the steps before it (at the root: the bytes of the files), the source
code that data passes through and the versions of the libraries that code calls (F15). Nothing that depends on a
tokenizer or a chat template is kept here: tokens are rendered anew from the rows each time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hatrack.core.atomic import STAGING, staged_folder
from hatrack.core.digest import canonical_json, sha256_json
from hatrack.data.manifest import StepRecord

__all__ = ["Done", "Steps", "code_version"]

_RECORD = "step.json"
_ROOMS = ("core", "data", "safety")
_LIBRARIES = ("ftfy", "lxml", "pdfplumber", "presidio-analyzer", "py3langid", "pyarrow", "pypdf", "python-docx", "python-stdnum", "rensa")
_UNUSED_SECONDS = 24 * 3600  # another process may still read what this one does not need


@dataclass(frozen=True)
class Done:
    """A finished step: where its files are and what it did. ``repeated`` is False when it was found on disk."""

    folder: Path
    key: str
    record: StepRecord
    repeated: bool


class Steps:
    """The steps of one preparation, kept in ``store``."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.done: list[Done] = []

    def run(self, name: str, parameters: dict[str, Any], inputs: Sequence[str], build: Callable[[Path], dict[str, Any]]) -> Done:
        """Find the step on disk, or let ``build`` fill its folder and return its counts.

        Args:
            name: of the step; also the beginning of its folder's name.
            parameters: every setting that decides the outcome, as JSON.
            inputs: keys of the steps it reads, or digests of files.
            build: fills an empty folder. On an error nothing of it is kept.

        Raises:
            StorageError: the folder cannot be written.
        """
        key = sha256_json({"step": name, "parameters": parameters, "inputs": list(inputs), "code": code_version()})
        folder = self._store / f"{name}-{key[:24]}"
        record = _read(folder, key)
        repeated = record is None
        if record is None:
            with staged_folder(folder) as staging:
                saved = canonical_json({"key": key, "record": {"step": name, "parameters": parameters, "counts": build(staging)}})
                (staging / _RECORD).write_text(saved, encoding="utf-8")
            # read back, so that a record is the same to the order of its keys whether the step was done now or before
            record = StepRecord.model_validate(json.loads(saved)["record"])
        else:
            os.utime(folder)  # still in use: see tidy
        done = Done(folder, key, record, repeated)
        self.done.append(done)
        return done

    def tidy(self) -> None:
        """Remove steps that this preparation did not use and that nobody used for a day, and what killed processes left."""
        if not self._store.is_dir():
            return
        used = {done.folder.name for done in self.done}
        for folder in self._store.iterdir():
            ours = folder.name.startswith(STAGING) or (folder / _RECORD).is_file()
            if ours and folder.name not in used and time.time() - folder.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path, key: str) -> StepRecord | None:
    """The record of a step that is there and whole; a damaged one is made again."""
    try:
        saved = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(saved, dict) or saved.get("key") != key:
        return None
    return StepRecord.model_validate(saved["record"])


@functools.cache
def code_version() -> str:
    """SHA-256 over the source of the rooms that data passes through and the versions of the libraries they call."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
