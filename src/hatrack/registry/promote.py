"""Who is champion: moved only here, only with evidence, and every move is written down."""

from __future__ import annotations

from hatrack.core.config import GateRules
from hatrack.core.errors import PromotionRefused
from hatrack.core.lineage import Manifest
from hatrack.registry.evidence import evidence
from hatrack.registry.store import CHAMPION, Registry

__all__ = ["check_promotion", "promote", "rollback"]


def promote(registry: Registry, reference: str, *, override: str = "", rules: GateRules | None = None, actor: str = "") -> Manifest:
    """Make a version the champion of its adapter.

    What it is judged by cannot change between the judgement and the move: both are one change of the registry.

    Args:
        reference: ``legal@1.2.0``; without a version, the newest.
        override: a reason to promote without a passing report; it is recorded.
        rules: the gate as it is now: the report is judged by it again, and the checks that it names are asked for.
        actor: who does it, for the log; default: user and machine of this process.

    Raises:
        AdapterNotFound: no such version.
        PromotionRefused: no report, a report of other weights, or one that did not pass.
        RegistryUnreachable: a shared registry does not answer; nothing moved, unless the message says that this is not known.
    """
    with registry.exclusive():
        manifest, reason = check_promotion(registry, reference, override=override, rules=rules)
        registry.move_alias(manifest, CHAMPION, "promote with override" if override.strip() else "promote", reason, actor)
    return manifest


def check_promotion(registry: Registry, reference: str, *, override: str = "", rules: GateRules | None = None) -> tuple[Manifest, str]:
    """The version, and the reason why it may become champion; raises as ``promote`` does, and changes nothing."""
    manifest = registry.resolve(reference if "@" in reference else f"{reference}@latest")
    report = registry.report(manifest)
    ask = f'run `hatrack promote {manifest.name}@{manifest.version} --override "REASON"` if you must'
    reason = override.strip()
    if not reason:
        if report is None:
            raise PromotionRefused(
                f"{manifest.name}@{manifest.version} was never evaluated",
                allowed="a version with a passing evaluation report",
                fix=f"run `hatrack eval {manifest.name}@{manifest.version}`",
            )
        if report.adapter_digest != manifest.digest:
            raise PromotionRefused("the report is of other weights", given=report.adapter_digest[:12], allowed=manifest.digest[:12])
        if not report.passed:
            raise PromotionRefused(
                f"{manifest.name}@{manifest.version} did not pass its evaluation",
                given="; ".join(report.reasons),
                allowed="the gate in hatrack.yaml",
                fix=ask,
            )
        _hold_against(registry, manifest, rules, ask)
        reason = report.reasons[0]
    return manifest, reason


def _hold_against(registry: Registry, manifest: Manifest, rules: GateRules | None, ask: str) -> None:
    missed = [finding for finding in evidence(registry, manifest, rules) if not finding.passed] if rules else []
    if missed:
        raise PromotionRefused(
            f"{manifest.name}@{manifest.version} does not pass the gate",
            given="; ".join(f"{finding.rule}: {finding.reason}" for finding in missed),
            allowed="what gate in hatrack.yaml asks for",
            fix=next((f"run `{finding.fix}`" for finding in missed if finding.fix), ask),
        )


def rollback(registry: Registry, name: str, *, why: str = "", actor: str = "") -> Manifest:
    """Give the title back to the champion before the present one that is still there.

    Args:
        why: a reason for the log. actor: as in ``promote``.

    Raises:
        AdapterNotFound: no such adapter.
        PromotionRefused: there was no champion before.
    """
    with registry.exclusive():
        there = {manifest.version: manifest for manifest in registry.versions(name)}
        # Walk back along the promotions: two rollbacks in a row go back twice, not to and fro.
        stack: list[str] = []
        for move in registry.history(name):
            if move.action == "rollback":
                while stack and stack[-1] != move.version:
                    stack.pop()
            elif not stack or stack[-1] != move.version:
                stack.append(move.version)
        before = next((version for version in reversed(stack[:-1]) if version in there), None)
        if before is None:
            raise PromotionRefused(
                f"{name} has no champion to go back to",
                given=", then ".join(stack) or "never promoted",
                allowed="an adapter that was promoted at least twice",
                fix=f"run `hatrack versions {name}`, then `hatrack promote {name}@VERSION`",
            )
        reason = f"back from {stack[-1]}" + (f": {why.strip()}" if why.strip() else "")
        registry.move_alias(there[before], CHAMPION, "rollback", reason, actor)
    return there[before]
