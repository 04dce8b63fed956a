"""The step of preparation that finds rows of the training file that say the same, and leaves out those that are not wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_text
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.disjoint import united
from hatrack.data.duplicates.paraphrases import Embed, paraphrase_clusters
from hatrack.data.progress import Progress
from hatrack.data.records import Example, normalised
from hatrack.data.spool import Spool
from hatrack.data.steps import Steps

__all__ = ["Duplicates", "find_duplicates"]

_ROOTS, _KEPT = "roots.npy", "kept.npy"


@dataclass(frozen=True)
class Duplicates:
    """Which rows of the training file say the same.

    Attributes:
        roots: int64 ``[rows]``, the smallest row of the cluster of each row.
        kept: int64, the rows that are not left out, ascending.
        counts: ``exact``: rows that repeat an earlier one, answer and all; ``near``: further rows in a cluster with another.
    """

    key: str
    roots: NDArray[np.int64]
    kept: NDArray[np.int64]
    counts: dict[str, int]
    notes: tuple[str, ...]


def find_duplicates(
    rows: Spool, key: str, config: AdapterConfig, steps: Steps, progress: Progress, embed: Embed | None, embedder: str
) -> Duplicates:
    """Cluster the rows of the training file.

    Args:
        key: of the step that made the rows.
        embed: for paraphrases; None where they are not asked for. ``embedder`` is its fingerprint.

    Raises:
        CheckFailed: more rows than paraphrases can be looked for in.
    """
    rules, threshold = config.prepare.duplicates, config.checks.near_duplicates
    parameters = {**rules.model_dump(mode="json", exclude={"against"}), "threshold": threshold, "embedder": embedder}
    done = steps.run("duplicates", parameters, [key], lambda out: _find(rows, config, out, progress, embed))
    counts = done.record.counts
    notes = []
    if counts["kept"] < counts["rows"]:
        notes.append(f"{counts['rows'] - counts['kept']:,} of {counts['rows']:,} rows left out as duplicates (prepare.duplicates)")
    elif counts["exact"] + counts["near"] > _WORTH_SAYING * counts["rows"]:
        notes.append(
            f"{counts['exact']:,} rows repeat another and {counts['near']:,} more nearly do; they stay together in one split "
            "(prepare.duplicates leaves them out)"
        )
    return Duplicates(done.key, np.load(done.folder / _ROOTS), np.load(done.folder / _KEPT), counts, tuple(notes))


_WORTH_SAYING = 0.02  # of the rows; a few repetitions are in every file


def _find(rows: Spool, config: AdapterConfig, out: Path, progress: Progress, embed: Embed | None) -> dict[str, Any]:
    rules = config.prepare.duplicates
    texts = rows.column("text")
    found = clusters(texts, config.checks.near_duplicates, progress)
    if embed is not None and rules.paraphrase is not None:
        found = united(found, paraphrase_clusters(embed, texts, rules.paraphrase, progress))
    roots = np.array(found, dtype=np.int64)
    sizes = np.bincount(roots, minlength=len(roots))
    # rows of a cluster are compared by their answers too: one question with two answers is no duplicate
    exact: set[bytes] = set()
    near: set[bytes] = set()
    kept, repeats, similar = [], 0, 0
    for index in range(len(roots)):
        root = int(roots[index])
        if sizes[root] == 1:
            kept.append(index)
            continue
        example = rows[index]
        answer = _answer(example)
        same = _key(f"{normalised(example.text)}\0{answer}")
        alike = _key(f"{root}\0{answer}")
        is_exact, is_near = same in exact, alike in near
        exact.add(same)
        near.add(alike)
        repeats += is_exact
        similar += is_near and not is_exact
        if not (is_exact and rules.exact == "drop") and not (is_near and rules.near == "drop"):
            kept.append(index)
    np.save(out / _ROOTS, roots)
    np.save(out / _KEPT, np.array(kept, dtype=np.int64))
    return {
        "rows": len(roots),
        "kept": len(kept),
        "exact": repeats,
        "near": similar,
        "clusters": int((sizes > 1).sum()),
        "in_clusters": int(sizes[sizes > 1].sum()),
    }


def _answer(example: Example) -> str:
    """What the row teaches: its label, or everything that is said after the first question."""
    turns = [message.content for message in example.messages if message.role != "system"]
    return normalised("\0".join([example.label, *turns[1:], example.rejected]))


def _key(text: str) -> bytes:
    return bytes.fromhex(sha256_text(text))[:16]
