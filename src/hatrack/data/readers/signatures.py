"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

__all__ = ["HEAD", "signature"]

HEAD = 65_536  # bytes that are looked at

_OFFICE_OLD = "an old Office file (.doc, .xls) or an Office file with a password"
_UTF16 = "UTF-16 text; save it as UTF-8"
_KNOWN = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive, as .docx and .xlsx are"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file; let its name end in .gz"),
    (b"\xd0\xcf\x11\xe0", _OFFICE_OLD),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
)


def signature(head: bytes) -> str:
    """In words what these first bytes belong to; empty for text."""
    for magic, words in _KNOWN:
        if head.startswith(magic):
            return words
    if head.count(0) > len(head) // 4:
        return "binary data or UTF-16 text"
    return ""
