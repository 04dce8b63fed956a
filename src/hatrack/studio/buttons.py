"""What a button's request holds, and the two ways of answering it: a command was started, or another page is next."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from hatrack.core.errors import ConfigError
from hatrack.studio.app import Studio
from hatrack.studio.guard import HEADERS

__all__ = ["form_of", "go_to", "start"]

_MOST_BYTES = 4_000_000  # of a form, a config in it


async def start(studio: Studio, title: str, command: tuple[str, ...], adapter: str = "", back: str = "") -> Response:
    """Start a command and show it; ``back`` is the page that comes after it, where that is not its adapter's.

    Raises:
        RunInUse: another one is at work. StorageError: its output cannot be kept.
    """
    job = await run_in_threadpool(studio.jobs.start, title, command, adapter, back)
    return go_to(f"/jobs/{job.id}")


def go_to(path: str) -> Response:
    """Tell the browser which page to show."""
    return Response(status_code=204, headers={**HEADERS, "HX-Redirect": path})


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; of a field that is there twice, the last.

    Raises:
        ConfigError: it is too long, or cannot be read.
    """
    body = await request.body()
    if len(body) > _MOST_BYTES:
        raise ConfigError("this is too long", given=f"{len(body):,} bytes", allowed=f"{_MOST_BYTES:,} bytes")
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise ConfigError("the form cannot be read", fix="load the page again") from error
    return {key: values[-1] for key, values in found.items()}
