"""The sides of a comparison where the adapter is hosted: the base answers here, the adapter over its provider's chat API."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hatrack.core.errors import EvaluationError
from hatrack.data.records import Example
from hatrack.evaluation.prompting import ANSWER_TOKENS, question
from hatrack.evaluation.systems import ADAPTER, LATENCY_ROWS, SystemOutput, run_bases
from hatrack.models.backends.base import Completion
from hatrack.models.backends.hosted import HostedAdapter, asked_together
from hatrack.models.causal import Sampling
from hatrack.models.host import ModelHost

__all__ = ["run_hosted"]

_TASKS = ("instruct", "classify-by-text")


def run_hosted(host: ModelHost, hosted: HostedAdapter, test: Sequence[Example], report: Callable[[str], None]) -> list[SystemOutput]:
    """Let this machine's base and the hosted adapter answer ``test``.

    The adapter only generates: scoring labels would need the log-probability of given texts, which a chat API does not
    give. Its latency is that of single requests, network and the provider's load included; every row is asked once.

    Raises:
        EvaluationError: a task that is measured by log-probabilities, or a base that generates no text.
        ProviderError: the provider refuses or does not answer.
    """
    card = hosted.card
    if card.task not in _TASKS:
        raise EvaluationError(
            f"a hosted adapter of task {card.task} cannot be measured: that takes the log-probability of given texts",
            given=f"{hosted.weights.model} at {hosted.backend.host}, which only answers",
            allowed=", ".join(_TASKS),
            fix="measure it by hand, then `hatrack promote NAME --override REASON`",
        )
    if host.files.kind != "causal":
        raise EvaluationError(
            "a hosted adapter that answers is compared with a base that answers",
            given=f"{host.files.spec} is an encoder",
            allowed="a base that generates text",
            fix="set another base in hatrack.yaml",
        )
    return [*run_bases(host, card, test, report), _answers(hosted, test, report)]


def _answers(hosted: HostedAdapter, test: Sequence[Example], report: Callable[[str], None]) -> SystemOutput:
    prompt = question(hosted.card)
    sampling = hosted.label_sampling() if hosted.card.labels else Sampling(max_new_tokens=ANSWER_TOKENS)

    def ask(example: Example) -> Completion:
        return hosted.answer(prompt(example), sampling)

    report(f"adapter, hosted: {len(test)} rows go to {hosted.backend.host}")
    completions, latencies = [], []
    for example in test[:LATENCY_ROWS]:
        start = time.perf_counter()
        completions.append(ask(example))
        latencies.append(1000 * (time.perf_counter() - start))
    completions += asked_together(ask, test[LATENCY_ROWS:])
    return SystemOutput(
        ADAPTER,
        f"adapter, hosted at {hosted.backend.host}, generating",
        constrained=False,
        answers=tuple(completion.text.strip() for completion in completions),
        prompt_tokens=tuple(completion.prompt_tokens for completion in completions),
        answer_tokens=tuple(completion.answer_tokens for completion in completions),
        latencies_ms=tuple(latencies),
        own_tokens=True,
        costs=tuple(completion.cost for completion in completions if completion.cost is not None),
    )
