"""What ``hatrack check`` finds out about an adapter's data before anything is trained."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hatrack.core.aside import aside
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataError, RowErrors
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.overlaps import overlaps
from hatrack.data.language import language
from hatrack.data.parts import read_part
from hatrack.data.prepare import Prepared
from hatrack.data.progress import Progress
from hatrack.data.quality.counts import rejection_reasons
from hatrack.data.quality.lengths import Measured, TokenLengths, token_lengths
from hatrack.data.quality.overlap import Overlap, overlap
from hatrack.data.quality.record import Basis, excerpt
from hatrack.data.quality.report import Evidence, MapPoint, QualityReport, Refusal, assess
from hatrack.data.quality.vectors import Embed
from hatrack.data.quality.walk import sample
from hatrack.data.records import Example, Splits
from hatrack.data.spool import Spool, column
from hatrack.data.steps import Steps
from hatrack.data.tokens import check_truncation, render_examples
from hatrack.data.tools import Tools
from hatrack.models.render import ChatRenderer, Rendered
from hatrack.safety.quote import quote_for
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.step_bar import StepBar

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Finding", "TokenRow", "check_adapter", "check_all"]

_ALL_MEASURED = 100_000  # training rows up to which every one is turned into tokens
_MEASURED = 20_000  # of more rows, so many
_EVERY = 100  # rows between two reports of progress
_CLUSTERED = 20_000  # rows up to which near-duplicates are looked for here, where preparing the data did not tell
_EMBEDDED_LENGTH = 64  # tokens of a text that are embedded: its beginning says what it is about
_QUOTED = 2_000  # characters of a text that its quotation is made of: a few are shown, and none of half a value
_EMBEDDED_TOKENS = 300_000  # about a minute of one core with a small encoder


@dataclass(frozen=True)
class TokenRow:
    """A training row as tokens: their text, and whether each is trained."""

    row: int
    tokens: tuple[tuple[str, bool], ...]

    @property
    def trained(self) -> int:
        """How many tokens carry a label."""
        return sum(trained for _, trained in self.tokens)


@dataclass(frozen=True)
class Finding:
    """The report on one adapter's data, and what only pictures need.

    Attributes:
        refusal: the error with which training would refuse the data; None: it can be trained on.
        shown: the first rows, token by token.
    """

    report: QualityReport
    points: tuple[MapPoint, ...]
    shown: tuple[TokenRow, ...]
    refusal: DataError | None


def check_adapter(bench: Workbench, name: str, *, show: int = 0, against: Path | None = None) -> Finding:
    """Prepare one adapter's data exactly as training would, measure it, and judge it.

    Args:
        show: so many training rows are returned token by token.
        against: an evaluation file in the form of the training file; rows that stand in both are named.

    Raises:
        DataError: the data cannot be prepared. That rows do not fit the base is no error here: it is the finding's ``refusal``.
    """
    config, prepared = bench.adapter(name), bench.prepare(name)
    splits = prepared.splits
    render = _renderer(bench, config)
    with StepBar(name, bench.console) as bar:
        lengths, refusal = _lengths(splits.train, config, render, bench, bar.update)
    quote = _quoting(config)
    evidence = Evidence(
        roots=_roots(prepared, config),
        quote=quote,
        language=language,
        pii=_personal(prepared) if config.prepare.pii.mode != "off" else None,
        embed=_embedding(bench) if bench.files.kind == "encoder" else None,
        encoder=bench.config.base,
        overlap=_overlap(against, splits.train, config, quote, bench) if against else None,
    )
    with StepBar(name, bench.console) as bar:
        assessed = assess(
            name,
            config,
            prepared,
            lengths,
            evidence,
            base=bench.config.base,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            reasons=rejection_reasons(bench.project.rejects / f"{name}.jsonl"),
            refusal=Refusal(what=refusal.what, given=refusal.given, allowed=refusal.allowed, do=refusal.fix) if refusal else None,
            progress=bar.update,
        )
    return Finding(assessed.report, assessed.points, _shown(splits.train[:show], render, bench.files.tokenizer), refusal)


def check_all(
    bench: Workbench, names: Sequence[str], *, show: int = 0, against: Path | None = None
) -> tuple[list[Finding], list[tuple[str, DataError]]]:
    """Findings of all adapters whose data can be read, and by name the error of each that training would refuse.

    Raises:
        ConfigError: ``hatrack.yaml`` has no adapter of one of these names.
    """
    for name in names:
        bench.adapter(name)
    findings, refusals = [], []
    for name in names:
        try:
            finding = check_adapter(bench, name, show=show, against=against)
        except DataError as error:
            refusals.append((name, error))
            continue
        findings.append(finding)
        if finding.refusal:
            refusals.append((name, finding.refusal))
    return findings, refusals


_Render = Callable[[Example], Rendered]


def _renderer(bench: Workbench, config: AdapterConfig) -> _Render:
    """One row to tokens, whole: nothing is cut."""
    tokenizer: Any = bench.files.tokenizer
    if bench.files.kind == "encoder":
        # an encoder learns from the row as a whole: every token counts, none is generated
        def encode(example: Example) -> Rendered:
            ids = tokenizer(example.text, verbose=False)["input_ids"]
            return Rendered(tuple(ids), (True,) * len(ids))

        return encode
    renderer = ChatRenderer(tokenizer, bench.files.stop_ids)
    train, checks = config.train.model_copy(update={"max_length": 10**9}), config.checks.model_copy(update={"max_truncated": 1.0})
    whole = config.model_copy(update={"train": train, "checks": checks})
    return lambda example: render_examples([example], whole, renderer)[0]


def _lengths(
    train: Sequence[Example], config: AdapterConfig, render: _Render, bench: Workbench, progress: Progress
) -> tuple[TokenLengths, DataError | None]:
    """Lengths of the training rows, and the error with which training would refuse them."""
    limit = _ALL_MEASURED if len(train) <= _ALL_MEASURED else _MEASURED
    _, rows, basis = sample(Splits(train, [], []), limit, config.train.seed)
    measured, unusable = [], False
    for number, example in enumerate(rows):
        if number % _EVERY == 0:
            progress("turning rows into tokens", number, len(rows))
        try:
            one = render(example)
        except RowErrors:
            unusable = True
            continue
        measured.append(Measured(len(one.ids), one.trained, example.label))
    lengths = token_lengths(measured, config.train.max_length, Basis(rows=len(measured), of=basis.of))
    refusal = None
    if unusable or lengths.truncated_rows:
        try:
            if bench.files.kind == "encoder":
                check_truncation(lengths.truncated_rows, lengths.basis.rows, config)
            else:  # once more as training does it, for its own words
                ordered = sorted(rows, key=lambda example: example.row)
                render_examples(ordered, config, ChatRenderer(bench.files.tokenizer, bench.files.stop_ids))
        except DataError as error:
            refusal = error
    return lengths, refusal


def _roots(prepared: Prepared, config: AdapterConfig) -> Sequence[int] | None:
    """For each row, in the order train, validation, test, the place of the first row that is nearly equal; None where that takes long."""
    splits = [rows for _, rows in prepared.splits.items()]
    if set(prepared.parts) == {"train"}:
        roots = prepared.duplicates.roots[np.concatenate([rows.positions for rows in splits if isinstance(rows, Spool)])]
        _, first, cluster = np.unique(roots, return_index=True, return_inverse=True)
        return array("q", first[cluster].astype(np.int64).tobytes())
    if sum(map(len, splits)) > _CLUSTERED:
        return None
    return clusters([text for rows in splits for text in column(rows, "text")], config.checks.near_duplicates)


def _personal(prepared: Prepared) -> Counter[str]:
    """Rows of all files in which each type of personal data was found."""
    return sum((Counter(part.pii) for part in prepared.parts.values()), Counter())


def _quoting(config: AdapterConfig) -> Callable[[str], str]:
    """How rows are quoted in a report that people pass on: without personal data, unless nobody is to look for any."""
    policy = config.prepare.pii
    if policy.mode == "off":
        return excerpt
    quote = quote_for(policy)
    return lambda text: excerpt(quote(text[:_QUOTED]))


def _embedding(bench: Workbench) -> Embed:
    """The encoder's embedding of texts ``[n, d]``, of as many from the start as the budget of tokens allows."""

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        from hatrack.models.encoder import embed as forward
        from hatrack.models.encoder import pad_right, token_batches
        from hatrack.models.loading import load_module

        tokenizer: Any = bench.files.tokenizer
        rows = tokenizer(list(texts), truncation=True, max_length=_EMBEDDED_LENGTH)["input_ids"]
        left = _EMBEDDED_TOKENS
        for count, ids in enumerate(rows):
            left -= len(ids)
            if left < 0:
                rows = rows[:count]
                break
        aside(bench.console)(f"embedding {len(rows):,} texts")
        encoder = load_module(bench.files)
        out = torch.empty(len(rows), int(encoder.config.hidden_size))  # type: ignore[union-attr, arg-type]  # transformers modules carry a config
        with torch.inference_mode():
            for batch in token_batches(rows, 4096):
                out[batch] = forward(encoder, *pad_right([rows[i] for i in batch], 0))
        found: NDArray[np.float32] = out.numpy()
        return found

    return embed


def _overlap(file: Path, train: Sequence[Example], config: AdapterConfig, quote: Callable[[str], str], bench: Workbench) -> Overlap:
    """What ``file`` shares with the training rows, once it is read, cleaned and redacted as they were: else equal rows would differ."""
    project, any_format = bench.project, config.model_copy(update={"data": config.files.model_copy(update={"format": "auto"})})
    with StepBar(file.name, bench.console) as bar:
        part = read_part("against", str(file.absolute()), project.root, any_format, Steps(project.data), None, bar.update, Tools())
        found = overlaps(column(train, "text"), column(part.rows, "text"), config.checks.near_duplicates, bar.update)
    for count, what in ((part.invalid, "invalid rows"), (part.left_out, "rows that a rule under prepare leaves out")):
        if count:
            bench.console.print(f"{file.name}: {count:,} {what} were not compared", style="yellow", markup=False)
    return overlap(file.name, train, part.rows, [(one.index, one.other) for one in found], quote)


def _shown(rows: Sequence[Example], render: _Render, tokenizer: Any) -> tuple[TokenRow, ...]:
    shown = []
    for example in rows:
        try:
            one = render(example)
        except RowErrors:
            continue  # the finding's refusal names it
        pieces = tuple((tokenizer.decode([token]), trained) for token, trained in zip(one.ids, one.mask, strict=True))
        shown.append(TokenRow(example.row, pieces))
    return tuple(shown)
