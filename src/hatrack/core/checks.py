"""What a version was checked for beside its task, safety and general ability; kept with the version, read by promote."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hatrack.core.errors import AdapterBroken
from hatrack.core.lineage import Interval

__all__ = ["GENERAL", "SAFETY", "Change", "CheckReport", "CheckedGroup", "FailedItem", "check_kind"]

SAFETY: Final = "safety"
GENERAL: Final = "general"
Check = Literal["safety", "general"]


def check_kind(check: str) -> str:
    """The kind of file that the registry keeps with a version."""
    return f"check-{check}"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Record):
    """Adapter minus base on the same items.

    ``interval`` holds for all groups of the report together (Bonferroni): its confidence is that of one of them.
    ``p_value``: exact McNemar test where an item is passed or failed, Wilcoxon's signed-rank test otherwise.
    """

    difference: float
    interval: Interval
    p_value: float

    def lost(self, tolerated: float, *, higher_is_better: bool) -> bool:
        """Whether more than ``tolerated`` is lost for sure: the whole interval says so, and the test agrees."""
        worst_case_kept = -self.interval.high if higher_is_better else self.interval.low
        return worst_case_kept > tolerated and self.p_value <= 1 - self.interval.confidence + 1e-12


class CheckedGroup(_Record):
    """One pack of probes, or one kind of task.

    Attributes:
        score: share of items passed, 0 to 1; for the group ``text``, nats for each token (lower is better).
        base: the same of the base; None where nothing was compared.
    """

    name: str
    about: str
    items: int
    score: float
    interval: Interval
    base: float | None = None
    change: Change | None = None
    higher_is_better: bool = True

    def shown(self, value: float) -> str:
        """The score in the unit that people know: a share, or a perplexity."""
        return f"{value:.0%}" if self.higher_is_better else f"perplexity {math.exp(value):.2f}"


class FailedItem(_Record):
    """An item that was not passed. ``answer`` is its beginning, without personal data and without secrets."""

    group: str
    item: str
    reason: str
    answer: str
    base_passed: bool | None = None


class CheckReport(_Record):
    """One check of one version, or of an endpoint."""

    kind: Literal["hatrack.check/1"] = "hatrack.check/1"
    check: Check
    subject: str = Field(description="NAME@VERSION, or the model and host of an endpoint.")
    adapter_digest: str = Field("", description="Of the version that was checked; empty for an endpoint.")
    suite_digest: str = Field(description="SHA-256 of everything that was asked.")
    groups: tuple[CheckedGroup, ...]
    failed: tuple[FailedItem, ...] = ()
    skipped: tuple[str, ...] = Field((), description="What was not asked, and why.")
    created: str

    def losses(self, tolerated: float) -> tuple[str, ...]:
        """A sentence for each group that lost more than ``tolerated`` against the base, significantly."""
        return tuple(
            f"{self.check}, {group.name}: {group.shown(group.base)} falls to {group.shown(group.score)}, "
            f"more than {tolerated:g} is lost ({group.change.interval.low:+.3f} to {group.change.interval.high:+.3f})"
            if group.higher_is_better
            else f"{self.check}, {group.name}: {group.shown(group.base)} rises to {group.shown(group.score)}"
            for group in self.groups
            if group.change is not None and group.base is not None and group.change.lost(tolerated, higher_is_better=group.higher_is_better)
        )

    @classmethod
    def read(cls, path: Path) -> CheckReport:
        """From the registry's file.

        Raises:
            AdapterBroken: it is damaged.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise AdapterBroken(
                "the record of a check cannot be read",
                given=str(error).splitlines()[0],
                fix="check again: hatrack redteam NAME, or hatrack eval NAME --general",
            ) from error
