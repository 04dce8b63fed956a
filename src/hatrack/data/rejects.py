"""Rows that are left out: written with their reasons as they come, and shown without personal data.

The list inside a step's folder holds what stood there, as the step's rows do. What leaves it, the list beside the
prepared data and the message of an error, is quoted by the policy of the adapter (``hatrack.safety.quote``).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hatrack.core.atomic import staged_file
from hatrack.core.errors import RowErrors
from hatrack.data.records import RowFault
from hatrack.safety.quote import Quote

__all__ = ["REJECTS", "Rejects", "refuse_many", "write_rejects"]

REJECTS = "rejects.jsonl"
_SHOWN = 5  # faults that a message may show


class Rejects:
    """Rows that are left out, written as they come; nothing of them is kept in memory.

    Args:
        folder: where ``rejects.jsonl`` is written.
        name: the file the rows come from, as the config names it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._stream = (folder / REJECTS).open("w", encoding="utf-8")
        self.count = 0

    def add(self, fault: RowFault) -> None:
        """Write one row and its reason."""
        self.count += 1
        line = {"file": self._name, "row": fault.number, "reason": fault.reason, "excerpt": fault.excerpt}
        # a file may hold halves of surrogate pairs; the list of what is wrong with it must be readable all the same
        self._stream.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8") + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


def write_rejects(path: Path, folders: Iterable[Path], quote: Quote) -> None:
    """One list of all rows that the steps in ``folders`` left out; an older list does not outlive its rows."""
    lists = [folder / REJECTS for folder in folders if (folder / REJECTS).is_file()]
    if not path.exists() and not any(file.stat().st_size for file in lists):
        return
    with staged_file(path) as stream:
        for line in itertools.chain.from_iterable(_quoted(file, quote) for file in lists):
            stream.write(json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n")


def refuse_many(path: Path, folder: Path, counts: dict[str, Any], limit: float, quote: Quote, rejects: Path | None) -> None:
    """More invalid rows of ``path`` than allowed stop everything (F08); they are listed in ``rejects`` first.

    Args:
        folder: of the step that read the file; ``counts`` are its counts.
    """
    total, bad = counts["rows"], counts["rejected"]
    if not bad or bad <= limit * total:
        return
    if rejects is not None:
        write_rejects(rejects, [folder], quote)
    raise RowErrors(
        f"{bad} of {total} rows of {path.name} cannot be used",
        rows=tuple((fault["row"], fault["reason"]) for fault in itertools.islice(_quoted(folder / REJECTS, quote), _SHOWN)),
        total=bad,
        given=f"{bad / total:.1%} of the rows",
        allowed=f"{limit:.1%} (checks.max_rejected)",
        fix="correct these rows" + (f"; all of them are listed in {rejects}" if rejects else "") + ", or raise checks.max_rejected",
    )


def _quoted(file: Path, quote: Quote) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as stream:
        for text in stream:
            line = json.loads(text)
            yield {**line, "reason": quote.reason(line["reason"]), "excerpt": quote.excerpt(line["excerpt"])}
