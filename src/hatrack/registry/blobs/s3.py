"""The ``s3`` blob store: objects ``PREFIX/ab/abcdef...`` in a bucket, and copies of them on this machine.

Nothing is believed: bytes from the bucket are hashed on their way here, and a copy is hashed each time it is used.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hatrack.core.atomic import staged_file
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, RegistryUnreachable
from hatrack.core.extras import require
from hatrack.registry.blobs.base import Blob, missing
from hatrack.registry.place import Place

__all__ = ["S3Blobs"]

_PIECE = 1 << 20  # bytes
_PART = 5 << 20  # bytes: larger files are sent in parts of this size
_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})")
_TIMES = re.compile(r" in [\d.]+[^\d\s]{1,2}(, after [^-]*)? *- ")  # how long each of its tries took says nothing to a user
_AT_ONCE = 1000  # the most keys that S3 removes in one request
_WAITS = {"connect_timeout": "5s", "read_timeout": "60s", "timeout": "3600s"}  # read: without a byte; timeout: one whole file
_TRIES = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=3), "base": 2},
}


class S3Blobs:
    """``s3://BUCKET/PREFIX``; keys are read where Amazon's tools look for them in the environment.

    Raises:
        MissingExtra: obstore is not installed.
    """

    def __init__(self, place: Place) -> None:
        self._url = place.blobs.rstrip("/")
        self._cache = place.cache
        self._faults: Any = require("obstore.exceptions", extra="s3", reason="blobs in a bucket")
        stores: Any = require("obstore.store", extra="s3", reason="blobs in a bucket")
        parts = urlsplit(self._url)
        region = place.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint: dict[str, Any] = {}
        if place.endpoint:
            endpoint = {"endpoint": place.endpoint, "virtual_hosted_style_request": False}
        self._store: Any = stores.S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            region=region,
            client_options={**_WAITS, "allow_http": (place.endpoint or "").startswith("http://")},
            retry_config=_TRIES,
            **endpoint,
        )

    def where(self, digest: str) -> str:
        return f"{self._url}/{_key(digest)}"

    def put(self, source: Path) -> str:
        digest = sha256_file(source)
        with self._errors():
            if not self._holds(digest, source):
                self._store.put(_key(digest), source, chunk_size=_PART)
        return digest

    def has(self, digest: str) -> bool:
        return self._head(digest) is not None

    def content(self, digest: str) -> Iterator[bytes]:
        with self._errors():
            try:
                found = self._store.get(_key(digest))
            except (self._faults.NotFoundError, FileNotFoundError) as error:
                self._bucket_is_there()
                raise missing(self.where(digest)) from error
            for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    def local(self, digest: str) -> Path:
        path = self._cache / digest[:2] / digest
        if path.is_file() and sha256_file(path) == digest:
            return path
        found = hashlib.sha256()
        with staged_file(path) as stream:
            for piece in self.content(digest):
                found.update(piece)
                stream.write(piece)
            if found.hexdigest() != digest:
                raise AdapterBroken(
                    "the bucket holds other bytes than a file of this version has",
                    given=f"{self.where(digest)}: sha256 {found.hexdigest()[:12]}...",
                    allowed=f"sha256 {digest[:12]}...",
                    fix="push the version again from where it is whole, or restore the object from a backup; nothing of it was used",
                )
        return path

    def all(self) -> Iterator[Blob]:
        with self._errors():
            for some in self._store.list():
                for one in some:
                    if name := _KEY.fullmatch(str(one["path"])):
                        yield Blob(name.group(1), int(one["size"]), one["last_modified"].timestamp())

    def remove(self, digests: Sequence[str]) -> None:
        keys = iter([_key(digest) for digest in digests])
        with self._errors():
            while some := list(islice(keys, _AT_ONCE)):
                self._store.delete(some)

    def _head(self, digest: str) -> dict[str, Any] | None:
        with self._errors():
            try:
                found: dict[str, Any] = self._store.head(_key(digest))
            except (self._faults.NotFoundError, FileNotFoundError):
                return None
        return found

    def _holds(self, digest: str, source: Path) -> bool:
        """Whether the bucket holds these very bytes, as far as it says so; if it says another thing, they are sent again."""
        found = self._head(digest)
        return found is not None and found["size"] == source.stat().st_size and str(found["e_tag"]).strip('"') == _tag(source)

    def _bucket_is_there(self) -> None:
        """A bucket that does not exist answers like an object that does not: tell them apart before one is said to be lost."""
        next(iter(self._store.list(chunk_size=1)), None)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (self._faults.BaseError, FileNotFoundError, PermissionError) as error:  # of a bucket: no file of this machine is opened here
            text = _TIMES.sub(": ", " ".join(str(error).split("\n\nDebug source:")[0].split()))
            keys = isinstance(error, self._faults.PermissionDeniedError | self._faults.UnauthenticatedError | PermissionError)
            raise RegistryUnreachable(
                "the bucket refuses" if keys else "the bucket of the registry does not answer, or is not there",
                given=f"{self._url}: {text[:400]}",
                allowed="a bucket that may be read and written with the keys in the environment",
                fix="look at registry.blobs and registry.endpoint, and at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ) from error


def _tag(source: Path) -> str:
    """The tag that S3 gives a file: its MD5, or, where it was sent in parts, that of the parts' MD5s and their number."""
    parts = []
    with source.open("rb") as stream:
        while part := stream.read(_PART):
            parts.append(hashlib.md5(part, usedforsecurity=False).digest())
    if len(parts) < 2:
        return (parts[0] if parts else hashlib.md5(usedforsecurity=False).digest()).hex()
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"
