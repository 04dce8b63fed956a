"""``hatrack export``: everything that can be refused is refused first, then written, opened, compared, described, renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hatrack.core.aside import aside
from hatrack.core.atomic import staged_folder
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterMismatch, ConfigError, EvaluationError
from hatrack.core.exported import EXPORT, ExportedPart, ExportRecord, Quality
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.models.adapters.probe import Probe
from hatrack.models.exporters.base import EXPORTERS, Exporter, Foreign, Part, Source, formats_for
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.export.card import base_id, model_card
from hatrack.workflows.export.closeness import Embedded
from hatrack.workflows.export.probe import ask_probe, check_part, probe_of
from hatrack.workflows.export.quality import MEASURED, Measuring

__all__ = ["ROWS", "Wish", "export", "open_source"]

ROWS = 200
_CARD = "README.md"


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    Attributes:
        precisions: for formats that know several.
        base_id: how the files name the base; None: as far as it is known.
        license: for the card; empty: the base's.
        rows: test rows to measure on, at most; 0: none.
        max_drop: largest loss of the metric, in its own unit, of a part in full precision; of any part, where it is given.
    """

    format: str
    out: Path
    precisions: tuple[str, ...] = ()
    base_id: str | None = None
    license: str = ""
    rows: int = ROWS
    max_drop: float | None = None

    @property
    def limit(self) -> float:
        """What a part in full precision may lose: rounding can turn an answer that stood on the edge."""
        return 0.01 if self.max_drop is None else self.max_drop


def export(bench: Workbench, reference: str, wish: Wish, measuring: Measuring | None = None) -> ExportRecord:
    """Write ``reference`` in a format, into a folder that appears whole or not at all.

    Args:
        measuring: of an export of the same version before; what the adapter answers here is then not asked again.

    Raises:
        AdapterNotFound: no such version. ConfigError: no such format or precision, or a folder that holds something else.
        AdapterMismatch: the adapter cannot be had in this format; says in which it can.
        AdapterBroken: the foreign tool does not take the files, or the adapter acts otherwise there.
        EvaluationError: it answers worse there than the limit allows.
        MissingExtra: the foreign tool is not installed. StorageError: the disk refuses.
    """
    exporter = EXPORTERS.get(wish.format)()
    manifest, source = open_source(bench, reference, wish)
    _check_folder(wish.out)
    reason = exporter.refusal(source)
    if reason:
        raise AdapterMismatch(
            f"{source.title} cannot be exported as {wish.format}",
            given=reason,
            allowed=", ".join(formats_for(source)) or "no format takes it; `hatrack serve` does",
            fix="choose one of these with --to",
        )
    probe = probe_of(source)
    why, measure = _measuring(bench, manifest, wish, measuring)
    with staged_folder(wish.out) as staging:
        parts = exporter.write(source, staging)
        found = []
        for part in parts:
            aside(bench.console)(f"{source.title}: {part.name} written; asking it")
            found.append(_asked(exporter, source, staging, part, probe, measure, wish))
        record = ExportRecord(
            format=wish.format,
            adapter=source.title,
            digest=manifest.digest if manifest else bench.files.fingerprint,
            base=source.base_id,
            base_fingerprint=bench.files.fingerprint,
            parts=tuple(found),
            not_measured=why,
            files={str(path.relative_to(staging)): sha256_file(path) for path in sorted(staging.rglob("*")) if path.is_file()},
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        report = bench.registry.report(manifest) if manifest else None
        card = model_card(exporter, source, parts, record, manifest, report, wish.license)
        (staging / _CARD).write_text(card, encoding="utf-8")
        (staging / EXPORT).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        staging.chmod(0o755)
    return record


def open_source(bench: Workbench, reference: str, wish: Wish) -> tuple[Manifest | None, Source]:
    """The version, its files checked, as exporters take it; for ``base`` there is no manifest.

    Raises:
        AdapterNotFound: no such version. AdapterMismatch: it belongs to another base. WeightsElsewhere: it has no weights here.
    """
    named = wish.base_id or base_id(bench.files.spec)
    if reference == BASE:
        return None, Source(BASE, bench.files, None, named, wish.precisions)
    manifest = bench.registry.resolve(reference)
    folder = bench.registry.folder(manifest)
    if manifest.base_fingerprint != bench.files.fingerprint:
        raise AdapterMismatch(
            "this version was trained on another base model",
            given=f"base fingerprint {manifest.base_fingerprint[:12]}",
            allowed=f"{bench.files.fingerprint[:12]} ({bench.config.base})",
            fix="set `base` in hatrack.yaml to the base it was trained on",
        )
    return manifest, Source(f"{manifest.name}@{manifest.version}", bench.files, folder, named, wish.precisions)


def _check_folder(out: Path) -> None:
    """An earlier export may be replaced; anything else is somebody's."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / EXPORT).is_file())):
        raise ConfigError(
            "the folder holds something that is no export",
            given=str(out),
            allowed="a new folder, an empty one, or an earlier export",
            fix="name another one with --out",
        )


def _measuring(bench: Workbench, manifest: Manifest | None, wish: Wish, known: Measuring | None) -> tuple[str, Measuring | Embedded | None]:
    """Why nothing can be measured, or what measures it."""
    if manifest is None and bench.files.kind == "encoder":
        return "", Embedded.of(bench, wish.rows)
    if manifest is None:
        return "the base has no test rows of its own", None
    if known is not None and known.manifest.digest == manifest.digest:
        return "", known
    if not wish.rows:
        return "it was not asked for", None
    if manifest.config["task"] not in MEASURED:
        return f"the task {manifest.config['task']} has no answers that are right or wrong", None
    if manifest.name not in bench.config.adapters:
        return f"hatrack.yaml names no data for {manifest.name}", None
    return "", Measuring(bench, manifest, bench.prepare(manifest.name), wish.rows)


def _asked(
    exporter: Exporter, source: Source, folder: Path, part: Part, probe: Probe, measure: Measuring | Embedded | None, wish: Wish
) -> ExportedPart:
    foreign: Foreign = exporter.open(source, folder, part)
    try:
        likeness = ask_probe(probe, foreign)
        check_part(part, likeness, foreign.tool, any_loss=wish.max_drop is not None)
        quality = measure.part(foreign) if isinstance(measure, Measuring) else None
        closeness = measure.part(foreign) if isinstance(measure, Embedded) else None
    finally:
        foreign.close()
    if quality is not None and (part.full or wish.max_drop is not None):
        _check_drop(source, part, quality, wish.limit)
    return ExportedPart(
        name=part.name,
        files=part.files,
        full=part.full,
        bytes=max(_sizes(folder, part.files)),
        tool=foreign.tool,
        likeness=likeness.cosine,
        error=likeness.error,
        quality=quality,
        closeness=closeness,
    )


def _check_drop(source: Source, part: Part, quality: Quality, limit: float) -> None:
    if quality.drop > limit:
        raise EvaluationError(
            f"{source.title} answers worse as {part.name} than it does here",
            given=f"{quality.metric} {quality.here:.3f} falls to {quality.there:.3f} on {quality.rows} test rows",
            allowed=f"a loss of at most {limit:g}",
            fix="choose a finer precision, or allow the loss with --max-drop",
        )


def _sizes(folder: Path, files: Sequence[str]) -> list[int]:
    return [(folder / name).stat().st_size for name in files]
