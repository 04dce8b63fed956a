"""The files that a browser gets without a key: they are the same for everybody and tell nothing of this server.

/ ─► page.html ─► web/page.css, web/htmx.min.js, web/page.js ─► with the key: fragments, and the API itself
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["FILES", "HEADERS", "HERE", "PageFile", "content"]

HERE = Path(__file__).parent

# No script, style or picture from elsewhere or from within the page; nobody frames it; no form sends itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class PageFile:
    """One file and what it is."""

    name: str
    media_type: str


FILES = {
    "/": PageFile("page.html", "text/html"),
    "/web/page.css": PageFile("page.css", "text/css"),
    "/web/page.js": PageFile("page.js", "text/javascript"),
    "/web/htmx.min.js": PageFile("htmx.min.js", "text/javascript"),
    "/web/icon.svg": PageFile("icon.svg", "image/svg+xml"),
}


@lru_cache
def content(name: str) -> bytes:
    """A file of this folder, read once."""
    return (HERE / name).read_bytes()
