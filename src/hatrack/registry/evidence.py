"""What is known of a version, held against the gate's rules as they are now: one finding for each rule."""

from __future__ import annotations

from dataclasses import dataclass

from hatrack.core.checks import GENERAL, SAFETY, CheckReport, check_kind
from hatrack.core.config import GateRules
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.core.verdict import TABLE_TASKS, gated_metric, judge, judge_table
from hatrack.registry.store import Registry

__all__ = ["Finding", "check_report_of", "evidence"]

_COMMANDS = {SAFETY: "hatrack redteam {}", GENERAL: "hatrack eval {} --general"}


@dataclass(frozen=True)
class Finding:
    """One rule. ``reason`` says what was found; ``fix`` is the command that would bring missing evidence."""

    rule: str
    passed: bool
    reason: str
    fix: str = ""


def evidence(registry: Registry, manifest: Manifest, rules: GateRules) -> tuple[Finding, ...]:
    """A finding for the gain in the task, and one for each check that ``rules.no_worse`` names.

    A report that was made under other rules is judged by the present ones where its figures allow it; where they do not,
    the version counts as not evaluated.
    """
    speaks = manifest.config["task"] not in TABLE_TASKS
    asked = [check for check in (SAFETY, GENERAL) if speaks and check in rules.no_worse]
    return (_task(registry.report(manifest), manifest, rules), *(_check(registry, manifest, check, rules) for check in asked))


def check_report_of(registry: Registry, manifest: Manifest, check: str) -> CheckReport | None:
    """The newest report of a check, if this very version was ever checked.

    Raises:
        AdapterBroken: the record is damaged.
    """
    path = registry.attached(check_kind(check)).get(manifest.digest)
    report = CheckReport.read(path) if path else None
    return report if report and report.adapter_digest == manifest.digest else None


def _task(report: EvalReport | None, manifest: Manifest, rules: GateRules) -> Finding:
    reference = f"{manifest.name}@{manifest.version}"
    again = f"hatrack eval {reference}"
    if report is None:
        return Finding("task", False, f"{reference} was never evaluated", again)
    if report.adapter_digest != manifest.digest:
        return Finding("task", False, "the report is of other weights", again)
    table = report.task in TABLE_TASKS
    if not table and gated_metric(report.task, rules) != report.metric:
        return Finding("task", False, f"the report is about {report.metric}, the gate asks for {gated_metric(report.task, rules)}", again)
    confidence = report.comparison(report.metric).interval.confidence
    if confidence != rules.confidence:
        return Finding("task", False, f"the report's intervals are of {confidence:.0%}, the gate asks for {rules.confidence:.0%}", again)
    if table:
        passed, reasons = judge_table(report.metric, report.comparisons, rules)
        return Finding("task", passed, "; ".join(reasons))
    free = {system.name for system in report.systems if not system.constrained}
    passed, reasons = judge(report.metric, report.best_base, report.comparisons, rules, free)
    return Finding("task", passed, "; ".join(reasons))


def _check(registry: Registry, manifest: Manifest, check: str, rules: GateRules) -> Finding:
    reference = f"{manifest.name}@{manifest.version}"
    report = check_report_of(registry, manifest, check)
    if report is None:
        return Finding(check, False, f"{reference} was never checked for this", _COMMANDS[check].format(reference))
    losses = report.losses(rules.tolerated(check))
    kept = f"no group of {len(report.groups)} lost more than {rules.tolerated(check):g} for sure"
    return Finding(check, not losses, "; ".join(losses) or kept)
