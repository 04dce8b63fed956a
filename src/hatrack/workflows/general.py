"""What general ability a version kept: measured against its base, and kept with the version."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.chat import Message
from hatrack.core.checks import CheckReport
from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.evaluation.general.check import Answer, Likelihood, general_check
from hatrack.models.host import ModelHost
from hatrack.models.likelihood import log_likelihoods
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.redteam import ask_host, keep_check

__all__ = ["check_general"]


def check_general(bench: Workbench, manifest: Manifest) -> CheckReport:
    """Measure a version and its base on general items, and keep the report with the version.

    Neither gets the adapter's system prompt: what the weights can do is measured, not what they are told.

    Raises:
        EvaluationError: an encoder, or weights that are elsewhere, whose likelihoods nobody tells.
    """
    if bench.files.kind != "causal" or manifest.hosted is not None:
        raise EvaluationError(
            "general ability is measured on generated text and on likelihoods",
            given=f"{manifest.name} on {bench.files.spec}" if manifest.hosted is None else f"{manifest.hosted.model}, hosted",
            allowed="an adapter whose weights are here, on a base that generates text",
        )
    if bench.host is None:
        bench.host = ModelHost(bench.files)
    if manifest.digest not in bench.host.adapters:
        bench.host.attach(manifest.digest, bench.registry.folder(manifest))
    host = bench.host

    report = general_check(
        _answer(host, manifest.digest),
        _likelihood(host, manifest.digest),
        _answer(host, BASE),
        _likelihood(host, BASE),
        f"{manifest.name}@{manifest.version}",
        manifest.digest,
    )
    keep_check(bench, manifest, report)
    return report


def _answer(host: ModelHost, key: str) -> Answer:
    def answer(asks: Sequence[str], tokens: int) -> Sequence[str]:
        return ask_host(host, key, None, tokens)([(Message("user", ask),) for ask in asks])

    return answer


def _likelihood(host: ModelHost, key: str) -> Likelihood:
    def nats(texts: Sequence[str]) -> Sequence[float]:
        with host.using(key):
            totals = log_likelihoods(host.module, [host.renderer.text(text) for text in texts])
        return [float(-total / tokens) for total, tokens in totals.tolist()]

    return nats
