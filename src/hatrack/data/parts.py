"""One file that is given, as far as it goes alone: read, cleaned, looked through for personal data."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.errors import RowErrors
from hatrack.data.clean.cleaner import Cleaner, Rejection
from hatrack.data.detect import detect
from hatrack.data.intake import REJECTS, Rejects, read_examples, source_digest
from hatrack.data.manifest import SourceRecord
from hatrack.data.records import Example, RowFault
from hatrack.data.spool import Spool, SpoolWriter
from hatrack.data.steps import Done, Progress, Steps
from hatrack.data.tools import Tools
from hatrack.safety.redact import Redactor

__all__ = ["Part", "read_part"]

_EVERY = 1000  # rows between two reports of progress
_SHOWN = 5

Change = Callable[[Example], Example | Rejection]


@dataclass(frozen=True)
class Part:
    """The rows of one file, and what was done to them.

    Attributes:
        name: train, validation or test: what the file was given as.
        key: of the last step.
        pii: rows in which each type of personal data was found.
    """

    name: str
    rows: Spool
    key: str
    source: SourceRecord
    rejected: int
    notes: tuple[str, ...]
    pii: dict[str, int]


def read_part(
    name: str, file: str, root: Path, config: AdapterConfig, steps: Steps, rejects: Path | None, progress: Progress, tools: Tools
) -> Part:
    """Read ``file`` and repair it as ``prepare:`` says.

    Raises:
        DataError: the file cannot be read, or more of its rows than ``checks.max_rejected`` are invalid.
    """
    path = (root / file).absolute()
    guess = detect(path, config.data.format, config.data.layout)
    digest, size = source_digest(path)
    source = SourceRecord(part=name, file=file, sha256=digest, bytes=size, format=guess.format, layout=guess.layout, reason=guess.reason)
    documents = tools.document_rows(config) if guess.layout == "document" and config.task == "instruct" else None
    parameters = {
        "format": guess.format,
        "layout": guess.layout,
        "task": config.task,
        "columns": config.columns.model_dump(mode="json"),
        "system": config.system,
        "max_row_bytes": config.checks.max_row_bytes,
        "documents": documents.parameters() if documents else None,
    }
    read = steps.run("read", parameters, [digest], lambda out: read_examples(path, file, config, guess, out, documents, progress))
    _limit_rejects(path, read, config.checks.max_rejected, rejects)
    rules, policy = config.prepare.clean, config.prepare.pii
    cleaned = steps.run(
        "clean", rules.model_dump(mode="json"), [read.key], lambda out: _clean(Spool.open(read.folder), file, config, out, progress)
    )
    counts = [read.record.counts, cleaned.record.counts]
    last, found = cleaned, {}
    if policy.mode != "off":
        last = steps.run(
            "pii",
            policy.model_dump(mode="json"),
            [cleaned.key],
            lambda out: _redact(Spool.open(cleaned.folder), file, policy, out, progress),
        )
        counts.append(last.record.counts)
        found = last.record.counts["types"]
    notes = tuple(f"{file}: {note}" for note in _notes(cleaned, last, policy))
    return Part(name, Spool.open(last.folder), last.key, source, sum(count["rejected"] for count in counts), notes, found)


def _clean(rows: Spool, file: str, config: AdapterConfig, out: Path, progress: Progress) -> dict[str, Any]:
    cleaner = Cleaner(config.prepare.clean)
    cleaner.survey(rows)
    counts = _rewrite(rows, file, out, cleaner.clean, f"cleaning {file}", progress)
    return {**counts, "rules": [rule.as_dict() for rule in cleaner.summary()]}


def _redact(rows: Spool, file: str, policy: PiiPolicy, out: Path, progress: Progress) -> dict[str, Any]:
    redactor = Redactor(policy)
    in_rows: Counter[str] = Counter()
    in_all: Counter[str] = Counter()

    def change(example: Example) -> Example | Rejection:
        texts = [example.text, *(message.content for message in example.messages), example.rejected]
        redacted = redactor.apply(texts)
        types = [finding.type for found in redacted.findings for finding in found]
        in_all.update(types)
        in_rows.update(set(types))
        if redacted.dropped:
            return Rejection(f"holds personal data: {', '.join(sorted(set(types)))} (prepare.pii.mode: drop)")
        if policy.mode == "report" or not types:
            return example
        text, *contents, rejected = redacted.texts
        messages = tuple(Message(m.role, content) for m, content in zip(example.messages, contents, strict=True))
        return replace(example, text=text, messages=messages, rejected=rejected)

    counts = _rewrite(rows, file, out, change, f"looking for personal data in {file}", progress)
    return {**counts, "types": dict(sorted(in_rows.items())), "findings": dict(sorted(in_all.items()))}


def _rewrite(rows: Spool, file: str, out: Path, change: Change, title: str, progress: Progress) -> dict[str, Any]:
    """Pass every row through ``change`` into a new spool; return the counts."""
    rejects = Rejects(out, file)
    changed = kept = 0
    try:
        with SpoolWriter(out) as writer:
            for index, example in enumerate(rows):
                result = change(example)
                if isinstance(result, Rejection):
                    rejects.add(RowFault(example.row, result.reason))
                else:
                    changed += result != example
                    kept += 1
                    writer.append(result)
                if index % _EVERY == 0:
                    progress(title, index, len(rows))
    finally:
        rejects.close()
    return {"rows": len(rows), "kept": kept, "changed": changed, "rejected": rejects.count}


def _limit_rejects(path: Path, read: Done, limit: float, rejects: Path | None) -> None:
    """More invalid rows than allowed stop everything; rows that a rule of the user's leaves out do not count (F08)."""
    total, bad = read.record.counts["rows"], read.record.counts["rejected"]
    if not bad or bad <= limit * total:
        return
    with (read.folder / REJECTS).open(encoding="utf-8") as stream:
        faults = [json.loads(line) for line in itertools.islice(stream, _SHOWN)]
    if rejects is not None:
        rejects.parent.mkdir(parents=True, exist_ok=True)
        rejects.write_bytes((read.folder / REJECTS).read_bytes())
    raise RowErrors(
        f"{bad} of {total} rows of {path.name} cannot be used",
        rows=tuple((fault["row"], fault["reason"]) for fault in faults),
        total=bad,
        given=f"{bad / total:.1%} of the rows",
        allowed=f"{limit:.1%} (checks.max_rejected)",
        fix="correct these rows" + (f"; all of them are listed in {rejects}" if rejects else "") + ", or raise checks.max_rejected",
    )


def _notes(cleaned: Done, last: Done, policy: PiiPolicy) -> list[str]:
    notes = []
    rules = [rule for rule in cleaned.record.counts["rules"] if rule["rows"]]
    if rules:
        notes.append("repaired " + ", ".join(f"{rule['rule']} in {rule['rows']} rows" for rule in rules))
    types = last.record.counts.get("types") if policy.mode != "off" else None
    if types:
        what = ", ".join(f"{kind} in {rows} rows" for kind, rows in sorted(types.items(), key=lambda item: -item[1])[:4])
        more = f" and {len(types) - 4} more types" if len(types) > 4 else ""
        done = {"report": "kept as they are", "mask": "masked", "pseudonym": "replaced", "drop": "rows left out"}[policy.mode]
        notes.append(f"personal data: {what}{more}; {done}")
    return notes
