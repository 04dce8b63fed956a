"""Whoever can answer the test rows of an adapter: the base, a version or alias, a hosted version, or any server by URL.

base                            the unadapted base, told the labels
legal, legal@champion, @1.2.0   a version, on its base or at its provider
http://127.0.0.1:8000/v1#auto   a model behind an address that speaks OpenAI's protocol: a whole assistant, for example
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hatrack.core.chat import Message
from hatrack.core.config_provider import checked_endpoint, host_of
from hatrack.core.errors import ConfigError, EvaluationError
from hatrack.core.lineage import HostedWeights, Manifest
from hatrack.core.names import BASE
from hatrack.data.leaving import check_leaving
from hatrack.data.prepare import Prepared
from hatrack.data.records import Example
from hatrack.evaluation.prompting import ANSWER_TOKENS, Prompt, asked, classifying, generating, listing, question
from hatrack.evaluation.systems import adapter_answers
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.backends.hosted import HOSTED_TEMPLATE, HostedAdapter, asked_together, hosted_fingerprint
from hatrack.models.backends.metered import MeteredModel
from hatrack.models.causal import Sampling
from hatrack.models.host import ModelHost
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.hosted_models import may_send, open_at, open_version

__all__ = ["Answerer", "is_here", "open_answerer", "open_backend"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_TASKS = ("classify", "classify-by-text", "instruct")


@dataclass(frozen=True)
class Answerer:
    """A system with a name, and how it answers rows whose right answers it does not see.

    ``costs``: of the answers so far, where somebody bills them at a stated price.
    """

    name: str
    answer: Callable[[Sequence[Example]], list[str]]
    costs: list[float] = field(default_factory=list)


def open_answerer(bench: Workbench, spec: str, name: str, prepared: Prepared, *, key_env: str, list_labels: bool = False) -> Answerer:
    """The system ``spec`` for the task of the adapter ``name``.

    Args:
        key_env: for a URL, the environment variable with its key.
        list_labels: for a URL, tell it all labels: a model that was not trained on them.

    Raises:
        EvaluationError: it cannot answer this task. ConfigError: no such address, or no key.
        AdapterNotFound: no such version. CheckFailed: rows with personal data would leave this machine.
    """
    config = bench.adapter(name)
    if config.task not in _TASKS:
        raise EvaluationError(
            f"systems are put side by side by their answers, and task {config.task} has none",
            given=f"{name}: task {config.task}",
            allowed=", ".join(_TASKS),
            fix=f"run `hatrack eval {name}` alone, which compares likelihoods",
        )
    if "://" in spec:
        return _served(bench, spec, name, prepared, key_env, list_labels=list_labels)
    if spec == BASE:
        return _base(bench, name, prepared)
    manifest = bench.registry.resolve(spec if "@" in spec else f"{spec}@latest")
    return _version(bench, manifest, name, prepared)


def _base(bench: Workbench, name: str, prepared: Prepared) -> Answerer:
    if bench.files.kind != "causal":
        raise EvaluationError(
            "an encoder alone gives no answers",
            given=bench.files.spec,
            allowed="a version, or a URL",
            fix=f"`hatrack eval {name}` compares with the nearest class centroid",
        )
    host = _host(bench)
    card = _card(bench, name, prepared.labels, host.template_hash, bench.files.fingerprint)
    answer = generating(host, card, classifying(listing(card)) if card.labels else asked)

    def answers(rows: Sequence[Example]) -> list[str]:
        with host.using(BASE):
            return [text.strip() for text in answer(rows)[0]]

    return Answerer(BASE, answers)


def _version(bench: Workbench, manifest: Manifest, name: str, prepared: Prepared) -> Answerer:
    title = f"{manifest.name}@{manifest.version}"
    if manifest.hosted:
        hosted = open_version(bench, manifest)
        may_send(bench, manifest, prepared, hosted.backend.host)
        return Answerer(title, *_by_backend(hosted, question(hosted.card)))
    host = _host(bench)
    if manifest.digest not in host.adapters:
        host.attach(manifest.digest, bench.registry.folder(manifest))
    return Answerer(title, lambda rows: list(adapter_answers(host, manifest.digest, rows)))


def _served(bench: Workbench, spec: str, name: str, prepared: Prepared, key_env: str, *, list_labels: bool) -> Answerer:
    weights = _weights(spec, key_env, prepared.record.digest)
    host, model = host_of(weights.base_url), weights.model
    if not is_here(host):
        _check_leaving(bench, name, prepared, host)
    card = _card(bench, name, prepared.labels, HOSTED_TEMPLATE, hosted_fingerprint("openai", weights.base_url, model))
    plain = card.model_copy(update={"system": None})  # a server adds the system prompt of its adapter by itself
    prompt = classifying(listing(card)) if list_labels and card.labels else question(plain)
    asked_model = open_at(bench.project.root, weights)
    return Answerer(f"{host}#{model}", *_by_backend(HostedAdapter(plain, weights, asked_model), prompt))


def open_backend(spec: str, key_env: str, root: Path) -> MeteredModel:
    """The model behind ``URL#MODEL``, asked from the folder ``root``. Nothing is sent.

    Raises:
        ConfigError: this is no such address, or there is no key. MissingExtra: the client is not installed.
    """
    return open_at(root, _weights(spec, key_env, ""))


def is_here(host: str) -> bool:
    """Whether a host, with or without a port, is this machine."""
    return host.rsplit(":", 1)[0] in _LOOPBACK or host in _LOOPBACK


def _weights(spec: str, key_env: str, digest: str) -> HostedWeights:
    address, _, model = spec.partition("#")
    try:
        url = checked_endpoint(address)
    except ValueError as error:
        raise ConfigError("this is no address of a server", given=address, allowed=str(error), fix="write URL#MODEL") from error
    if not model:
        raise ConfigError("which model at this address?", given=spec, allowed="URL#MODEL", fix=f"{spec}#auto lets Hatrack's routing choose")
    return HostedWeights(
        provider="openai",
        base_url=url,
        api_key_env=key_env,
        base_model=model,
        model=model,
        job="",
        hyperparameters={},
        trained_tokens=None,
        data_digest=digest,
    )


def _by_backend(hosted: HostedAdapter, prompt: Prompt) -> tuple[Callable[[Sequence[Example]], list[str]], list[float]]:
    """How it answers, and where the cost of each answer is put, if its price is known."""
    sampling = hosted.label_sampling() if hosted.card.labels else Sampling(max_new_tokens=ANSWER_TOKENS)
    costs: list[float] = []

    def ask(row: Example) -> str:
        turns: tuple[Message, ...] = prompt(row)
        answer = hosted.answer(turns, sampling)
        if answer.cost is not None:
            costs.append(answer.cost)
        return answer.text.strip()

    return lambda rows: asked_together(ask, rows), costs


def _card(bench: Workbench, name: str, labels: tuple[str, ...], template: str, fingerprint: str) -> AdapterCard:
    config = bench.adapter(name)
    return AdapterCard(
        task=config.task,
        method="base",
        labels=labels,
        system=config.system,
        template_hash=template,
        base_fingerprint=fingerprint,
        max_length=config.train.max_length,
    )


def _check_leaving(bench: Workbench, name: str, prepared: Prepared, host: str) -> None:
    settings = bench.config.provider
    permitted = settings is not None and settings.personal_data == "send"
    check_leaving(bench.adapter(name), prepared, host, permitted=permitted)


def _host(bench: Workbench) -> ModelHost:
    if bench.host is None:
        bench.host = ModelHost(bench.files)
    return bench.host
