"""What buttons do: each starts one command, or the server. The answer tells the browser which page to show next."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.core.atomic import write_text
from hatrack.core.config_file import CONFIG_NAME, parse_config
from hatrack.core.errors import ConfigError
from hatrack.core.names import NAME_RULE, split_reference, valid_name
from hatrack.studio.app import InStudio
from hatrack.studio.buttons import form_of, go_to, start
from hatrack.studio.guard import HEADERS
from hatrack.studio.uploads import FOLDER, keep, safe_name
from hatrack.studio.views import adapter_view, check_page, config_of

__all__ = [
    "begin",
    "cancel",
    "check",
    "compare",
    "config",
    "promote",
    "rollback",
    "router",
    "start_serving",
    "stop_serving",
    "train",
    "upload",
]

_BASES = {"labels": "bundled/all-minilm-l6-v2", "text": "bundled/smollm2-135m-instruct"}
_MINUTES = 24 * 60

router = APIRouter()


@router.put("/files/{name}")
async def upload(name: str, request: Request, studio: InStudio) -> Response:
    """Keep a file; says under which name."""
    kept = await keep(request.stream(), studio.project.root / FOLDER, safe_name(name))
    return JSONResponse({"file": kept.name}, headers=HEADERS)


@router.post("/begin")
async def begin(request: Request, studio: InStudio) -> Response:
    """An adapter for an uploaded file."""
    form = await form_of(request)
    file, name = safe_name(form.get("file", "")), form.get("name", "").strip().lower()
    if not valid_name(name) or name == "base":
        raise ConfigError("this cannot be the name of an adapter", given=repr(name), allowed=NAME_RULE)
    config = await run_in_threadpool(config_of, studio.project)
    kind, base = form.get("kind", ""), form.get("base", "").strip()
    if config is None and not base and kind not in _BASES:
        raise ConfigError("what should come out is not said", given=repr(kind[:20]), allowed=", ".join(_BASES), fix="choose one")
    more = ("--add",) if config else ("--base", base or _BASES[kind])
    return await start(studio, f"Set up {name}", ("init", f"{FOLDER}/{file}", "--name", name, *more), name)


@router.post("/adapters/{name}/check")
async def check(name: str, studio: InStudio) -> Response:
    """Look at the data."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    target = check_page(studio.project, view.name).relative_to(studio.project.root)
    return await start(studio, f"Look at the data of {name}", ("check", view.name, "--html", str(target)), view.name)


@router.post("/adapters/{name}/train")
async def train(name: str, studio: InStudio) -> Response:
    """Train, measure, and promote what is better."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    return await start(studio, f"Train and prove {name}", ("adapt", view.name), view.name)


@router.post("/adapters/{name}/compare")
async def compare(name: str, request: Request, studio: InStudio) -> Response:
    """Every approach, within a time."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    minutes = (await form_of(request)).get("minutes", "")
    if not minutes.isdigit() or not 1 <= int(minutes) <= _MINUTES:
        raise ConfigError("this is no time", given=repr(minutes[:20]), allowed=f"1 to {_MINUTES} minutes")
    return await start(studio, f"Compare approaches for {name}", ("compare", view.name, "--minutes", minutes), view.name)


@router.post("/adapters/{reference}/promote")
async def promote(reference: str, studio: InStudio) -> Response:
    """Make a version the champion, if its proof allows."""
    name, version = split_reference(reference)
    return await start(studio, f"Promote {name} {version}", ("promote", f"{name}@{version}"), name)


@router.post("/adapters/{name}/rollback")
async def rollback(name: str, studio: InStudio) -> Response:
    """Give the title back."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    return await start(studio, f"Roll {name} back", ("rollback", view.name), view.name)


@router.post("/jobs/{number}/cancel")
async def cancel(number: int, studio: InStudio) -> Response:
    """Ask a job to end."""
    await run_in_threadpool(lambda: studio.jobs.cancel(studio.jobs.get(number)))
    return Response(status_code=204, headers=HEADERS)


@router.post("/serving/start")
async def start_serving(studio: InStudio) -> Response:
    """Start the server."""
    await run_in_threadpool(studio.serving.start)
    return go_to("/serving")


@router.post("/serving/stop")
async def stop_serving(studio: InStudio) -> Response:
    """Stop the server."""
    await run_in_threadpool(studio.serving.stop)
    return go_to("/serving")


@router.post("/config")
async def config(request: Request, studio: InStudio) -> Response:
    """Keep a changed config, if it has no fault."""
    text = (await form_of(request)).get("text", "").replace("\r\n", "\n")
    await run_in_threadpool(parse_config, text)
    await run_in_threadpool(write_text, studio.project.root / CONFIG_NAME, text)
    return go_to("/")
