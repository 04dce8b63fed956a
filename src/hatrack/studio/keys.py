"""The page of API keys: who may ask the server for what, and how much.

A key is made here and not by a command, whose output is kept: it is shown once, in the answer to the button, and stands nowhere.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.keys import KeyFile
from hatrack.core.errors import ConfigError
from hatrack.core.project import Project
from hatrack.studio.app import InStudio, page
from hatrack.studio.buttons import form_of, go_to
from hatrack.studio.views import config_of

__all__ = ["keys", "make", "revoke", "router"]

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/keys")
def keys(studio: InStudio) -> Response:
    """All keys with their rights, limits and use, revoked ones too."""
    config, found = config_of(studio.project), _file(studio.project).read()
    counted = studio.serving.state == "on" and (config is None or config.serve.http.log)
    used = {key.name: studio.serving.usage.of(key.name) for key in found if not key.revoked} if counted else {}
    return page("keys.html", studio, keys=found, used=used, counted=counted, adapters=list(config.adapters) if config else [])


@router.post("/keys/make")
async def make(request: Request, studio: InStudio) -> Response:
    """A new key, shown now and never again."""
    form = await form_of(request)
    name, tenant = form.get("name", "").strip(), form.get("tenant", "").strip()
    scopes = tuple(form.get("scopes", "").split()) or ("use:*",)
    limits = [_limit(form, "requests_per_minute"), _limit(form, "tokens_per_minute")]
    file = await run_in_threadpool(_file, studio.project)
    key, entry = await run_in_threadpool(file.make, name, scopes, tenant or None, *limits)
    return page("made_key.html", studio, key=key, entry=entry)


@router.post("/keys/revoke")
async def revoke(request: Request, studio: InStudio) -> Response:
    """Take a key's rights away; a running server knows at once."""
    form = await form_of(request)
    file = await run_in_threadpool(_file, studio.project)
    await run_in_threadpool(file.revoke, form.get("name", ""))
    return go_to("/keys")


def _file(project: Project) -> KeyFile:
    config = config_of(project)
    own = config.serve.keys_file if config else None
    return KeyFile(project.root / own if own else project.keys)


def _limit(form: dict[str, str], field: str) -> float | None:
    text = form.get(field, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError("this is no limit", given=f"{field}: {text[:40]}", allowed="a number above 0, or nothing") from error
