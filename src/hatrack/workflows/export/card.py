"""The model card of an export: what it is, what it learned from, how good it was found to be, and where that ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hatrack.core.exported import EXPORT, ExportRecord
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.models.exporters.base import Exporter, Part, Source
from hatrack.models.sources.bundled import BUNDLED, PREFIX, BundledModel

__all__ = ["base_id", "license_of", "model_card"]

_UNKNOWN = "other"


def base_id(spec: str) -> str:
    """How files that leave name a base: a hub id where it is one, or is a copy of one; a path's last part otherwise."""
    bundled = _bundled(spec)
    if bundled is not None:
        return bundled.origin
    return Path(spec).name if spec.startswith(("/", "~")) else spec


def _bundled(spec: str) -> BundledModel | None:
    return BUNDLED.get(spec.removeprefix(PREFIX)) if spec.startswith(PREFIX) else None


def license_of(spec: str, folder: Path) -> str:
    """The base's licence as its own files say; empty where they do not."""
    bundled = _bundled(spec)
    if bundled is not None:
        return bundled.license
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()[:60] if card.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("license:")), "")


def model_card(
    exporter: Exporter,
    source: Source,
    parts: Sequence[Part],
    record: ExportRecord,
    manifest: Manifest | None,
    report: EvalReport | None,
    license_name: str,
) -> str:
    """``README.md`` of the folder, with the head that model hubs read."""
    found = license_name or license_of(source.files.spec, source.files.folder)
    task = manifest.config["task"] if manifest else ""
    pipeline = "text-classification" if task == "classify" else "text-generation" if source.files.kind == "causal" else "feature-extraction"
    head = [
        "---",
        f"base_model: {json.dumps(source.base_id)}",
        f"library_name: {exporter.library}",
        f"license: {found or _UNKNOWN}",
        f"pipeline_tag: {pipeline}",
        f"tags: [hatrack{', ' + manifest.config['method'] if manifest else ''}]",
        "---",
        "",
    ]
    sections = [
        _title(exporter, source, manifest),
        "## Use\n\n" + exporter.usage(source, parts),
        *([_how_to_ask(manifest)] if manifest else []),
        *([_learned(manifest)] if manifest else []),
        *([_scores(report)] if report else ["## Scores\n\nThis version was never evaluated against its base.\n"] if manifest else []),
        _leaving(record),
        _limits(source, found),
        _identity(record),
    ]
    return "\n".join(head) + "\n".join(sections)


def _title(exporter: Exporter, source: Source, manifest: Manifest | None) -> str:
    what = f"{exporter.summary[0].upper()}{exporter.summary[1:]}."
    if manifest is None:
        return f"# {source.base_id}\n\n{what}\n"
    return f"# {source.title}\n\nAn adapter for {source.base_id}, trained with the method `{manifest.config['method']}`. {what}\n"


def _how_to_ask(manifest: Manifest) -> str:
    config = manifest.config
    lines = [f"- Task: {config['task']}"]
    if config.get("system"):
        lines.append(f"- System prompt, in every request: {json.dumps(config['system'], ensure_ascii=False)}")
    if config.get("labels"):
        lines.append(f"- Labels: {', '.join(map(str, config['labels']))}")
    if config.get("answer_schema"):
        lines.append(f"- Answers satisfy this JSON schema: `{json.dumps(config['answer_schema'])}`")
    return "## How it wants to be asked\n\n" + "\n".join(lines) + "\n"


def _learned(manifest: Manifest) -> str:
    data, config = manifest.data, manifest.config
    if "imported" in config:
        return (
            f"## Data\n\nNot known: it was made elsewhere and taken over from {config['imported']['from']}. "
            "What it learned from is not part of its files.\n"
        )
    options = ", ".join(f"{key} {value}" for key, value in config.get("options", {}).items())
    rows = ", ".join(f"{count:,} {split}" for split, count in data.rows.items())
    files = "\n".join(f"- `{name}` sha256 {digest[:12]}..." for name, digest in sorted(data.source_files.items())[:20])
    return f"## Data and training\n\n{rows} rows from\n\n{files}\n\nMethod `{config['method']}` ({options}), seed {manifest.seed}.\n"


def _scores(report: EvalReport) -> str:
    lines = [f"## Scores\n\nOn {report.rows} test rows, {report.metric} with 95 % intervals:\n", "| system | score |", "|---|---|"]
    for system in report.systems:
        score = system.scores[report.metric]
        between = f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else ""
        lines.append(f"| {system.description} | {score.value:.3f}{between} |")
    gain = report.comparison(report.metric)
    lines.append(
        f"\nAgainst the best figure of the base: {gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f}).\n"
    )
    lines += [f"Made from another version: {kept.sentence}.\n" for kept in report.kept]
    return "\n".join(lines)


def _leaving(record: ExportRecord) -> str:
    lines = ["## What leaving cost\n"]
    for part in record.parts:
        lines.append(f"- {part.name} ({part.bytes:,} bytes), opened with {part.tool}: likeness of its effect {part.likeness:.4f}")
    if any(part.closeness for part in record.parts):
        return "\n".join([*lines, *_close(record), ""])
    measured = [part for part in record.parts if part.quality]
    if not measured:
        return "\n".join([*lines, f"\nNot measured on test rows: {record.not_measured}.\n"])
    lines += ["", "| part | metric | full precision here | there | change | same answers | rows |", "|---|---|---|---|---|---|---|"]
    for part in measured:
        found = part.quality
        if found is not None:
            change = f"{found.there - found.here:+.3f} ({found.change.low:+.3f} to {found.change.high:+.3f})"
            lines.append(
                f"| {part.name} | {found.metric} | {found.here:.3f} | {found.there:.3f} | {change} | {found.same:.1%} | {found.rows} |"
            )
    return "\n".join([*lines, ""])


def _close(record: ExportRecord) -> list[str]:
    """A table of how close an embedder's vectors are to those in full precision."""
    found = [(part.name, part.closeness) for part in record.parts if part.closeness]
    asked = found[0][1]
    head = f"\nCosine of the embedding there and the one in full precision here, over {asked.count} {asked.texts}:\n"
    rows = [f"| {name} | {one.mean:.4f} | {one.lowest:.4f} |" for name, one in found]
    return [head, "| part | mean | lowest |", "|---|---|---|", *rows]


def _limits(source: Source, found: str) -> str:
    bundled = _bundled(source.files.spec)
    lines = ["It was measured on rows like those it learned from; on others nothing is known of it."]
    if bundled is not None and bundled.rounded:
        lines.append(
            f"It was trained on {source.base_id} as rounded to {bundled.rounded}; on the original weights it acts nearly, not exactly, so."
        )
    lines.append(f"The licence of the base is {found}." if found else "The licence of the base is not stated in its files.")
    lines.append("The licence of the data is not known to Hatrack; whoever passes this on answers for it.")
    return "## Limits and licence\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def _identity(record: ExportRecord) -> str:
    return (
        "## Identity\n\n"
        f"`{EXPORT}` holds the SHA-256 of every file. Adapter digest `{record.digest[:16]}`, "
        f"base fingerprint `{record.base_fingerprint[:16]}`.\n"
    )
