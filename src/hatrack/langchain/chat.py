"""An adapter as LangChain's chat model, in this process. Through a server, ChatOpenAI with its address does the same."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from hatrack.answering.assistant import Assistant, Reply
from hatrack.core.chat import Message, Role
from hatrack.core.errors import RequestError
from hatrack.core.names import BASE

__all__ = ["HatrackChat"]

_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}


class HatrackChat(BaseChatModel):
    """Answers with one adapter of a project; several may share an ``Assistant``, and with it the base in memory."""

    project: str = "."
    adapter: str = BASE
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    assistant: Any = None

    @property
    def _llm_type(self) -> str:
        return "hatrack"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("project", "adapter", "max_tokens", "temperature", "seed")
        return {name: getattr(self, name) for name in names}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """What a cache knows the model by: the weights, not their name, which means others after a promotion."""
        return f"{super()._get_llm_string(stop=stop, **kwargs)}---{self._opened.digest(kwargs.get('model', self.adapter))}"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """What tracers are told: the adapter is the model."""
        return LangSmithParams(**{**super()._get_ls_params(stop=stop, **kwargs), "ls_model_name": kwargs.get("model", self.adapter)})

    @cached_property
    def _opened(self) -> Assistant:
        return self.assistant or Assistant.open(self.project)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        reply = self._ask(messages, kwargs)
        message = AIMessage(content=_before(reply.text, stop), usage_metadata=_usage(reply), response_metadata=_about(reply))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        pieces: queue.Queue[str | None] = queue.Queue()
        with ThreadPoolExecutor(1, thread_name_prefix="hatrack-chat") as pool:
            asked = pool.submit(self._ask, messages, kwargs, pieces.put)
            asked.add_done_callback(lambda _: pieces.put(None))
            text, told = "", 0
            while (piece := pieces.get()) is not None:
                text += piece
                kept = _before(text, stop)
                if len(kept) > told:
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=kept[told:]))
                    if run_manager:
                        run_manager.on_llm_new_token(kept[told:], chunk=chunk)
                    yield chunk
                    told = len(kept)
            reply = asked.result()
        end = AIMessageChunk(content="", usage_metadata=_usage(reply), response_metadata=_about(reply), chunk_position="last")
        yield ChatGenerationChunk(message=end)

    def _ask(self, messages: list[BaseMessage], given: dict[str, Any], on_text: Any = None) -> Reply:
        turns = [_turn(message) for message in messages]
        return self._opened.generate(
            turns,
            given.get("model", self.adapter),
            max_new_tokens=given.get("max_tokens", self.max_tokens),
            temperature=given.get("temperature", self.temperature),
            seed=given.get("seed", self.seed),
            on_text=on_text,
        )


def _turn(message: BaseMessage) -> Message:
    if message.type not in _ROLES:
        raise RequestError(
            f"a message of type {message.type} cannot be answered",
            allowed=", ".join(_ROLES),
            fix="leave tools to an agent around the adapter",
        )
    return Message(_ROLES[message.type], str(message.text))


def _before(text: str, stop: list[str] | None) -> str:
    """What stands before the first of the stop texts."""
    cuts = [place for one in stop or () if (place := text.find(one)) >= 0]
    return text[: min(cuts)] if cuts else text


def _usage(reply: Reply) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=reply.prompt_tokens, output_tokens=reply.answer_tokens, total_tokens=reply.prompt_tokens + reply.answer_tokens
    )


def _about(reply: Reply) -> dict[str, Any]:
    """``model_name`` is what LangChain looks for."""
    name = f"{reply.adapter}@{reply.version}" if reply.version else reply.adapter
    cost = {} if reply.cost is None else {"cost": reply.cost}
    return {**cost, "model_name": name, "digest": reply.digest, "finish_reason": "stop" if reply.stopped else "length"}
