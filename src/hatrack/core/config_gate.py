"""What ``gate:`` may say: what a version must show before it may become champion."""

from __future__ import annotations

from pydantic import Field, field_validator

from hatrack.core.strict import Strict

__all__ = ["GateRules"]


class GateRules(Strict):
    """What a version must show before it may become champion."""

    metric: str | None = Field(None, description="The metric that must rise; null: the first of the task (accuracy, token_f1).")
    min_gain: float = Field(0.0, ge=0, description="The lower end of the gain's interval must be above this.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the intervals.")
    no_worse: tuple[str, ...] = Field(
        ("format",),
        description="What must not get significantly worse: metrics, latency, and the checks safety (`hatrack redteam`) and general "
        "(`hatrack eval --general`), which promote then asks for.",
    )
    tolerate: dict[str, float] = Field(
        {}, description="Losses that are let pass, by name in no_worse, in its own unit; default 0, for general 0.05 (5 points, 5 %)."
    )

    @field_validator("tolerate")
    @classmethod
    def _losses_are_not_negative(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not loss >= 0 for loss in value.values()):
            raise ValueError("a tolerated loss is 0 or more")
        return value

    def tolerated(self, name: str) -> float:
        """The loss of ``name`` that is let pass. Any training moves general figures a little; that alone is no fault."""
        return self.tolerate.get(name, 0.05 if name == "general" else 0.0)
