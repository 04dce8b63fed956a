"""What ``routing`` and an adapter's ``route`` may say: which adapter answers a request that does not name one."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from hatrack.core.names import BASE, NAME_RULE, valid_name
from hatrack.core.strict import Strict

__all__ = ["Route", "RoutingRule", "RoutingSettings", "Stage", "overlaps"]

Stage = Literal["explicit", "rules", "tenant", "country", "content"]
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9-]*")


def _country(code: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", code):
        raise ValueError("a country is two letters (ISO 3166), as FR")
    return code.upper()


def _reference(text: str) -> str:
    name, _, version = text.partition("@")
    if not valid_name(name) or ("@" in text and not valid_name(version.lower())):
        raise ValueError(f"must be base, NAME or NAME@VERSION, NAME as {NAME_RULE}")
    return text


def _one_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Reference = Annotated[str, AfterValidator(_reference)]
Words = Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list), Field(min_length=1)]
Countries = Annotated[tuple[Annotated[str, AfterValidator(_country)], ...], BeforeValidator(_one_is_a_list)]


class Route(Strict):
    """Requests that are this adapter's: all of the keys must fit."""

    tenant: Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list)] = Field((), description="Requests of this tenant, or one of these.")
    country: Countries = Field((), description="Requests from this country (ISO 3166, two letters), or one of these.")

    @property
    def keys(self) -> frozenset[str]:
        """Which of the keys are given."""
        return frozenset(name for name in type(self).model_fields if getattr(self, name))

    def meets(self, other: Route) -> bool:
        """Whether a request can fit both while neither asks for more than the other."""
        return bool(self.keys) and self.keys == other.keys and all(set(getattr(self, k)) & set(getattr(other, k)) for k in self.keys)


class RoutingRule(Strict):
    """Requests with these attributes go to this adapter; the first rule that fits decides."""

    when: dict[str, Words] = Field(
        min_length=1, description="Attribute (tenant, country, any other) to a value or several; all must fit. Case does not count."
    )
    use: Reference = Field(description="The adapter that answers: NAME, NAME@VERSION or base.")

    @field_validator("when")
    @classmethod
    def _names_of_attributes(cls, value: dict[str, Words]) -> dict[str, Words]:
        wrong = [name for name in value if not _ATTRIBUTE.fullmatch(name)]
        if wrong:
            raise ValueError(f"attributes have lower-case names, as in the header X-Hatrack-Country; not {', '.join(map(repr, wrong))}")
        return value


class RoutingSettings(Strict):
    """Which adapter answers a request whose model is auto."""

    order: tuple[Stage, ...] = Field(
        ("explicit", "rules", "tenant", "country", "content"),
        description="What is looked at, in this order; the first that decides, decides. A named adapter always comes first.",
    )
    fallback: Reference = Field(BASE, description="Who answers when nothing decides: base, NAME or NAME@VERSION.")
    rules: tuple[RoutingRule, ...] = Field((), description="Rules on attributes of a request, see below.")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="Cosine similarity from which content decides, for all adapters; null: what each one learned."
    )
    send_away: float = Field(
        0.98, gt=0, lt=1, description="Learning chooses a threshold that keeps at least this share of foreign texts away from an adapter."
    )
    keep: float = Field(
        0.95, gt=0, lt=1, description="Learning raises the threshold further, as long as this share of the adapter's own texts reaches it."
    )
    foreign: str | None = Field(
        None, description="A file with one foreign text a line, for learning thresholds, beside the built-in everyday requests."
    )
    embedder: str = Field("bundled/all-minilm-l6-v2", description="The encoder that compares texts: bundled/NAME, a hub id, or a path.")

    @field_validator("order")
    @classmethod
    def _a_name_comes_first(cls, value: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if value[:1] != ("explicit",):
            raise ValueError("must begin with explicit: a request that names an adapter is answered by it or by nobody")
        if len(set(value)) < len(value):
            raise ValueError("names a stage twice")
        return value

    @model_validator(mode="after")
    def _rules_are_looked_at(self) -> RoutingSettings:
        if self.rules and "rules" not in self.order:
            raise ValueError("order does not name rules, but there are some")
        return self


def overlaps(routes: dict[str, Route]) -> list[tuple[str, str]]:
    """Pairs of adapters that claim the same requests."""
    names = list(routes)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if routes[a].meets(routes[b])]
