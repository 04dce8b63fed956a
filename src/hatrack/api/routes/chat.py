"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.answering.grounding import Grounded
from hatrack.answering.route import routed_text
from hatrack.api.answers import Answers, Job, unless_gone
from hatrack.api.choice import Chooser, InChoice
from hatrack.api.context import Context, InContext, InTrace, Trace, served_name
from hatrack.api.grounding import ground, with_known_answer
from hatrack.api.routes.generation import make_jobs, new_id, now, token_text, usage
from hatrack.api.shapes.generate import ChatBody
from hatrack.api.stream import EventStream, frame, heard
from hatrack.core.chat import Message
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.serving.request import Finished, TokenChoice

__all__ = ["router"]

router = APIRouter()


@router.post("/v1/chat/completions", summary="Answer a conversation")
async def chat(body: ChatBody, request: Request, context: InContext, trace: InTrace, choice: InChoice) -> Response:
    """OpenAI's chat completions."""
    manifest, messages, jobs, grounded = await run_in_threadpool(_prepare, context, trace, choice, body)
    headers = trace.uses(context, manifest) | choice.headers
    fingerprint = (manifest.base_fingerprint if manifest else context.service.files.fingerprint)[:12]
    head = {"id": new_id("chatcmpl-"), "created": now(), "model": served_name(manifest), "system_fingerprint": fingerprint}
    answers = Answers(context, trace, manifest, jobs, messages, grounded.version if grounded else "")
    if body.stream:
        await answers.begin()
        return EventStream(
            _frames(context, body, head, answers, grounded), answers, headers | answers.headers, context.settings.send_seconds
        )
    async with answers:
        whole = await unless_gone(request, asyncio.ensure_future(answers.whole()))
    ends = [answer.end for answer in whole if answer.end]
    choices = [
        {
            "index": number,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "logprobs": _logprobs(context, body, answer.tokens),
            "finish_reason": answer.end.reason if answer.end else None,
            **({"knowledge": grounded.told(answer.text)} if grounded else {}),
        }
        for number, answer in enumerate(whole)
    ]
    told = {
        **head,
        "object": "chat.completion",
        "choices": choices,
        "usage": usage([ends[0].prompt_tokens if ends else len(jobs[0].prompt)], ends),
    }
    return JSONResponse(told, headers=headers | answers.headers)


def _prepare(
    context: Context, trace: Trace, choice: Chooser, body: ChatBody
) -> tuple[Manifest | None, list[Message], list[Job], Grounded | None]:
    """In a thread: finding sources and tokenising a long conversation take time."""
    messages = [turn.message() for turn in body.messages]
    manifest = choice.choose(body.model, lambda: routed_text(messages))
    safe = context.answerer.guard.incoming(manifest.name if manifest else BASE, messages)
    grounded = ground(context, trace.caller, body, manifest, list(safe))
    messages = list(safe if grounded is None else grounded.messages)
    prompt = context.service.render(manifest, messages)
    schema = body.response_format.schema_for_engine() if body.response_format else None
    jobs = make_jobs(context, body, manifest, [prompt], logprobs=body.reported, schema=schema)
    return manifest, messages, with_known_answer(jobs, grounded), grounded


def _logprobs(context: Context, body: ChatBody, tokens: list[TokenChoice]) -> dict[str, Any] | None:
    return {"content": [token_text(context, choice) for choice in tokens], "refusal": None} if body.logprobs else None


async def _frames(
    context: Context, body: ChatBody, head: dict[str, Any], answers: Answers, grounded: Grounded | None
) -> AsyncGenerator[bytes, None]:
    ends: dict[int, Finished] = {}
    texts = [""] * len(answers.jobs)
    rest: dict[str, Any] = {"usage": None} if body.wants_usage else {}

    def chunk(number: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        if reason and grounded:
            choice["knowledge"] = grounded.told(texts[number])
        return frame({**head, "object": "chat.completion.chunk", "choices": [choice], **rest})

    for number in range(len(answers.jobs)):
        yield chunk(number, {"role": "assistant", "content": ""})
    async for event in heard(answers, lambda error: frame({"error": error})):
        if isinstance(event, bytes):
            yield event
        elif isinstance(event[1], Finished):
            ends[event[0]] = event[1]
            yield chunk(event[0], {}, reason=event[1].reason)
        else:
            texts[event[0]] += event[1].text
            yield chunk(event[0], {"content": event[1].text}, _logprobs(context, body, list(event[1].tokens)))
    if body.wants_usage and len(ends) == len(answers.jobs):
        total = usage([ends[0].prompt_tokens], [ends[number] for number in sorted(ends)])
        yield frame({**head, "object": "chat.completion.chunk", "choices": [], "usage": total})
    yield frame("[DONE]")
