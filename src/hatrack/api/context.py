"""What every route needs: the service, who asks, and the record of the request that is being answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from hatrack.answering.answer import Answerer
from hatrack.api.errors import Refusal
from hatrack.api.keys import Caller, KeyRing
from hatrack.api.meters import Meters
from hatrack.core.config_http import HttpSettings
from hatrack.core.errors import AdapterNotFound
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE, closest, split_reference
from hatrack.serving.readers import ServiceReader
from hatrack.serving.service import ModelService
from hatrack.serving.tables import TableShelf

__all__ = ["Context", "InContext", "InTrace", "Trace", "identity", "served_name"]


@dataclass
class Context:
    """One running server.

    Attributes:
        answerer: routing and the cache of answers before the service.
        tables: the table models; those that read texts ask ``texts``, the others need no service.
        loopback_only: no key is asked for, so only this machine may ask, under its own names.
        draining: the server ends; nothing new is taken.
    """

    service: ModelService
    ring: KeyRing
    settings: HttpSettings
    answerer: Answerer
    meters: Meters = field(default_factory=Meters)
    loopback_only: bool = False
    draining: bool = False
    tables: TableShelf = field(init=False)
    texts: ServiceReader = field(init=False)

    def __post_init__(self) -> None:
        self.tables = TableShelf(self.service.registry)
        self.texts = ServiceReader(self.service)

    def find(self, reference: str, caller: Caller) -> Manifest | None:
        """The version that a model's name means now; None is the base.

        Raises:
            AdapterNotFound: there is none; the base never answers in its place (F23). Only names that the caller may use
                are told.
            Refusal: it is there, and the caller's key may not use it.
        """
        try:
            manifest = self.service.resolve(reference)
        except AdapterNotFound as error:
            name = reference.partition("@")[0]
            if caller.may_use(name) and "use:*" in caller.scopes:
                raise
            usable = [known for known in (*self.service.registry.names(), BASE) if caller.may_use(known)]
            near = closest(reference, usable, 1)
            raise AdapterNotFound(
                error.what, given=error.given, allowed=", ".join(usable), fix=f"did you mean {near[0]}?" if near else "ask /v1/models"
            ) from error
        name = manifest.name if manifest else BASE
        if not caller.may_use(name):
            raise Refusal(
                403,
                f"this key may not use {name}",
                code="model_not_allowed",
                param="model",
                given=reference,
                allowed=", ".join(sorted(scope for scope in caller.scopes if scope.startswith("use:"))) or "no model",
                fix=f"use a key with the scope use:{name}",
            )
        return manifest

    def find_to_administer(self, reference: str) -> Manifest:
        """A registered version.

        Raises:
            AdapterNotFound: there is none, or it is the base, with which nothing can be done.
        """
        split_reference(reference)
        return self.service.registry.resolve(reference)


@dataclass
class Trace:
    """What is known of one request: for its log line, its span and its headers."""

    request_id: str
    caller: Caller = field(default_factory=Caller)
    adapter: str = ""
    version: str = ""
    digest: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token: float | None = None
    status: int = 0

    def uses(self, context: Context, manifest: Manifest | None) -> dict[str, str]:
        """Note whose weights answer; returns the headers that say so."""
        headers = identity(context, manifest)
        self.adapter, self.version, self.digest = headers.values()
        return headers


def identity(context: Context, manifest: Manifest | None) -> dict[str, str]:
    """Headers that name the weights behind an answer. The base's version is the beginning of its fingerprint."""
    fingerprint = context.service.files.fingerprint
    return {
        "X-Hatrack-Adapter": manifest.name if manifest else BASE,
        "X-Hatrack-Version": manifest.version if manifest else fingerprint[:12],
        "X-Hatrack-Digest": manifest.digest if manifest else fingerprint,
    }


def served_name(manifest: Manifest | None) -> str:
    """The exact name of a version, as answers carry it."""
    return f"{manifest.name}@{manifest.version}" if manifest else BASE


# coroutines, though they wait for nothing: a plain function would go through the thread pool, a millisecond a request
async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def _trace(request: Request) -> Trace:
    trace: Trace = request.scope["hatrack"]
    return trace


InContext = Annotated[Context, Depends(_context)]
InTrace = Annotated[Trace, Depends(_trace)]
