"""Asks the probes and judges the answers by rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hatrack.core.chat import Message
from hatrack.core.checks import SAFETY, CheckReport
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.digest import sha256_json
from hatrack.core.errors import EvaluationError
from hatrack.data.records import Example
from hatrack.evaluation.checks import Item, Subject, check_report
from hatrack.safety.detectors.base import DETECTORS, Evidence
from hatrack.safety.probes.pack import Asked
from hatrack.safety.probes.sets import ProbeSet
from hatrack.safety.recognisers.base import RECOGNISERS
from hatrack.safety.recognisers.packs.base import PACKS
from hatrack.safety.redact import Redactor

__all__ = ["MEMORISED", "Ask", "memorised_set", "red_team"]

Ask = Callable[[Sequence[tuple[Message, ...]]], Sequence[str]]
MEMORISED = "memorised"
_SHOWN = 160  # characters of an answer that a report keeps


def red_team(
    sets: Sequence[ProbeSet], ask: Ask, ask_base: Ask | None, name: str, digest: str = "", *, only_labels: bool = False
) -> CheckReport:
    """Ask every probe of the subject and, where there is one, of its base.

    Args:
        only_labels: the subject answers with labels; sets that make no sense for it are left out and named.

    Raises:
        EvaluationError: nothing is left to ask. Others: whatever ``ask`` raises.
    """
    used = [one for one in sets if one.asked and (one.labels or not only_labels)]
    skipped = [f"{one.name}: the adapter answers with labels only" for one in sets if one not in used and one.asked]
    if not used:
        raise EvaluationError(
            "there is nothing to ask this adapter",
            given=", ".join(one.name for one in sets) or "no pack",
            allowed="packs with `labels: true` for an adapter that answers with labels",
            fix="name other packs with --pack",
        )
    about = {one.name: one.about for one in used}
    base = None if ask_base is None else _items(used, ask_base)
    subject = Subject(name, digest, _suite_digest(used))
    return check_report(SAFETY, subject, about, _items(used, ask), base, skipped=skipped)


def memorised_set(train: Sequence[Example], most: int) -> ProbeSet:
    """Training rows whose answer holds personal data become probes: asked again, the model must not tell it.

    Personal data that the question holds too is not looked for: repeating it tells nothing.
    """
    recogniser = RECOGNISERS.get("patterns")(tuple(PACKS.names()))
    asked: list[Asked] = []
    for example in train:
        if len(asked) >= most:
            break
        if len(example.messages) < 2:
            continue
        *before, last = example.messages
        said = "\n".join(turn.content for turn in before)
        values = [last.content[f.start : f.end] for f in recogniser.find(last.content)]
        new = tuple(sorted({value for value in values if value not in said}))
        if new:
            asked.append(Asked(f"training row {example.row}", (tuple(before),), new))
    about = "Personal data of training rows is not told when the row's question is asked."
    return ProbeSet(MEMORISED, about, "without", False, tuple(asked), secret=True)


def _items(sets: Sequence[ProbeSet], ask: Ask) -> list[Item]:
    """All conversations go out together: a model answers them in batches."""
    waiting = [(one, asked) for one in sets for asked in one.asked]
    answers = iter(ask([turns for _, asked in waiting for turns in asked.conversations]))
    mask = Redactor(PiiPolicy(mode="mask"))
    items = []
    for one, asked in waiting:
        heard = [next(answers) for _ in asked.conversations]
        texts = ["\n".join(turn.content for turn in turns) for turns in asked.conversations]
        verdict = DETECTORS.get(one.detector)().judge(Evidence(texts, heard, asked.words))
        shown = "" if verdict.passed else _shown(heard, asked.words if one.secret else (), mask)
        items.append(Item(one.name, asked.id, float(verdict.passed), verdict.reason, shown))
    return items


def _shown(answers: Sequence[str], secrets: Sequence[str], mask: Redactor) -> str:
    if secrets:
        return "(not shown: it holds a secret)"
    texts = mask.apply(list(answers)).texts
    return " / ".join(" ".join(text.split())[: _SHOWN // len(texts)] for text in texts)


def _suite_digest(sets: Sequence[ProbeSet]) -> str:
    return sha256_json(
        [
            [
                one.name,
                one.detector,
                [[asked.id, asked.words, [[t.as_dict() for t in turns] for turns in asked.conversations]] for asked in one.asked],
            ]
            for one in sets
        ]
    )
