"""The page of data: which files there are, and the first rows of one of them, with a mark where personal data stands.

Rows are read for the page and forgotten; no value that is found is on it, and nothing of a row is logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.errors import Refusal
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.project import Project
from hatrack.data.first_rows import first_rows
from hatrack.studio.app import InStudio, page
from hatrack.studio.buttons import start
from hatrack.studio.uploads import ALLOWED, FOLDER
from hatrack.studio.views import adapter_view, config_of

__all__ = ["DataFile", "data", "preview", "router"]

_ROWS = 20  # on a page
_PREVIEWED = 20  # rows with personal data that the command shows
_LAST = 100_000  # rows that are read over to get to a page
_UPLOADS = 200  # files of the folder that are listed

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class DataFile:
    """A file that can be looked at.

    Attributes:
        file: as the settings name it.
        owner: the adapter or table that learns from it; empty for one that no settings name.
        part: train, validation or test.
        size: in words; empty where there is no such file.
        adapter: whether the owner is an adapter, which has rules of its own for personal data.
    """

    file: str
    owner: str
    part: str
    size: str
    adapter: bool = False
    policy: PiiPolicy = field(default_factory=PiiPolicy)
    format: str = "auto"
    max_row_bytes: int = 1_000_000


@router.get("/data")
def data(studio: InStudio, of: str = "", file: str = "", after: Annotated[int, Query(ge=0, le=_LAST)] = 0) -> Response:
    """All files; the rows behind row ``after`` of the one that is named."""
    files = _files(studio.project)
    chosen = next((one for one in files if (one.owner, one.file) == (of, file)), None) if file else None
    if file and chosen is None:
        raise Refusal(404, "there is no such file", code="not_found", given=file[:100], fix="the page of data lists them")
    rows = None
    if chosen:
        path = studio.project.root / chosen.file
        rows = first_rows(path, chosen.policy, after, _ROWS, chosen.format, chosen.max_row_bytes)
    return page("data.html", studio, files=files, chosen=chosen, rows=rows, after=after, step=_ROWS, most=_LAST)


@router.post("/data/{name}/preview")
async def preview(name: str, studio: InStudio) -> Response:
    """What redaction would change in the rows as they are prepared."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    command = ("prepare", view.name, "--preview-pii", str(_PREVIEWED))
    return await start(studio, f"What redaction changes in {view.name}", command, view.name)


def _files(project: Project) -> list[DataFile]:
    """Those of the settings, then those that were sent and are in no settings."""
    config, found = config_of(project), []
    adapters, tables = (config.adapters, config.tables) if config else ({}, {})
    for name, adapter in adapters.items():
        if adapter.data is None:
            continue
        for part in ("train", "validation", "test"):
            if file := getattr(adapter.data, part):
                size, limit = _size(project.root / file), adapter.checks.max_row_bytes
                found.append(DataFile(file, name, part, size, True, adapter.prepare.pii, adapter.data.format, limit))
    for name, table in tables.items():
        for part in ("train", "test"):
            if file := getattr(table.data, part):
                found.append(DataFile(file, name, part, _size(project.root / file)))
    named = {(project.root / one.file).resolve() for one in found}
    for path in sorted((project.root / FOLDER).glob("*"))[:_UPLOADS]:
        if path.is_file() and path.suffix.lower() in ALLOWED and path.resolve() not in named:
            found.append(DataFile(f"{FOLDER}/{path.name}", "", "", _size(path)))
    return found


def _size(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    try:
        size = path.stat().st_size
    except OSError:
        return ""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"
