"""What is shown. Nothing here changes anything; what is slow lies on disk already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from hatrack.api.errors import Refusal
from hatrack.api.web.files import content
from hatrack.core.config_file import CONFIG_NAME
from hatrack.core.run_folder import REPORT
from hatrack.registry.store import Registry
from hatrack.studio.app import InStudio, Studio, page
from hatrack.studio.beside import pairs_of, rivals_of
from hatrack.studio.chart import Chart, chart_of
from hatrack.studio.guard import HEADERS, REPORT_HEADERS
from hatrack.studio.jobs import Job
from hatrack.studio.lineage import lineage_of
from hatrack.studio.runs import Run, find_run, runs
from hatrack.studio.settings import differing, settings_of
from hatrack.studio.uploads import ALLOWED
from hatrack.studio.views import adapter_view, adapter_views, check_page, config_of

__all__ = [
    "adapter",
    "all_runs",
    "check",
    "compare",
    "config",
    "file",
    "home",
    "job",
    "live",
    "router",
    "run",
    "run_report",
    "serving",
    "serving_live",
]

_OWN = Path(__file__).parent
_SHARED = {"page.css": "text/css", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FILES = {"studio.css": "text/css", "studio.js": "text/javascript"}
_TRAINS = ("adapt", "train", "compare")

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/web/{name}")
def file(name: str) -> Response:
    """Style, scripts and icon: the serving page's, and the studio's own on top."""
    if name in _SHARED:
        return Response(content(name), media_type=_SHARED[name], headers=HEADERS)
    if name in _FILES:
        return Response((_OWN / name).read_bytes(), media_type=_FILES[name], headers=HEADERS)
    return Response(status_code=404, headers=HEADERS)


@router.get("/")
def home(studio: InStudio) -> Response:
    """Where things stand, and what to do next."""
    config = config_of(studio.project)
    found = adapter_views(studio.project)
    return page("home.html", studio, config=config, adapters=found, jobs=studio.jobs.all()[:12], allowed=",".join(ALLOWED))


@router.get("/adapters/{name}")
def adapter(name: str, studio: InStudio) -> Response:
    """Data, training, proof and versions of one adapter."""
    view = adapter_view(studio.project, name)
    lineage = lineage_of(Registry(studio.project), view.name) if view.versions else None
    rivals, pairs = rivals_of(view), pairs_of(studio.project, view.name)
    return page("adapter.html", studio, adapter=view, lineage=lineage, rivals=rivals, pairs=pairs)


@router.get("/adapters/{name}/check.html")
def check(name: str, studio: InStudio) -> Response:
    """The report of its data."""
    return _report(check_page(studio.project, adapter_view(studio.project, name).name))


@router.get("/adapters/{name}/compare.html")
def compare(name: str, studio: InStudio) -> Response:
    """Which approach this data needs."""
    return _report(studio.project.runs / f"{adapter_view(studio.project, name).name}#compare" / "compare.html")


@router.get("/runs")
def all_runs(studio: InStudio, run: Annotated[list[str] | None, Query()] = None) -> Response:
    """All runs; those that are ticked on one chart."""
    found = runs(studio.project)
    chosen = [one for one in found if one.key in (run or [])]
    chart = chart_of([one.series("eval_loss", one.key) for one in chosen])
    kept = {one.key: settings for one in chosen if (settings := settings_of(studio.project, one))}
    differences = differing(list(kept.values()))
    return page(
        "runs.html", studio, runs=found, chosen=[one.key for one in chosen], chart=chart, compared=list(kept), differences=differences
    )


@router.get("/runs/{key}")
def run(key: str, studio: InStudio) -> Response:
    """One run: its losses, and what it was trained with."""
    known = _run(studio, key)
    linked = known.adapter in {view.name for view in adapter_views(studio.project)}
    return page("run.html", studio, run=known, chart=_losses(known), settings=settings_of(studio.project, known), linked=linked)


@router.get("/runs/{key}/report.html")
def run_report(key: str, studio: InStudio) -> Response:
    """The report that a run leaves."""
    return _report(studio.project.runs / _run(studio, key).key / REPORT)


@router.get("/jobs/{number}")
def job(number: int, studio: InStudio) -> Response:
    """A job while it works and afterwards."""
    return page("job.html", studio, **_job(studio, studio.jobs.get(number)))


@router.get("/jobs/{number}/live")
def live(number: int, studio: InStudio) -> Response:
    """The part of a job's page that renews itself."""
    return page("job_live.html", studio, **_job(studio, studio.jobs.get(number)))


@router.get("/serving")
def serving(studio: InStudio) -> Response:
    """The server: on, off, or why not."""
    return page("serving.html", studio, facts=dict(studio.serving.facts), said=studio.serving.said)


@router.get("/serving/live")
def serving_live(studio: InStudio) -> Response:
    """The part of it that renews itself."""
    return page("serving_live.html", studio, facts=dict(studio.serving.facts), said=studio.serving.said)


@router.get("/config")
def config(studio: InStudio) -> Response:
    """hatrack.yaml, to be changed."""
    path = studio.project.root / CONFIG_NAME
    return page("config.html", studio, text=path.read_text(encoding="utf-8") if path.exists() else "")


def _run(studio: Studio, key: str) -> Run:
    known = next((one for one in runs(studio.project) if one.key == key), None)
    if known is None:
        raise Refusal(404, "there is no such run", code="not_found", given=key[:100], fix="the page of runs lists them")
    return known


def _job(studio: Studio, one: Job) -> dict[str, Any]:
    out, err = studio.jobs.output(one)
    trains = one.adapter and one.command[0] in _TRAINS
    run = find_run(studio.project, one.adapter, one.started) if trains else None
    known = {view.name for view in adapter_views(studio.project)} if one.state != "running" else set()
    return {"job": one, "out": out, "err": err, "run": run, "chart": _losses(run), "linked": one.adapter in known}


def _losses(run: Run | None) -> Chart | None:
    return chart_of([run.series("loss", "training"), run.series("eval_loss", "validation")]) if run else None


def _report(path: Path) -> Response:
    try:
        return Response(path.read_bytes(), media_type="text/html; charset=utf-8", headers=REPORT_HEADERS)
    except FileNotFoundError as error:
        raise Refusal(
            404, "this report was not made yet", code="not_found", fix="press the button that makes it, on the adapter's page"
        ) from error
