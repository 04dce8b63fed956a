"""Telling somebody: one POST of JSON to the address in the environment. It holds no question, no answer, no personal data."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hatrack.core.config_watch import AlertSettings
from hatrack.core.errors import ConfigError

__all__ = ["send_alert", "webhook_address"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def webhook_address(settings: AlertSettings) -> str | None:
    """The address, or None where none is wanted. It often holds a secret, so it is not repeated in messages.

    Raises:
        ConfigError: the variable is not set, or holds no https address (http is for this machine alone).
    """
    if settings.webhook_env is None:
        return None
    url = os.environ.get(settings.webhook_env, "").strip()
    parts = urlsplit(url)
    if (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ConfigError(
        "alerts have no address to go to",
        given=f"{settings.webhook_env} is {'no such address' if url else 'not set'}",
        allowed="an https address, or http on this machine",
        fix=f"export {settings.webhook_env}=https://..., or take watch.alerts.webhook_env out",
    )


def send_alert(url: str, alert: Mapping[str, Any], timeout: float) -> str:
    """Send it once; returns how that went, in a word. A deaf address must not stop the watch."""
    request = urllib.request.Request(  # noqa: S310  # the scheme was checked
        url, json.dumps(alert).encode(), {"Content-Type": "application/json", "User-Agent": "hatrack"}, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=timeout) as answer:
            return f"HTTP {answer.status}"
    except urllib.error.HTTPError as error:
        return f"refused: HTTP {error.code}"
    except (OSError, ValueError) as error:
        return f"not reached: {type(error).__name__}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What was configured is where it goes."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
