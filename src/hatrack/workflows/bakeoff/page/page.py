"""A bake-off to one HTML page."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from hatrack.workflows import check_page
from hatrack.workflows.bakeoff.page import plots
from hatrack.workflows.bakeoff.record import Bakeoff
from hatrack.workflows.bakeoff.words import cells, headings

__all__ = ["render_page"]


def render_page(found: Bakeoff) -> str:
    """The whole page as text. It needs no other file, no network and no script; all data in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = [Path(__file__).parent, *map(Path, check_page.__path__)]  # the style and the tables are those of `hatrack check`
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(folders), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    drawn = {"cost": plots.score_by_cost(found), "scores": plots.score_bars(found)}
    if found.curves:
        drawn["curves"] = plots.learning_curves(found)
    ready = {key: Markup(svg) for key, svg in drawn.items()}  # noqa: S704  # each picture escapes what it writes
    return environment.get_template("compare.html").render(
        found=found,
        plots={"curves": None, **ready},
        headings=headings(found),
        rows=[cells(entry, found) for entry in found.entries],
    )
