"""Who may speak to the studio: a browser on this machine, showing the studio's own page.

The studio starts programs, so that another site in the same browser must not reach it: requests are addressed to this
machine by its own name (against DNS rebinding), and whatever changes something carries htmx's header, which a form of
another site cannot send and a script of another site may not.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hatrack.api.gate import is_loopback
from hatrack.api.web.files import HEADERS as PAGE_HEADERS

__all__ = ["HEADERS", "REPORT_HEADERS", "Guard", "scripted_headers"]

_SAFE = ("GET", "HEAD")
# As the serving page's; here a form may ask for another page, and what is shown is one project's.
HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'"),
    "Cache-Control": "no-store",
}
# A report is one page with its own style, made from data: it runs nothing and loads nothing.
REPORT_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; sandbox",
}
_OWN_SCRIPT = re.compile(rb"script-src '(sha256-[A-Za-z0-9+/]{43}=)'")


def scripted_headers(page: bytes) -> dict[str, str]:
    """Those of a report whose head names one script by its hash: that one runs, as of no site, and may offer a download."""
    head, title, _ = page.partition(b"<title>")  # it comes before anything that was made of data
    found = _OWN_SCRIPT.search(head) if title else None
    if found is None:
        return REPORT_HEADERS
    policy = REPORT_HEADERS["Content-Security-Policy"]
    allowed = f"script-src '{found[1].decode()}'; sandbox allow-scripts allow-downloads"
    return {**REPORT_HEADERS, "Content-Security-Policy": policy.replace("sandbox", allowed)}


class Guard:
    """The outermost layer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it with 403."""
        if scope["type"] == "http" and (reason := self._refusal(scope["method"], Headers(scope=scope))):
            await PlainTextResponse(reason, 403, headers=HEADERS)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        if not is_loopback(host):
            return "the studio answers this machine alone, as localhost or 127.0.0.1"
        if method in _SAFE:
            return ""
        origin = headers.get("origin")
        if headers.get("hx-request") != "true" or (origin is not None and urlsplit(origin).netloc != host):
            return "this request does not come from the studio's own page"
        return ""
