"""One request, whole: who answers, is the answer known, else compute it, and keep it.

messages ─► route ─► render ─► cache ─┬─ hit ──► its text, at once
                                      └─ miss ─► ModelService.submit ─► emit, and keep what was finished
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from hatrack.answering.cache import AnswerCache
from hatrack.answering.decision import Decision, Wanted
from hatrack.answering.kept import Found, KeptAnswer, Near
from hatrack.answering.route import Router, routed_text
from hatrack.answering.wording import content_words
from hatrack.core.chat import Message
from hatrack.core.digest import sha256_json
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.serving.request import Event, Finished, Piece, Request, SamplingParams, TokenChoice
from hatrack.serving.service import ModelService

__all__ = ["Answer", "Answerer", "CacheState"]

CacheState = Literal["off", "miss", "hit", "near"]


@dataclass(frozen=True)
class Answer:
    """An answer on its way.

    Attributes:
        cache: ``hit``: it was given before to the very same request; ``near``: to another wording; ``miss``: it is being
            computed and will be kept; ``off``: it is computed and not kept.
        request: None for a hit, whose events have all been emitted.
    """

    decision: Decision
    cache: CacheState
    request: Request | None

    @property
    def manifest(self) -> Manifest | None:
        """The version that answers; None for the base."""
        return self.decision.manifest

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        if self.request is not None:
            self.request.cancel()


class Answerer:
    """Routing and cache before a started ``ModelService``. Thread-safe."""

    def __init__(self, service: ModelService) -> None:
        config, project = service.config, service.project
        self._service = service
        self.router = Router.of(config, project, service.registry, service.resolve)
        rules = config.serve.cache
        self.cache = AnswerCache(project.answers, ttl=rules.ttl, max_bytes=rules.max_mb * 1e6) if rules.enabled else None
        self._near = rules.near

    def submit(
        self,
        messages: Sequence[Message],
        params: SamplingParams,
        emit: Callable[[Event], None],
        wanted: Wanted,
        *,
        knowledge: str = "",
    ) -> Answer:
        """Begin to answer a conversation.

        Events of a computed answer come from an engine's thread, those of a known one before this returns.

        Args:
            knowledge: version of what was retrieved into the messages.

        Raises:
            AdapterNotFound, AdapterForbidden: see ``Router.route``. Others: see ``ModelService.render`` and ``submit``.
        """
        decision = self.router.route(routed_text(messages), wanted)
        prompt = self._service.render(decision.manifest, messages)
        near = self._near_of(decision, messages, params, wanted.tenant, knowledge)
        return self.send(decision, prompt, params, emit, wanted.tenant, knowledge=knowledge, near=near)

    def send(
        self,
        decision: Decision,
        prompt: Sequence[int],
        params: SamplingParams,
        emit: Callable[[Event], None],
        tenant: str = "",
        *,
        knowledge: str = "",
        near: Near | None = None,
    ) -> Answer:
        """As ``submit``, for a prompt that is token ids already and a decision that was made.

        Raises:
            Busy, RequestError, AdapterError: see ``ModelService.submit``.
        """
        if self.cache is None or not _repeatable(params):
            return Answer(decision, "off", self._service.submit(decision.manifest, prompt, params, emit, tenant))
        key = self._key(decision, params, tenant, knowledge, prompt=list(prompt))
        found = self.cache.get(key, near)
        if found is not None:
            _repeat(found, emit)
            return Answer(decision, "near" if found.near else "hit", None)
        digest = decision.manifest.digest if decision.manifest else BASE
        cache = self.cache
        keep = _Keeping(emit, lambda answer: cache.put(key, answer, tenant=tenant, digest=digest, near=near))
        return Answer(decision, "miss", self._service.submit(decision.manifest, prompt, params, keep, tenant))

    def close(self) -> None:
        """Write what is still to be kept. The service is stopped by its owner."""
        if self.cache is not None:
            self.cache.close()

    def _key(self, decision: Decision, params: SamplingParams, tenant: str, knowledge: str, **asked: object) -> str:
        """Everything that decides an answer, and whose it is (F24, F29)."""
        digest = decision.manifest.digest if decision.manifest else BASE
        base, precision = self._service.files.fingerprint, self._service.settings.precision
        return sha256_json([digest, base, precision, asdict(params), tenant, knowledge, asked])

    def _near_of(self, decision: Decision, messages: Sequence[Message], params: SamplingParams, tenant: str, knowledge: str) -> Near | None:
        if self.cache is None or tenant not in self._near.tenants or not _repeatable(params) or messages[-1].role != "user":
            return None
        words = content_words(messages[-1].content)
        if not words:
            return None
        before = [message.as_dict() for message in messages[:-1]]
        key = self._key(decision, params, tenant, knowledge, before=before, words=words)
        return Near(key, self.router.content.vector(messages[-1].content), self._near.similarity)


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


def _repeat(found: Found, emit: Callable[[Event], None]) -> None:
    answer = found.answer
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


def _repeatable(params: SamplingParams) -> bool:
    """Whether the same request would get the same answer if it were computed again."""
    return params.temperature == 0 or params.seed is not None
