"""The ``folder`` blob store: ``ab/abcdef...`` below one folder, on this machine or on a disk that a team shares."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hatrack.core.atomic import STAGING, storage_errors
from hatrack.core.digest import sha256_file
from hatrack.registry.blobs.base import Blob, missing
from hatrack.registry.place import Place

__all__ = ["FolderBlobs"]

_PIECE = 1 << 20  # bytes
_NAME = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """Blobs below one folder."""

    def __init__(self, place: Place) -> None:
        self.root = Path(place.blobs)

    def path(self, digest: str) -> Path:
        """Where the blob lies or would lie."""
        return self.root / digest[:2] / digest

    def where(self, digest: str) -> str:
        return str(self.path(digest))

    def put(self, source: Path) -> str:
        digest = sha256_file(source)
        target = self.path(digest)
        if target.exists() and sha256_file(target) == digest:
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

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def content(self, digest: str) -> Iterator[bytes]:
        try:
            stream = self.path(digest).open("rb")
        except FileNotFoundError as error:
            raise missing(self.where(digest)) from error
        with stream:
            while piece := stream.read(_PIECE):
                yield piece

    def local(self, digest: str) -> Path:
        path = self.path(digest)
        if not path.is_file():
            raise missing(str(path))
        return path

    def all(self) -> Iterator[Blob]:
        for path in self.root.glob("??/*"):
            if _NAME.fullmatch(path.name):
                status = path.stat()
                yield Blob(path.name, status.st_size, status.st_mtime)

    def remove(self, digests: Sequence[str]) -> None:
        for digest in digests:
            with storage_errors(self.path(digest)):
                self.path(digest).unlink(missing_ok=True)
