"""GET /v1/models: every name that a request may carry as ``model``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.context import Context, InContext, InTrace, Trace
from hatrack.core.config_provider import host_of
from hatrack.core.lineage import Manifest
from hatrack.core.names import AUTO, BASE
from hatrack.registry.store import Registry

__all__ = ["router"]

router = APIRouter()


@router.get("/v1/models", summary="All adapters, versions and aliases")
async def models(context: InContext, trace: InTrace) -> Response:
    """What the caller's key may use: ``legal``, ``legal@1.2.0``, ``legal@champion``, ``base``."""
    data = await run_in_threadpool(lambda: list(_entries(context, trace)))
    return JSONResponse({"object": "list", "data": data})


@router.get("/v1/models/{model:path}", summary="One of them")
async def model(model: str, context: InContext, trace: InTrace) -> Response:
    """The version that a name means now."""
    return await run_in_threadpool(_one, context, trace, model)


def _one(context: Context, trace: Trace, name: str) -> JSONResponse:
    manifest = context.find(name, trace.caller)
    aliases = context.service.registry.aliases(manifest.name) if manifest else {}
    return JSONResponse(_entry(context, name, manifest, aliases), headers=trace.uses(context, manifest))


def _entries(context: Context, trace: Trace) -> Iterator[dict[str, Any]]:
    registry: Registry = context.service.registry
    yield {"id": AUTO, "object": "model", "created": 0, "owned_by": "hatrack", "hatrack": {"adapter": "whom routing chooses"}}
    if trace.caller.may_use(BASE):
        yield _entry(context, BASE, None, {})
    for name in filter(trace.caller.may_use, registry.names()):
        aliases = registry.aliases(name)
        versions = {manifest.version: manifest for manifest in registry.versions(name)}
        yield _entry(context, name, registry.resolve(name), aliases)
        for version, manifest in versions.items():
            yield _entry(context, f"{name}@{version}", manifest, aliases)
        for alias, version in sorted(aliases.items()):
            yield _entry(context, f"{name}@{alias}", versions[version], aliases)


def _entry(context: Context, name: str, manifest: Manifest | None, aliases: dict[str, str]) -> dict[str, Any]:
    files = context.service.files
    about: dict[str, Any] = {"base": context.service.config.base, "base_fingerprint": files.fingerprint}
    if manifest is not None:
        about |= {
            "base": manifest.base,
            "base_fingerprint": manifest.base_fingerprint,
            "adapter": manifest.name,
            "hosted": host_of(manifest.hosted.base_url) if manifest.hosted else None,
            "version": manifest.version,
            "digest": manifest.digest,
            "task": manifest.config["task"],
            "method": manifest.config["method"],
            "labels": manifest.config.get("labels") or [],
            "aliases": sorted(alias for alias, version in aliases.items() if version == manifest.version),
        }
    else:
        about["adapter"] = BASE
    created = int(datetime.fromisoformat(manifest.created).timestamp()) if manifest else 0
    return {"id": name, "object": "model", "created": created, "owned_by": "hatrack", "hatrack": about}
