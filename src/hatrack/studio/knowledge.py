"""The page of a knowledge base: documents in and out, and what a question finds, with the reasons.

Documents come and go by ``hatrack kb``. A search is answered here: the embedder stays loaded between two questions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.core.config_knowledge import KnowledgeSettings
from hatrack.core.errors import ConfigError, DataFileError
from hatrack.rag.catalog import Catalog, DocumentRow
from hatrack.rag.metadata import shown_metadata
from hatrack.studio.app import InStudio, Studio, page
from hatrack.studio.buttons import form_of, start
from hatrack.studio.guard import HEADERS
from hatrack.studio.uploads import ALLOWED, keep, safe_name
from hatrack.studio.views import config_of

__all__ = ["Collection", "add", "found", "knowledge", "remove", "router", "upload"]

_SHOWN = 200  # documents of a collection
_LONGEST = 2000  # characters of a question
_BACK = "/knowledge"
_FOLDER = "documents"

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Collection:
    """One collection; ``documents`` are its first ones, ``count`` is all of them."""

    name: str
    count: int
    chunks: int
    documents: tuple[DocumentRow, ...]


@router.get("/knowledge")
def knowledge(studio: InStudio) -> Response:
    """Collections with their documents, and a field to ask them."""
    return page("knowledge.html", studio, collections=_collections(studio), allowed=",".join(ALLOWED))


@router.get("/knowledge/found")
def found(studio: InStudio, question: Annotated[str, Query(max_length=_LONGEST)] = "", collection: str = "") -> Response:
    """What a question finds: a part of the page."""
    settings = _settings(studio)
    names = [_known(settings, collection)] if collection else list(settings.collections)
    if not question.strip():
        raise ConfigError("there is no question", fix="write what is to be looked for")
    passages = studio.searching.search(settings, question, names)
    return page("found.html", studio, passages=passages, question=question, mode=settings.search.mode)


@router.put("/knowledge/files/{name}")
async def upload(name: str, request: Request, studio: InStudio) -> Response:
    """Keep a document; one of this name is replaced, and so brought up to date when it is added."""
    kept = await keep(request.stream(), studio.project.root / _FOLDER, safe_name(name), replace=True)
    return JSONResponse({"file": kept.name}, headers=HEADERS)


@router.post("/knowledge/add")
async def add(request: Request, studio: InStudio) -> Response:
    """Take in an uploaded file, or bring it up to date."""
    form = await form_of(request)
    settings = await run_in_threadpool(_settings, studio)
    file, name = safe_name(form.get("file", "")), _known(settings, form.get("collection", ""))
    if not (studio.project.root / _FOLDER / file).is_file():
        raise DataFileError("there is no such file", given=file, fix="choose it again")
    return await start(studio, f"Add {file} to {name}", ("kb", "add", f"{_FOLDER}/{file}", "--collection", name), back=_BACK)


@router.post("/knowledge/remove")
async def remove(request: Request, studio: InStudio) -> Response:
    """Take a document out; its file stays."""
    form = await form_of(request)
    settings = await run_in_threadpool(_settings, studio)
    name, source = _known(settings, form.get("collection", "")), form.get("source", "")
    return await start(studio, f"Remove {source} from {name}", ("kb", "remove", source, "--collection", name), back=_BACK)


def _settings(studio: Studio) -> KnowledgeSettings:
    config = config_of(studio.project)
    return config.knowledge if config else KnowledgeSettings()


def _known(settings: KnowledgeSettings, name: str) -> str:
    if name not in settings.collections:
        raise ConfigError(f"there is no collection called {name!r}", given=name, allowed=", ".join(settings.collections))
    return name


def _collections(studio: Studio) -> list[Collection]:
    settings = _settings(studio)
    if not studio.project.knowledge.exists():  # to look must not make one
        return [Collection(name, 0, 0, ()) for name in settings.collections]
    catalog = Catalog(studio.project.knowledge)
    try:
        views = []
        for name in settings.collections:
            rows = list(catalog.documents(name))
            views.append(Collection(name, len(rows), sum(row.chunks for row in rows), tuple(_readable(row) for row in rows[:_SHOWN])))
        return views
    finally:
        catalog.close()


def _readable(row: DocumentRow) -> DocumentRow:
    return replace(row, metadata=shown_metadata(row.metadata))
