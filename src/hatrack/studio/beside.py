"""Two versions of an adapter, or one and the base, row by row: a job writes the page, and the adapter's own page leads to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.errors import Refusal
from hatrack.core.errors import ConfigError
from hatrack.core.names import BASE
from hatrack.core.project import Project
from hatrack.studio.app import InStudio
from hatrack.studio.buttons import form_of, start
from hatrack.studio.guard import scripted_headers
from hatrack.studio.views import AdapterView, adapter_view

__all__ = ["Pair", "make", "pairs_of", "rivals_of", "router"]

_BY_ANSWER = ("classify", "classify-by-text", "instruct")  # the other tasks have no answers that could differ
_BASE_ANSWERS = ("classify-by-text", "instruct")  # an encoder alone gives none

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Pair:
    """A page that was made; ``against`` is a version or ``base``."""

    version: str
    against: str
    made: str
    path: Path


def rivals_of(view: AdapterView) -> list[str]:
    """What versions of an adapter can be put beside: the base, where it answers, and each other. Empty: there is nothing to compare."""
    if view.task not in _BY_ANSWER or not view.versions:
        return []
    found = [BASE] if view.task in _BASE_ANSWERS else []
    found += [one.version for one in view.versions]
    return found if len(found) > 1 else []


def pairs_of(project: Project, name: str) -> list[Pair]:
    """The pages of an adapter, the newest first."""
    found = []
    for path in _folder(project).glob(f"{name}@*~*.html"):
        version, _, against = path.stem.partition("@")[2].partition("~")
        found.append((path.stat().st_mtime, version, against, path))
    return [Pair(version, against, _time(made), path) for made, version, against, path in sorted(found, reverse=True)]


@router.post("/adapters/{name}/beside")
async def make(name: str, request: Request, studio: InStudio) -> Response:
    """Let both answer the test rows."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    form = await form_of(request)
    version, against = form.get("version", ""), form.get("against", "")
    rivals = rivals_of(view)
    if version in (BASE, against) or not {version, against} <= set(rivals):
        raise ConfigError(
            "these two cannot be put side by side", given=f"{version[:40]!r} and {against[:40]!r}",
            allowed=f"two of {', '.join(rivals)}" if rivals else "tasks with answers, and a version beside another or the base",
        )  # fmt: skip
    other = against if against == BASE else f"{view.name}@{against}"
    path = _folder(studio.project) / f"{view.name}@{version}~{against}.html"
    command = ("eval", f"{view.name}@{version}", "--against", other, "--page", str(path.relative_to(studio.project.root)))
    return await start(studio, f"{view.name} {version} beside {against}", command, view.name)


@router.get("/adapters/{name}/beside/{version}/{against}")
def pair_page(name: str, version: str, against: str, studio: InStudio) -> Response:
    """All rows of the two, those that differ first; its own script filters them, and nothing else runs."""
    view = adapter_view(studio.project, name)
    found = next((one for one in pairs_of(studio.project, view.name) if (one.version, one.against) == (version, against)), None)
    if found is None:
        raise Refusal(404, "this page was not made yet", code="not_found", fix="press the button that makes it, on the adapter's page")
    content = found.path.read_bytes()
    return Response(content, media_type="text/html; charset=utf-8", headers=scripted_headers(content))


def _folder(project: Project) -> Path:
    return project.studio / "pairs"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
