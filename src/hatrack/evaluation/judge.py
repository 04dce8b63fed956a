"""A model as judge of two answers: asked twice with the places changed, and believed as far as it agrees with people.

    question, a, b ──► "which is better, A or B?"  ──► A ┐
    question, b, a ──► "which is better, A or B?"  ──► B ┴─► a wins; anything else that does not fit together is a tie

Judges prefer what stands first (Zheng et al. 2023, "Judging LLM-as-a-Judge"); asked both ways, a preference for a place
cancels out and is counted as ``inconsistent``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import stats

from hatrack.core.chat import Message
from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Interval, Score
from hatrack.evaluation.statistics import bca_interval

__all__ = ["Agreement", "Ask", "Judged", "Verdict", "agreement", "ask_judge", "read_verdict"]

Verdict = Literal["a", "b", "tie"]
Ask = Callable[[Sequence[Message]], str]

_INSTRUCTION = (
    "You compare two answers to a question. Judge whether they are correct, complete and to the point; length is no merit. "
    "Reply with one word: A if answer A is better, B if answer B is better, TIE if neither is."
)
_WORD = re.compile(r"\b(A|B|TIE)\b")
_NONSENSE = 0.1  # of the replies that may be unreadable
_ENOUGH = 50  # rows that people judged, from which an agreement says something
_KAPPA = 0.4  # lower end of the interval from which a judge may gate: "moderate" (Landis & Koch 1977)


@dataclass(frozen=True)
class Judged:
    """What the judge said.

    Attributes:
        verdicts: one for each row.
        win_rate: of ``a``, ties half, with its interval.
        p: two-sided sign test on the rows that are no tie.
        inconsistent: share of rows in which the verdict went with the place.
        unreadable: share of replies that named no winner.
    """

    verdicts: tuple[Verdict, ...]
    win_rate: Score
    p: float
    inconsistent: float
    unreadable: float


@dataclass(frozen=True)
class Agreement:
    """The judge against people on the same rows.

    Attributes:
        rows: that both judged.
        share: of equal verdicts.
        kappa: Cohen's, chance taken off, with its interval.
        may_gate: it may decide on a promotion: enough rows, and the lower end of kappa's interval is high enough.
        reason: why it may, or may not.
    """

    rows: int
    share: float
    kappa: Score
    may_gate: bool
    reason: str


def ask_judge(ask: Ask, rows: Sequence[tuple[str, str, str]], confidence: float, seed: int) -> Judged:
    """Let a model judge ``(question, a, b)`` of every row, in both orders. Equal answers are a tie without being asked.

    Raises:
        EvaluationError: no rows, or more than a tenth of the replies name no winner.
    """
    if len(rows) < 2:
        raise EvaluationError("a judge needs rows to judge", given=f"{len(rows)} rows", allowed="at least 2; 100 say something")
    verdicts: list[Verdict] = []
    replies, lost, torn = 0, [], 0
    for question, a, b in rows:
        if a.strip() == b.strip():
            verdicts.append("tie")
            continue
        said = [ask(_prompt(question, *pair)) for pair in ((a, b), (b, a))]
        read = [read_verdict(text) for text in said]
        replies += 2
        lost += [text for text, verdict in zip(said, read, strict=True) if verdict is None]
        verdict = _together(read[0], read[1])
        torn += None not in read and verdict == "tie" and "tie" not in read
        verdicts.append(verdict)
    if replies and len(lost) > _NONSENSE * replies:
        raise EvaluationError(
            "the judge answers something else than a verdict",
            given=f"{len(lost)} of {replies} replies, such as {lost[0][:80]!r}",
            allowed="A, B or TIE",
            fix="take a larger model as judge; one of 135 million parameters cannot judge",
        )
    points = np.array([[1.0 if v == "a" else 0.0 if v == "b" else 0.5] for v in verdicts])
    wins, losses = verdicts.count("a"), verdicts.count("b")
    rate = Score(value=float(points.mean()), interval=bca_interval(lambda chosen: float(chosen.mean()), points, confidence, seed))
    p = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return Judged(tuple(verdicts), rate, p, torn / len(rows), len(lost) / replies if replies else 0.0)


def read_verdict(reply: str) -> Verdict | None:
    """The verdict in a reply: its only capital A, B or TIE; None where it names none, or several."""
    found = set(_WORD.findall(reply))
    if len(found) != 1:
        return None
    word: Verdict = "a" if "A" in found else "b" if "B" in found else "tie"
    return word


def agreement(judged: Mapping[str, Verdict], human: Mapping[str, str], confidence: float, seed: int) -> Agreement:
    """How far the judge agrees with people, by row id, and whether it may gate.

    Raises:
        EvaluationError: a human verdict that is none, or no row that both judged.
    """
    strange = sorted(set(human.values()) - set(get_args(Verdict)))
    if strange:
        raise EvaluationError("a human verdict is none", given=", ".join(strange[:5]), allowed="a, b or tie", fix="correct the file")
    ids = [row for row in judged if row in human]
    if len(ids) < 2:
        raise EvaluationError(
            "people and the judge did not judge the same rows",
            given=f"{len(ids)} common ids",
            allowed=f"at least 2; {_ENOUGH} say something",
        )
    number = {verdict: i for i, verdict in enumerate(get_args(Verdict))}
    both = np.array([[number[judged[row]], number[human[row]]] for row in ids], float)
    interval = bca_interval(_kappa, both, confidence, seed)
    kappa = Score(value=_kappa(both), interval=interval)
    share = float((both[:, 0] == both[:, 1]).mean())
    may, reason = _may_gate(len(ids), interval)
    return Agreement(len(ids), share, kappa, may, reason)


def _may_gate(rows: int, interval: Interval) -> tuple[bool, str]:
    if rows < _ENOUGH:
        return False, f"{rows} rows that people judged are too few; {_ENOUGH} are needed"
    if interval.low < _KAPPA:
        return False, f"kappa may be as low as {interval.low:.2f}; at least {_KAPPA} is needed"
    return True, f"kappa is at least {interval.low:.2f} with {interval.confidence:.0%} confidence"


def _kappa(rows: np.ndarray) -> float:
    """Cohen 1960; 1 where both always say the same one thing."""
    observed = float((rows[:, 0] == rows[:, 1]).mean())
    shares = [Counter(rows[:, column].tolist()) for column in (0, 1)]
    expected = sum(shares[0][verdict] * shares[1][verdict] for verdict in shares[0]) / len(rows) ** 2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def _together(first: Verdict | None, swapped: Verdict | None) -> Verdict:
    """The verdict that both orders agree on; in the second, A is ``b``."""
    turned = {"a": "b", "b": "a", "tie": "tie", None: None}[swapped]
    return first if first is not None and first == turned else "tie"


def _prompt(question: str, a: str, b: str) -> tuple[Message, ...]:
    text = f"Question:\n{question}\n\nAnswer A:\n{a}\n\nAnswer B:\n{b}\n\nWhich answer is better: A, B or TIE?"
    return (Message("system", _INSTRUCTION), Message("user", text))
