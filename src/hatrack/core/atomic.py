"""Nothing half-written: files and folders appear whole or not at all.

Everything is first written beside its target under a name that starts with ``.staging-`` and then renamed, which
POSIX does in one step. A disk that is full or not writable becomes one clear error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import HatrackError, StorageError

__all__ = ["STAGING", "staged_file", "staged_folder", "storage_errors", "write_bytes", "write_text"]

STAGING = ".staging-"

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the same command again"),
    errno.EROFS: ("the file system is read-only", "choose a project folder that can be written"),
    errno.EACCES: ("the folder may not be written", "give yourself write permission or choose another folder"),
    errno.EPERM: ("the folder may not be written", "give yourself write permission or choose another folder"),
    errno.ENOTDIR: ("a file is in the way of a folder", "move that file away"),
    errno.EEXIST: ("a file is in the way of a folder", "move that file away"),
}


@contextlib.contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing ``target`` into a StorageError."""
    try:
        yield
    except OSError as error:
        what, fix = _REASONS.get(error.errno or 0, ("", ""))
        if not what:
            raise
        raise StorageError(f"cannot write {target.name}: {what}", given=str(target), fix=fix) from error
    except Exception as error:
        # torch and safetensors report a full disk as errors of their own
        if isinstance(error, HatrackError) or not _is_full(error, target):
            raise
        what, fix = _REASONS[errno.ENOSPC]
        raise StorageError(f"cannot write {target.name}: {what}", given=str(target), fix=fix) from error


def _is_full(error: Exception, target: Path) -> bool:
    if f"os error {errno.ENOSPC}" in str(error):
        return True
    existing = next(path for path in (target, *target.parents) if path.exists())
    return shutil.disk_usage(existing).free < 1_000_000


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[BinaryIO]:
    """A stream to fill; the file takes the name ``path`` only when the block ends without an error.

    Raises:
        StorageError: disk full, read-only, or not permitted.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=STAGING)
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        StorageError: disk full, read-only, or not permitted.
    """
    with staged_file(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """As ``write_bytes``, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """A folder to fill; it takes the name ``target`` only when the block ends without an error.

    An older ``target`` is replaced. On an error the staging folder is removed and ``target`` is as it was.

    Raises:
        StorageError: disk full, read-only, or not permitted.
    """
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=STAGING))
        try:
            yield staging
            if target.exists():
                old = Path(tempfile.mkdtemp(dir=target.parent, prefix=STAGING))
                os.replace(target, old / "old")
                try:
                    os.replace(staging, target)
                except BaseException:
                    os.replace(old / "old", target)
                    raise
                finally:
                    shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
