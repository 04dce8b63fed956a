"""What serving in 8 bits changes: the test rows through the server's own engine, once in each precision."""

from __future__ import annotations

import math
import queue
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hatrack.core.config_serve import ServeSettings
from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Manifest
from hatrack.core.precision import GENERATES, INT8, PrecisionRecord
from hatrack.data.prepare import Prepared
from hatrack.data.records import Example
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.metrics.base import METRICS, Answers
from hatrack.evaluation.prompting import ANSWER_TOKENS, question
from hatrack.evaluation.statistics import bca_interval
from hatrack.evaluation.systems import expected_answer
from hatrack.serving.request import Event, Failed, Finished, Piece, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from hatrack.workflows.adapt import Workbench

__all__ = ["measure_int8"]

_ROWS = 300  # of the test rows at most


def measure_int8(bench: Workbench, manifest: Manifest, prepared: Prepared) -> PrecisionRecord:
    """Answer test rows in full precision and in 8 bits, compare, and keep the record with the version.

    Raises:
        EvaluationError: the version does not run on the kernels, or its task has no generated answers to compare.
    """
    task = manifest.config["task"]
    if task not in GENERATES:
        raise EvaluationError("8 bits are measured on generated answers", given=f"task {task}", allowed=", ".join(GENERATES))
    rows = tuple(prepared.splits.test[:_ROWS])
    full, int8 = (_answers(bench, manifest, rows, serve) for serve in (ServeSettings(precision="fp32"), ServeSettings(precision="int8")))
    expected = tuple(map(expected_answer, rows))
    labels, schema = tuple(manifest.config.get("labels") or ()), manifest.config.get("answer_schema")
    metric = METRICS.get(gated_metric(task, bench.config.gate))()
    scored = [metric.rows(Answers(answers, expected, labels, schema)) for answers in (full, int8)]
    width = scored[0].shape[1]

    def change(both: np.ndarray) -> float:
        return metric.total(both[:, width:]) - metric.total(both[:, :width])

    interval = bca_interval(change, np.concatenate(scored, axis=1), 0.95, manifest.seed)
    record = PrecisionRecord(
        adapter_digest=manifest.digest,
        test_digest=prepared.record.test_digest,
        rows=len(rows),
        metric=metric.name,
        full=metric.total(scored[0]),
        int8=metric.total(scored[1]),
        low=interval.low,
        high=interval.high,
        same=float(np.mean([a == b for a, b in zip(full, int8, strict=True)])),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "int8.json"
        file.write_text(record.model_dump_json(), encoding="utf-8")
        bench.registry.attach(manifest, INT8, file)
    return record


def _answers(bench: Workbench, manifest: Manifest, rows: Sequence[Example], serve: ServeSettings) -> tuple[str, ...]:
    """Greedy answers of a server that would be started with these settings."""
    # Whatever an earlier measurement found: with it obeyed, a version that lost too much would be compared with itself.
    config = bench.config.model_copy(update={"serve": bench.config.serve.model_copy(update={"max_int8_loss": math.inf})})
    service = ModelService(bench.project, config, EngineSettings.of(serve.model_copy(update={"queue": len(rows) + 1, "share": 1.0})))
    service.start()
    try:
        if not service.mixes(manifest):
            raise EvaluationError(
                "8 bits change nothing for this version: it is always served in full precision",
                given=f"{manifest.config['method']} on {bench.files.spec}",
                allowed="plain LoRA on a base that the kernels know",
            )
        card = service.card(manifest)
        ask, longest = question(card), ANSWER_TOKENS
        if card.labels:
            longest = max(len(service.renderer.encode(label)) for label in card.labels) + 2
        heard: list[queue.SimpleQueue[Event]] = []
        for row in rows:
            events: queue.SimpleQueue[Event] = queue.SimpleQueue()
            prompt = service.render(manifest, ask(row))
            service.submit(manifest, prompt, SamplingParams(max_tokens=longest), events.put)
            heard.append(events)
        return tuple(_text(events) for events in heard)
    finally:
        service.stop(drain=False)


def _text(events: queue.SimpleQueue[Event]) -> str:
    text = ""
    while True:
        event = events.get()
        if isinstance(event, Piece):
            text += event.text
        elif isinstance(event, Failed):
            raise event.error
        elif isinstance(event, Finished):
            return text.strip()
