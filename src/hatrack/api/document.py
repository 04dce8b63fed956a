"""The OpenAPI document: FastAPI's own, but with the refusals of this server, which says 400 where FastAPI would say 422."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from hatrack.api.gate import OPEN_PATHS

__all__ = ["Described", "refusals_of"]

_REFUSALS = {
    400: "The request is not valid, asks for what is not there, or a guard-rail does not let it pass.",
    401: "No key, or a wrong or revoked one.",
    402: "The budget of a hosted model is spent; nothing was sent.",
    403: "The key's scopes do not cover it; without keys, the server is addressed by another name than this machine's.",
    404: "There is no such adapter, table, version or alias.",
    408: "The body did not arrive in time.",
    409: "The adapter was trained for another base, or is in a state that does not allow it.",
    413: "The body is too large.",
    429: "The key's quota is used up, or the queue is full; `Retry-After` says how long to wait, where that is known.",
    500: "A fault, or an adapter whose files are damaged; the server's log holds the reason under the request's id.",
    502: "The provider of a hosted model refuses.",
    503: "The server ends, or what it needs (registry, store, provider) does not answer now.",
}
_ANSWERS = frozenset(f"/v1/{name}" for name in ("chat/completions", "completions", "responses", "embeddings", "classify"))
_HOSTED = _ANSWERS - {"/v1/completions", "/v1/embeddings"}  # which need the base of this machine
_TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_REFUSED = {
    "title": "Refused",
    "description": "Every refusal, in OpenAI's shape.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": _TEXT_OR_NULL, "code": {"type": "string"}},
        }
    },
}


class Described(FastAPI):
    """An application whose document tells the refusals of each route."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                responses = operation["responses"]
                responses.pop("422", None)
                for status in refusals_of(method.upper(), path):
                    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}}
                    responses[str(status)] = {"description": _REFUSALS[status], "content": content}
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Refused"] = _REFUSED
        return document


def refusals_of(method: str, path: str) -> list[int]:
    """Statuses that a route may refuse with; ``path`` as the document writes it, its parameters in braces."""
    if path in OPEN_PATHS:
        return []
    found = {401, 403, 500, 503}
    if names := "{" in path or path in _ANSWERS or path == "/web/route":
        found |= {400, 404}
    if method == "POST":
        found |= {400, 408, 413}
        found |= {409} if names else set()
        found |= {429} if path.startswith(("/v1/", "/web/")) else set()
    if path in _HOSTED:
        found |= {402, 502}
    return sorted(found)
