"""The files of a version under their own names, in a folder made of blobs, checked each time it is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hatrack.core.atomic import staged_folder
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken
from hatrack.registry.blobs.base import BlobStore

__all__ = ["Attached", "materialise"]


def materialise(blobs: BlobStore, files: Mapping[str, str], folder: Path) -> Path:
    """A folder with the named files, each checked against its digest. A damaged folder is made anew.

    Raises:
        AdapterBroken: a blob is missing or its content is not what its name says. RegistryUnreachable: as ``BlobStore.local``.
    """
    if folder.is_dir() and not _damaged(files, folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with staged_folder(folder) as staging:
            for name, digest in files.items():
                shutil.copyfile(blobs.local(digest), staging / name)
    except OSError:
        if not folder.is_dir():  # else another process was faster, with the same files
            raise
    name = _damaged(files, folder)
    if name:
        shutil.rmtree(folder, ignore_errors=True)
        raise AdapterBroken(
            f"{name} of this version is damaged on disk",
            given=str(folder / name),
            allowed=f"sha256 {files[name][:12]}...",
            fix=f"restore {blobs.where(files[name])} from a backup, or train the adapter again",
        )
    return folder


def _damaged(files: Mapping[str, str], folder: Path) -> str:
    """The first file that is not what it should be."""
    return next((n for n, digest in files.items() if not (folder / n).is_file() or sha256_file(folder / n) != digest), "")


class Attached(Mapping[str, Path]):
    """Digest of a version to a file that was attached to it; a file that lies elsewhere is fetched when it is asked for."""

    def __init__(self, blobs: Mapping[str, str], local: Callable[[str], Path]) -> None:
        self._blobs = blobs
        self._local = local

    def __getitem__(self, digest: str) -> Path:
        """Raises: AdapterBroken, RegistryUnreachable: as ``BlobStore.local``."""
        return self._local(self._blobs[digest])

    def __iter__(self) -> Iterator[str]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)

    def __contains__(self, digest: object) -> bool:
        return digest in self._blobs
