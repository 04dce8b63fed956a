"""Which adapter answers, and why: what every routed answer carries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hatrack.core.lineage import Manifest
from hatrack.core.names import AUTO, BASE

__all__ = ["ContentScore", "Decision", "Wanted"]


@dataclass(frozen=True)
class Wanted:
    """What is known of a request besides its text.

    Attributes:
        model: an adapter's name as the caller wrote it, or ``auto``.
        tenant: whose request it is, as the API key says; never taken from a header.
        allowed: adapters that this tenant may use, and ``base`` if it may; None: all.
        attributes: country and the like, by lower-case name.
    """

    model: str = AUTO
    tenant: str = ""
    allowed: Collection[str] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def may_use(self, adapter: str) -> bool:
        """Whether this tenant may use an adapter, by name without version."""
        return self.allowed is None or adapter in self.allowed


@dataclass(frozen=True)
class ContentScore:
    """How near a text is to what one adapter was made for: cosine, and from which on it counts."""

    adapter: str
    similarity: float
    threshold: float

    @property
    def accepted(self) -> bool:
        """Whether the text may be this adapter's."""
        return self.similarity >= self.threshold


@dataclass(frozen=True)
class Decision:
    """One adapter for one request.

    Attributes:
        manifest: the version; None for the base.
        rule: what decided: ``explicit``, ``rule 2``, ``tenant``, ``country``, ``content`` or ``fallback``.
        reason: one sentence for people.
        scores: of every adapter that content was compared with, nearest first; empty where it was not looked at.
    """

    manifest: Manifest | None
    rule: str
    reason: str
    scores: tuple[ContentScore, ...] = ()

    @property
    def adapter(self) -> str:
        """Its name; ``base`` for the base."""
        return self.manifest.name if self.manifest else BASE

    @property
    def version(self) -> str:
        """Its version; empty for the base."""
        return self.manifest.version if self.manifest else ""

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        scores = [{"adapter": s.adapter, "similarity": round(s.similarity, 4), "threshold": round(s.threshold, 4)} for s in self.scores]
        return {"adapter": self.adapter, "version": self.version, "rule": self.rule, "reason": self.reason, "scores": scores}
