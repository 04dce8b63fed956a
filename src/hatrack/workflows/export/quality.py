"""An exported part on the version's own test rows, beside the adapter in full precision: what does leaving cost?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hatrack.core.exported import Quality
from hatrack.core.lineage import Manifest
from hatrack.data.prepare import Prepared
from hatrack.data.records import Example
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.metrics.base import METRICS, Answers
from hatrack.evaluation.prompting import ANSWER_TOKENS, question
from hatrack.evaluation.statistics import bca_interval
from hatrack.evaluation.systems import adapter_answers, expected_answer
from hatrack.models.exporters.base import Foreign, Speaker
from hatrack.models.host import ModelHost
from hatrack.workflows.adapt import Workbench

__all__ = ["MEASURED", "Measuring"]

MEASURED = ("instruct", "classify", "classify-by-text")  # tasks with an answer that is right or wrong


@dataclass
class Measuring:
    """The test rows of one version and what it answers to them here; asked once for all parts of all formats.

    Attributes:
        most: rows at most.
    """

    bench: Workbench
    manifest: Manifest
    prepared: Prepared
    most: int
    _here: tuple[str, ...] = field(default=(), init=False)

    @property
    def rows(self) -> Sequence[Example]:
        """The test rows that are asked."""
        return self.prepared.splits.test[: self.most]

    def part(self, foreign: Foreign) -> Quality:
        """Ask one part and compare.

        Raises:
            HatrackError: the foreign tool fails.
        """
        host, key = self._host(), self.manifest.digest
        if not self._here:
            self._here = adapter_answers(host, key, self.rows)
        start = time.monotonic()
        there, tokens = self._asked(host, foreign)
        seconds = time.monotonic() - start
        card = host.adapters[key].card
        metric = METRICS.get(gated_metric(card.task, self.bench.config.gate))()
        expected = tuple(map(expected_answer, self.rows))
        scored = [metric.rows(Answers(answers, expected, card.labels, card.answer_schema)) for answers in (self._here, there)]
        width = scored[0].shape[1]

        def change(both: np.ndarray) -> float:
            return metric.total(both[:, width:]) - metric.total(both[:, :width])

        return Quality(
            metric=metric.name,
            higher_is_better=metric.higher_is_better,
            rows=len(self.rows),
            test_digest=self.prepared.record.test_digest,
            here=metric.total(scored[0]),
            there=metric.total(scored[1]),
            change=bca_interval(change, np.concatenate(scored, axis=1), 0.95, self.manifest.seed),
            same=float(np.mean([a == b for a, b in zip(self._here, there, strict=True)])),
            tokens_per_second=round(tokens / seconds, 1) if tokens else None,
            rows_per_second=round(len(self.rows) / seconds, 2),
        )

    def _host(self) -> ModelHost:
        if self.bench.host is None:
            self.bench.host = ModelHost(self.bench.files)
        if self.manifest.digest not in self.bench.host.adapters:
            self.bench.host.attach(self.manifest.digest, self.bench.registry.folder(self.manifest))
        return self.bench.host

    def _asked(self, host: ModelHost, foreign: Foreign) -> tuple[tuple[str, ...], int]:
        """The part's answers, and how many tokens they took."""
        card = host.adapters[self.manifest.digest].card
        if not isinstance(foreign, Speaker):
            best = foreign.logits(host.tokenize([row.text for row in self.rows], card.max_length)).argmax(dim=1).tolist()
            return tuple(card.labels[number] for number in best), 0
        renderer, ask = host.renderer, question(card)
        prompts = [renderer.prompt(ask(row), card.max_length).ids for row in self.rows]
        longest = max((len(renderer.encode(label)) + 2 for label in card.labels), default=ANSWER_TOKENS)
        said = foreign.generate(prompts, renderer.stop_ids, longest)
        return tuple(renderer.decode(ids).strip() for ids in said), sum(len(ids) + 1 for ids in said)
