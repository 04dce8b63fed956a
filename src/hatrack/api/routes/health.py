"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.context import InContext

__all__ = ["router"]

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="The process answers")
async def healthz() -> Response:
    """For a liveness probe."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", summary="The base is loaded and requests are taken", responses={503: {"description": "The server ends."}})
async def readyz(context: InContext) -> Response:
    """For a readiness probe: 503 while the server ends."""
    return JSONResponse({"status": "draining"}, 503) if context.draining else JSONResponse({"status": "ready"})


@router.get("/metrics", summary="Figures for Prometheus")
async def metrics(context: InContext) -> Response:
    """By adapter and version, idle ones too."""
    text = await run_in_threadpool(context.meters.text, context.service)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
