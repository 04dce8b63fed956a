"""The page of table models: from a file with a column to predict to a proven version, with pictures of what counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.errors import Refusal
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import TABLE
from hatrack.core.names import NAME_RULE, split_reference, valid_name
from hatrack.core.project import Project
from hatrack.registry.store import CHAMPION, Registry
from hatrack.studio.app import InStudio, page
from hatrack.studio.buttons import form_of, start
from hatrack.studio.guard import HEADERS
from hatrack.studio.uploads import FOLDER, safe_name
from hatrack.studio.views import VersionView, config_of, version_view

__all__ = ["TableView", "compare", "explain", "picture", "promote", "rollback", "router", "set_up", "tables", "train"]

_BACK = "/tables"
_ALLOWED = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
_PICTURE = re.compile(r"[A-Za-z0-9._-]+\.png")

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class TableView:
    """A table of the config, of the registry, or of both; versions newest first, pictures by file name.

    Attributes:
        target: the column that is predicted; empty where the config does not know the table any more.
    """

    name: str
    target: str
    data: str
    model: str
    versions: tuple[VersionView, ...]
    champion: str
    pictures: tuple[str, ...]


@router.get("/tables")
def tables(studio: InStudio) -> Response:
    """All tables with their proof, and a form for another one."""
    return page("tables.html", studio, tables=_views(studio.project), allowed=",".join(_ALLOWED), has_config=config_of(studio.project))


@router.get("/tables/{name}/{picture}")
def picture(name: str, picture: str, studio: InStudio) -> Response:
    """One of the pictures that explaining leaves."""
    path = _pictures(studio.project, _known(studio.project, name).name) / picture
    if not _PICTURE.fullmatch(picture) or not path.is_file():
        raise Refusal(404, "there is no such picture", code="not_found", given=picture[:100], fix="press Explain")
    return Response(path.read_bytes(), media_type="image/png", headers=HEADERS)


@router.post("/tables/begin")
async def set_up(request: Request, studio: InStudio) -> Response:
    """A table for an uploaded file."""
    form = await form_of(request)
    file, name, target = safe_name(form.get("file", "")), form.get("name", "").strip().lower(), form.get("target", "").strip()
    if not valid_name(name) or name == "base":
        raise ConfigError("this cannot be the name of a table", given=repr(name), allowed=NAME_RULE)
    if not target or target.startswith("-"):
        raise ConfigError("the column to predict is not said", given=repr(target), allowed="the name of a column of the file")
    there = await run_in_threadpool(config_of, studio.project)
    more = ("--add",) if there else ()
    return await start(studio, f"Set up {name}", ("init", f"{FOLDER}/{file}", "--name", name, "--table", target, *more), back=_BACK)


@router.post("/tables/{name}/train")
async def train(name: str, studio: InStudio) -> Response:
    """Fit and measure a version."""
    view = await run_in_threadpool(_known, studio.project, name)
    return await start(studio, f"Train {view.name}", ("table", "train", view.name), back=_BACK)


@router.post("/tables/{name}/compare")
async def compare(name: str, studio: InStudio) -> Response:
    """All kinds of models side by side."""
    view = await run_in_threadpool(_known, studio.project, name)
    return await start(studio, f"Compare models for {view.name}", ("table", "compare", view.name), back=_BACK)


@router.post("/tables/{name}/explain")
async def explain(name: str, studio: InStudio) -> Response:
    """What counts, as a table and as pictures."""
    view = await run_in_threadpool(_known, studio.project, name)
    folder = str(_pictures(studio.project, view.name))
    return await start(studio, f"Explain {view.name}", ("table", "explain", view.name, "--plots", folder), back=_BACK)


@router.post("/tables/{reference}/promote")
async def promote(reference: str, studio: InStudio) -> Response:
    """Make a version the champion, if its proof allows."""
    name, version = split_reference(reference)
    view = await run_in_threadpool(_known, studio.project, name)
    return await start(studio, f"Promote {view.name} {version}", ("promote", f"{view.name}@{version}"), back=_BACK)


@router.post("/tables/{name}/rollback")
async def rollback(name: str, studio: InStudio) -> Response:
    """Give the title back."""
    view = await run_in_threadpool(_known, studio.project, name)
    return await start(studio, f"Roll {view.name} back", ("rollback", view.name), back=_BACK)


def _views(project: Project) -> list[TableView]:
    config, registry = config_of(project), Registry(project)
    known = config.tables if config else {}
    stored = registry.names(TABLE)
    views = []
    for name in [*known, *(name for name in stored if name not in known)]:
        entry, aliases = known.get(name), registry.aliases(name) if name in stored else {}
        made = reversed(registry.versions(name)) if name in stored else ()
        views.append(
            TableView(
                name,
                entry.target if entry else "",
                entry.data.train if entry else "",
                entry.model if entry else "",
                tuple(version_view(one, aliases, registry.report(one)) for one in made),
                aliases.get(CHAMPION, ""),
                tuple(sorted(path.name for path in _pictures(project, name).glob("*.png"))),
            )
        )
    return views


def _known(project: Project, name: str) -> TableView:
    found = next((view for view in _views(project) if view.name == name), None)
    if found is None:
        raise Refusal(404, "there is no such table", code="not_found", given=name[:100], fix="the page of tables lists them")
    return found


def _pictures(project: Project, name: str) -> Path:
    return project.studio / "pictures" / name
