"""What a version loses when its base is held in 8 bits: measured once, kept with the version, read by the server."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hatrack.core.errors import AdapterBroken

__all__ = ["GENERATES", "INT8", "PrecisionRecord"]

INT8 = "int8"  # the kind of file that the registry keeps with a version
GENERATES = ("instruct", "classify-by-text")  # tasks whose answers can be compared


class PrecisionRecord(BaseModel):
    """The same test rows answered by the same engine, in full precision and in 8 bits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.int8/1"] = "hatrack.int8/1"
    adapter_digest: str
    test_digest: str
    rows: int
    metric: str
    full: float = Field(description="The metric in full precision.")
    int8: float = Field(description="The metric in 8 bits.")
    low: float = Field(description="Lower end of the 95 % interval of the change, 8 bits minus full precision.")
    high: float = Field(description="Its upper end.")
    same: float = Field(description="Share of answers that are the same to the letter.")
    created: str

    @property
    def loss(self) -> float:
        """By how much the metric falls; negative where it rises."""
        return self.full - self.int8

    def sentence(self, limit: float) -> str:
        """What was found, and what follows where ``limit`` is the largest loss allowed."""
        verdict = "served in 8 bits" if self.loss <= limit else f"the loss is above {limit:g}, so served in full precision"
        return f"{self.metric} {self.full:.3f} in full precision, {self.int8:.3f} in 8 bits on {self.rows} test rows: {verdict}"

    @classmethod
    def read(cls, path: Path) -> PrecisionRecord:
        """From the registry's file.

        Raises:
            AdapterBroken: it is damaged.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise AdapterBroken(
                "the record of 8 bits cannot be read", given=str(error).splitlines()[0], fix="measure again: hatrack eval NAME --int8"
            ) from error
