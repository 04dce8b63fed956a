"""The checks that the gate asks for beside the task: made where they are missing."""

from __future__ import annotations

from hatrack.core.aside import aside
from hatrack.core.checks import GENERAL, SAFETY, CheckReport
from hatrack.core.lineage import Manifest
from hatrack.data.prepare import Prepared
from hatrack.registry.evidence import check_report_of
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.general import check_general
from hatrack.workflows.redteam import check_safety

__all__ = ["complete_checks"]


def complete_checks(bench: Workbench, manifest: Manifest, prepared: Prepared) -> tuple[str, ...]:
    """Make the checks of ``gate.no_worse`` that this version does not have yet; returns what it lost for sure.

    Raises:
        EvaluationError: a check cannot be made of such an adapter.
    """
    rules = bench.config.gate
    losses: list[str] = []
    for check in (SAFETY, GENERAL):
        if check in rules.no_worse:
            report = check_report_of(bench.registry, manifest, check) or _make(bench, manifest, prepared, check)
            losses += report.losses(rules.tolerated(check))
    return tuple(losses)


def _make(bench: Workbench, manifest: Manifest, prepared: Prepared, check: str) -> CheckReport:
    aside(bench.console)(f"{manifest.name}: checking {check}")
    return check_safety(bench, manifest, prepared) if check == SAFETY else check_general(bench, manifest)
