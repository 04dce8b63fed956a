"""All findings about one adapter's data, collected once: the record behind the tables, the JSON and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from hatrack.core.config import AdapterConfig
from hatrack.data.prepare import Prepared
from hatrack.data.progress import Progress, silent
from hatrack.data.quality.advice import Advice
from hatrack.data.quality.conflicts import ConflictFinder, Conflicts, equal_roots
from hatrack.data.quality.counts import Counts
from hatrack.data.quality.diversity import Diversity, RepeatCounter, Repeats, diversity
from hatrack.data.quality.edges import Edges, LengthFinder
from hatrack.data.quality.label_errors import LabelErrors, find_label_errors
from hatrack.data.quality.labels import LabelBalance, LabelCounter
from hatrack.data.quality.languages import Language, Languages, languages
from hatrack.data.quality.lengths import TokenLengths
from hatrack.data.quality.overlap import Overlap
from hatrack.data.quality.privacy import Privacy, privacy
from hatrack.data.quality.record import Record, excerpt
from hatrack.data.quality.rules import advise
from hatrack.data.quality.shapes import AnswerFormat, ShapeCounter
from hatrack.data.quality.vectors import Embed, Spread, Vectors, plane, spread, vectors
from hatrack.data.quality.walk import Observer, answer, sample, walk
from hatrack.data.records import Example

__all__ = ["Assessment", "Evidence", "MapPoint", "QualityReport", "Refusal", "assess"]

_LOOKED_AT = (20_000, 50_000)  # rows in a sample: at least, where there are as many, and at most
_ROWS_TIMES_LABELS = 2_000_000  # what the model behind the label errors fits in a minute or two
_COMPARED = 5_000
_DRAWN = 1_500
_TONGUES = 2_000


class Refusal(Record):
    """The message of an error."""

    what: str
    given: str
    allowed: str
    do: str


class QualityReport(Record):
    """Everything ``hatrack check`` found. A section is null where it does not apply to the task or was not looked at."""

    kind: Literal["hatrack.quality/1"] = "hatrack.quality/1"
    adapter: str
    task: str
    base: str
    digest: str = Field(description="Digest of the data, as in the manifest of an adapter trained on it.")
    seed: int = Field(description="Of every sample.")
    created: str
    refusal: Refusal | None = Field(description="With what training would refuse this data.")
    notes: tuple[str, ...] = Field(description="What preparing the data decided or left out.")
    advice: tuple[Advice, ...]
    counts: Counts
    labels: LabelBalance | None
    lengths: TokenLengths
    repeats: Repeats
    diversity: Diversity
    spread: Spread | None
    answers: AnswerFormat | None
    conflicts: Conflicts | None
    label_errors: LabelErrors | None
    edges: Edges
    languages: Languages | None
    privacy: Privacy | None
    overlap: Overlap | None


@dataclass(frozen=True)
class Evidence:
    """What other rooms know about the rows. Where something is None, its section of the report is None.

    Attributes:
        roots: for each row, in the order train, validation, test, the number in that order of the first row of its cluster of
            near-duplicates, as ``clusters`` gives it.
        embed: the base's own embedding, named ``encoder``; without it, words stand in for meaning.
        pii: type of personal data to the number of rows that hold it.
        quote: how the beginning of a row is shown; the only way by which text of a row enters the report.
    """

    roots: Sequence[int] | None = None
    embed: Embed | None = None
    encoder: str = ""
    language: Language | None = None
    pii: Mapping[str, int] | None = None
    overlap: Overlap | None = None
    quote: Callable[[str], str] = excerpt


@dataclass(frozen=True)
class MapPoint:
    """One row on the map of embeddings, between -1 and 1 on each axis."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Assessment:
    """The report, and the points of the map, which are a picture and no finding."""

    report: QualityReport
    points: tuple[MapPoint, ...]


def assess(
    name: str,
    config: AdapterConfig,
    prepared: Prepared,
    lengths: TokenLengths,
    evidence: Evidence,
    *,
    base: str,
    created: str,
    reasons: Mapping[str, int],
    refusal: Refusal | None = None,
    progress: Progress = silent,
) -> Assessment:
    """Walk over all rows once, look closer at a sample, and say what follows from it.

    Args:
        lengths: of the training rows, in tokens.
        reasons: rejected rows by reason.
        refusal: what training would say instead of beginning.
    """
    splits, labelled, seed = prepared.splits, bool(prepared.labels), config.train.seed
    answers = labelled or config.task != "complete"
    repeats, finder = RepeatCounter(evidence.roots), LengthFinder()
    shapes = ShapeCounter(evidence.quote, labels=labelled) if answers else None
    counter = LabelCounter() if labelled else None
    roots = equal_roots(splits) if labelled and evidence.roots is None else evidence.roots
    conflicts = ConflictFinder(roots, evidence.quote) if labelled and roots is not None else None
    observers: tuple[Observer | None, ...] = (repeats, finder, shapes, counter, conflicts)
    ledger = walk(splits, [observer for observer in observers if observer is not None], progress)

    at_least, at_most = _LOOKED_AT
    limit = max(at_least, min(at_most, _ROWS_TIMES_LABELS // max(1, len(prepared.labels))))
    ordinals, rows, basis = sample(splits, limit, seed)
    texts = [row.text for row in rows]
    embedded = Vectors(evidence.embed(texts), evidence.encoder) if evidence.embed else None
    near = embedded or vectors(texts[:_COMPARED])
    doubts = None
    if labelled:
        doubts = find_label_errors(
            texts,
            [row.label for row in rows],
            embedded,
            lambda i: ledger.place(ordinals[i]),
            evidence.quote,
            of=basis.of,
            seed=seed,
            progress=progress,
        )
    report = QualityReport(
        adapter=name,
        task=config.task,
        base=base,
        digest=prepared.record.digest,
        seed=seed,
        created=created,
        refusal=refusal,
        notes=prepared.notes,
        advice=(),
        counts=Counts(rows=prepared.record.rows, rejected=prepared.record.rejected, reasons=dict(reasons)),
        labels=counter.balance(prepared.labels) if counter else None,
        lengths=lengths,
        repeats=repeats.repeats(),
        diversity=diversity(texts, [] if labelled else [answer(row) for row in rows], basis),
        spread=spread(near, basis.of),
        answers=shapes.answer_format(ledger) if shapes else None,
        conflicts=conflicts.conflicts(ledger) if conflicts else None,
        label_errors=doubts,
        edges=finder.edges(ledger),
        languages=languages(texts[:_TONGUES], evidence.language, basis.of) if evidence.language else None,
        privacy=privacy(evidence.pii, basis.of) if evidence.pii is not None else None,
        overlap=evidence.overlap,
    )
    return Assessment(report.model_copy(update={"advice": advise(report)}), _map(near, rows))


def _map(near: Vectors, rows: Sequence[Example]) -> tuple[MapPoint, ...]:
    return tuple(MapPoint(x, y, row.label) for (x, y), row in zip(plane(near, _DRAWN), rows, strict=False))
