"""``hatrack serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hatrack.cli.screen import ProjectOption, progress_console
from hatrack.core.aside import aside

if TYPE_CHECKING:
    from hatrack.serving.service import ModelService


def run(
    project: ProjectOption = Path("."),
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: serve.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one. Default: serve.port.")] = None,
    precision: Annotated[
        Literal["int8", "bf16", "fp32"] | None, typer.Option(help="How the base is held; default: serve.precision.")
    ] = None,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="Answer a whole network without keys.")] = False,
) -> None:
    from hatrack.core.config_file import read_config
    from hatrack.core.extras import require
    from hatrack.core.project import Project

    config = read_config(project)
    for package in ("fastapi", "uvicorn", "prometheus_client", "jinja2"):
        require(package, extra="serve", reason="`hatrack serve`")
    from hatrack.api.keys import KeyFile, KeyRing
    from hatrack.api.server import Server, is_loopback_address, listen, must_be_safe

    at = Project(project.absolute())
    given = {"host": host, "port": port, "precision": precision}
    serve = config.serve.model_copy(update={key: value for key, value in given.items() if value is not None})
    ring = KeyRing(serve.keys, KeyFile(at.root / serve.keys_file if serve.keys_file else at.keys))
    must_be_safe(serve.host, keys=ring.required, without_keys=without_keys)
    bound = listen(serve.host, serve.port)

    from hatrack.api.app import create_app
    from hatrack.api.journal import write_json_logs
    from hatrack.api.spans import export_spans
    from hatrack.serving.service import ModelService
    from hatrack.serving.settings import EngineSettings

    console = progress_console()
    service = ModelService(at, config, EngineSettings.of(serve), report=aside(console))
    service.start()
    try:
        write_json_logs()
        export_spans()
        app = create_app(service, ring, serve.http, loopback_only=is_loopback_address(serve.host))
        address = f"[{serve.host}]" if ":" in serve.host else serve.host
        root = f"http://{address}:{bound.getsockname()[1]}"
        page = {"page": f"{root}/"} if serve.http.page else {}
        facts = {"address": f"{root}/v1", **page, **_facts(service, keys=ring.required)}
        bound.listen()  # whoever reads the address below may ask at once, and is answered when the server has begun
        for name, value in facts.items():
            typer.echo(f"{name:<10} {value}")
        Server(app, serve.http.drain_seconds).serve_until_told(bound)
        service.stop(drain=False)
        app.state.context.answerer.close()
        typer.echo("stopped")
    finally:
        service.stop(drain=False)


def _facts(service: ModelService, *, keys: bool) -> dict[str, Any]:
    registry = service.registry
    names = registry.names()
    versions = sum(len(registry.versions(name)) for name in names)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return {
        "base": f"{service.files.spec} ({service.files.fingerprint[:12]})",
        **_made_by(service),
        "adapters": f"{len(names)} ({shown}), {versions} versions" if names else "none yet: only the base answers",
        "keys": "asked for" if keys else "none asked for; `hatrack keys make NAME` makes one",
        "stop": "Ctrl-C or SIGTERM; running answers are finished first",
    }


def _made_by(service: ModelService) -> dict[str, str]:
    """What makes the answers, and how."""
    engine = service.config.serve.engine
    if engine != "torch":
        return {"engine": f"{engine}, with the base in the precision it has there"}
    if service.engine is None:
        return {"precision": "fp32, one adapter at a time: no kernels for this architecture"}
    return {"precision": f"{service.settings.precision}, adapters are mixed in one batch"}
