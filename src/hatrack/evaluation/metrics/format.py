"""Format compliance: the answer is one of the labels, valid against a JSON schema, or as a regular expression says."""

from __future__ import annotations

import json
import re

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["Format", "Pattern"]


class Format:
    """Share of answers a program could use without repairing them."""

    name = "format"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return bool(answers.labels) or answers.answer_schema is not None

    def rows(self, answers: Answers) -> Rows:
        if answers.answer_schema is None:
            known = set(answers.labels)
            return np.array([[given in known] for given in answers.given], float)
        import jsonschema_rs

        validator = jsonschema_rs.validator_for(answers.answer_schema)
        return np.array([[_valid(validator, given)] for given in answers.given], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class Pattern:
    """Share of answers that match a regular expression as a whole."""

    name = "pattern"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return answers.pattern is not None

    def rows(self, answers: Answers) -> Rows:
        wanted = re.compile(answers.pattern or "", re.DOTALL)
        return np.array([[wanted.fullmatch(given) is not None] for given in answers.given], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


def _valid(validator: object, text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(validator.is_valid(value))  # type: ignore[attr-defined]  # a Rust class without stubs
