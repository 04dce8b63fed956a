"""Opening what a path names: a plain file, a gzip file that may not grow without end, the files of a folder."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from hatrack.core.errors import DataFileError
from hatrack.core.names import closest

__all__ = ["ending", "files_in", "open_file"]

_ZIPPED = b"\x1f\x8b"
_ALWAYS = 100_000_000  # bytes a gzip file may always grow to
_RATIO = 200  # real text compresses 3 to 20 times; the most that deflate can do is 1,032 times


def ending(path: Path) -> str:
    """The ending that names the format: ``.csv`` of ``rows.csv`` and of ``rows.csv.gz``, in lower case."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def files_in(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted by its path; what is hidden is left out.

    Raises:
        DataFileError: a folder may not be read.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(Path(parent) / name for name in names if not name.startswith("."))
    return sorted((path for path in found if path.is_file()), key=lambda path: path.relative_to(folder).as_posix())


def open_file(path: Path) -> BinaryIO:
    """A stream of the file's bytes that can be rewound; of the unpacked bytes where its name ends in ``.gz``.

    Raises:
        DataFileError: no such file, not permitted, a pipe or a device, or ``.gz`` and not gzip.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for somebody to write
            raise DataFileError("the data file cannot be opened", given=f"{path} is no regular file", fix="write the rows to a file first")
        stream = path.open("rb")
    except FileNotFoundError as error:
        near = closest(path.name, (p.name for p in path.parent.glob("*"))) if path.parent.is_dir() else []
        raise DataFileError(
            "there is no such data file", given=str(path), fix=f"did you mean {near[0]}?" if near else "correct `data` in hatrack.yaml"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        _unreadable(error)
    if path.suffix.lower() != ".gz":
        return stream
    with stream:
        head = stream.read(2)
    if head and head != _ZIPPED:
        raise DataFileError("this file is not what its ending says", given=f"{path.name} is no gzip file", fix="rename it")
    return cast(BinaryIO, io.BufferedReader(_Unpacked(path)))


def _unreadable(error: OSError | ValueError) -> NoReturn:
    where = getattr(error, "filename", None) or ""
    reason = getattr(error, "strerror", None) or str(error)
    raise DataFileError("the data file cannot be opened", given=f"{where}: {reason}" if where else reason) from error


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, up to a limit that no honest file reaches."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = gzip.GzipFile(path, "rb")
        self._most = max(_ALWAYS, _RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        try:
            data = self._file.read(len(view))
        except (OSError, EOFError, zlib.error) as error:
            raise DataFileError("this gzip file is damaged", given=f"{self._path}: {error}", fix="copy or download it again") from error
        if self._file.tell() > self._most:
            raise DataFileError(
                "this gzip file grows too much when it is unpacked",
                given=f"{self._path}: {self._path.stat().st_size:,} bytes become more than {self._most:,}",
                allowed=f"{_RATIO} times its size, or {_ALWAYS:,} bytes",
                fix="unpack it and look at what is in it",
            )
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
