"""The application: Guard ─► pages (GET) and actions (POST, PUT) ─► jobs, the server, and what lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hatrack.api.errors import Refusal
from hatrack.core.errors import HatrackError
from hatrack.core.project import Project
from hatrack.studio.guard import HEADERS, Guard
from hatrack.studio.jobs import Jobs
from hatrack.studio.searching import Searching
from hatrack.studio.serving import Serving

__all__ = ["InStudio", "Studio", "create_app", "page"]

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Studio:
    """What the routes work on."""

    project: Project
    jobs: Jobs
    serving: Serving
    searching: Searching

    def close(self) -> None:
        """End everything that was started."""
        self.searching.close()
        self.serving.stop()
        self.jobs.close()


def create_app(studio: Studio) -> FastAPI:
    """The ASGI application."""
    from hatrack.studio import actions, beside, data, keys, knowledge, pages, tables, watching

    app = FastAPI(title="Hatrack studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.studio = studio
    app.state.context = SimpleNamespace(draining=False)  # ``api.server.Server`` tells it of the end
    app.add_middleware(Guard)
    for part in (pages, actions, beside, data, knowledge, tables, watching, keys):
        app.include_router(part.router)
    app.add_exception_handler(HatrackError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _studio(request: Request) -> Studio:
    found: Studio = request.app.state.studio
    return found


InStudio = Annotated[Studio, Depends(_studio)]


def page(name: str, studio: Studio, status: int = 200, **values: Any) -> HTMLResponse:
    """A page or a fragment by its template; data of one project, which nobody keeps."""
    shared = {"project": studio.project.root.name, "at_work": studio.jobs.running(), "serving": studio.serving.state}
    return HTMLResponse(_templates().get_template(name).render(**shared, **values), status, headers=HEADERS)


@lru_cache
def _templates() -> Environment:
    return Environment(autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


async def _refused(request: Request, error: Exception) -> Response:
    """A page where a page was asked for; else the text, which the script shows on the page that is there."""
    if not isinstance(error, HatrackError):
        raise error
    status = error.status if isinstance(error, Refusal) else 404 if isinstance(error, LookupError) else 409
    if request.method == "GET" and request.headers.get("hx-request") is None:
        return page("fault.html", request.app.state.studio, status, text=str(error))
    return PlainTextResponse(str(error), status, headers=HEADERS)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return PlainTextResponse("this request has fields that the page does not send", 422, headers=HEADERS)
