"""What an export is and how well it was found to work; ``export.json`` in its folder."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hatrack.core.lineage import Interval

__all__ = ["EXPORT", "Closeness", "ExportRecord", "ExportedPart", "Quality"]

EXPORT = "export.json"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quality(_Record):
    """One part against the adapter in full precision here, on the same test rows.

    Attributes:
        metric: of the gate, for the task.
        here, there: of the adapter in this process, and of the part in the foreign tool.
        change: interval of ``there`` minus ``here``.
        same: share of rows with the very same answer.
        tokens_per_second: of one stream in the foreign tool, prompts counted as time but not as tokens; None where nothing is generated.
        rows_per_second: in the foreign tool, one row after the other.
    """

    metric: str
    higher_is_better: bool = True
    rows: int
    test_digest: str
    here: float
    there: float
    change: Interval
    same: float
    tokens_per_second: float | None = None
    rows_per_second: float

    @property
    def drop(self) -> float:
        """How much worse the part is; negative: better."""
        return self.here - self.there if self.higher_is_better else self.there - self.here


class Closeness(_Record):
    """One part of an embedder against the embeddings in full precision here, text by text.

    Attributes:
        texts: what they are: test rows of an adapter, or fixed texts.
        count: how many.
        mean, lowest: over the texts, of the cosine of the two embeddings of a text.
    """

    texts: str
    count: int
    mean: float
    lowest: float


class ExportedPart(_Record):
    """One loadable thing.

    Attributes:
        tool: that opened it, and its version.
        likeness: cosine between what the adapter changes there and here, on the stored probe.
        error: largest difference of logits on the probe, each row centred.
        closeness: of embedders, whose answers are neither right nor wrong.
    """

    name: str
    files: tuple[str, ...]
    full: bool
    bytes: int = Field(description="Of the largest file: the weights.")
    tool: str
    likeness: float
    error: float
    quality: Quality | None = None
    closeness: Closeness | None = None


class ExportRecord(_Record):
    """The whole folder."""

    kind: Literal["hatrack.export/1"] = "hatrack.export/1"
    format: str
    adapter: str = Field(description="NAME@VERSION, or base.")
    digest: str = Field(description="Of the adapter; of the base its fingerprint.")
    base: str
    base_fingerprint: str
    parts: tuple[ExportedPart, ...]
    not_measured: str = Field("", description="Why there is neither quality on test rows nor, of an embedder, closeness.")
    files: dict[str, str] = Field(description="Every file beside this one and the card, and its SHA-256.")
    created: str
