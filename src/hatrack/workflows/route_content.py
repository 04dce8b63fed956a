"""Learning what each adapter's requests are about, so that a request without a name finds its adapter.

    training inputs ───► embedder ─► k-means ─► centroids ─┐
    validation inputs ─► embedder ─► cosine ───────────────┼─► threshold ─► kept with the version
    foreign texts ─────► embedder ─► cosine ───────────────┘

Test inputs take no part: on them is measured whether each finds its adapter.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hatrack.answering.content import ContentIndex
from hatrack.answering.route import routed_text
from hatrack.core.aside import aside
from hatrack.core.atomic import STAGING
from hatrack.core.config_route import RoutingSettings
from hatrack.core.errors import DataFileError
from hatrack.core.lineage import Manifest
from hatrack.data.records import Example
from hatrack.models.content import CONTENT, ContentFigures, ContentProfile
from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base
from hatrack.workflows.adapt import Workbench

__all__ = ["Learned", "choose_threshold", "learn_content", "learn_profile"]

_ROWS = 1000  # inputs of each part that are read: more change nothing that could be seen
_PER_CENTROID = 10  # inputs that a centroid should stand for
_CENTROIDS = 64
_SEED = 13


@dataclass(frozen=True)
class Learned:
    """What one version has learned, and what became of its test inputs afterwards.

    Attributes:
        found: share of the ``tested`` inputs that found this adapter; ``lost``: that went to the fallback; the others
            found another adapter.
    """

    manifest: Manifest
    figures: ContentFigures
    centroids: int
    tested: int
    found: float
    lost: float


def learn_content(bench: Workbench, names: Sequence[str]) -> list[Learned]:
    """Learn the content of each adapter's version that is in use, and keep it in the registry.

    Raises:
        AdapterNotFound: an adapter has no version. DataError: its data cannot be read. ModelError: no embedder.
    """
    settings = bench.config.routing
    manifests = [bench.registry.resolve(name) for name in names]
    embed = TextEmbedder(open_base(bench.project.base_spec(settings.embedder)))
    foreign = embed(_foreign(settings, bench.project.root))
    learned, tests = [], []
    for manifest in manifests:
        splits = bench.prepare(manifest.name).splits
        own, held_out, test = (_texts(part) for part in (splits.train, splits.validation, splits.test))
        aside(bench.console)(f"{manifest.name}: embedding {len(own) + len(held_out) + len(test):,} inputs")
        profile = learn_profile(embed(own), embed(held_out), foreign, settings, embed.fingerprint)
        learned.append((manifest, profile))
        tests.append(embed(test))
        with tempfile.TemporaryDirectory(dir=bench.project.state, prefix=STAGING) as folder:
            profile.save(Path(folder) / CONTENT)
            bench.registry.attach(manifest, CONTENT, Path(folder) / CONTENT)
    everybody = ContentIndex(bench.registry, lambda: embed).profiles()
    outcomes = [_chosen(everybody, vectors, settings.threshold) for vectors in tests]
    return [
        Learned(manifest, profile.figures, len(profile.centroids), len(chosen), _share(chosen, manifest.name), _share(chosen, None))
        for (manifest, profile), chosen in zip(learned, outcomes, strict=True)
    ]


def learn_profile(
    own: NDArray[np.float32], held_out: NDArray[np.float32], foreign: NDArray[np.float32], settings: RoutingSettings, embedder: str
) -> ContentProfile:
    """Centroids of ``own``, and a threshold from the other two; all are embeddings ``[texts, d]``."""
    from sklearn.cluster import KMeans

    count = min(_CENTROIDS, max(1, len(own) // _PER_CENTROID))
    centres = KMeans(count, n_init=3, random_state=_SEED).fit(own).cluster_centers_
    centroids = np.ascontiguousarray(centres / np.linalg.norm(centres, axis=1, keepdims=True), dtype=np.float32)
    blank = ContentProfile(centroids, ContentFigures(embedder, 0.0, 0.0, 0, 0.0, 0))
    near, far = blank.similarity(held_out), blank.similarity(foreign)
    threshold = choose_threshold(near, far, settings)
    kept, sent_away = float((near >= threshold).mean()), float((far < threshold).mean())
    return ContentProfile(centroids, ContentFigures(embedder, threshold, kept, len(near), sent_away, len(far)))


def choose_threshold(near: NDArray[np.float32], far: NDArray[np.float32], settings: RoutingSettings) -> float:
    """Above ``send_away`` of the foreign similarities; higher still where ``keep`` of the adapter's own allow it.

    Everyday requests are far from any domain, so the first alone would take in texts of neighbouring domains.
    """
    first = np.nextafter(np.quantile(far, settings.send_away, method="higher"), np.float32(1))
    return float(max(first, np.quantile(near, 1 - settings.keep)))


def _chosen(profiles: Mapping[str, ContentProfile], vectors: NDArray[np.float32], threshold: float | None) -> list[str | None]:
    """The adapter that each text finds among all, None for none: as ``hatrack.answering.content`` decides."""
    names = list(profiles)
    scores = np.stack([profiles[name].similarity(vectors) for name in names], axis=1)
    least = np.array([profiles[name].figures.threshold if threshold is None else threshold for name in names])
    accepted = np.where(scores >= least, scores, -np.inf)
    return [names[best] if np.isfinite(row[best]) else None for row, best in zip(accepted, accepted.argmax(axis=1), strict=True)]


def _share(chosen: Sequence[str | None], name: str | None) -> float:
    return sum(one == name for one in chosen) / max(1, len(chosen))


def _texts(examples: Sequence[Example]) -> list[str]:
    """At most ``_ROWS`` inputs, as a request with them would be read."""
    numbers = random.Random(_SEED).sample(range(len(examples)), min(_ROWS, len(examples)))
    return [_input(examples[i]) for i in sorted(numbers)]


def _input(example: Example) -> str:
    return routed_text(example.messages) or example.text


def _foreign(settings: RoutingSettings, root: Path) -> list[str]:
    lines: Iterable[str] = files("hatrack.workflows").joinpath("everyday_requests.txt").read_text(encoding="utf-8").splitlines()
    if settings.foreign is not None:
        path = root / settings.foreign
        try:
            lines = [*lines, *path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataFileError(
                "the file of foreign texts cannot be read",
                given=f"routing.foreign: {path}",
                allowed="UTF-8 with one text a line",
                fix="correct routing.foreign in hatrack.yaml",
            ) from error
    return [line.strip() for line in lines if line.strip()]
