"""What ``hatrack prepare`` shows: the files it read, what each step did, what came out, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from hatrack.data.manifest import DataManifest, StepRecord
from hatrack.safety.redact import Change

__all__ = ["change_table", "pii_table", "prepared_table", "reply_table"]

_LIST = 4


def prepared_table(name: str, manifest: DataManifest, files: Sequence[Path], repeated: int) -> Table:
    """One line for each file, step and result."""
    table = Table(title=f"{name}: prepared", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for source in manifest.sources:
        table.add_row(source.file, f"{source.format}, layout {source.layout}: {source.reason}")
    for step in manifest.steps:
        table.add_row(step.step, _words(step))
    splits = ", ".join(f"{split.rows:,} {part}" for part, split in manifest.splits.items())
    table.add_row("splits", splits + (f"; {manifest.rejected:,} rows left out" if manifest.rejected else ""))
    if manifest.licence:
        table.add_row("licence", manifest.licence)
    table.add_row("digest", manifest.digest[:12])
    if repeated < len(manifest.steps):
        table.add_row("unchanged", f"{len(manifest.steps) - repeated} of {len(manifest.steps)} steps, not repeated")
    table.add_row("written", f"{files[0].parent}: " + ", ".join(file.name for file in files))
    return table


def change_table(manifest: DataManifest) -> Table | None:
    """Examples of what cleaning changed; None where it changed nothing."""
    rules = [rule for step in manifest.steps if step.step == "clean" for rule in step.counts["rules"] if rule["examples"]]
    if not rules:
        return None
    table = Table(title="examples of what was cleaned", title_justify="left")
    for heading in ("rule", "row", "before", "after"):
        table.add_column(heading, justify="right" if heading == "row" else "left", overflow="fold")
    for rule in rules:
        for example in rule["examples"][:_LIST]:
            table.add_row(rule["rule"], f"{example['row']:,}", example["before"], example["after"])
    return table


def reply_table(manifest: DataManifest) -> Table | None:
    """Examples of what a model wrote from documents, and what became of it; None where none wrote."""
    replies = [reply for step in manifest.steps if step.step == "read" for reply in step.counts.get("replies", [])]
    if not replies:
        return None
    table = Table(title="examples of what the model wrote; read what was kept", title_justify="left")
    for heading in ("kind", "kept, or why not", "reply"):
        table.add_column(heading, overflow="fold")
    for reply in replies:
        table.add_row(reply["kind"], reply["reason"] or "kept", reply["reply"])
    return table


def pii_table(name: str, changes: Sequence[tuple[int, Change]]) -> Table:
    """What redaction would change; values are hidden but for their first character."""
    table = Table(title=f"{name}: personal data", title_justify="left")
    for heading in ("row", "type", "country", "sure", "value", "becomes"):
        table.add_column(heading, justify="right" if heading in ("row", "sure") else "left")
    for row, change in changes:
        table.add_row(f"{row:,}", change.type, change.country or "", f"{change.score:.2f}", change.shown, change.becomes)
    return table


def _words(step: StepRecord) -> str:
    counts = step.counts
    if step.step == "read":
        read = f"{counts['rows']:,} rows, {counts['rejected']:,} of them invalid"
        if "written_by_model" not in counts:
            return read
        return "\n".join([f"{read}; {counts['kept']:,} rows made of them", *counts["written_by_model"]])
    if step.step == "clean":
        done = [f"{rule['rule']} {rule['rows']:,}" for rule in counts["rules"] if rule["rows"]]
        return f"{counts['changed']:,} rows repaired, {counts['rejected']:,} left out" + (f" ({', '.join(done)})" if done else "")
    if step.step == "pii":
        types = sorted(counts["types"].items(), key=lambda item: -item[1])
        found = ", ".join(f"{kind} {rows:,}" for kind, rows in types[:_LIST]) + (", ..." if len(types) > _LIST else "")
        what = (
            f"{counts['changed']:,} rows changed, {counts['rejected']:,} left out" if step.parameters["mode"] != "report" else "report only"
        )
        return f"rows with personal data: {found or 'none'}; {what}"
    if step.step == "duplicates":
        return (
            f"{counts['exact']:,} rows repeat another, {counts['near']:,} more are nearly equal to one; "
            f"{counts['rows'] - counts['kept']:,} left out"
        )
    return "train, validation and test; what is alike stays on one side"
