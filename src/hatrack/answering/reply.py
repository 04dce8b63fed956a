"""One question to one adapter, answered from documents: what ``hatrack ask --kb`` and Python use, without a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hatrack.answering.assistant import Assistant
from hatrack.answering.grounding import Grounded, KnowledgeWish
from hatrack.answering.rewrite import ANSWER_TOKENS
from hatrack.core.chat import Message, as_messages
from hatrack.core.names import BASE
from hatrack.models.loading import open_base

__all__ = ["ask_grounded"]

_HOSTED_CONTEXT, _CONTEXT = 8192, 2048  # tokens, where nothing says more
_TEMPLATE = 64  # tokens of the chat template
_CHARACTERS = 4  # of a token, where the tokenizer is elsewhere


def ask_grounded(
    assistant: Assistant,
    messages: str | Iterable[Message | Mapping[str, Any]],
    adapter: str = BASE,
    wish: KnowledgeWish | None = None,
    *,
    tenant: str | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
) -> tuple[Grounded, str]:
    """The sources and the answer; where no source is near enough, the answer that says so, and no model is loaded.

    Raises:
        AdapterNotFound: no such adapter. KnowledgeError, RequestError: see ``Grounder.ground``.
        Others: see ``Assistant.generate``.
    """
    turns = as_messages(messages)
    assistant.check_name(adapter)
    hosted = assistant.hosted(adapter) is not None
    files = None if hosted else open_base(assistant.project.base_spec(assistant.config.base))

    def count(text: str) -> int:
        if files is None:
            return -(-len(text) // _CHARACTERS)
        tokenizer: Any = files.tokenizer
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    context = int(files.config.get("max_position_embeddings") or _CONTEXT) if files else _HOSTED_CONTEXT
    system = assistant.system(adapter)
    used = sum(count(turn.content) for turn in turns) + count(system) + _TEMPLATE + max_new_tokens
    grounded = assistant.knowledge.ground(
        turns, adapter.partition("@")[0], wish or KnowledgeWish(), tenant=tenant, count=count, room=context - used,
        system=system,
        ask=lambda asked: assistant.generate(asked, adapter, max_new_tokens=ANSWER_TOKENS).text,
    )  # fmt: skip
    if grounded.answer is not None:
        return grounded, grounded.answer
    reply = assistant.generate(grounded.messages, adapter, max_new_tokens=max_new_tokens, temperature=temperature)
    return grounded, reply.text
