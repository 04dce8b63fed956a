"""GET / and what its page asks for: fragments of HTML that htmx puts into place. Answers come from the API itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from hatrack.answering.decision import Decision
from hatrack.api.context import Context, InContext, InTrace, Trace
from hatrack.api.errors import Refusal
from hatrack.api.routes.tables import find_table
from hatrack.api.web.files import FILES, HEADERS, HERE, content
from hatrack.api.web.table_views import bars_of, explained_row, table_views
from hatrack.api.web.views import attributes, choices, rows, wanted

__all__ = ["adapters", "explain_row", "route", "router", "tables", "trial", "who"]

_ATTRIBUTES, _COLUMNS = 100, 2000  # fields that a form may have
_LONGEST = 20_000  # characters of a text to route: what decides stands at its beginning

router = APIRouter(tags=["page"])


async def _file(request: Request) -> Response:
    """The same for everybody; without a key."""
    file = FILES[request.url.path]
    return Response(content(file.name), media_type=file.media_type, headers=HEADERS)


for _path in FILES:
    router.add_api_route(_path, _file, methods=["GET"], summary="A file of the page", response_class=Response)


@router.get("/web/who", summary="Who can be asked", response_class=HTMLResponse)
async def who(context: InContext, trace: InTrace) -> Response:
    """The base, adapters and versions to tick."""
    found = await run_in_threadpool(choices, context, trace.caller)
    return _fragment("who.html", choices=found, kind=context.service.files.kind)


@router.get("/web/adapters", summary="Where each version is", response_class=HTMLResponse)
async def adapters(context: InContext, trace: InTrace) -> Response:
    """State, scores and figures."""
    found = await run_in_threadpool(lambda: list(rows(context, trace.caller)))
    return _fragment("adapters.html", rows=found, watched=trace.caller.may_watch, administers=trace.caller.may_administer)


@router.get("/web/trial", summary="What a trial of the router may say", response_class=HTMLResponse)
async def trial(context: InContext, trace: InTrace) -> Response:
    """A field for each attribute that the routing of this project looks at."""
    return _fragment("trial.html", attributes=attributes(context), tenant=trace.caller.tenant)


@router.post("/web/route", summary="Who would answer a text", response_class=HTMLResponse)
async def route(request: Request, context: InContext, trace: InTrace) -> Response:
    """A decision of the router, with its reason; nothing is generated."""
    given = {name: value for name, value in (await _form(request, _ATTRIBUTES)).items() if value}
    return _fragment("decision.html", decision=await run_in_threadpool(_decide, context, trace, given))


@router.get("/web/tables", summary="The table models", response_class=HTMLResponse)
async def tables(context: InContext, trace: InTrace) -> Response:
    """What counts in each, and a form for one row."""
    found = await run_in_threadpool(lambda: list(table_views(context, trace.caller)))
    return _fragment("tables.html", tables=found)


@router.post("/web/tables/{name}/explain", summary="One row of a table", response_class=HTMLResponse)
async def explain_row(name: str, request: Request, context: InContext, trace: InTrace) -> Response:
    """Its score and its reasons as bars; one field for each column."""
    row = await _form(request, _COLUMNS)
    manifest = await run_in_threadpool(find_table, name, context, trace.caller)
    one = await run_in_threadpool(explained_row, context, manifest, row)
    bars = bars_of({f"{reason.column} = {reason.value}": reason.contribution for reason in one.reasons})
    answer = _fragment("reasons.html", one=one, rows=bars)
    answer.headers.update(trace.uses(context, manifest))
    return answer


async def _form(request: Request, most: int) -> dict[str, str]:
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=most))
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refusal(400, "the form cannot be read", code="invalid_request", fix="send application/x-www-form-urlencoded") from error


def _decide(context: Context, trace: Trace, given: dict[str, str]) -> Decision:
    text = given.pop("text", "").strip()
    if not 0 < len(text) <= _LONGEST:
        raise Refusal(
            400, "this text cannot be routed", code="invalid_request", param="text",
            given=f"{len(text):,} characters", allowed=f"1 to {_LONGEST:,} characters",
        )  # fmt: skip
    return context.answerer.router.route(text, wanted(context, trace.caller, given))


@lru_cache
def _templates() -> Environment:
    return Environment(autoescape=True, loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _fragment(name: str, **values: Any) -> HTMLResponse:
    """Data of one caller: nobody keeps it."""
    text = _templates().get_template(name).render(**values)
    return HTMLResponse(text, headers={**HEADERS, "Cache-Control": "no-store"})
