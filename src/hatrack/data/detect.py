"""What a file is and what its columns mean, with the evidence in words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from hatrack.data.layouts.base import choose_layout
from hatrack.data.readers.base import LOOK, open_rows, sources

__all__ = ["Guess", "detect"]


@dataclass(frozen=True, slots=True)
class Guess:
    """What ``data.format`` and ``data.layout`` would say, and why."""

    format: str
    layout: str
    reason: str


def detect(path: Path, format_name: str = "auto", layout_name: str = "auto", max_row_bytes: int = 1_000_000, *, why: str = "") -> Guess:
    """Look at the ending, the first bytes and the first rows of a file, or of the files of a folder.

    Args:
        why: the reason for ``layout_name``, where it is not that somebody asked for it.

    Raises:
        DataFileError: it cannot be read, or its ending and its content disagree.
        ConfigError: no reader or no layout of this name, or two layouts fit.
        MissingExtra: the reader needs a package that is not installed.
    """
    found = sources(path, format_name)
    readers = sorted({source.reader for source in found if source.reader})
    first = list(itertools.islice(open_rows(path, format_name, max_row_bytes, "columns"), LOOK))
    layout, meaning = choose_layout(layout_name, first)
    evidence = f"a folder of {len(found)} files: {', '.join(readers)}" if path.is_dir() else found[0].why
    return Guess(readers[0] if len(readers) == 1 else "auto", layout, f"{evidence}; {why or meaning}")
