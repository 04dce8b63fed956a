"""Which approach to begin with, before there is data to measure: a few questions, a decision, and why.

These are the rules of thumb that ``hatrack compare`` replaces by figures as soon as there are rows. The numbers in them
are orders of magnitude.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["FACTS", "QUESTIONS", "TASKS", "Advice", "Facts", "Question", "Situation", "Task", "advise"]

Task = Literal["labels", "answers", "style"]
Facts = Literal["none", "stable", "changing"]
TASKS: tuple[Task, ...] = get_args(Task)
FACTS: tuple[Facts, ...] = get_args(Facts)

_FEW_EACH = 8  # examples of a label below which a classifier has nothing to go by
_MANY_EACH = 40  # from which changing an encoder's own weights usually pays
_FEW_ANSWERS = 100  # below which an adapter learns the examples by heart
_FAST_MS = 5  # for a request: less than any network takes on a CPU
_FULL = 50_000  # from which full fine-tuning may pay, with a GPU


@dataclass(frozen=True)
class Situation:
    """What is known before there is data.

    Attributes:
        task: labels (text to one of a few classes), answers (a question to a text), style (form, tone or a schema).
        rows: examples with the right answer that are there or can be had.
        labels: how many classes; 0 where there are none.
        facts: what answers rest on: nothing beyond the text, facts that stay, facts that change.
        gpu: a GPU is there.
        explainable: each decision must be explained.
        may_leave: texts may go to a hosted model.
        latency_ms: most milliseconds for a request; None: no matter.
    """

    task: Task
    rows: int
    labels: int = 0
    facts: Facts = "none"
    gpu: bool = False
    explainable: bool = False
    may_leave: bool = False
    latency_ms: float | None = None


_NEXT = "hatrack init FILE, then hatrack compare: it measures this on your rows"


@dataclass(frozen=True)
class Advice:
    """Where to begin, why, what to try beside it, what to leave, and the next command."""

    approach: str
    reasons: tuple[str, ...]
    also: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    next: str = _NEXT


@dataclass(frozen=True)
class Question:
    """One thing to ask: the field of ``Situation``, the words, and what may be answered."""

    field: str
    text: str
    allowed: tuple[str, ...] = ()


QUESTIONS = (
    Question("task", "What comes out: labels, answers or style (a form, a tone, a schema)", TASKS),
    Question("rows", "How many examples with the right answer are there"),
    Question("labels", "How many labels (0: none)"),
    Question("facts", "What do answers rest on: none (the text itself), stable facts or changing facts", FACTS),
    Question("gpu", "Is there a GPU"),
    Question("explainable", "Must each decision be explained"),
    Question("may_leave", "May texts go to a hosted model"),
)


def advise(situation: Situation) -> Advice:
    """The decision. It is a function of the situation alone: no data is looked at."""
    return _labels(situation) if situation.task == "labels" else _texts(situation)


def _labels(s: Situation) -> Advice:
    each = s.rows / max(1, s.labels)
    if s.explainable:
        reasons = ["each word's weight can be read, and it trains in seconds"]
        if each < _FEW_EACH:
            reasons.append(f"about {_FEW_EACH} examples for each label are needed: {_FEW_EACH * s.labels:,} in all")
        return Advice("tfidf-logreg", tuple(reasons), ("nearest", "tfidf-xgboost"), (_OPAQUE,))
    if s.latency_ms is not None and s.latency_ms < _FAST_MS:
        return Advice("tfidf-logreg", (f"{s.latency_ms:g} ms leave no time for a network",), ("embeddings-logreg",), (_SLOW,))
    examples = f"{each:.0f} examples for each label"
    if each < _FEW_EACH:
        reasons = [f"{examples} are too few to train on"]
        if s.may_leave:
            reasons.append("a large hosted model knows more of the world than a small base")
        else:
            reasons.append("the nearest examples in the prompt make use of all of them")
        first = "hosted" if s.may_leave else "few-shot-retrieved"
        return Advice(first, tuple(reasons), ("zero-shot-scored", "embeddings-logreg"), (_BY_HEART,), _LABEL_MORE)
    if each < _MANY_EACH:
        reasons = [f"{examples} suffice for a linear model on what an encoder knows already", "it trains in seconds"]
        return Advice("embeddings-logreg", tuple(reasons), ("tfidf-logreg", "encoder-lora"), (_UNUSED,))
    reasons = [
        f"with {examples} an encoder's own weights can be changed",
        "a small encoder answers in milliseconds, where a language model takes a hundred times as long",
    ]
    return Advice("encoder-lora", tuple(reasons), ("embeddings-logreg", "tfidf-logreg", "lora"), (_UNUSED,))


def _texts(s: Situation) -> Advice:
    if s.facts == "changing":
        reasons = ["facts that change belong into a store that can change: a new row is there at once"]
        reasons.append("weights would have to be trained again")
        also = ("lora, for the form of the answers, beside retrieval",) if s.rows >= _FEW_ANSWERS else ("hosted",) if s.may_leave else ()
        return Advice("few-shot-retrieved", tuple(reasons), also, ("lora and full for the facts themselves",))
    if s.rows < _FEW_ANSWERS:
        reasons = [f"{s.rows:,} examples are too few to train on and enough to show"]
        if s.facts == "stable":
            reasons.append("retrieval puts the right facts beside the question")
        first = "few-shot-retrieved" if s.facts == "stable" else "hosted" if s.may_leave else "few-shot"
        return Advice(first, tuple(reasons), ("zero-shot",), (_BY_HEART,))
    if s.facts == "stable":
        reasons = ["an adapter learns the form, and retrieval brings the facts: small models invent what they were trained on once"]
        return Advice("lora", tuple(reasons), ("few-shot-retrieved", "ia3"), (_UNUSED,))
    if s.rows >= _FULL and s.gpu:
        reasons = [f"{s.rows:,} examples and a GPU: the most that training can give is worth measuring"]
        reasons.append("LoRA often comes as far at a hundredth of the size")
        return Advice("lora", tuple(reasons), ("full", "last-n"))
    reasons = [f"{s.rows:,} examples teach form and tone, and an adapter changes them with a percent of the parameters"]
    return Advice("lora", tuple(reasons), ("ia3", "last-n", "few-shot-retrieved"), () if s.gpu else (_NO_GPU,))


_LABEL_MORE = "label some 20 rows for each label, then hatrack init FILE and hatrack compare"
_OPAQUE = "adapters and prompts: they cannot say what decided"
_SLOW = "language models: tens to hundreds of milliseconds a request"
_BY_HEART = "full: it would learn the rows by heart"
_UNUSED = "zero-shot: examples are there, use them"
_NO_GPU = "full: without a GPU it takes hours, and seldom gives more than LoRA"
