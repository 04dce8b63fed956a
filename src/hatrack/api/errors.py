"""Refusals in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}`` and the status that fits."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from hatrack.core.errors import (
    AdapterBroken,
    AdapterError,
    AdapterForbidden,
    AdapterMismatch,
    AdapterNotFound,
    BudgetExceeded,
    Busy,
    EmbedderChanged,
    GuardRefused,
    HatrackError,
    KnowledgeError,
    PromotionRefused,
    ProviderError,
    ProviderUnreachable,
    RegistryUnreachable,
    RequestError,
    StoreUnreachable,
    TemplateError,
)

__all__ = ["Refusal", "error_object", "error_response", "shutting_down", "status_of", "validation_refusal"]

_log = logging.getLogger("hatrack.errors")


class Refusal(RequestError):
    """A refusal that knows its status, OpenAI's code for it, the option it is about, and when to try again (seconds)."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        code: str,
        param: str | None = None,
        given: str = "",
        allowed: str = "",
        fix: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, given=given, allowed=allowed, fix=fix)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


# The first that fits counts, so subclasses stand before their parents.
_STATUS: tuple[tuple[type[HatrackError], int, str], ...] = (
    (AdapterNotFound, 404, "model_not_found"),
    (AdapterForbidden, 403, "model_not_allowed"),
    (AdapterMismatch, 409, "adapter_mismatch"),
    (AdapterBroken, 500, "adapter_broken"),
    (AdapterError, 400, "adapter_not_for_this"),
    (Busy, 429, "too_many_waiting"),
    (BudgetExceeded, 402, "budget_exceeded"),
    (ProviderUnreachable, 503, "provider_unreachable"),
    (ProviderError, 502, "provider_refused"),
    (EmbedderChanged, 409, "embedder_changed"),
    (StoreUnreachable, 503, "store_unreachable"),
    (KnowledgeError, 400, "invalid_knowledge"),
    (GuardRefused, 400, "guard_refused"),
    (TemplateError, 400, "invalid_messages"),
    (RequestError, 400, "invalid_request"),
    (PromotionRefused, 409, "promotion_refused"),
    (RegistryUnreachable, 503, "registry_unreachable"),
    (HatrackError, 500, "server_fault"),
)
_PARAMS: tuple[tuple[type[HatrackError], str], ...] = ((AdapterError, "model"), (KnowledgeError, "knowledge"))
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def status_of(error: HatrackError) -> tuple[int, str]:
    """HTTP status and code."""
    if isinstance(error, Refusal):
        return error.status, error.code
    return next((status, code) for kind, status, code in _STATUS if isinstance(error, kind))


def error_object(error: HatrackError) -> dict[str, Any]:
    """The value of ``error`` in the body.

    What was found on the server's own disk, what a provider says, and how much money is left, is told to the server's log only.
    """
    status, code = status_of(error)
    inner = status >= 500 or isinstance(error, BudgetExceeded)
    if isinstance(error, BudgetExceeded | ProviderError):
        _log.warning("%s: %s", error.what, error.given)
    parts = (
        ("given", "" if inner else error.given),
        ("allowed", "" if isinstance(error, BudgetExceeded) else error.allowed),
        ("do", "tell the server's owner" if isinstance(error, BudgetExceeded | ProviderError) else error.fix),
    )
    details = "; ".join(f"{label}: {value}" for label, value in parts if value)
    message = f"{error.what} ({details})" if details else error.what
    param = error.param if isinstance(error, Refusal) else next((name for kind, name in _PARAMS if isinstance(error, kind)), None)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    # a lone surrogate in what a client sent cannot be sent back
    return {"message": message.encode("utf-8", "replace").decode(), "type": kind, "param": param, "code": code}


def error_response(error: HatrackError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The whole response."""
    status, _ = status_of(error)
    sent = dict(headers or {})
    wait = error.retry_after if isinstance(error, Busy | Refusal | ProviderUnreachable) else None
    if wait is not None:
        sent["Retry-After"] = str(max(1, math.ceil(wait)))
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error_object(error)}, status, sent)


def shutting_down() -> Refusal:
    """For whoever asks while the server ends."""
    return Refusal(503, "the server is shutting down", code="shutting_down", fix="try again when it is up", retry_after=5)


def validation_refusal(error: RequestValidationError) -> Refusal:
    """All faults of a body in one sentence each; the first one names the parameter."""
    faults = error.errors()
    sentences = []
    for fault in faults[:8]:
        place = _place(fault["loc"])
        message = str(fault["msg"]).removeprefix("Value error, ")
        if fault["type"] == "json_invalid":
            message = f"not valid JSON: {fault['ctx']['error']}"
        sentences.append(f"{place}: {message}" if place else message)
    more = f"; and {len(faults) - 8} more" if len(faults) > 8 else ""
    return Refusal(
        400,
        "the request cannot be read" if any(f["type"] == "json_invalid" for f in faults) else "the request is not valid",
        code="invalid_request",
        param=_place(faults[0]["loc"]) or None,
        given="; ".join(sentences) + more,
        fix="send a JSON object with Content-Type: application/json; see docs/api.md",
    )


def _place(loc: tuple[Any, ...]) -> str:
    """``("body", "stop", "list[str]", 0)`` to ``stop.0``: pydantic names the branch of a union where users see none."""
    branches = {"body", "path", "query", "str", "int"}
    parts = [str(part) for part in loc if part not in branches]
    return ".".join(part for part in parts if part.isdigit() or (part.isidentifier() and part[0].islower()))
