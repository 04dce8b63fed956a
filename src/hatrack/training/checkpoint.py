"""Checkpoints that are whole or do not count: a seal with the hash of every file, written last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers.trainer_utils import rotate_checkpoints

from hatrack.core.atomic import write_text
from hatrack.core.digest import sha256_file

__all__ = ["SEAL", "latest_sealed", "remove_older", "seal"]

SEAL = "complete.json"


def seal(folder: Path) -> None:
    """Declare the checkpoint in ``folder`` complete."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SEAL]
    digests = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
    write_text(folder / SEAL, json.dumps(digests, indent=1))


def remove_older(run: Path, best: str | None) -> None:
    """Leave the newest and the best checkpoint of a run. The newest must be sealed: the Trainer itself would do this before."""
    rotate_checkpoints(str(run), save_total_limit=2, best_model_checkpoint=best)


def latest_sealed(run: Path) -> Path | None:
    """The newest checkpoint of a run that is whole. Others, left by a kill while writing, are removed."""
    found = []
    for folder in run.glob("checkpoint-*"):
        if _whole(folder):
            found.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return max(found, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def _whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return all(sha256_file(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError):
        return False
