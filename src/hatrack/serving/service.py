"""One base and all its adapters, ready to answer: names to versions, versions to the engine that can run them.

name ─► registry ─► version ─┬─ its matrices mix ─► Engine        (kernels; many adapters in one step)
                             ├─ anything else    ─► GroupEngine   (transformers' modules; one adapter at a time)
                             └─ it is elsewhere  ─► HostedEngine  (asks its provider)
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.errors import AdapterError, AdapterMismatch, RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.core.precision import INT8, PrecisionRecord
from hatrack.core.project import Project
from hatrack.models.adapters.folder import AdapterCard, read_card
from hatrack.models.backends.hosted import open_hosted
from hatrack.models.backends.terms import terms_for
from hatrack.models.host import ModelHost
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.models.render import ChatRenderer
from hatrack.registry.store import Registry
from hatrack.serving.constraint import Grammars
from hatrack.serving.engines.base import ENGINES, EngineParts, ServingEngine, not_taken
from hatrack.serving.groups import GroupEngine
from hatrack.serving.hosted import HostedEngine
from hatrack.serving.labels import Labelled, classify
from hatrack.serving.request import Event, Request, SamplingParams
from hatrack.serving.settings import EngineSettings
from hatrack.serving.states import AdapterState, adapter_states

__all__ = ["ModelService"]


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
        self.registry = Registry(project)
        self.files: BaseModelFiles = open_base(project.base_spec(config.base), report=report)
        self.settings = replace(settings, context=min(settings.context, self.files.positions or settings.context))
        self._report = report
        self._engine: ServingEngine | None = None
        self._groups: GroupEngine | None = None
        self.hosted = HostedEngine(
            lambda manifest: open_hosted(
                self.registry.files(manifest), lambda weights: terms_for(config, project.spending, weights, manifest.name)
            ),
            settings.queue,
        )
        self._lock = threading.RLock()
        self._resolved: dict[str, Manifest] = {}
        self._cards: dict[str, AdapterCard] = {}
        self._mixed: dict[str, bool] = {}
        self._stamp: object = None
        self._precision: tuple[object, Mapping[str, Path]] | None = None

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
        # The host gets a tokenizer of its own: cutting texts sets a state in it that would cut prompts rendered beside it.
        self._groups = GroupEngine(lambda: ModelHost(replace(self.files)), self.registry.folder, self.settings, decode, stop_ids)
        for engine in self._engines:
            engine.start()
        # What is loaded now stays: the collector would hold up every answer while it walked through it again.
        gc.collect()
        gc.freeze()

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take nothing more, finish what was taken, or cancel it, and end."""
        for engine in (self.hosted, *self._engines):
            engine.stop(drain=drain, timeout=timeout)

    @property
    def _engines(self) -> list[ServingEngine | GroupEngine]:
        return [engine for engine in (self._engine, self._groups) if engine is not None]

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
        if manifest.hosted is not None:
            return self.hosted.adapter(manifest).card
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
        if manifest is not None and manifest.hosted is not None:  # its template is elsewhere; these are counted, not sent
            return tuple(self._ids("\n".join(turn.content for turn in messages)))
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
        messages: Sequence[Message] = (),
    ) -> Request:
        """Begin to answer. Events come from an engine's thread.

        Args:
            messages: the conversation, which is what goes to a hosted model; all others are asked with ``prompt``.

        Raises:
            Busy: too many are waiting. RequestError: it does not fit, or its schema cannot be enforced.
            AdapterError: the adapter cannot answer.
        """
        request = Request(manifest, tuple(prompt), params, emit, tenant)
        if manifest is not None and manifest.hosted is not None:
            self.hosted.submit(request, messages)
            return request
        self._must_generate(manifest)
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
        if manifest.hosted is not None:
            return self.hosted.classify(manifest, texts)
        return self.groups.call(lambda host: classify(host, manifest, card, texts), manifest)

    def embed(self, manifest: Manifest | None, texts: Sequence[str]) -> Future[torch.Tensor]:
        """Embeddings of length one, ``[texts, d]``: mean-pooled last hidden states, with an adapter on or without.

        Raises:
            Busy: too many are waiting.
        """
        if manifest is not None and manifest.hosted is not None:
            raise AdapterError(
                f"{manifest.name} is hosted and gives no vectors", given=manifest.base, allowed="base, and adapters on this machine",
                fix="ask `base`, or set knowledge.embedder",
            )  # fmt: skip
        length = self.card(manifest).max_length if manifest else min(512, self.settings.context)
        return self.groups.call(lambda host: host.embed_ids(host.tokenize(texts, length)), manifest)

    def mixed(self, manifest: Manifest | None) -> bool:
        """Whether a request for this version goes to the engine, and not to the groups."""
        return self.mixes(manifest) and (manifest is None or not self._loses(manifest))

    def mixes(self, manifest: Manifest | None) -> bool:
        """Whether the engine can run this version beside others, whatever 8 bits do to it."""
        if self._engine is None or (manifest is not None and manifest.hosted is not None):
            return False
        if manifest is None:
            return True
        with self._lock:
            if manifest.digest not in self._mixed:
                self.card(manifest)
                self._mixed[manifest.digest] = self._engine.takes(self.registry.folder(manifest))
            return self._mixed[manifest.digest]

    def precision(self, manifest: Manifest) -> PrecisionRecord | None:
        """What 8 bits change for this version, where it was measured (``hatrack eval NAME --int8``)."""
        with self._lock:
            stamp = self.registry.stamp()
            if self._precision is None or self._precision[0] != stamp:
                self._precision = (stamp, self.registry.attached(INT8))
            path = self._precision[1].get(manifest.digest)
        return PrecisionRecord.read(path) if path else None

    def _loses(self, manifest: Manifest) -> bool:
        """Whether it was measured that 8 bits cost this version more than is allowed: it is served in full precision then."""
        if self.settings.precision != "int8" or self.config.serve.engine != "torch":
            return False
        record = self.precision(manifest)
        return record is not None and record.loss > self.config.serve.max_int8_loss

    def count(self, text: str) -> int:
        """Tokens of a text by itself, by the base's tokenizer."""
        return len(self._ids(text))

    def _ids(self, text: str) -> list[int]:
        tokenizer: Any = self.files.tokenizer
        ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def room(self, manifest: Manifest | None) -> int:
        """Tokens of prompt and answer together."""
        hosted = manifest is not None and manifest.hosted is not None
        return self.hosted.adapter(manifest).backend.terms.context if manifest and hosted else self.settings.context

    def states(self) -> list[AdapterState]:
        """Every registered version, idle ones too."""
        return adapter_states(self.registry, self._engine, self.groups, self.hosted, self._mixed)

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
