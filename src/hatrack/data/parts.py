"""One file that is given, as far as it goes alone: read, cleaned, looked through for personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.project import Project
from hatrack.data.clean.cleaner import Cleaner
from hatrack.data.detect import detect
from hatrack.data.intake import ROWS, are_documents, read_examples, source_digest
from hatrack.data.layouts.base import layout_for
from hatrack.data.manifest import SourceRecord
from hatrack.data.progress import Progress
from hatrack.data.records import Example, RowFault
from hatrack.data.rejects import Rejects, refuse_many
from hatrack.data.spool import Spool, SpoolWriter
from hatrack.data.steps import Done, Steps
from hatrack.data.tools import Tools
from hatrack.safety.quote import quote_for
from hatrack.safety.redact import Redactor

__all__ = ["Part", "pii_texts", "read_part"]

_EVERY = 1000  # rows between two reports of progress

Rewrite = Callable[[Example], Example | RowFault]


@dataclass(frozen=True)
class Part:
    """The rows of one file, and what was done to them.

    Attributes:
        name: train, validation or test: what the file was given as.
        key: of the last step.
        invalid: rows that could not be read.
        left_out: rows that a rule under ``prepare`` does not want.
        pii: rows in which each type of personal data was found.
    """

    name: str
    rows: Spool
    key: str
    source: SourceRecord
    invalid: int
    left_out: int
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
    layout = layout_for(config)
    why = "" if layout == config.files.layout else "columns as `columns:` names them"
    guess = detect(path, config.files.format, layout, config.checks.max_row_bytes, why=why)
    digest, size = source_digest(path)
    source = SourceRecord(part=name, file=file, sha256=digest, bytes=size, format=guess.format, layout=guess.layout, reason=guess.reason)
    model = Project(root).base_spec(config.prepare.documents.model) if config.prepare.documents.model else None
    made = {
        "documents": config.prepare.documents.model_dump(mode="json"),
        "writer": tools.fingerprint(model) if model else None,
        "seed": config.train.seed,
        "pii": config.prepare.pii.model_dump(mode="json"),  # what the model wrote is quoted by it
    }
    parameters = {
        "format": guess.format,
        "layout": guess.layout,
        "task": config.task,
        "columns": config.columns.model_dump(mode="json"),
        "system": config.system,
        "max_row_bytes": config.checks.max_row_bytes,
        **(made if are_documents(guess, config) else {}),
    }

    def intake(out: Path) -> dict[str, Any]:
        writer = tools.writer(model) if model and are_documents(guess, config) else None
        return read_examples(path, file, config, guess, out, writer, progress)

    read = steps.run("read", parameters, [digest], intake)
    quote = quote_for(config.prepare.pii)
    refuse_many(path, read.folder, read.record.counts, config.checks.max_rejected, quote, rejects)
    policy = config.prepare.pii
    cleaned = steps.run(
        "clean",
        {**config.prepare.clean.model_dump(mode="json"), "pii": policy.model_dump(mode="json")},
        [read.key],
        lambda out: _clean(Spool.open(read.folder / ROWS), file, config, out, progress),
    )
    done, last, found = [read, cleaned], cleaned, {}
    if policy.mode != "off":
        last = steps.run(
            "pii",
            {**policy.model_dump(mode="json"), **({"seed": config.train.seed} if policy.mode == "pseudonym" else {})},
            [cleaned.key],
            lambda out: _redact(Spool.open(cleaned.folder / ROWS), file, config, out, progress, of_documents=are_documents(guess, config)),
        )
        done.append(last)
        found = last.record.counts["types"]
    notes = tuple(f"{file}: {note}" for note in _notes(cleaned, last, policy))
    invalid, *left_out = [one.record.counts["rejected"] for one in done]
    return Part(name, Spool.open(last.folder / ROWS), last.key, source, invalid, sum(left_out), notes, found)


def _clean(rows: Spool, file: str, config: AdapterConfig, out: Path, progress: Progress) -> dict[str, Any]:
    cleaner = Cleaner(config.prepare.clean, quote_for(config.prepare.pii))
    cleaner.learn(rows)
    counts = _rewrite(rows, file, out, cleaner.clean, f"cleaning {file}", progress)
    return {**counts, "rules": [asdict(rule) for rule in cleaner.summary()]}


def _redact(rows: Spool, file: str, config: AdapterConfig, out: Path, progress: Progress, *, of_documents: bool) -> dict[str, Any]:
    policy = config.prepare.pii
    redactor = Redactor(policy, config.train.seed)
    in_rows: Counter[str] = Counter()
    in_all: Counter[str] = Counter()

    def change(example: Example) -> Example | RowFault:
        # rows made from one document speak of the same people
        redacted = redactor.apply(pii_texts(example), document=example.group if of_documents else "")
        types = [finding.type for found in redacted.findings for finding in found]
        in_all.update(types)
        in_rows.update(set(types))
        if redacted.dropped:
            return RowFault(example.row, f"holds personal data: {', '.join(sorted(set(types)))} (prepare.pii.mode: drop)")
        if policy.mode == "report" or not types:
            return example
        text, rejected, *contents = redacted.texts
        messages = tuple(Message(m.role, content) for m, content in zip(example.messages, contents, strict=True))
        return replace(example, text=text, messages=messages, rejected=rejected)

    counts = _rewrite(rows, file, out, change, f"looking for personal data in {file}", progress)
    return {**counts, "types": dict(sorted(in_rows.items())), "findings": dict(sorted(in_all.items()))}


def pii_texts(example: Example) -> list[str]:
    """Every text of a row that may hold personal data; they are redacted together."""
    return [example.text, example.rejected, *(message.content for message in example.messages)]


def _rewrite(rows: Spool, file: str, out: Path, change: Rewrite, title: str, progress: Progress) -> dict[str, Any]:
    """Pass every row through ``change`` into a new spool; return the counts."""
    rejects = Rejects(out, file)
    changed = kept = 0
    try:
        with SpoolWriter.open(out / ROWS) as writer:
            for index, example in enumerate(rows):
                result = change(example)
                if isinstance(result, RowFault):
                    rejects.add(result)
                else:
                    changed += result is not example and result != example
                    kept += 1
                    writer.append(result)
                if index % _EVERY == 0:
                    progress(title, index, len(rows))
    finally:
        rejects.close()
    return {"rows": len(rows), "kept": kept, "changed": changed, "rejected": rejects.count}


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
