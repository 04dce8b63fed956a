"""The forgetting check: the same general items for the adapter and for its base."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hatrack.core.checks import GENERAL, CheckReport
from hatrack.core.digest import sha256_json
from hatrack.evaluation.checks import Item, Subject, check_report
from hatrack.evaluation.general.items import general_texts, instructions, sums
from hatrack.evaluation.general.rules import obeys

__all__ = ["ABOUT", "TEXT", "Answer", "Likelihood", "general_check"]

TEXT = "text"
ABOUT = {
    TEXT: "How well general English is predicted: perplexity on passages that nothing was trained on.",
    "instructions": "Instructions about form that a rule can verify, all rules of each.",
    "arithmetic": "Sums of one step, the number exactly.",
}

Answer = Callable[[Sequence[str], int], Sequence[str]]  # questions and the longest answer in tokens, to answers
Likelihood = Callable[[Sequence[str]], Sequence[float]]  # texts to nats for each token
_LONG, _SHORT = 128, 24
_SHOWN = 120


def general_check(
    answer: Answer, likelihood: Likelihood, base_answer: Answer, base_likelihood: Likelihood, name: str, digest: str
) -> CheckReport:
    """Measure general ability and what adapting changed of it.

    ``text`` is scored in nats for each token: a rise of 0.05 is a rise of the perplexity by 5 %.
    """
    suite = [list(general_texts()), [[one.ask, one.rules] for one in instructions()], [[one.ask, one.result] for one in sums()]]
    subject = Subject(name, digest, sha256_json(suite))
    ours, theirs = _items(answer, likelihood), _items(base_answer, base_likelihood)
    return check_report(GENERAL, subject, ABOUT, ours, theirs, lower_is_better=frozenset({TEXT}))


def _items(answer: Answer, likelihood: Likelihood) -> list[Item]:
    items = [Item(TEXT, f"passage {number}", nats) for number, nats in enumerate(likelihood(general_texts()), 1)]
    for one, heard in zip(instructions(), answer([one.ask for one in instructions()], _LONG), strict=True):
        items.append(_item("instructions", one.ask, obeys(heard, one.rules), f"asked for {', '.join(one.rules)}", heard))
    for sum_, heard in zip(sums(), answer([one.ask for one in sums()], _SHORT), strict=True):
        items.append(_item("arithmetic", sum_.ask, sum_.solved(heard), f"{sum_.result} is right", heard))
    return items


def _item(group: str, ask: str, passed: bool, reason: str, answer: str) -> Item:
    return Item(group, ask, float(passed), "" if passed else reason, " ".join(answer.split())[:_SHOWN])
