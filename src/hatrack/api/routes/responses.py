"""POST /v1/responses: one answer, as an object or as the events of one."""

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
from hatrack.api.routes.generation import make_jobs, new_id, now
from hatrack.api.shapes.generate import ResponseBody
from hatrack.api.stream import EventStream, frame, heard
from hatrack.core.chat import Message
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.serving.request import Finished

__all__ = ["router"]

router = APIRouter()


@router.post("/v1/responses", summary="Answer a conversation, in OpenAI's newer shape")
async def respond(body: ResponseBody, request: Request, context: InContext, trace: InTrace, choice: InChoice) -> Response:
    """OpenAI's responses. Nothing is kept: each request carries its whole conversation."""
    manifest, messages, jobs, grounded = await run_in_threadpool(_prepare, context, trace, choice, body)
    headers = trace.uses(context, manifest) | choice.headers
    response = _Response(body, served_name(manifest), grounded)
    answers = Answers(context, trace, manifest, jobs, messages, grounded.version if grounded else "")
    if body.stream:
        await answers.begin()
        return EventStream(_frames(response, answers), answers, headers | answers.headers, context.settings.send_seconds)
    async with answers:
        whole = (await unless_gone(request, asyncio.ensure_future(answers.whole())))[0]
    return JSONResponse(response.ended(whole.text, whole.end), headers=headers | answers.headers)


def _prepare(
    context: Context, trace: Trace, choice: Chooser, body: ResponseBody
) -> tuple[Manifest | None, list[Message], list[Job], Grounded | None]:
    manifest = choice.choose(body.model, lambda: routed_text(body.messages))
    safe = context.answerer.guard.incoming(manifest.name if manifest else BASE, body.messages)
    grounded = ground(context, trace.caller, body, manifest, list(safe))
    messages = list(safe if grounded is None else grounded.messages)
    prompt = context.service.render(manifest, messages)
    schema = body.text.format.schema_for_engine() if body.text and body.text.format else None
    jobs = make_jobs(context, body, manifest, [prompt], schema=schema)
    return manifest, messages, with_known_answer(jobs, grounded), grounded


class _Response:
    """The object, from its creation to its end."""

    def __init__(self, body: ResponseBody, model: str, grounded: Grounded | None) -> None:
        self._grounded = grounded
        self._head = {"id": new_id("resp_"), "object": "response", "created_at": now(), "model": model, **body.echo()}
        self.item_id = new_id("msg_")

    def begun(self) -> dict[str, Any]:
        """While the answer is made."""
        return {**self._head, "status": "in_progress", "error": None, "incomplete_details": None, "output": [], "usage": None}

    def item(self, text: str | None, status: str) -> dict[str, Any]:
        """The message that holds the answer."""
        content = [] if text is None else [self.part(text)]
        return {"id": self.item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    @staticmethod
    def part(text: str) -> dict[str, Any]:
        """The answer's text."""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def ended(self, text: str, end: Finished | None) -> dict[str, Any]:
        """When the answer is whole, or was cut at its longest."""
        cut = end is not None and end.reason == "length"
        status = "incomplete" if cut else "completed"
        return {
            **self.begun(),
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [self.item(text, status)],
            "usage": _usage(end) if end else None,
            **({"knowledge": self._grounded.told(text)} if self._grounded else {}),
        }


def _usage(end: Finished) -> dict[str, Any]:
    return {
        "input_tokens": end.prompt_tokens,
        "input_tokens_details": {"cached_tokens": end.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": end.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }


async def _frames(response: _Response, answers: Answers) -> AsyncGenerator[bytes, None]:
    number = -1

    def event(kind: str, **data: Any) -> bytes:
        nonlocal number
        number += 1
        return frame({"type": kind, "sequence_number": number, **data}, kind)

    def failed(error: dict[str, Any]) -> bytes:
        return event("error", code=error["code"], message=error["message"], param=error["param"])

    text = ""
    place = {"item_id": response.item_id, "output_index": 0, "content_index": 0}
    yield event("response.created", response=response.begun())
    yield event("response.in_progress", response=response.begun())
    yield event("response.output_item.added", output_index=0, item=response.item(None, "in_progress"))
    yield event("response.content_part.added", **place, part=response.part(""))
    async for one in heard(answers, failed):
        if isinstance(one, bytes):
            yield one
        elif not isinstance(one[1], Finished):
            text += one[1].text
            yield event("response.output_text.delta", **place, delta=one[1].text, logprobs=[])
        else:
            whole = response.ended(text, one[1])
            yield event("response.output_text.done", **place, text=text, logprobs=[])
            yield event("response.content_part.done", **place, part=response.part(text))
            yield event("response.output_item.done", output_index=0, item=whole["output"][0])
            yield event(f"response.{whole['status']}", response=whole)
