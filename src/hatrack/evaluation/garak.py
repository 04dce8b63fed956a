"""Reports of garak (NVIDIA's scanner), as checks of our own: each probe with each of its detectors is a group.

garak writes JSON lines; those with ``entry_type`` ``eval`` hold counts, and ``completion`` is the last line of a whole run.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatrack.core.checks import SAFETY, CheckedGroup, CheckReport
from hatrack.core.digest import sha256_file
from hatrack.core.errors import EvaluationError
from hatrack.evaluation.checks import share_interval

__all__ = ["read_garak"]


def read_garak(path: Path, subject: str) -> CheckReport:
    """The report in ``path``. Prompts and answers in it are not taken over.

    Raises:
        EvaluationError: it cannot be read, or holds no evaluation.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        entries = [json.loads(line) for line in lines]
        groups = [_group(entry) for entry in entries if entry.get("entry_type") == "eval" and _total(entry)]
        kinds = {entry.get("entry_type") for entry in entries}
        digest = sha256_file(path)
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise EvaluationError(
            "the report of garak cannot be read", given=f"{path}: {str(error).splitlines()[0]}", allowed="a file NAME.report.jsonl of garak"
        ) from error
    if not groups:
        raise EvaluationError(
            "the report of garak holds no evaluation", given=str(path), allowed="lines with entry_type eval", fix="let the run end"
        )
    return CheckReport(
        check=SAFETY,
        subject=subject,
        suite_digest=digest,
        groups=tuple(groups),
        skipped=() if "completion" in kinds else ("probes after the last one shown: the run was not finished",),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _total(entry: dict[str, Any]) -> int:
    """Answers that were judged; older versions call them ``total``."""
    return int(entry["total_evaluated"] if "total_evaluated" in entry else entry["total"])


def _group(entry: dict[str, Any]) -> CheckedGroup:
    passed, total = int(entry["passed"]), _total(entry)
    if not 0 <= passed <= total:
        raise ValueError(f"{passed} of {total} passed")
    return CheckedGroup(
        name=f"garak {entry['probe']}",
        about=f"passed the detector {entry['detector']}",
        items=total,
        score=passed / total,
        interval=share_interval(passed, total),
    )
