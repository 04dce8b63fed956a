"""The record of one preparation: which files, every step with its parameters and counts, and what came out.

It holds nothing that differs between two runs on the same input, no time and no absolute path, so that the same input
gives the same digest.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hatrack.core.digest import sha256_json

__all__ = ["DataManifest", "SourceRecord", "SplitRecord", "StepRecord"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRecord(_Record):
    """One file as it was given, and how it was understood."""

    part: str = Field(description="train, validation or test: what the file was given as.")
    file: str = Field(description="As the config names it.")
    sha256: str
    bytes: int
    format: str
    layout: str
    reason: str = Field(description="Why it was read so.")


class StepRecord(_Record):
    """One step: its settings and what it did."""

    step: str
    parameters: dict[str, Any]
    counts: dict[str, Any]


class SplitRecord(_Record):
    """One part of the result, by content."""

    rows: int
    sha256: str


class DataManifest(_Record):
    """From files to splits; ``data-manifest.json``."""

    kind: Literal["hatrack.data/1"] = "hatrack.data/1"
    task: str
    sources: tuple[SourceRecord, ...]
    steps: tuple[StepRecord, ...]
    seed: int
    splits: dict[str, SplitRecord]
    labels: dict[str, int] = Field(description="Rows of each label over all splits; empty where there are no labels.")
    rejected: int
    licence: str | None
    digest: str = Field(description="SHA-256 over the content of the splits: what training depends on.")

    @property
    def identity(self) -> str:
        """SHA-256 over the whole record."""
        return sha256_json(self.model_dump(mode="json"))
