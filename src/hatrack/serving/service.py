"""One base and all its adapters, ready to answer: names to versions, versions to the engine that can run them.

name ─► registry ─► version ─┬─ its matrices mix ─► Engine        (kernels; many adapters in one step)
                             └─ anything else    ─► GroupEngine   (transformers' modules; one adapter at a time)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

import torch

from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.errors import AdapterError, AdapterMismatch, RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.core.project import Project
from hatrack.models.adapters.folder import AdapterCard, read_card
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.models.render import ChatRenderer
from hatrack.registry.store import Registry
from hatrack.serving.constraint import Grammars
from hatrack.serving.engines.base import ENGINES, EngineParts, Residence, ServingEngine, not_taken
from hatrack.serving.groups import GroupEngine
from hatrack.serving.request import Event, Request, SamplingParams
from hatrack.serving.settings import EngineSettings

__all__ = ["AdapterState", "Labelled", "ModelService"]

State = Literal["resident", "loading", "registered"]


@dataclass(frozen=True)
class Labelled:
    """Probability of each label of one text, likeliest first."""

    label: str
    probability: float
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class AdapterState:
    """An adapter's version as serving sees it (F30)."""

    manifest: Manifest
    aliases: tuple[str, ...]
    mixed: bool
    state: State
    pinned: bool
    running: int
    waiting: int
    loads: int
    evictions: int


class ModelService:
    """What the API, the command line and Python share. Thread-safe."""

    def __init__(
        self, project: Project, config: ProjectConfig, settings: EngineSettings, report: Callable[[str], None] = lambda line: None
    ):
        """Open the project's base. Nothing heavy is loaded before ``start``.

        Raises:
            ModelError: the base cannot be had.
        """
        self.project = project
        self.config = config
        self.settings = settings
        self.registry = Registry(project)
        self.files: BaseModelFiles = open_base(project.base_spec(config.base), report=report)
        self._report = report
        self._engine: ServingEngine | None = None
        self._groups: GroupEngine | None = None
        self._lock = threading.RLock()
        self._resolved: dict[str, Manifest] = {}
        self._cards: dict[str, AdapterCard] = {}
        self._mixed: dict[str, bool] = {}
        self._stamp: object = None

    def start(self) -> None:
        """Load the base and begin to answer."""
        if self.files.kind == "causal":
            self.renderer = ChatRenderer(self.files.tokenizer, self.files.stop_ids)
            self._grammars = Grammars(self.files.tokenizer, int(self.files.config["vocab_size"]))
            decode, stop_ids = self.renderer.decode, self.renderer.stop_ids
            parts = EngineParts(self.files, self.renderer, self.registry.folder, self.settings, self.config.serve, self.project)
            self._engine = ENGINES.get(self.config.serve.engine)(parts)
        else:
            decode, stop_ids = (lambda ids: ""), frozenset()
        self._groups = GroupEngine(lambda: ModelHost(self.files), self.registry.folder, self.settings, decode, stop_ids)
        for engine in self._started():
            engine.start()

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take nothing more, finish what was taken, or cancel it, and end."""
        for engine in self._started():
            engine.stop(drain=drain, timeout=timeout)

    @property
    def engine(self) -> ServingEngine | None:
        """The engine of ``serve.engine``; None where the embedded one has no kernels for the base's architecture."""
        return self._engine

    @property
    def groups(self) -> GroupEngine:
        """The engine for everything else."""
        if self._groups is None:
            raise RequestError("the service has not been started")
        return self._groups

    def resolve(self, reference: str) -> Manifest | None:
        """The version that a name means now; None for ``base``. The registry is asked again only when it has changed.

        Raises:
            AdapterNotFound: unknown, with the nearest names; the base never answers in its place (F23).
        """
        if reference == BASE:
            return None
        with self._lock:
            stamp = self.registry.stamp()
            if stamp != self._stamp:
                self._resolved.clear()
                self._stamp = stamp
            if reference not in self._resolved:
                self._resolved[reference] = self.registry.resolve(reference)
            return self._resolved[reference]

    def card(self, manifest: Manifest) -> AdapterCard:
        """How a version wants to be used; checked to belong to this base and template (F06, F19).

        Raises:
            AdapterMismatch: it does not. AdapterBroken: its files are damaged.
        """
        with self._lock:
            if manifest.digest not in self._cards:
                card = read_card(self.registry.folder(manifest))
                if card.base_fingerprint != self.files.fingerprint:
                    raise AdapterMismatch(
                        f"{manifest.name}@{manifest.version} was trained on another base model",
                        given=f"base fingerprint {card.base_fingerprint[:12]}",
                        allowed=f"{self.files.fingerprint[:12]} ({self.files.spec})",
                        fix="serve the base it was trained on, or train it again",
                    )
                if self.files.kind == "causal" and card.template_hash != self.renderer.template_hash:
                    raise AdapterMismatch(
                        f"{manifest.name}@{manifest.version} was trained with another chat template",
                        given=f"template {card.template_hash[:12]}",
                        allowed=f"{self.renderer.template_hash[:12]} (the base's own)",
                        fix="restore the base's chat template, or train it again",
                    )
                self._cards[manifest.digest] = card
            return self._cards[manifest.digest]

    def render(self, manifest: Manifest | None, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt of a conversation, with the adapter's own system prompt where the conversation has none.

        Raises:
            AdapterError: an encoder does not generate. TemplateError: the messages cannot be rendered.
        """
        self._must_generate(manifest)
        system = self.card(manifest).system if manifest else None
        turns = tuple(messages)
        if system and turns and turns[0].role != "system":
            turns = (Message("system", system), *turns)
        return tuple(self.renderer.prompt(turns).ids)

    def submit(
        self,
        manifest: Manifest | None,
        prompt: Sequence[int],
        params: SamplingParams,
        emit: Callable[[Event], None],
        tenant: str = "",
    ) -> Request:
        """Begin to answer. Events come from an engine's thread.

        Raises:
            Busy: too many are waiting. RequestError: it does not fit, or its schema cannot be enforced.
            AdapterError: the adapter cannot answer.
        """
        self._must_generate(manifest)
        request = Request(manifest, tuple(prompt), params, emit, tenant)
        constraint = None if params.schema is None else self._grammars.constraint(params.schema)
        self._engine_for(manifest).submit(request, constraint)
        return request

    def classify(self, manifest: Manifest | None, texts: Sequence[str]) -> Future[list[Labelled]]:
        """The labels of each text, by the adapter's head or by how likely each label is as its answer.

        Raises:
            AdapterError: it knows no labels. Busy: too many are waiting.
        """
        card = self.card(manifest) if manifest else None
        if manifest is None or card is None or not card.labels:
            raise AdapterError(
                f"{manifest.name if manifest else BASE} knows no labels",
                given=card.task if card else "the unadapted base",
                allowed="an adapter of task classify or classify-by-text",
                fix="ask /v1/models which there are",
            )
        return self.groups.call(lambda host: _classify(host, manifest, card, texts), manifest)

    def embed(self, manifest: Manifest | None, texts: Sequence[str]) -> Future[torch.Tensor]:
        """Embeddings of length one, ``[texts, d]``: mean-pooled last hidden states, with an adapter on or without.

        Raises:
            Busy: too many are waiting.
        """
        length = self.card(manifest).max_length if manifest else min(512, self.settings.context)
        return self.groups.call(lambda host: host.embed_ids(host.tokenize(texts, length)), manifest)

    def mixed(self, manifest: Manifest | None) -> bool:
        """Whether the engine can run this version beside others."""
        if self._engine is None:
            return False
        if manifest is None:
            return True
        with self._lock:
            if manifest.digest not in self._mixed:
                self.card(manifest)
                self._mixed[manifest.digest] = self._engine.takes(self.registry.folder(manifest))
            return self._mixed[manifest.digest]

    def states(self) -> list[AdapterState]:
        """Every registered version, idle ones too."""
        engine, groups = self._engine, self.groups
        residence = engine.residence() if engine else Residence()
        resident = {*groups.resident, *residence.resident}
        running = groups.running() + (engine.running() if engine else type(groups.running())())
        waiting = {**groups.waiting(), **(engine.waiting() if engine else {})}
        found = []
        for name in self.registry.names():
            aliases = self.registry.aliases(name)
            for manifest in self.registry.versions(name):
                digest = manifest.digest
                found.append(
                    AdapterState(
                        manifest=manifest,
                        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == manifest.version)),
                        mixed=self.mixed(manifest),
                        state="resident" if digest in resident else "loading" if digest in residence.loading else "registered",
                        pinned=digest in residence.pinned,
                        running=running[digest],
                        waiting=waiting.get(digest, 0),
                        loads=groups.loads[digest] + residence.loads.get(digest, 0),
                        evictions=residence.evictions.get(digest, 0),
                    )
                )
        return found

    def _started(self) -> list[ServingEngine | GroupEngine]:
        return [engine for engine in (self._engine, self._groups) if engine is not None]

    def _engine_for(self, manifest: Manifest | None) -> ServingEngine | GroupEngine:
        if self._engine is not None and self.mixed(manifest):
            return self._engine
        if manifest is not None and self.config.serve.engine != "torch":
            raise not_taken(self.config.serve.engine, manifest, self.card(manifest).method)
        return self.groups

    def _must_generate(self, manifest: Manifest | None) -> None:
        if self.files.kind != "causal":
            raise AdapterError(
                f"{manifest.name if manifest else BASE} lies on an encoder, which does not generate text",
                given=self.files.spec,
                allowed="classification and embeddings",
                fix="POST /v1/classify or /v1/embeddings",
            )


def _classify(host: ModelHost, manifest: Manifest, card: AdapterCard, texts: Sequence[str]) -> list[Labelled]:
    head = host.adapters[manifest.digest].head
    with torch.inference_mode():
        if head is not None:
            logits = head(host.embed_ids(host.tokenize(texts, card.max_length)))
        else:
            renderer: Any = host.renderer
            trie = build_trie([renderer.answer_ids(label) for label in card.labels])
            system = (Message("system", card.system),) if card.system else ()
            prompts = [renderer.prompt((*system, Message("user", text)), card.max_length).ids for text in texts]
            logits = score_labels(host.module, prompts, trie)
        probabilities = torch.softmax(logits, dim=1).tolist()
    found = []
    for row in probabilities:
        ranked = tuple(sorted(zip(card.labels, row, strict=True), key=lambda pair: -pair[1]))
        found.append(Labelled(*ranked[0], ranked))
    return found
