"""One request, whole: who answers, is the answer known, else compute it, and keep it.

messages ─► route ─► render ─► cache ─┬─ hit ──► its text, at once
                                      └─ miss ─► ModelService.submit ─► emit, and keep what was finished
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from typing import Literal

from hatrack.answering.cache import AnswerCache
from hatrack.answering.decision import Decision, Wanted
from hatrack.answering.grounding import Grounder
from hatrack.answering.guard import Guard
from hatrack.answering.kept import KeptAnswer, Near
from hatrack.answering.request_log import RequestLog
from hatrack.answering.route import Router, routed_text
from hatrack.answering.wording import content_words
from hatrack.core.chat import Message
from hatrack.core.digest import sha256_json
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.serving.request import Event, Failed, Finished, Piece, Request, SamplingParams, TokenChoice
from hatrack.serving.service import ModelService

__all__ = ["Answer", "Answerer", "CacheState"]

CacheState = Literal["off", "miss", "hit", "near"]


@dataclass(frozen=True)
class Answer:
    """An answer on its way.

    Attributes:
        manifest: the version that answers; None for the base.
        cache: ``hit``: it was given before to the very same request; ``near``: to another wording; ``miss``: it is being
            computed and will be kept; ``off``: it is computed and not kept.
        request: None for a hit, whose events have all been emitted.
        decision: why this adapter; None where the caller chose it.
    """

    manifest: Manifest | None
    cache: CacheState
    request: Request | None
    decision: Decision | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        if self.request is not None:
            self.request.cancel()


class Answerer:
    """Routing, guard-rails and cache before a ``ModelService``. Thread-safe."""

    def __init__(self, service: ModelService) -> None:
        config, project = service.config, service.project
        rules = config.serve.cache
        self.service = service
        self.guard = Guard(config)
        self.log = RequestLog(project.requests, config.watch)
        self.router = Router.of(config, project, service.registry, service.resolve)
        self.cache = AnswerCache(project.answers, ttl=rules.ttl, max_bytes=rules.max_mb * 1e6) if rules.enabled else None
        self._near = rules.near
        self.grounder = Grounder(project, config)

    def ask(
        self, messages: Sequence[Message], params: SamplingParams, emit: Callable[[Event], None], wanted: Wanted, *, knowledge: str = ""
    ) -> Answer:
        """Begin to answer a conversation: route, render, ``submit``.

        Raises:
            AdapterNotFound, AdapterForbidden, ModelError: see ``Router.route``. GuardRefused: see ``Guard``. Others: see
                ``ModelService.render`` and ``ModelService.submit``.
        """
        decision = self.router.route(routed_text(messages), wanted)
        messages = self.guard.incoming(_name(decision.manifest), messages)
        prompt = self.service.render(decision.manifest, messages)
        answer = self.submit(decision.manifest, prompt, params, emit, wanted.tenant, knowledge=knowledge, messages=messages)
        return replace(answer, decision=decision)

    def submit(
        self,
        manifest: Manifest | None,
        prompt: Sequence[int],
        params: SamplingParams,
        emit: Callable[[Event], None],
        tenant: str = "",
        *,
        knowledge: str = "",
        messages: Sequence[Message] = (),
    ) -> Answer:
        """As ``ModelService.submit``, unless the answer is known.

        Events of a computed answer come from an engine's thread, those of a known one before this returns.

        Args:
            knowledge: version of what was retrieved into the prompt.
            messages: what the prompt was rendered from; without them no other wording is looked for.

        Raises:
            Busy, RequestError, AdapterError: see ``ModelService.submit``.
        """
        cache = self.cache
        # Before the cache: what is kept is what the model said.
        emit = self.guard.outgoing(_name(manifest), emit)
        if manifest is not None and messages:
            labels = tuple(manifest.config.get("labels") or ())
            emit = self.log.listening(manifest.name, manifest.version, messages, labels, emit)
        if cache is None or not _repeatable(params):
            return Answer(manifest, "off", self.service.submit(manifest, prompt, params, emit, tenant, messages))
        digest = manifest.digest if manifest else BASE
        # everything that decides an answer, and whose it is (F24, F29)
        base, precision = self.service.files.fingerprint, self.service.settings.precision
        scope = [digest, base, precision, asdict(params), tenant, knowledge]
        hosted = manifest is not None and manifest.hosted is not None
        key = sha256_json([*scope, [turn.as_dict() for turn in messages] if hosted else list(prompt)])  # what is sent
        near = self._wording(scope, messages) if tenant in self._near.tenants else None
        found = cache.get(key, near)
        if found is not None:
            _repeat(found.answer, emit)
            return Answer(manifest, "near" if found.near else "hit", None)
        keep = _Keeping(emit, lambda answer: cache.put(key, answer, tenant=tenant, digest=digest, near=near))
        return Answer(manifest, "miss", self.service.submit(manifest, prompt, params, keep, tenant, messages))

    def short(self, manifest: Manifest | None, messages: Sequence[Message], tokens: int, tenant: str = "") -> str:
        """A short answer for ourselves, waited for: not for the event loop. It is neither kept nor logged as an answer.

        Raises:
            Busy, RequestError, AdapterError, TemplateError: see ``ModelService.submit``.
        """
        pieces: list[str] = []
        ended: SimpleQueue[Exception | None] = SimpleQueue()

        def listen(event: Event) -> None:
            if isinstance(event, Piece):
                pieces.append(event.text)
            else:
                ended.put(event.error if isinstance(event, Failed) else None)

        self.service.submit(manifest, self.service.render(manifest, messages), SamplingParams(max_tokens=tokens), listen, tenant)
        error = ended.get()
        if error is not None:
            raise error
        return "".join(pieces)

    def say(self, manifest: Manifest | None, text: str, prompt_tokens: int, emit: Callable[[Event], None]) -> Answer:
        """An answer that no model is asked for: that nothing is known. Its events come before this returns."""
        _repeat(KeptAnswer(text, (), "stop", prompt_tokens, 0), emit)
        return Answer(manifest, "off", None)

    def close(self) -> None:
        """Write what is still to be kept. The service is stopped by its owner, before."""
        self.grounder.close()
        if self.cache is not None:
            self.cache.close()

    def _wording(self, scope: Sequence[object], messages: Sequence[Message]) -> Near | None:
        """What another question must share with this one: all but the last turn to the letter, of that its content words."""
        if not messages or messages[-1].role != "user":
            return None
        question = messages[-1].content
        words = content_words(question)
        if not words:
            return None
        before = [message.as_dict() for message in messages[:-1]]
        return Near(sha256_json([*scope, before, words]), self.router.content.vector(question), self._near.similarity)


class _Keeping:
    """Passes events on; when the answer is whole, it is kept."""

    def __init__(self, emit: Callable[[Event], None], keep: Callable[[KeptAnswer], None]) -> None:
        self._emit = emit
        self._keep = keep
        self._text: list[str] = []
        self._tokens: list[TokenChoice] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Piece):
            self._text.append(event.text)
            self._tokens += event.tokens
        elif isinstance(event, Finished) and event.reason != "cancelled":
            text, tokens = "".join(self._text), tuple(self._tokens)
            self._keep(KeptAnswer(text, tokens, event.reason, event.prompt_tokens, event.completion_tokens))
        self._emit(event)


def _repeat(answer: KeptAnswer, emit: Callable[[Event], None]) -> None:
    emit(Piece(answer.text, answer.tokens))
    emit(
        Finished(
            reason=answer.reason,
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            queued=0.0,
            first_token=0.0,
            seconds=0.0,
        )
    )


def _name(manifest: Manifest | None) -> str:
    return manifest.name if manifest else BASE


def _repeatable(params: SamplingParams) -> bool:
    """Whether the same request would get the same answer if it were computed again."""
    return params.temperature == 0 or params.seed is not None
