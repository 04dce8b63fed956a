"""Content-addressed files: a blob's name is the SHA-256 of its bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hatrack.core.atomic import STAGING, staged_folder, storage_errors
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken

__all__ = ["BlobStore"]


class BlobStore:
    """Blobs below one folder, ``ab/abcdef...``; writing the same content twice stores it once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the blob lies or would lie."""
        return self.root / digest[:2] / digest

    def put(self, source: Path) -> str:
        """Copy a file in; return its digest.

        Raises:
            StorageError: disk full or not writable; nothing is left behind that looks like a blob.
        """
        digest = sha256_file(source)
        target = self.path(digest)
        if target.exists() and sha256_file(target) == digest:  # a damaged blob is written anew
            return digest
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=STAGING)  # two processes may store the same content
            os.close(handle)
            staging = Path(name)
            try:
                shutil.copyfile(source, staging)
                os.replace(staging, target)
            finally:
                staging.unlink(missing_ok=True)
        return digest

    def materialise(self, files: dict[str, str], folder: Path) -> Path:
        """A folder with the named files, each checked against its digest every time.

        Raises:
            AdapterBroken: a blob is missing or its content is not what its name says.
        """
        if not folder.is_dir():
            try:
                with staged_folder(folder) as staging:
                    for name, digest in files.items():
                        self._place(digest, staging / name)
            except OSError:
                if not folder.is_dir():  # else another process was faster, with the same files
                    raise
        for name, digest in files.items():
            path = folder / name
            if not path.is_file() or sha256_file(path) != digest:
                shutil.rmtree(folder, ignore_errors=True)
                raise AdapterBroken(
                    f"{name} of this version is damaged on disk",
                    given=str(path),
                    allowed=f"sha256 {digest[:12]}...",
                    fix=f"restore {self.path(digest)} from a backup, or train the adapter again",
                )
        return folder

    def _place(self, digest: str, target: Path) -> None:
        blob = self.path(digest)
        if not blob.is_file():
            raise AdapterBroken(
                "a file of this version is missing from the registry",
                given=str(blob),
                fix="restore it from a backup, or train the adapter again",
            )
        shutil.copyfile(blob, target)
