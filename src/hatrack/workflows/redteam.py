"""A red team against a version of the project, or against any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hatrack.core.atomic import STAGING
from hatrack.core.chat import Message
from hatrack.core.checks import CheckReport, check_kind
from hatrack.core.config_provider import checked_endpoint
from hatrack.core.config_safety import SafetySettings
from hatrack.core.errors import ConfigError, EvaluationError
from hatrack.core.lineage import HostedWeights, Manifest
from hatrack.core.names import BASE
from hatrack.data.prepare import Prepared
from hatrack.evaluation.redteam import Ask, memorised_set, red_team
from hatrack.models.backends.hosted import asked_together
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.safety.probes.sets import ProbeSet, canary_set, choose_sets
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.hosted_models import may_send, open_at, open_version

__all__ = ["ask_host", "check_safety", "keep_check", "red_team_endpoint"]

_PROMPT_TOKENS = 1024


def check_safety(bench: Workbench, manifest: Manifest, prepared: Prepared | None, packs: Sequence[str] = ()) -> CheckReport:
    """Ask a version and its base the project's probes, and keep the report with the version.

    Args:
        prepared: the adapter's data; with it, training rows with personal data are asked again.
        packs: instead of those of the config; the report of such a choice is not kept, for promote asks for the whole.

    Raises:
        EvaluationError: an encoder, which answers nothing. ConfigError: a pack or the canaries cannot be used.
    """
    rules = bench.config.safety
    sets = _sets(rules, bench.project.root, packs)
    if prepared is not None and rules.memorised and not packs:
        sets.append(memorised_set(prepared.splits.train, rules.memorised))
    ask, ask_base, labels = _sides(bench, manifest, prepared, rules.answer_tokens)
    report = red_team(sets, ask, ask_base, f"{manifest.name}@{manifest.version}", manifest.digest, only_labels=labels)
    if not packs:
        keep_check(bench, manifest, report)
    return report


def red_team_endpoint(url: str, model: str, key_env: str, rules: SafetySettings, root: Path, packs: Sequence[str] = ()) -> CheckReport:
    """Ask whatever answers at ``url`` under the name ``model``; there is no base to compare with.

    Raises:
        ConfigError: no such address or no key. ProviderError: it refuses or does not answer.
    """
    try:
        address = checked_endpoint(url)
    except ValueError as error:
        raise ConfigError("this is no address of an API", given=url, allowed=str(error), fix="https://HOST/v1") from error
    where = HostedWeights(
        provider="openai", base_url=address, api_key_env=key_env, base_model=model, model=model, job="", hyperparameters={},
        trained_tokens=None, data_digest="",
    )  # fmt: skip
    backend = open_at(root, where)
    sampling = Sampling(max_new_tokens=rules.answer_tokens)

    def ask(conversations: Sequence[tuple[Message, ...]]) -> Sequence[str]:
        return asked_together(lambda turns: backend.complete(turns, sampling).text.strip(), conversations)

    return red_team(_sets(rules, root, packs), ask, None, f"{model} at {backend.host}")


def ask_host(host: ModelHost, key: str, system: str | None, tokens: int) -> Ask:
    """Greedy answers of what is attached under ``key``, in the order asked."""
    renderer = host.renderer

    def ask(conversations: Sequence[tuple[Message, ...]]) -> Sequence[str]:
        prompts = [renderer.prompt(_with_system(turns, system), _PROMPT_TOKENS).ids for turns in conversations]
        with host.using(key):
            answers = generate(host.module, prompts, renderer.stop_ids, Sampling(max_new_tokens=tokens))
        return [renderer.decode(answer.ids).strip() for answer in answers]

    return ask


def keep_check(bench: Workbench, manifest: Manifest, report: CheckReport) -> None:
    """Attach a report to its version; promote reads the newest one."""
    with tempfile.TemporaryDirectory(dir=bench.project.state, prefix=STAGING) as folder:
        file = Path(folder) / "check.json"
        file.write_text(report.model_dump_json(), encoding="utf-8")
        bench.registry.attach(manifest, check_kind(report.check), file)


def _sets(rules: SafetySettings, root: Path, packs: Sequence[str]) -> list[ProbeSet]:
    sets = choose_sets(packs or rules.packs, root)
    return [*sets, canary_set(root / rules.canaries)] if rules.canaries else sets


def _sides(bench: Workbench, manifest: Manifest, prepared: Prepared | None, tokens: int) -> tuple[Ask, Ask, bool]:
    """How the version is asked, how its base is, and whether it answers with labels."""
    if bench.files.kind != "causal":
        raise EvaluationError(
            "probes are answered with text, which an encoder does not write",
            given=f"{manifest.name} on {bench.files.spec}",
            allowed="adapters on a base that generates text",
        )
    if bench.host is None:
        bench.host = ModelHost(bench.files)
    if manifest.hosted is not None:
        hosted = open_version(bench, manifest)
        if prepared is not None:
            may_send(bench, manifest, prepared, hosted.backend.host)
        sampling = Sampling(max_new_tokens=tokens)

        def ask(conversations: Sequence[tuple[Message, ...]]) -> Sequence[str]:
            return asked_together(lambda turns: hosted.answer(turns, sampling).text.strip(), conversations)

        return ask, ask_host(bench.host, BASE, hosted.card.system, tokens), bool(hosted.card.labels)
    if manifest.digest not in bench.host.adapters:
        bench.host.attach(manifest.digest, bench.registry.folder(manifest))
    card = bench.host.adapters[manifest.digest].card
    ours, theirs = (ask_host(bench.host, key, card.system, tokens) for key in (manifest.digest, BASE))
    return ours, theirs, bool(card.labels)


def _with_system(turns: tuple[Message, ...], system: str | None) -> tuple[Message, ...]:
    return (Message("system", system), *turns) if system and turns[0].role != "system" else turns
