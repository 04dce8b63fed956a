"""What the fragments show: every version that a caller may use, in the words of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hatrack.answering.decision import Wanted
from hatrack.api.context import Context
from hatrack.api.keys import Caller
from hatrack.api.meters import Totals
from hatrack.core.config_provider import host_of
from hatrack.core.lineage import Manifest
from hatrack.core.names import AUTO, BASE
from hatrack.serving.states import AdapterState

__all__ = ["Choice", "VersionRow", "attributes", "choices", "rows", "wanted"]


@dataclass(frozen=True)
class Choice:
    """One name that can be asked, and the exact versions behind it.

    Attributes:
        reference: what a request carries as its model.
        about: what it is, in a few words.
    """

    reference: str
    about: str
    versions: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class VersionRow:
    """One line of the list. ``totals`` and what runs now are None where the caller's key may not watch.

    ``lineage``: which version it came after, and which it was made from.
    """

    adapter: str
    version: str
    digest: str
    aliases: tuple[str, ...] = ()
    about: str = ""
    score: str = ""
    gain: str = ""
    lineage: tuple[str, ...] = ()
    state: str = "resident"
    pinned: bool = False
    now: AdapterState | None = None
    totals: Totals | None = None


def choices(context: Context, caller: Caller) -> list[Choice]:
    """The base, if the caller may use it, and his adapters; newest version first. Reads the registry."""
    registry, service = context.service.registry, context.service
    found = [Choice(BASE, "the model without any adapter")] if caller.may_use(BASE) else []
    for name in filter(caller.may_use, registry.names()):
        aliases = registry.aliases(name)
        exact = tuple(
            Choice(f"{name}@{manifest.version}", _comma(*_named(aliases, manifest.version), _kind(manifest)))
            for manifest in reversed(registry.versions(name))
        )
        now = service.resolve(name)
        version = now.version if now else ""
        found.append(Choice(name, _comma(version, *_named(aliases, version)), exact))
    return found


def rows(context: Context, caller: Caller) -> Iterator[VersionRow]:
    """Every version that the caller may use, idle ones too (F30). Reads the registry."""
    registry, fingerprint = context.service.registry, context.service.files.fingerprint
    totals = context.meters.totals() if caller.may_watch else None
    if caller.may_use(BASE):
        used = totals.get((BASE, ""), Totals()) if totals is not None else None
        yield VersionRow(BASE, "", fingerprint[:12], about=context.service.config.base, totals=used)
    states = context.service.states()
    known = {state.manifest.digest: state.manifest for state in states if caller.may_use(state.manifest.name)}
    for state in states:
        manifest = state.manifest
        if not caller.may_use(manifest.name):
            continue
        report = registry.report(manifest)
        gain = report.comparison(report.metric) if report else None
        yield VersionRow(
            manifest.name,
            manifest.version,
            manifest.digest[:12],
            state.aliases,
            _kind(manifest),
            score=f"{report.metric} {report.system('adapter').scores[report.metric].value:.3f}" if report else "",
            gain=f"{gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})" if gain else "",
            lineage=_lineage(manifest, known),
            state=state.state,
            pinned=state.pinned,
            now=state if totals is not None else None,
            totals=totals.get((manifest.name, manifest.version), Totals()) if totals is not None else None,
        )


def attributes(context: Context) -> list[str]:
    """What routing may look at besides the text and the tenant: fields of the trial."""
    routing = context.service.config.routing
    known = {name for rule in routing.rules for name in rule.when} - {"tenant"}
    by_country = any(adapter.route.country for adapter in context.service.config.adapters.values())
    return sorted(known | ({"country"} if by_country else set()))


def wanted(context: Context, caller: Caller, seen: dict[str, str]) -> Wanted:
    """A request of this caller that names no adapter."""
    everybody = (*context.service.registry.names(), BASE)
    allowed = None if "use:*" in caller.scopes else [name for name in everybody if caller.may_use(name)]
    return Wanted(AUTO, caller.tenant, allowed, seen)


def _lineage(manifest: Manifest, known: dict[str, Manifest]) -> tuple[str, ...]:
    """A version that the caller may not use, or that is in no list any more, is named by its digest."""
    made = tuple(f"from {known[d].name}@{known[d].version}" if d in known else f"from {d[:12]}" for d in manifest.parents)
    if manifest.parent is None:
        return made
    return (f"after {known[manifest.parent].version if manifest.parent in known else manifest.parent[:12]}", *made)


def _kind(manifest: Manifest) -> str:
    place = f" at {host_of(manifest.hosted.base_url)}" if manifest.hosted else ""
    return f"{manifest.config['task']}, {manifest.config['method']}{place}"


def _named(aliases: dict[str, str], version: str) -> list[str]:
    return sorted(alias for alias, named in aliases.items() if named == version)


def _comma(*parts: str) -> str:
    return ", ".join(filter(None, parts))
