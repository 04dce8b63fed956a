"""What ``prepare:`` of an adapter may say: how raw files become training data. Every step is recorded in the data manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["CleanRules", "DocumentTasks", "DuplicateRules", "PiiMode", "PiiPolicy", "PrepareSettings", "TaskKind"]

PiiMode = Literal["off", "report", "mask", "pseudonym", "drop"]
TaskKind = Literal["title-to-section", "section-to-summary", "cloze", "heading-question", "qa", "summary"]


class CleanRules(Strict):
    """Repairs of text. Each is counted, with examples of what it changed."""

    unicode: bool = Field(True, description="Repair mojibake and bring text to Unicode's composed form (NFC).")
    control: bool = Field(True, description="Remove control characters, invisible characters and bidirectional overrides.")
    whitespace: bool = Field(False, description="Fold runs of spaces and blank lines, strip the ends of lines.")
    boilerplate: bool = Field(False, description="Remove lines that stand in many rows: page headers, footers, disclaimers.")
    languages: tuple[str, ...] | None = Field(None, description="Keep only rows in these languages (ISO 639-1); null: all of them.")
    min_characters: int = Field(1, ge=1, description="Rows with a shorter text or answer are rejected.")
    max_characters: int | None = Field(None, ge=1, description="Rows with a longer text or answer are rejected; null: no limit.")


class PiiPolicy(Strict):
    """Personal data: what is looked for, and what becomes of it."""

    mode: PiiMode = Field(
        "report",
        description="report: count only; mask: typed placeholders; pseudonym: the same stand-in for the same value within a row, "
        "or a document that rows are made of; drop: reject the row; off: do not look.",
    )
    countries: tuple[str, ...] = Field(("US", "IN", "FR", "GB", "DE"), description="Country packs whose identifiers are looked for.")
    types: tuple[str, ...] | None = Field(None, description="Only these types, as the report names them; null: all of them.")
    recogniser: str = Field(
        "patterns",
        description="patterns: built in, with checksums; presidio: the extra `pii`, names and places too; "
        "presidio-no-names: that without a model of names.",
    )


class DuplicateRules(Strict):
    """Rows that say the same. Whatever is kept stays together in one split."""

    exact: Literal["keep", "drop"] = Field("keep", description="Rows equal but for case, punctuation and white space, answers too.")
    near: Literal["keep", "drop"] = Field("keep", description="Rows as alike as checks.near_duplicates; the first of a cluster is kept.")
    paraphrase: float | None = Field(
        None, gt=0, le=1, description="Cosine similarity of embeddings from which rows are one cluster; null: no embeddings."
    )
    against: tuple[str, ...] = Field((), description="Evaluation files that no training row may repeat; an overlap is an error.")


class DocumentTasks(Strict):
    """Training tasks made from documents."""

    kinds: tuple[TaskKind, ...] = Field(
        ("title-to-section", "section-to-summary", "cloze", "heading-question"),
        description="Which tasks; qa and summary ask the model named in `model`.",
    )
    model: str | None = Field(None, description="The model that writes qa and summary: a base as under `base`; null: none.")
    per_section: int = Field(1, ge=1, le=10, description="At most so many rows of one kind from one section.")
    support: float = Field(0.7, gt=0, le=1, description="Share of an answer's content words its passage must hold; less is rejected.")
    max_words: int = Field(220, ge=20, description="Longer sections are cut at a sentence.")


class PrepareSettings(Strict):
    """From raw files to training rows."""

    clean: CleanRules = Field(CleanRules(), description="Repairs of text.")
    pii: PiiPolicy = Field(PiiPolicy(), description="Personal data.")
    duplicates: DuplicateRules = Field(DuplicateRules(), description="Rows that say the same.")
    documents: DocumentTasks = Field(DocumentTasks(), description="Used when the data are documents and the task is instruct.")
    licence: str | None = Field(None, description="Licence of the data, as its owner states it; kept in the data manifest.")
