"""The items of the check: held-out general text, verifiable instructions, arithmetic. All were written for this project."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["Instruction", "Sum", "general_texts", "instructions", "sums"]

_SEED = 13  # the same sums in every check: they are compared with each other
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Instruction:
    """A request, and the rules by which the answer is verified."""

    ask: str
    rules: dict[str, Any]


@dataclass(frozen=True)
class Sum:
    """A sum in words."""

    ask: str
    result: int

    def solved(self, answer: str) -> bool:
        """Whether the last number of the answer is the result; of an answer that goes on, that of its first line."""
        lines = answer.strip().splitlines()
        numbers = _NUMBER.findall(lines[0]) if lines else []
        return bool(numbers) and float(numbers[-1].replace(",", "").rstrip(".") or "nan") == self.result


@cache
def general_texts() -> tuple[str, ...]:
    """Passages of everyday English that stand in no training set that we know of."""
    return tuple(line for line in _read("texts.txt").splitlines() if line.strip())


@cache
def instructions() -> tuple[Instruction, ...]:
    """Requests whose fulfilment can be verified."""
    return tuple(Instruction(entry["ask"], entry["rules"]) for entry in yaml.safe_load(_read("instructions.yaml")))


@cache
def sums() -> tuple[Sum, ...]:
    """Forty sums: bare ones and ones told as a story."""
    rng = random.Random(_SEED)
    made: list[Sum] = []
    for number in range(40):
        a, b = rng.randint(2, 60), rng.randint(2, 9)
        made.append(_FORMS[number % len(_FORMS)](a, b))
    return tuple(made)


def _read(name: str) -> str:
    return files("hatrack.evaluation.general").joinpath(name).read_text(encoding="utf-8")


_FORMS: Sequence[Any] = (
    lambda a, b: Sum(f"What is {a} + {b}? Answer with the number only.", a + b),
    lambda a, b: Sum(f"What is {a + b} - {b}? Answer with the number only.", a),
    lambda a, b: Sum(f"What is {b} times {a % 10 + 2}? Answer with the number only.", b * (a % 10 + 2)),
    lambda a, b: Sum(f"Anna has {a} apples and buys {b} more. How many apples does she have? Answer with the number only.", a + b),
    lambda a, b: Sum(f"A box holds {b} eggs. How many eggs are in {a % 6 + 2} boxes? Answer with the number only.", b * (a % 6 + 2)),
)
