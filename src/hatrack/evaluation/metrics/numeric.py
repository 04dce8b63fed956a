"""Numbers in answers: right within a tolerance, whatever the separators, the sign of percent or the word for millions."""

from __future__ import annotations

import re

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["TOLERANCE", "Numeric", "numbers"]

TOLERANCE = 0.005  # relative: half a unit of the third digit, what rounding changes

_SCALES = {
    "%": 0.01,
    "percent": 0.01,
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "million": 1e6,
    "bn": 1e9,
    "b": 1e9,
    "billion": 1e9,
    "lakh": 1e5,
    "crore": 1e7,
}  # fmt: skip
_NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+\u2212])?\s*[$€£₹]?\s*(?P<digits>\d[\d.,'\u00a0\u202f]*)(?P<close>\))?\s*"
    rf"(?P<scale>%|(?:{'|'.join(name for name in _SCALES if name != '%')})\b)?",
    re.IGNORECASE,
)


class Numeric:
    """Share of answers whose last number is the expected one, within ``TOLERANCE`` of it.

    "12.5 million", "12,500,000" and "12500 k" are one number, "(5)" is -5, "1.234,5" and "1,234.5" are one number. Applies
    where every expected answer is a number.
    """

    name = "numeric"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        free = not answers.labels and answers.likelihoods is None
        return free and all(len(numbers(expected)) == 1 for expected in answers.expected)

    def rows(self, answers: Answers) -> Rows:
        return np.array([[_right(numbers(g), numbers(e)[-1])] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


def numbers(text: str) -> list[float]:
    """All numbers in a text, scaled: "5 %" is 0.05."""
    found = []
    for match in _NUMBER.finditer(text):
        value = _value(match["digits"].rstrip(".,'\u00a0\u202f"))
        negative = match["sign"] in ("-", "\u2212") or (match["open"] and match["close"])
        scale = _SCALES[match["scale"].lower()] if match["scale"] else 1.0
        found.append((-value if negative else value) * scale)
    return found


def _value(digits: str) -> float:
    """Of two kinds of separator the last is the decimal point; a single comma before three digits groups thousands."""
    digits = re.sub(r"['\u00a0\u202f]", "", digits)
    point, comma = digits.rfind("."), digits.rfind(",")
    if point >= 0 and comma >= 0:
        decimal = "." if point > comma else ","
    elif comma >= 0:
        decimal = "" if re.fullmatch(r"\d{1,3}(,\d{2,3})*,\d{3}", digits) else ","
    else:
        decimal = "" if digits.count(".") > 1 else "."
    whole, _, fraction = digits.rpartition(decimal) if decimal and decimal in digits else (digits, "", "")
    return float(re.sub(r"[.,]", "", whole) + "." + (fraction or "0"))


def _right(given: list[float], expected: float) -> bool:
    return bool(given) and abs(given[-1] - expected) <= TOLERANCE * abs(expected) + 1e-12
