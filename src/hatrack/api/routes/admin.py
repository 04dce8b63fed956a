"""/admin: which versions are in memory, and which one is champion. Needs the scope admin."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hatrack.api.context import Context, InContext, InTrace, Trace
from hatrack.api.errors import Refusal
from hatrack.core.lineage import Manifest
from hatrack.registry.promote import promote, rollback
from hatrack.serving.engines.base import ServingEngine
from hatrack.serving.states import AdapterState

__all__ = ["PromoteBody", "router"]

router = APIRouter(prefix="/admin/adapters", tags=["admin"])


class PromoteBody(BaseModel):
    """What a promotion may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    override: str = Field("", max_length=1000, description="Promote without a passing report, for this reason; it is recorded.")


@router.get("", summary="Every registered version and where it is")
async def states(context: InContext) -> Response:
    """Idle versions too."""
    found = await run_in_threadpool(context.service.states)
    return JSONResponse({"object": "list", "data": [_state(state) for state in found]})


@router.post("/{reference}/load", status_code=202, summary="Begin to load a version before anybody asks for it")
async def load(reference: str, context: InContext) -> Response:
    """Answers at once; ``GET /admin/adapters`` says when it is resident."""
    return await run_in_threadpool(_load, context, reference)


@router.post("/{reference}/unload", summary="Give a version's memory back")
async def unload(reference: str, context: InContext) -> Response:
    """409 while it answers."""
    return await run_in_threadpool(_unload, context, reference)


@router.post("/{reference}/pin", summary="Load a version and never evict it")
async def pin(reference: str, context: InContext) -> Response:
    """Until it is unpinned or the server ends."""
    return await run_in_threadpool(_pin, context, reference)


@router.post("/{reference}/unpin", summary="Let a version be evicted again")
async def unpin(reference: str, context: InContext) -> Response:
    """Nothing happens to one that is not pinned."""
    return await run_in_threadpool(_unpin, context, reference)


@router.post("/{reference}/promote", summary="Make a version the champion, if its evaluation allows it")
async def promote_version(reference: str, context: InContext, trace: InTrace, body: PromoteBody | None = None) -> Response:
    """The registry's own gate; requests for the bare name get the new champion from now on."""
    return await run_in_threadpool(_promote, context, trace, reference, body.override if body else "")


@router.post("/{name}/rollback", summary="Give the title back to the champion before")
async def roll_back(name: str, context: InContext, trace: InTrace) -> Response:
    """409 where there was none."""
    return await run_in_threadpool(_rollback, context, trace, name)


def _load(context: Context, reference: str) -> JSONResponse:
    manifest = context.find_to_administer(reference)
    if context.service.mixed(manifest) and context.service.engine is not None:
        context.service.engine.load(manifest)
    else:
        context.service.groups.call(lambda host: None, manifest)  # whatever it is asked, it is attached first
    return _done(manifest, "loading", 202)


def _unload(context: Context, reference: str) -> JSONResponse:
    manifest = context.find_to_administer(reference)
    if not _slots(context, manifest).unload(manifest.digest):
        raise Refusal(
            409,
            f"{manifest.name}@{manifest.version} cannot be unloaded now",
            code="adapter_busy",
            param="reference",
            allowed="a version that is resident and answers nobody",
            fix="GET /admin/adapters",
        )
    return _done(manifest, "unloaded")


def _pin(context: Context, reference: str) -> JSONResponse:
    manifest = context.find_to_administer(reference)
    engine = _slots(context, manifest)
    if not engine.pin(manifest):
        raise Refusal(
            409,
            "one more pinned version would leave no slot for the others",
            code="too_many_pinned",
            given=f"{len(engine.residence().pinned)} pinned",
            allowed=f"{engine.settings.slots - 1}",
            fix="unpin one, or raise serve.slots",
        )
    return _done(manifest, "pinned")


def _unpin(context: Context, reference: str) -> JSONResponse:
    manifest = context.find_to_administer(reference)
    _slots(context, manifest).unpin(manifest.digest)
    return _done(manifest, "unpinned")


def _promote(context: Context, trace: Trace, reference: str, override: str) -> JSONResponse:
    registry, rules = context.service.registry, context.service.config.gate
    return _done(promote(registry, reference, override=override, rules=rules, actor=_who(trace)), "champion")


def _rollback(context: Context, trace: Trace, name: str) -> JSONResponse:
    return _done(rollback(context.service.registry, name, actor=_who(trace)), "champion")


def _who(trace: Trace) -> str:
    return f"key {trace.caller.name}" if trace.caller.name else ""


def _slots(context: Context, manifest: Manifest) -> ServingEngine:
    """The engine that holds a version in a slot.

    Raises:
        Refusal: it is not held in one.
    """
    engine = context.service.engine
    if engine is None or not context.service.mixed(manifest):
        raise Refusal(
            409,
            f"{manifest.name}@{manifest.version} does not lie in a slot",
            code="adapter_not_for_this",
            param="reference",
            given=f"method {manifest.config['method']}",
            allowed="versions that are answered in mixed batches",
            fix="nothing: it is loaded when it is asked",
        )
    return engine


def _done(manifest: Manifest, state: str, status: int = 200) -> JSONResponse:
    return JSONResponse({"adapter": manifest.name, "version": manifest.version, "digest": manifest.digest, "state": state}, status)


def _state(state: AdapterState) -> dict[str, Any]:
    manifest = state.manifest
    return {
        "adapter": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "aliases": list(state.aliases),
        "method": manifest.config["method"],
        "mixed": state.mixed,
        "state": state.state,
        "pinned": state.pinned,
        "running": state.running,
        "waiting": state.waiting,
        "loads": state.loads,
        "evictions": state.evictions,
    }
