"""Registered adapters to a new version made of them: check that they fit, merge, prove the arithmetic, register, measure."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.aside import aside
from hatrack.core.atomic import STAGING, storage_errors
from hatrack.core.digest import canonical_json, sha256_json
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError
from hatrack.core.lineage import DataRecord, EvalReport, Manifest
from hatrack.core.names import AUTO, BASE, NAME_RULE, valid_name
from hatrack.models.adapters.folder import CONFIG, PROBE, AdapterCard, read_card, read_tensors
from hatrack.models.adapters.lora import LoraWeights, read_lora
from hatrack.models.adapters.probe import verify_probe, write_probe
from hatrack.models.causal import last_logits
from hatrack.models.loading import load_module
from hatrack.models.merging.adapter import MergedAdapter, folded_in, merge_adapters, write_lora
from hatrack.models.merging.base import MERGERS, Merger
from hatrack.models.render import ChatRenderer
from hatrack.registry.manifest import build_manifest
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.parents import kept_of, parents_with_data, say_forgotten

__all__ = ["MergeRequest", "merge", "parse_parts", "re_evaluate"]


@dataclass(frozen=True)
class MergeRequest:
    """What is to be merged, and how.

    Attributes:
        parts: references of registered versions with their weights.
        rank: of the result; None for the merger's own choice.
        density: share of entries that ties and dare keep.
    """

    name: str
    parts: tuple[tuple[str, float], ...]
    merger: str
    rank: int | None = None
    density: float = 0.5
    seed: int = 13


@dataclass(frozen=True)
class _Part:
    manifest: Manifest
    folder: Path
    card: AdapterCard
    weights: LoraWeights
    weight: float


def parse_parts(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """``legal@1.0.0=0.7`` to a reference and a weight; without a weight, each counts 1.

    Raises:
        ConfigError: a weight that is no number, or zero.
    """
    parts = []
    for text in texts:
        reference, _, number = text.partition("=")
        try:
            weight = float(number or 1)
        except ValueError:
            weight = 0.0
        if weight == 0.0 or not abs(weight) < 1e6:
            raise ConfigError("a weight must be a number other than 0", given=text, allowed="NAME@VERSION=0.5")
        parts.append((reference, weight))
    return tuple(parts)


def merge(bench: Workbench, request: MergeRequest) -> Manifest:
    """Merge and register; the parents' digests are kept in the manifest.

    Raises:
        AdapterNotFound: no such version. ConfigError: the request cannot be fulfilled as written.
        AdapterMismatch: the adapters belong to different bases, templates or tasks, or are no LoRA.
        AdapterBroken: merging one adapter alone with weight 1 does not give it back (F21).
    """
    merger = MERGERS.get(request.merger)()
    _check_request(request, merger)
    start = time.monotonic()
    parts = [_part(bench, reference, weight) for reference, weight in request.parts]
    _check_fit(bench, parts)
    module: Any = load_module(bench.files)
    for part in parts:
        aside(bench.console)(f"{request.name}: {part.manifest.name}@{part.manifest.version} alone comes out as it went in?")
        _check_identity(merger, part, module)
    merged = merge_adapters(
        merger, [part.weights for part in parts], [part.weight for part in parts], request.rank, request.density, request.seed
    )
    state = bench.project.state
    with storage_errors(state), tempfile.TemporaryDirectory(dir=state, prefix=STAGING) as staging:
        folder = Path(staging)
        _write(folder, bench, parts, merged, module)
        manifest = build_manifest(
            bench.registry,
            request.name,
            folder,
            base=bench.config.base,
            base_fingerprint=bench.files.fingerprint,
            template_hash=parts[0].manifest.template_hash,
            behaviour=_behaviour(request, merger, parts, merged),
            data=_data(parts),
            training={
                "seconds": round(time.monotonic() - start, 2),
                "trained_parameters": float(sum(a.numel() + b.numel() for a, b in merged.weights.layers.values())),
                "kept_energy": round(merged.kept, 6),
            },
            libraries=parts[0].manifest.libraries,
            parents=tuple(part.manifest.digest for part in parts),
        )
        return bench.registry.add(manifest, folder)


def re_evaluate(bench: Workbench, manifest: Manifest) -> dict[str, EvalReport]:
    """Measure a merged version on the test rows of every parent whose data are in this project: beside the base, and beside that parent.

    Returns:
        Parent's name to the report of the merged version on its rows; the paired difference to the parent is its ``kept``.
    """
    found: dict[str, EvalReport] = {}
    for parent in parents_with_data(bench, manifest):
        prepared = bench.prepare(parent.name)
        report, kept = bench.measure(manifest, prepared), kept_of(bench, manifest, parent, prepared)
        found[parent.name] = report.model_copy(update={"kept": (kept,) if kept else ()})
    # the newest report is the one that promote reads: a failed one must not hide behind a passed one
    for report in sorted(found.values(), key=lambda report: not report.passed):
        bench.registry.add_report(manifest, report)
        say_forgotten(bench, manifest, report)
    return found


def _check_request(request: MergeRequest, merger: Merger) -> None:
    faults = []
    if not valid_name(request.name) or request.name in (AUTO, BASE):
        faults.append(f"the new name must have the form {NAME_RULE} and not be 'base' or 'auto' (given: {request.name!r})")
    if len({reference for reference, _ in request.parts}) < len(request.parts) or not request.parts:
        faults.append("name each adapter once, and at least one")
    if request.rank is not None and (not merger.takes_rank or request.rank < 1):
        faults.append(f"{merger.name} takes no --rank" if not merger.takes_rank else f"--rank must be 1 or more (given: {request.rank})")
    if merger.takes_density and not 0 < request.density <= 1:
        faults.append(f"--density must be above 0 and at most 1 (given: {request.density:g})")
    if faults:
        raise ConfigError("this cannot be merged as asked", faults=tuple(faults), fix="see `hatrack merge --help`")


def _part(bench: Workbench, reference: str, weight: float) -> _Part:
    manifest = bench.registry.resolve(reference)
    folder = bench.registry.folder(manifest)
    card = read_card(folder)
    if card.task == "classify":
        raise AdapterMismatch(
            "class vectors of a classifier on an encoder cannot be added", given=reference, allowed="adapters on a base that generates text"
        )
    weights = read_lora(folder)
    if json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("use_dora"):
        raise AdapterMismatch(
            "DoRA scales the base's own rows; sums of two such scalings are neither adapter",
            given=f"{reference}: use_dora: true",
            allowed="plain or rank-stabilised LoRA",
        )
    return _Part(manifest, folder, card, weights, weight)


def _check_fit(bench: Workbench, parts: Sequence[_Part]) -> None:
    first = parts[0].card
    template = ChatRenderer(bench.files.tokenizer, bench.files.stop_ids).template_hash
    for part in parts:
        card = part.card
        for what, its, wanted in (
            ("base model", card.base_fingerprint[:12], bench.files.fingerprint[:12]),
            ("chat template", card.template_hash[:12], template[:12]),
            ("task", card.task, first.task),
            ("system prompt", card.system or "none", first.system or "none"),
            ("answer schema", canonical_json(card.answer_schema), canonical_json(first.answer_schema)),
        ):
            if its != wanted:
                raise AdapterMismatch(
                    f"{part.manifest.name}@{part.manifest.version} has another {what}; one adapter cannot stand for both",
                    given=str(its)[:80],
                    allowed=str(wanted)[:80],
                    fix="merge adapters of this project's base, and of one template, task and system prompt",
                )


def _check_identity(merger: Merger, part: _Part, module: Any) -> None:
    alone = merge_adapters(merger, [part.weights], [1.0], None, density=1.0, seed=0)
    with folded_in(module, alone.weights.layers):
        try:
            verify_probe(part.folder, lambda inputs: last_logits(module, inputs))
        except AdapterBroken as error:
            raise AdapterBroken(
                f"{part.manifest.name}@{part.manifest.version} merged alone with weight 1 does not give itself back",
                given=error.given,
                allowed=error.allowed,
                fix="it is not of the form this merger understands; leave it out",
            ) from error


def _write(folder: Path, bench: Workbench, parts: Sequence[_Part], merged: MergedAdapter, module: Any) -> None:
    labels = tuple(sorted({label for part in parts for label in part.card.labels}))
    card = parts[0].card.model_copy(update={"method": "lora", "labels": labels, "max_length": max(part.card.max_length for part in parts)})
    write_lora(folder, merged, bench.config.base, "CAUSAL_LM")
    card.write(folder)
    inputs = [ids for part in parts for ids in _probe_inputs(part.folder)]
    before = last_logits(module, inputs)
    with folded_in(module, merged.weights.layers):
        write_probe(folder, inputs, last_logits(module, inputs), before)


def _probe_inputs(folder: Path) -> list[list[int]]:
    probe = read_tensors(folder / PROBE)
    return [row[:length].tolist() for row, length in zip(probe["inputs"], probe["lengths"], strict=True)]


def _behaviour(request: MergeRequest, merger: Merger, parts: Sequence[_Part], merged: MergedAdapter) -> dict[str, Any]:
    first = parts[0]
    density = {"density": request.density} if merger.takes_density else {}
    return {
        "task": first.card.task,
        "method": "lora",
        "options": {"r": merged.rank, "alpha": float(merged.rank)},
        "merge": {"merger": merger.name, "weights": {part.manifest.digest: part.weight for part in parts}, **density},
        "system": first.card.system,
        "labels": sorted({label for part in parts for label in part.card.labels}),
        "answer_schema": first.card.answer_schema,
        "train": {"seed": request.seed},
    }


def _data(parts: Sequence[_Part]) -> DataRecord:
    """What all parents were trained on."""
    records = [part.manifest.data for part in parts]

    def together(field: str) -> str:
        return sha256_json(sorted(getattr(record, field) for record in records))

    return DataRecord(
        digest=together("digest"),
        train_digest=together("train_digest"),
        validation_digest=together("validation_digest"),
        test_digest=together("test_digest"),
        rows={split: sum(record.rows.get(split, 0) for record in records) for split in ("train", "validation", "test")},
        rejected=sum(record.rejected for record in records),
        source_files={f"{part.manifest.name}/{name}": d for part in parts for name, d in part.manifest.data.source_files.items()},
    )
