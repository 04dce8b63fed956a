"""The files that a hosted run sends, and the facts about them that are shown before they go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.data.exports.base import EXPORTS, export_examples
from hatrack.training.hosted.plan import HostedPlan

__all__ = ["Sent", "facts", "write_files"]

_PER_MESSAGE = 4  # tokens around a message's text in common chat templates


@dataclass(frozen=True)
class Sent:
    """One file that is sent.

    Attributes:
        tokens: an estimate, by another tokenizer than the provider's.
    """

    part: str
    path: Path
    rows: int
    bytes: int
    tokens: int


def write_files(plan: HostedPlan, tokenizer: Any) -> tuple[Sent, ...]:
    """Write what will be sent into the run's folder, checked against the provider's rules.

    Raises:
        RowErrors: rows that the provider would refuse. DataError: too few rows. StorageError: the disk refuses.
    """
    fewest = EXPORTS.get("openai").fewest
    sent = []
    for part in ("train", "validation"):
        rows = plan.prepared.splits.train if part == "train" else plan.prepared.splits.validation
        if part == "validation" and (not plan.settings.validation or len(rows) < fewest):
            continue
        path = plan.run / f"{plan.name}-{part}.jsonl"
        count = export_examples(rows, plan.config, "openai", path)
        sent.append(Sent(part, path, count, path.stat().st_size, _tokens(path, tokenizer)))
    return tuple(sent)


def facts(plan: HostedPlan, sent: tuple[Sent, ...], tokenizer_of: str, personal_data: str) -> list[str]:
    """What leaves the machine, where to, and what it is likely to be billed by; one line each."""
    epochs = plan.settings.epochs
    tokens = sent[0].tokens
    lines = [f"{plan.name}: goes to {plan.host}, to fine-tune {plan.settings.model} ({plan.method})"]
    lines += [f"  {one.part}: {one.rows:,} rows, {one.bytes:,} bytes, about {one.tokens:,} tokens" for one in sent]
    if len(sent) == 1:
        lines.append("  validation: not sent" + (" (fewer rows than the provider takes)" if plan.settings.validation else ""))
    billed = (
        f"{epochs}, so about {epochs * tokens:,} trained tokens"
        if epochs
        else f"the provider chooses; each is about {tokens:,} trained tokens"
    )
    lines.append(f"  epochs: {billed} (counted with the tokenizer of {tokenizer_of}; the provider bills by its own)")
    lines.append(f"  personal data: {personal_data}")
    return lines


def _tokens(path: Path, tokenizer: Any) -> int:
    total = 0
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            texts = list(_contents(json.loads(line)))
            total += sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]) + _PER_MESSAGE * len(texts)
    return total


def _contents(value: Any) -> list[str]:
    """The text of every message in a record, wherever it stands."""
    if isinstance(value, list):
        return [text for item in value for text in _contents(item)]
    if not isinstance(value, dict):
        return []
    if "content" in value:
        return [value["content"]]
    return [text for item in value.values() for text in _contents(item)]
