"""``hatrack unbundle``: every byte is checked against the signed head before anything has its name."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from hatrack.core.atomic import staged_folder
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError
from hatrack.workflows.bundle.record import HEAD, SIGNATURE, BundledFile, BundleRecord, public_key, signed

__all__ = ["Unpacked", "unpack", "verify"]

_LARGEST_HEAD = 64_000_000
_PIECE = 1 << 20


@dataclass(frozen=True)
class Unpacked:
    """What the bundle holds, and the public key of who signed it."""

    record: BundleRecord
    signer: str


def verify(path: Path, signed_by: str | None = None) -> Unpacked:
    """Check signature and every file; nothing is written.

    Raises:
        AdapterBroken: no bundle, damaged, cut off, or more in it than its head names. AdapterMismatch: signed by somebody else.
    """
    with _opened(path) as tar:
        found = _head(path, tar, signed_by)
        for file in found.record.files:
            _read(path, tar, file, None)
        if tar.next() is not None:
            raise _damaged(path, "it holds more files than its head names")
    return found


def unpack(path: Path, folder: Path, signed_by: str) -> Unpacked:
    """Check, and write the project into ``folder``, which appears only when everything was right.

    Raises:
        ConfigError: something is in the way. AdapterBroken, AdapterMismatch: as ``verify``. StorageError: the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("a bundle is unpacked into a new folder", given=str(folder), allowed="a folder that is empty or not there")
    with staged_folder(folder) as staging, _opened(path) as tar:
        found = _head(path, tar, signed_by)
        for file in found.record.files:
            target = staging / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                _read(path, tar, file, stream)
        if tar.next() is not None:
            raise _damaged(path, "it holds more files than its head names")
        staging.chmod(0o755)
    return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except FileNotFoundError as error:
        raise ConfigError("there is no such bundle", given=str(path), allowed="a file that `hatrack bundle` wrote") from error
    except tarfile.TarError as error:
        raise _damaged(path, str(error)) from error


def _head(path: Path, tar: tarfile.TarFile, signed_by: str | None) -> Unpacked:
    content = _next(path, tar, HEAD, _LARGEST_HEAD).read()
    signer = signed(content, _next(path, tar, SIGNATURE, 1000).read())
    if signer is None:
        raise _damaged(path, "the signature is not of this content")
    if signed_by is not None and signer != public_key(signed_by):
        raise AdapterMismatch(
            "this bundle was signed by somebody else",
            given=f"public key {signer}",
            allowed=public_key(signed_by),
            fix="ask whoever sent it",
        )
    try:
        return Unpacked(BundleRecord.model_validate_json(content), signer)
    except ValidationError as error:
        raise _damaged(path, f"{HEAD}: {error.errors()[0]['msg']}") from error


def _read(path: Path, tar: tarfile.TarFile, file: BundledFile, target: IO[bytes] | None) -> None:
    content, digest, size = _next(path, tar, file.name, file.bytes), hashlib.sha256(), 0
    while piece := content.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        if target is not None:
            target.write(piece)
    if size != file.bytes or digest.hexdigest() != file.sha256:
        raise _damaged(path, f"{file.name} is not the file that was packed")


def _next(path: Path, tar: tarfile.TarFile, name: str, largest: int) -> IO[bytes]:
    """The next member, which must be the regular file of this name: links, devices and other orders are refused."""
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.isreg() else None
    if member is None or content is None or member.name != name or member.size > largest:
        raise _damaged(path, f"{member.name if member else 'its end'} stands where {name} should be")
    return content


def _damaged(path: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        f"{path.name} cannot be trusted as a bundle",
        given=given,
        allowed="a whole file that `hatrack bundle` wrote",
        fix="copy it again from where it was made",
    )
