"""The whole thing from Python: open a project, generate and classify with any of its adapters on one base.

from hatrack import Assistant

assistant = Assistant.open("my-assistant")
assistant.generate("Which clause is this? ...", adapter="legal").text
assistant.classify(["card not working"], adapter="finance")[0].label
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hatrack.answering.grounding import Grounder
from hatrack.answering.guard import Guard
from hatrack.core.chat import Message, as_messages
from hatrack.core.config import ProjectConfig
from hatrack.core.config_file import read_config
from hatrack.core.errors import AdapterError, AdapterNotFound
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.core.project import Project
from hatrack.models.adapters.folder import AdapterCard, read_card
from hatrack.models.backends.hosted import HostedAdapter, hosted_labels, open_hosted
from hatrack.models.backends.terms import terms_for
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import LabelTrie, build_trie, score_labels
from hatrack.models.loading import open_base
from hatrack.registry.store import Registry
from hatrack.serving.pool import AdapterPool, Resident

__all__ = ["Assistant", "Classified", "Reply"]


@dataclass(frozen=True)
class Reply:
    """A generated answer and which weights gave it; ``cost`` where a hosted model with a stated price did."""

    text: str
    adapter: str
    version: str
    digest: str
    prompt_tokens: int
    answer_tokens: int
    stopped: bool
    cost: float | None = None


@dataclass(frozen=True)
class Classified:
    """The most likely label of a text and its probability among all labels.

    A hosted adapter is only heard, not looked into: its label is what it answered, None where that is no label of the
    adapter, and the probability is None.
    """

    label: str | None
    probability: float | None


class Assistant:
    """One base in memory and every adapter of a project on it."""

    def __init__(self, project: Project, config: ProjectConfig, report: Callable[[str], None] = lambda line: None) -> None:
        self.project = project
        self.config = config
        self.registry = Registry(project)
        self.guard = Guard(config)
        self._report = report
        self._tries: dict[str, LabelTrie] = {}
        self._opened: dict[str, HostedAdapter] = {}
        self._pool: AdapterPool | None = None
        self._loading = threading.Lock()
        self.knowledge = Grounder(project, config)

    @classmethod
    def open(cls, path: str | Path = ".", report: Callable[[str], None] = lambda line: None) -> Assistant:
        """Open the project in a folder. The base is loaded when it is first needed.

        Raises:
            ConfigError: there is no usable ``hatrack.yaml``.
        """
        root = Path(path).absolute()
        return cls(Project(root), read_config(root), report)

    @property
    def pool(self) -> AdapterPool:
        """The base and what lies on it; loaded once, whichever thread asks first."""
        with self._loading:
            if self._pool is None:
                spec = self.project.base_spec(self.config.base)
                self._pool = AdapterPool(ModelHost(open_base(spec, report=self._report)), self.registry)
            return self._pool

    def check_name(self, adapter: str) -> None:
        """Refuse an unknown adapter before anything heavy is loaded.

        Raises:
            AdapterNotFound: with the nearest names.
        """
        if adapter != BASE:
            self._resolve(adapter)

    def generate(
        self,
        messages: str | Iterable[Message | Mapping[str, Any]],
        adapter: str = BASE,
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer a conversation with an adapter, or with ``base``.

        Args:
            on_text: called with each piece of the answer as it comes.

        Raises:
            AdapterNotFound: no such adapter; AdapterError: it is a classifier on an encoder.
            GuardRefused: a rule of the adapter refuses the question.
            TemplateError: the messages cannot be rendered. ProviderError: a hosted adapter's provider does not answer.
        """
        name = adapter.partition("@")[0]
        turns = self.guard.incoming(name, as_messages(messages))
        sampling = Sampling(max_new_tokens, temperature, top_p, seed)
        if not self.guard.holds(name):
            return self._generate(adapter, turns, sampling, on_text)
        reply = self._generate(adapter, turns, sampling, None)
        told = self.guard.finished(name, reply.text)
        if on_text:
            on_text(told)
        return replace(reply, text=told)

    def _generate(self, adapter: str, turns: tuple[Message, ...], sampling: Sampling, on_text: Callable[[str], None] | None) -> Reply:
        version = self.hosted(adapter)
        if version is not None:
            return self._ask(version, turns, sampling, on_text)
        with self.pool.using(adapter) as resident:
            host = self.pool.host
            if host.files.kind != "causal":
                raise AdapterError(
                    f"{adapter} lies on an encoder, which does not generate text",
                    given=host.files.spec,
                    allowed="classify",
                    fix=f"hatrack classify {adapter} FILE",
                )
            system = resident.adapter.card.system if resident.adapter else None
            if system and turns[0].role != "system":
                turns = (Message("system", system), *turns)
            prompt = host.renderer.prompt(turns).ids
            stream = _TextStream(host.renderer.decode, on_text)
            answer = generate(host.module, [prompt], host.renderer.stop_ids, sampling, stream.token if on_text else None)[0]
            text = host.renderer.decode(answer.ids)
        manifest = resident.manifest
        return Reply(
            text.strip(),
            manifest.name if manifest else BASE,
            manifest.version if manifest else "",
            manifest.digest if manifest else host.files.fingerprint,
            len(prompt),
            len(answer.ids),
            answer.stopped,
        )

    def classify(self, texts: Sequence[str], adapter: str) -> list[Classified]:
        """The most likely label for each text, by the adapter's head or by the likelihood of each label as an answer.

        Raises:
            AdapterNotFound: no such adapter; AdapterError: it knows no labels.
        """
        version = self.hosted(adapter)
        if version is not None:
            return [Classified(label, None) for label in hosted_labels(self._open(version), texts)]
        with self.pool.using(adapter) as resident:
            if resident.adapter is None or not resident.adapter.card.labels:
                raise AdapterError(
                    f"{adapter} knows no labels", given=resident.adapter.card.task if resident.adapter else "the unadapted base",
                    allowed="an adapter of task classify or classify-by-text", fix="run `hatrack versions` to see which there are",
                )  # fmt: skip
            card = resident.adapter.card
            if not texts:
                return []
            probabilities = torch.softmax(self._label_logits(texts, resident, card), dim=1)
        best = probabilities.max(dim=1)
        return [Classified(card.labels[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def system(self, adapter: str) -> str:
        """The adapter's own system prompt; empty where it has none.

        Raises:
            AdapterNotFound: no such adapter. AdapterBroken: its files are damaged.
        """
        if adapter == BASE:
            return ""
        return read_card(self.registry.files(self.registry.resolve(adapter))).system or ""

    def digest(self, adapter: str) -> str:
        """What identifies the weights that answer under a name just now.

        Raises:
            AdapterNotFound: with the nearest names.
        """
        return open_base(self.project.base_spec(self.config.base)).fingerprint if adapter == BASE else self.registry.resolve(adapter).digest

    def hosted(self, adapter: str) -> Manifest | None:
        """The version, if its weights are elsewhere: then no base is loaded.

        Raises:
            AdapterNotFound: with the nearest names.
        """
        manifest = None if adapter == BASE else self._resolve(adapter)
        return manifest if manifest is not None and manifest.hosted else None

    def _resolve(self, adapter: str) -> Manifest:
        try:
            return self.registry.resolve(adapter)
        except AdapterNotFound as error:
            known = self.config.adapters.get(adapter)
            if known is None or known.hosted is None:
                raise
            raise AdapterNotFound(
                f"{adapter} is not registered yet", given=f"adapters.{adapter}.hosted: {known.hosted}", allowed=error.allowed,
                fix=f"run `hatrack train {adapter}`, which sends nothing",
            ) from error  # fmt: skip

    def _open(self, version: Manifest) -> HostedAdapter:
        if version.digest not in self._opened:
            self._opened[version.digest] = open_hosted(
                self.registry.files(version), lambda weights: terms_for(self.config, self.project.spending, weights, version.name)
            )
            self._report(f"{version.name}@{version.version} is hosted: texts go to {self._opened[version.digest].backend.host}")
        return self._opened[version.digest]

    def _ask(self, version: Manifest, turns: tuple[Message, ...], sampling: Sampling, on_text: Callable[[str], None] | None) -> Reply:
        answer = self._open(version).answer(turns, sampling, on_text=on_text)
        text, tokens = answer.text.strip(), (answer.prompt_tokens, answer.answer_tokens)
        return Reply(text, version.name, version.version, version.digest, *tokens, answer.stopped, answer.cost)

    def _label_logits(self, texts: Sequence[str], resident: Resident, card: AdapterCard) -> torch.Tensor:
        host = self.pool.host
        if resident.adapter is not None and resident.adapter.head is not None:
            with torch.inference_mode():
                logits: torch.Tensor = resident.adapter.head(host.embed_ids(host.tokenize(texts, card.max_length)))
                return logits
        renderer = host.renderer
        key = resident.manifest.digest if resident.manifest else BASE
        if key not in self._tries:
            self._tries[key] = build_trie([renderer.answer_ids(label) for label in card.labels])
        head = (Message("system", card.system),) if card.system else ()
        prompts = [renderer.prompt((*head, Message("user", text)), card.max_length).ids for text in texts]
        return score_labels(host.module, prompts, self._tries[key])


class _TextStream:
    """Tokens to text as it grows: a character made of several tokens is held back until it is whole."""

    def __init__(self, decode: Callable[[Sequence[int]], str], emit: Callable[[str], None] | None) -> None:
        self._decode = decode
        self._emit = emit
        self._ids: list[int] = []
        self._shown = 0

    def token(self, row: int, token: int) -> None:
        self._ids.append(token)
        text = self._decode(self._ids)
        if self._emit is not None and not text.endswith("\ufffd"):
            self._emit(text[self._shown :])
            self._shown = len(text)
