"""``hatrack studio``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption


def run(
    project: ProjectOption = Path("."),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")] = 8400,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    from hatrack.core.atomic import storage_errors
    from hatrack.core.extras import require

    for package in ("fastapi", "uvicorn"):
        require(package, extra="serve", reason="`hatrack studio`")
    from hatrack.api.server import Server, listen
    from hatrack.core.project import Project
    from hatrack.studio.app import Studio, create_app
    from hatrack.studio.jobs import Jobs
    from hatrack.studio.searching import Searching
    from hatrack.studio.serving import Serving

    at = Project(project.absolute())
    with storage_errors(at.root):
        at.root.mkdir(parents=True, exist_ok=True)
    bound = listen("127.0.0.1", port)
    studio = Studio(at, Jobs(at), Serving(at), Searching(at))
    bound.listen()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
    typer.echo(f"studio     {url}")
    typer.echo(f"project    {at.root}")
    typer.echo("stop       Ctrl-C or SIGTERM; a training that is at work goes on where it was when it is started again")
    if show:
        import webbrowser

        webbrowser.open(url)
    try:
        Server(create_app(studio), 1).serve_until_told(bound)
    finally:
        studio.close()
    typer.echo("stopped")
