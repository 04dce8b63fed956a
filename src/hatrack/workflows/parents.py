"""The versions that a version was made of, and their test rows: what was composed is measured on the rows of every parent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hatrack.core.aside import aside
from hatrack.core.errors import DataError, MissingExtra
from hatrack.core.lineage import EvalReport, Kept, Manifest
from hatrack.data.prepare import Prepared
from hatrack.evaluation.kept import measure_kept

if TYPE_CHECKING:
    from hatrack.workflows.adapt import Workbench

__all__ = ["kept_of", "kept_of_parents", "parents_with_data", "say_forgotten"]


def parents_with_data(bench: Workbench, manifest: Manifest) -> Iterator[Manifest]:
    """The parents whose rows stand in this project; of each other one the console says in a line why it is not measured on."""
    for digest in manifest.parents:
        parent = bench.registry.find(digest)
        config = bench.config.adapters.get(parent.name) if parent else None
        if parent is None:
            _not_measured(bench, f"the parent {digest[:12]} is not in this registry")
        elif config is None:
            _not_measured(bench, f"{parent.name} is not in hatrack.yaml")
        elif config.data is None:
            _not_measured(bench, f"{parent.name} has no data in hatrack.yaml")
        elif config.task != parent.config["task"]:
            _not_measured(bench, f"{parent.name} has the task {config.task} in hatrack.yaml now, and had {parent.config['task']}")
        else:
            yield parent


def kept_of_parents(bench: Workbench, manifest: Manifest) -> tuple[Kept, ...]:
    """Measure a version that was trained on from another on that one's test rows, beside it; of any other version nothing.

    Rows that cannot be had are no error: the console says in a line that they were not measured on.
    """
    if "parent" not in manifest.config:
        return ()
    # of an earlier version of the same adapter the rows are the version's own, where it is a base figure anyway
    others = (parent for parent in parents_with_data(bench, manifest) if parent.name != manifest.name)
    return tuple(kept for kept in (_kept(bench, manifest, parent) for parent in others) if kept is not None)


def say_forgotten(bench: Workbench, manifest: Manifest, report: EvalReport) -> None:
    """One loud line for each parent whose job the version does significantly worse."""
    for kept in report.kept:
        if kept.forgotten:
            said = f"FORGOTTEN: {manifest.name}@{manifest.version} is significantly worse at what its parent does: {kept.sentence}"
            bench.console.print(said, style="bold red", markup=False, soft_wrap=True)


def kept_of(bench: Workbench, manifest: Manifest, parent: Manifest, prepared: Prepared) -> Kept | None:
    """Measure a version beside one that it was made of, on that one's rows; None where they are too few, which the console says."""
    test, name = prepared.splits.test, f"{parent.name}@{parent.version}"
    if len(test) < 2:
        _not_measured(bench, f"{parent.name} has {len(test)} test rows, and a comparison takes 2")
        return None
    if prepared.record.test_digest != parent.data.test_digest:
        note = f"{name} was trained beside other test rows than {parent.name} has now; it may have learned some of these"
        bench.console.print(note, style="yellow", markup=False, soft_wrap=True)
    aside(bench.console)(f"{manifest.name}: and {name}, on its {len(test)} test rows")
    host, rules = bench.hosting(manifest, parent), bench.config.gate
    return measure_kept(host, manifest.digest, parent.digest, name, test, prepared.record.test_digest, rules, manifest.seed)


def _kept(bench: Workbench, manifest: Manifest, parent: Manifest) -> Kept | None:
    try:
        prepared = bench.prepare(parent.name)
    except (DataError, MissingExtra) as error:
        _not_measured(bench, f"{parent.name}: {error.what}")
        return None
    return kept_of(bench, manifest, parent, prepared)


def _not_measured(bench: Workbench, reason: str) -> None:
    bench.console.print(f"{reason}; not measured on its rows", style="yellow", markup=False, soft_wrap=True)
