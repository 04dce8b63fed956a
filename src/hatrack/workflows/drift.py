"""Drift of one version: its reference from its own data, a window from the log of requests, the tests between them.

training inputs ──► reference, kept with the version ─┐
                                                      ├─► tests, corrected for being many ─► report
log of requests ──► newest window ────────────────────┘
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hatrack.answering.request_log import LoggedRequest, read_requests
from hatrack.answering.route import routed_text
from hatrack.core.aside import aside
from hatrack.core.atomic import STAGING
from hatrack.core.errors import DataFileError, EvaluationError
from hatrack.core.lineage import Manifest
from hatrack.data.language import language
from hatrack.data.prepare import Prepared
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example, RawRow
from hatrack.evaluation.drift.compare import DriftReport, compare
from hatrack.evaluation.drift.sample import REFERENCE, Sample
from hatrack.evaluation.drift.stream import ChangePoint, change_points
from hatrack.models.embedder import TextEmbedder
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.serving.labels import classify
from hatrack.workflows.adapt import Workbench

__all__ = ["Found", "find_drift", "make_reference"]

_ROWS = 1000  # inputs that the reference is made of
_LABELLED = 300  # held-out rows that are labelled, for labels and confidences as they come out
_SEED = 13

Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Found:
    """The report, and when it changed where that was asked."""

    report: DriftReport
    changes: tuple[ChangePoint, ...]


def find_drift(bench: Workbench, manifest: Manifest, *, file: Path | None = None, stream: bool = False) -> Found:
    """Compare the newest logged requests of a version, or the rows of ``file``, with its reference.

    Raises:
        EvaluationError: too few requests. DataError: the file, or the adapter's data, cannot be read.
        MissingExtra: ``stream`` without river.
    """
    rules = bench.config.watch
    embedder = _embedder(bench)
    path = bench.registry.attached(REFERENCE).get(manifest.digest)
    if path is None:
        aside(bench.console)(f"{manifest.name}@{manifest.version} has no reference yet: it is made of the adapter's data")
        make_reference(bench, manifest)
        path = bench.registry.attached(REFERENCE)[manifest.digest]
    reference = Sample.load(path)
    requests = _rows_of(bench, manifest, file, rules.window) if file else _logged(bench, manifest, rules.window)
    window = _sample([one.text for one in requests], embedder, requests)
    report = compare(reference, window, f"{manifest.name}@{manifest.version}", rules.alpha, rules.correction)
    return Found(report, tuple(_changes(reference, window)) if stream else ())


def make_reference(bench: Workbench, manifest: Manifest, prepared: Prepared | None = None) -> Sample:
    """What a version's requests look like, from its own data; kept with the version.

    Labels and confidences are those that the version gives to held-out rows, for what it was trained on it knows too well.

    Raises:
        EvaluationError: the data is not what the version was trained on any more.
    """
    prepared = prepared or bench.prepare(manifest.name)
    if prepared.record.digest != manifest.data.digest:
        raise EvaluationError(
            f"the data is not what {manifest.name}@{manifest.version} was trained on any more",
            given=f"data {prepared.record.digest[:12]}",
            allowed=manifest.data.digest[:12],
            fix="restore that data for `hatrack drift NAME --reference`, or train a version on the new data: hatrack adapt NAME",
        )
    train = list(prepared.splits.train)
    texts = [_input(row) for row in random.Random(_SEED).sample(train, min(_ROWS, len(train)))]
    held_out = [_input(row) for part in (prepared.splits.validation, prepared.splits.test) for row in part][:_LABELLED]
    sample = _sample(texts, _embedder(bench), _labelled(bench, manifest, held_out))
    with tempfile.TemporaryDirectory(dir=bench.project.state, prefix=STAGING) as folder:
        sample.save(Path(folder) / REFERENCE)
        bench.registry.attach(manifest, REFERENCE, Path(folder) / REFERENCE)
    return sample


def _sample(texts: Sequence[str], embed: TextEmbedder, outcomes: Sequence[LoggedRequest]) -> Sample:
    return Sample(
        lengths=np.array([len(text) for text in texts], float),
        vectors=embed(texts) if texts else np.empty((0, 1), np.float32),
        confidences=np.array([one.confidence for one in outcomes if one.confidence is not None], float),
        languages=Counter(language(text)[0] for text in texts),
        labels=Counter(one.label for one in outcomes if one.label),
        embedder=embed.fingerprint,
    )


def _labelled(bench: Workbench, manifest: Manifest, texts: Sequence[str]) -> list[LoggedRequest]:
    if not manifest.config.get("labels") or manifest.hosted is not None or not texts:
        return []
    if bench.host is None:
        bench.host = ModelHost(bench.files)
    if manifest.digest not in bench.host.adapters:
        bench.host.attach(manifest.digest, bench.registry.folder(manifest))
    with bench.host.using(manifest.digest):
        found = classify(bench.host, manifest, bench.host.adapters[manifest.digest].card, texts)
    return [LoggedRequest(0.0, manifest.version, "", one.label or "", one.probability) for one in found]


def _logged(bench: Workbench, manifest: Manifest, most: int) -> list[LoggedRequest]:
    found = read_requests(bench.project.requests, manifest.name, manifest.version, most)
    if not found:
        raise EvaluationError(
            f"no request that {manifest.name}@{manifest.version} answered is logged",
            given="watch.log_requests: " + str(bench.config.watch.log_requests).lower(),
            allowed="requests that `hatrack serve` logged, or a data file",
            fix="set watch.log_requests: true and serve, or give a file: hatrack drift NAME --file FILE",
        )
    return found


def _rows_of(bench: Workbench, manifest: Manifest, file: Path, most: int) -> list[LoggedRequest]:
    """The inputs of a data file, from the adapter's own columns; no label is needed, and none is what the adapter answered."""
    columns = bench.adapter(manifest.name).columns
    wanted = [columns.prompt if manifest.config["task"] in ("instruct", "prefer") else columns.text, "text", "prompt"]
    rows = [row.columns for row in open_rows(file) if isinstance(row, RawRow)]
    name = next((name for name in wanted if rows and name in rows[0]), None)
    if name is None:
        raise DataFileError(
            "no column of this file holds inputs",
            given=f"{file} has: {', '.join(rows[0]) if rows else 'no rows'}",
            allowed=f"a column {wanted[0]!r}",
        )
    texts = [str(row[name]) for row in rows if row.get(name)][-most:]
    return [LoggedRequest(0.0, manifest.version, text, "", None) for text in texts]


def _changes(reference: Sample, window: Sample) -> list[ChangePoint]:
    centre = reference.vectors.mean(axis=0)
    distances = np.linalg.norm(window.vectors - centre, axis=1)
    confidences = window.confidences.tolist()
    found = [*change_points("distance of content", distances.tolist()), *change_points("length", window.lengths.tolist())]
    return [*found, *change_points("confidence", confidences)] if confidences else found


def _embedder(bench: Workbench) -> TextEmbedder:
    return TextEmbedder(open_base(bench.project.base_spec(bench.config.routing.embedder)))


def _input(example: Example) -> str:
    return routed_text(example.messages) or example.text
