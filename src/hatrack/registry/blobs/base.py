"""The plug-in point of blob stores. A blob is a file whose name is the SHA-256 of its bytes, so it is never changed, only made or removed.

A store answers for what it hands out: whoever gets bytes by a digest gets the bytes of that digest, or an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hatrack.core.errors import AdapterBroken
from hatrack.core.plugins import Plugins
from hatrack.registry.place import Place

__all__ = ["BLOB_STORES", "Blob", "BlobStore", "missing", "open_blobs"]


@dataclass(frozen=True)
class Blob:
    """One blob that a store holds. ``size`` in bytes; ``written``: seconds since 1970, by the store's own clock."""

    digest: str
    size: int
    written: float


class BlobStore(Protocol):
    """Made from a ``Place``, of which ``blobs`` is the store's own address."""

    def where(self, digest: str) -> str:
        """Where a blob lies or would lie, as a user would look for it."""

    def put(self, source: Path) -> str:
        """Keep a file's bytes and return their digest. What is there already is kept, what is there and damaged is replaced.

        Raises:
            StorageError: full, not permitted, not reachable; nothing is left behind that looks like a blob.
        """

    def has(self, digest: str) -> bool:
        """Whether there is a blob of this name.

        Raises:
            RegistryUnreachable: the store does not answer.
        """

    def content(self, digest: str) -> Iterator[bytes]:
        """The bytes as they are stored, in pieces, unchecked: for whoever checks them.

        Raises:
            AdapterBroken: there is no such blob. RegistryUnreachable: the store does not answer.
        """

    def local(self, digest: str) -> Path:
        """A file on this machine with these bytes, to read and not to write.

        A store elsewhere checks the bytes against the digest whenever they are asked for, copy or not.

        Raises:
            AdapterBroken: there is no such blob, or it holds other bytes. RegistryUnreachable: the store does not answer.
        """

    def all(self) -> Iterator[Blob]:
        """Every blob, in no order.

        Raises:
            RegistryUnreachable: the store does not answer.
        """

    def remove(self, digests: Sequence[str]) -> None:
        """Remove blobs; one that is not there is passed over.

        Raises:
            StorageError: not permitted, or not reachable.
        """


BLOB_STORES: Plugins[type[BlobStore]] = Plugins(
    "blob_store",
    {
        "folder": "hatrack.registry.blobs.folder:FolderBlobs",
        "s3": "hatrack.registry.blobs.s3:S3Blobs",
    },
)


def open_blobs(place: Place) -> BlobStore:
    """The store of a place: by the scheme of its URL, a folder where there is none.

    Raises:
        ConfigError: there is no store of this kind. MissingExtra: its client is not installed.
    """
    scheme, separator, _ = place.blobs.partition("://")
    make: type = BLOB_STORES.get(scheme if separator else "folder")
    store: BlobStore = make(place)
    return store


def missing(where: str) -> AdapterBroken:
    """What is said of a blob that is not there."""
    return AdapterBroken(
        "a file of this version is missing from the registry", given=where, fix="restore it from a backup, or train the adapter again"
    )
