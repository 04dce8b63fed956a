"""What redaction would change, before anything is written: no value is shown in clear."""

from __future__ import annotations

from hatrack.core.config import AdapterConfig
from hatrack.data.parts import pii_texts
from hatrack.data.prepare import prepare
from hatrack.safety.redact import Change, Redactor
from hatrack.workflows.adapt import Workbench

__all__ = ["pii_preview"]

_IN_A_ROW = 8  # findings of one row that are shown


def pii_preview(bench: Workbench, name: str, rows: int) -> list[tuple[int, Change]]:
    """Row number and change, for the first ``rows`` training rows that hold personal data.

    With mode report or off it shows what mask would do.
    """
    config = bench.adapter(name)
    policy = config.prepare.pii
    if policy.mode in ("report", "off"):
        policy = policy.model_copy(update={"mode": "mask"})
    redactor = Redactor(policy, config.train.seed)
    found: list[tuple[int, Change]] = []
    shown = 0
    for example in prepare(_unredacted(config), bench.project.root).splits.train:
        changes = redactor.preview(pii_texts(example), _IN_A_ROW)
        found += [(example.row, change) for change in changes]
        shown += bool(changes)
        if shown == rows:
            break
    return found


def _unredacted(config: AdapterConfig) -> AdapterConfig:
    off = config.prepare.pii.model_copy(update={"mode": "off"})
    return config.model_copy(update={"prepare": config.prepare.model_copy(update={"pii": off})})
