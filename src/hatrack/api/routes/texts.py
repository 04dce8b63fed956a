"""POST /v1/embeddings and /v1/classify: what an adapter makes of given texts."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.answers import charge, unless_gone
from hatrack.api.choice import Chooser, InChoice
from hatrack.api.context import InContext, InTrace, served_name
from hatrack.api.shapes.texts import ClassifyBody, EmbeddingBody, TextsBody
from hatrack.core.lineage import Manifest
from hatrack.serving.labels import Labelled

__all__ = ["router"]

T = TypeVar("T")
_AT_ONCE = 64  # texts of one call: between two calls others have their turn

router = APIRouter()


@router.post("/v1/embeddings", summary="Vectors of texts")
async def embed(body: EmbeddingBody, request: Request, context: InContext, trace: InTrace, choice: InChoice) -> Response:
    """OpenAI's embeddings: mean-pooled last hidden states of length one, with the adapter on."""
    manifest, tokens, parts = await _all(body, request, choice, context.service.embed)
    vectors = [row for part in parts for row in part]
    if body.encoding_format == "base64":
        sent: list[Any] = [base64.b64encode(row.numpy().astype("<f4").tobytes()).decode("ascii") for row in vectors]
    else:
        sent = [row.tolist() for row in vectors]
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(sent)]
    return _told(choice, manifest, data, tokens)


@router.post("/v1/classify", summary="Labels of texts, with probabilities")
async def classify(body: ClassifyBody, request: Request, context: InContext, trace: InTrace, choice: InChoice) -> Response:
    """The labels of each text, likeliest first, by an adapter of task classify or classify-by-text."""
    manifest, tokens, parts = await _all(body, request, choice, context.service.classify)
    labelled: list[Labelled] = [one for part in parts for one in part]
    if manifest is not None:
        chosen, sure = [one.label or "" for one in labelled], [one.probability for one in labelled]
        await run_in_threadpool(context.answerer.log.note, manifest.name, manifest.version, body.texts, chosen, sure)
    data = [
        {
            "object": "classification",
            "index": number,
            "label": one.label,
            "probability": one.probability,
            "labels": [{"label": label, "probability": probability} for label, probability in one.labels],
        }
        for number, one in enumerate(labelled)
    ]
    return _told(choice, manifest, data, tokens)


async def _all(
    body: TextsBody, request: Request, choice: Chooser, call: Callable[[Manifest | None, Sequence[str]], Future[T]]
) -> tuple[Manifest | None, int, list[T]]:
    context, trace, texts = choice.context, choice.trace, body.texts
    manifest, tokens = await run_in_threadpool(_prepare, choice, body.model, texts)
    charge(trace.caller, tokens)
    trace.prompt_tokens = tokens
    begin, outcome, parts = time.monotonic(), "failed", []
    try:
        for start in range(0, len(texts), _AT_ONCE):
            future = await run_in_threadpool(call, manifest, texts[start : start + _AT_ONCE])
            parts.append(await unless_gone(request, asyncio.wrap_future(future)))
        outcome = "stop"
    finally:
        context.meters.called(manifest, outcome, tokens, time.monotonic() - begin)
    return manifest, tokens, parts


def _prepare(choice: Chooser, model: str, texts: list[str]) -> tuple[Manifest | None, int]:
    manifest = choice.choose(model, lambda: "\n".join(texts))  # one adapter for all of them
    ids = choice.context.service.files.tokenizer(texts, verbose=False)["input_ids"]
    return manifest, sum(len(row) for row in ids)


def _told(choice: Chooser, manifest: Manifest | None, data: list[dict[str, Any]], tokens: int) -> JSONResponse:
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    content = {"object": "list", "model": served_name(manifest), "data": data, "usage": usage}
    return JSONResponse(content, headers=choice.trace.uses(choice.context, manifest) | choice.headers)
