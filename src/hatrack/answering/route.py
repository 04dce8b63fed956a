"""From a request to one adapter: by name, by rules, by tenant, by country, by content; the first that decides, decides.

    model: legal ──► explicit ──► legal, or an error; never another (F23)
    model: auto ───► rules ─► tenant ─► country ─► content ─► fallback

Whatever decides must be there and must be allowed to this tenant: else the request is refused, and nobody answers in its
place. Content alone looks only at what the tenant may use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from hatrack.answering.content import ContentIndex
from hatrack.answering.decision import ContentScore, Decision, Wanted
from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.config_route import Route, RoutingRule
from hatrack.core.errors import AdapterForbidden, AdapterNotFound, ConfigError, HatrackError
from hatrack.core.lineage import Manifest
from hatrack.core.names import AUTO, BASE, closest, split_reference
from hatrack.core.project import Project
from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base
from hatrack.registry.store import Registry

__all__ = ["Router", "routed_text"]

Resolve = Callable[[str], Manifest | None]
_TEXT = 600  # characters: a short last turn is read with the ones before it


class Router:
    """Decides who answers. Thread-safe.

    Args:
        resolve: a reference to a version, None for ``base``; raises AdapterNotFound.
    """

    def __init__(self, config: ProjectConfig, resolve: Resolve, content: ContentIndex) -> None:
        self._settings = config.routing
        self._routes = {name: adapter.route for name, adapter in config.adapters.items() if adapter.route.keys}
        self._resolve = resolve
        self.content = content

    @classmethod
    def of(cls, config: ProjectConfig, project: Project, registry: Registry, resolve: Resolve | None = None) -> Router:
        """The router of a project. The embedder is opened when the first text is compared."""
        spec = project.base_spec(config.routing.embedder)
        content = ContentIndex(registry, lambda: TextEmbedder(open_base(spec)), config.routing.threshold)
        return cls(config, resolve or (lambda reference: None if reference == BASE else registry.resolve(reference)), content)

    def check(self) -> None:
        """Refuse rules and a fallback that name what is not registered: for the start of a server.

        Raises:
            ConfigError: all of them.
        """
        faults = []
        used = [(f"routing.rules.{i}.use", rule.use) for i, rule in enumerate(self._settings.rules)]
        for place, reference in [*used, ("routing.fallback", self._settings.fallback)]:
            try:
                self._resolve(reference)
            except AdapterNotFound as error:
                faults.append(f"{place}: {error.what}" + (f"; {error.fix}" if error.fix else ""))
        if faults:
            raise ConfigError("the routing names adapters that are not registered", faults=tuple(faults), fix="correct them, or train them")

    def route(self, text: str, wanted: Wanted) -> Decision:
        """Who answers a request, and why.

        Raises:
            AdapterNotFound: the named adapter, or the one a rule leads to, is not registered; with the nearest names.
            AdapterForbidden: it is, and this tenant may not use it.
            ModelError: content is to decide and the embedder cannot be had.
        """
        if wanted.model != AUTO:
            return self._decided(wanted.model, wanted, "explicit", "the request names it")
        seen = {name.lower(): value.strip().casefold() for name, value in wanted.attributes.items()}
        scores: tuple[ContentScore, ...] = ()
        why = "nothing else decides"
        for stage in self._settings.order:
            if stage == "rules":
                found = self._by_rule(wanted.tenant, seen)
            elif stage in ("tenant", "country"):
                found = self._by_route(stage, wanted.tenant, seen)
            elif stage == "content":
                scores = self.content.scores(text, wanted)
                found = _by_content(scores)
                why = f"the text is near to none of {len(scores)} adapters" if scores else "no adapter has learned its content"
            else:
                continue
            if found is not None:
                return replace(self._decided(found.use, wanted, found.rule, found.reason), scores=scores)
        return replace(self._decided(self._settings.fallback, wanted, "fallback", why), scores=scores)

    def _by_rule(self, tenant: str, seen: Mapping[str, str]) -> _Found | None:
        for number, rule in enumerate(self._settings.rules, 1):
            if _fits(rule, seen, tenant):
                return _Found(rule.use, f"rule {number}", f"the request has {_said(rule)}")
        return None

    def _by_route(self, stage: str, tenant: str, seen: Mapping[str, str]) -> _Found | None:
        """The adapter whose route fits; an adapter with both keys is looked at with the tenant, before one with less."""
        fitting = [
            name
            for name, route in self._routes.items()
            if (stage == "tenant") == bool(route.tenant)
            and (not route.tenant or tenant in route.tenant)
            and (not route.country or seen.get("country", "").upper() in route.country)
        ]
        if not fitting:
            return None
        name = max(fitting, key=lambda name: len(self._routes[name].keys))
        return _Found(name, stage, f"its route is {_keys(self._routes[name])}")

    def _decided(self, reference: str, wanted: Wanted, rule: str, reason: str) -> Decision:
        name, _ = split_reference(reference)
        try:
            manifest = self._resolve(reference)
        except AdapterNotFound as error:
            raise _not_found(error, reference, wanted, rule) from error
        if not wanted.may_use(name):
            raise AdapterForbidden(
                f"this tenant may not use {name}",
                given=reference if rule == "explicit" else f"{reference}, by {rule}: {reason}",
                allowed=", ".join(sorted(wanted.allowed or ())) or "nothing",
                fix="name one of these, or ask for a key that may",
            )
        return Decision(manifest, rule, reason)


class _Found(NamedTuple):
    """What a stage leads to: a reference, the name of the rule, and why."""

    use: str
    rule: str
    reason: str


def routed_text(messages: Sequence[Message]) -> str:
    """What a conversation is about: its last user turn, and the ones before it while that is short."""
    text = ""
    for message in reversed(messages):
        if message.role == "user":
            text = f"{message.content}\n{text}".strip()
            if len(text) >= _TEXT:
                break
    return text


def _by_content(scores: Sequence[ContentScore]) -> _Found | None:
    nearest = next((score for score in scores if score.accepted), None)
    if nearest is None:
        return None
    return _Found(nearest.adapter, "content", f"similarity {nearest.similarity:.2f} reaches {nearest.threshold:.2f}")


def _fits(rule: RoutingRule, seen: Mapping[str, str], tenant: str) -> bool:
    for name, values in rule.when.items():
        if name == "tenant":
            if tenant not in values:  # a tenant is an identity: to the letter, and from the key alone
                return False
        elif seen.get(name, "") not in {value.casefold() for value in values}:
            return False
    return True


def _said(rule: RoutingRule) -> str:
    return " and ".join(f"{name} {' or '.join(values)}" for name, values in rule.when.items())


def _keys(route: Route) -> str:
    return " and ".join(f"{key} {' or '.join(getattr(route, key))}" for key in sorted(route.keys, reverse=True))


def _not_found(error: AdapterNotFound, reference: str, wanted: Wanted, rule: str) -> HatrackError:
    """The same refusal; who may not use an adapter does not learn its name from a hint."""
    given = error.given if rule == "explicit" else f"{reference}, by {rule}"
    if wanted.allowed is None or wanted.may_use(split_reference(reference)[0]):
        return AdapterNotFound(error.what, given=given, allowed=error.allowed, fix=error.fix)
    near = closest(reference, wanted.allowed, 1)
    allowed = ", ".join(sorted(wanted.allowed)) or "nothing"
    return AdapterNotFound(error.what, given=given, allowed=allowed, fix=f"did you mean {near[0]}?" if near else "name one of these")
