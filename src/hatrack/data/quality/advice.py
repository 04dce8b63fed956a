"""One piece of advice, and the thresholds at which advice is given, each with where its number comes from."""

from __future__ import annotations

from typing import Literal

from hatrack.data.quality.record import Record

__all__ = [
    "CLOSE_SHARE",
    "CONFLICTS",
    "FEW_ROWS",
    "GOOD_ROWS",
    "IMBALANCE",
    "LABEL_ERRORS",
    "LANGUAGE_SHARE",
    "NEAR_DUPLICATES",
    "TRUNCATED",
    "TRUSTED_AGREEMENT",
    "Advice",
    "Severity",
]

Severity = Literal["serious", "warning", "note"]

FEW_ROWS = 100
"""OpenAI's guide to fine-tuning reports clear gains from 50 to 100 good examples; below that, chance decides."""
GOOD_ROWS = 1_000
"""LIMA (Zhou et al. 2023): 1,000 carefully chosen examples taught what tens of thousands of careless ones did not."""
CONFLICTS = 0.01
"""Our own rule: a few contradictions are slips, more than one row in a hundred is an unclear task."""
LABEL_ERRORS = 0.033
"""Mean share of wrong labels in ten much-used test sets (Northcutt, Athalye & Mueller 2021): more is worse than usual."""
IMBALANCE = 20.0
"""Our own rule: at 20 to 1 a batch of 16 rows rarely holds one of the smallest label."""
TRUNCATED = 0.01
"""The default of checks.max_truncated, above which training asks for a yes."""
NEAR_DUPLICATES = 0.10
"""Web corpora hold 3 to 14 % near-duplicates (Lee et al. 2022); data written for one purpose should hold fewer."""
CLOSE_SHARE = 0.10
"""Our own rule, the same as for near-duplicates: rows within 0.05 of another say nearly the same."""
TRUSTED_AGREEMENT = 0.8
"""Our own rule: a model that names fewer labels than this doubts many that are right (measured: docs/check.md)."""
LANGUAGE_SHARE = 0.90
"""Our own rule: where nearly all texts are in one language, the rest are probably there by accident."""


class Advice(Record):
    """One thing to do: what is the matter, the number that says so, and what helps."""

    severity: Severity
    what: str
    because: str
    do: str
