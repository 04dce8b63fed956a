"""POST /v1/completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.answers import Answers, Job, unless_gone
from hatrack.api.choice import Chooser, InChoice
from hatrack.api.context import Context, InContext, InTrace, served_name
from hatrack.api.errors import Refusal
from hatrack.api.routes.generation import make_jobs, new_id, now, token_text, usage
from hatrack.api.shapes.generate import CompletionBody
from hatrack.api.stream import EventStream, frame, heard
from hatrack.core.chat import Message
from hatrack.core.errors import AdapterError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.serving.request import Finished, TokenChoice

__all__ = ["router"]

router = APIRouter()


@router.post("/v1/completions", summary="Go on with a text")
async def complete(body: CompletionBody, request: Request, context: InContext, trace: InTrace, choice: InChoice) -> Response:
    """OpenAI's older completions: no chat template, no system prompt."""
    manifest, prompts, jobs = await run_in_threadpool(_prepare, context, choice, body)
    headers = trace.uses(context, manifest) | choice.headers
    head = {"id": new_id("cmpl-"), "object": "text_completion", "created": now(), "model": served_name(manifest)}
    answers = Answers(context, trace, manifest, jobs)
    if body.stream:
        await answers.begin()
        frames = _frames(context, body, head, answers, prompts)
        return EventStream(frames, answers, headers | answers.headers, context.settings.send_seconds)
    async with answers:
        whole = await unless_gone(request, asyncio.ensure_future(answers.whole()))
    choices = [
        {
            "index": number,
            "text": answer.text,
            "logprobs": _logprobs(context, body, answer.tokens),
            "finish_reason": answer.end.reason if answer.end else None,
        }
        for number, answer in enumerate(whole)
    ]
    ends = [answer.end for answer in whole if answer.end]
    return JSONResponse({**head, "choices": choices, "usage": usage(prompts, ends)}, headers=headers | answers.headers)


def _prepare(context: Context, choice: Chooser, body: CompletionBody) -> tuple[Manifest | None, list[int], list[Job]]:
    manifest = choice.choose(body.model, lambda: "\n".join(prompt for prompt in body.prompts if isinstance(prompt, str)))
    if manifest is not None and manifest.hosted is not None:
        raise AdapterError(
            f"{manifest.name} is hosted and answers conversations only", given="/v1/completions", allowed="messages",
            fix="POST /v1/chat/completions",
        )  # fmt: skip
    if context.service.files.kind != "causal":
        raise AdapterError(
            "the base is an encoder, which does not generate text",
            given=context.service.files.spec,
            allowed="classification and embeddings",
            fix="POST /v1/classify or /v1/embeddings",
        )
    name = manifest.name if manifest else BASE
    prompts = [_ids(context, _guarded(context, name, _known(context, prompt))) for prompt in body.prompts]
    if not prompts:
        raise Refusal(400, "there is no prompt", code="invalid_request", param="prompt", given="[]", allowed="a text or several")
    return manifest, [len(prompt) for prompt in prompts], make_jobs(context, body, manifest, prompts, logprobs=body.logprobs)


def _guarded(context: Context, name: str, prompt: str | list[int]) -> str | list[int]:
    """The prompt as the model may see it; ids stay ids where no rule changes what they say."""
    text = prompt if isinstance(prompt, str) else context.service.renderer.decode(prompt)
    checked = context.answerer.guard.incoming(name, [Message("user", text)])[0].content
    return prompt if checked == text else checked


def _ids(context: Context, prompt: str | list[int]) -> Sequence[int]:
    """A text begun as the tokenizer begins one, which is how task ``complete`` trains it."""
    return context.service.renderer.text(prompt).ids[:-1] if isinstance(prompt, str) else prompt


def _known(context: Context, prompt: str | list[int]) -> str | list[int]:
    """The prompt, once its ids are known to be some."""
    if isinstance(prompt, str):
        return prompt
    vocabulary = len(context.service.files.tokenizer)
    if any(not 0 <= token < vocabulary for token in prompt):
        raise Refusal(
            400, "a token id lies outside the vocabulary", code="invalid_request", param="prompt", allowed=f"0 to {vocabulary - 1}",
            fix="send text",
        )  # fmt: skip
    return prompt


def _logprobs(context: Context, body: CompletionBody, tokens: Sequence[TokenChoice], offset: int = 0) -> dict[str, Any] | None:
    if body.logprobs is None:
        return None
    told = [token_text(context, choice) for choice in tokens]
    offsets = []
    for token in told:
        offsets.append(offset)
        offset += len(token["token"])
    return {
        "tokens": [token["token"] for token in told],
        "token_logprobs": [token["logprob"] for token in told],
        "top_logprobs": [{top["token"]: top["logprob"] for top in token["top_logprobs"]} for token in told] if body.logprobs else None,
        "text_offset": offsets,
    }


async def _frames(
    context: Context, body: CompletionBody, head: dict[str, Any], answers: Answers, prompts: list[int]
) -> AsyncGenerator[bytes, None]:
    ends: dict[int, Finished] = {}
    offsets = [0] * len(answers.jobs)
    rest: dict[str, Any] = {"usage": None} if body.wants_usage else {}

    def chunk(number: int, text: str, logprobs: Any = None, reason: str | None = None) -> bytes:
        choice = {"index": number, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return frame({**head, "choices": [choice], **rest})

    async for event in heard(answers, lambda error: frame({"error": error})):
        if isinstance(event, bytes):
            yield event
        elif isinstance(event[1], Finished):
            ends[event[0]] = event[1]
            yield chunk(event[0], "", reason=event[1].reason)
        else:
            yield chunk(event[0], event[1].text, _logprobs(context, body, event[1].tokens, offsets[event[0]]))
            offsets[event[0]] += len(event[1].text)
    if body.wants_usage and len(ends) == len(answers.jobs):
        yield frame({**head, "choices": [], "usage": usage(prompts, [ends[number] for number in sorted(ends)])})
    yield frame("[DONE]")
