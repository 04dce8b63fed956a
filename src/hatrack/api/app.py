"""The application: layers around routes.

Journal (id, log, span) ─► Gate (key, scope, quota) ─► Bodies (size, time) ─► routes, page ─► service
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from hatrack.answering.answer import Answerer
from hatrack.api.bodies import Bodies
from hatrack.api.context import Context
from hatrack.api.document import Described
from hatrack.api.errors import Refusal, error_response, validation_refusal
from hatrack.api.gate import Gate
from hatrack.api.journal import Journal
from hatrack.api.keys import KeyRing
from hatrack.api.routes import admin, chat, completions, health, models, responses, tables, texts
from hatrack.api.web import page as web
from hatrack.core.config_http import HttpSettings
from hatrack.core.errors import HatrackError
from hatrack.serving.service import ModelService

__all__ = ["create_app", "create_routes"]


def create_app(service: ModelService, ring: KeyRing, settings: HttpSettings | None = None, *, loopback_only: bool = False) -> FastAPI:
    """The ASGI application for a started service.

    Args:
        loopback_only: as long as no key is asked for, take only requests that are addressed to this machine.

    Raises:
        ConfigError: the routing names adapters that are not registered.
    """
    answerer = Answerer(service)
    answerer.router.check()
    context = Context(service, ring, settings or HttpSettings(), answerer, loopback_only=loopback_only)
    answerer.guard.count = context.meters.guarded
    answerer.grounder.count = context.meters.rewrote
    app = create_routes(page=context.settings.page)
    app.state.context = context
    for layer in (Bodies, Gate, Journal):  # the last one added is the outermost
        app.add_middleware(layer, context=context)
    app.add_exception_handler(HatrackError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_status)
    return app


def create_routes(*, page: bool = True) -> FastAPI:
    """The routes without a service behind them: enough for their OpenAPI document, which needs no model."""
    # The pages that FastAPI makes of the OpenAPI document load scripts from elsewhere.
    app = Described(title="Hatrack", version="1", docs_url=None, redoc_url=None)
    for room in (chat, completions, responses, texts, tables, models, admin, health):
        app.include_router(room.router)
    if page:
        app.include_router(web.router)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HatrackError):
        raise error
    return error_response(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return error_response(validation_refusal(error))


async def _by_status(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    codes = {404: ("there is no such route", "not_found"), 405: ("this route has another method", "method_not_allowed")}
    what, code = codes.get(error.status_code, (str(error.detail), "invalid_request"))
    given = f"{request.method} {request.url.path[:200]}" if error.status_code in codes else ""
    refusal = Refusal(
        error.status_code, what, code=code, given=given, fix="GET /openapi.json names the routes" if given else "see docs/api.md"
    )
    return error_response(refusal, error.headers)
