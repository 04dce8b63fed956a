"""Who answers a request: the adapter it names, or, for the model ``auto``, the one that routing chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hatrack.answering.decision import Decision, Wanted
from hatrack.api.context import Context, InContext, InTrace, Trace
from hatrack.core.lineage import Manifest
from hatrack.core.names import AUTO, BASE

__all__ = ["Chooser", "InChoice"]

_PREFIX = "x-hatrack-"


@dataclass
class Chooser:
    """Chooses once for one request, and says why in the headers.

    Attributes:
        attributes: country and the like: the request's ``X-Hatrack-*`` headers, without their prefix.
    """

    context: Context
    trace: Trace
    attributes: dict[str, str]
    decision: Decision | None = None

    def choose(self, model: str, text: Callable[[], str]) -> Manifest | None:
        """The version that answers; None is the base. ``text`` is what the request is about, asked for when content counts.

        Raises:
            AdapterNotFound, AdapterForbidden: see ``Router.route``. Refusal: the caller's key may not use it.
        """
        caller = self.trace.caller
        if model != AUTO:
            return self.context.find(model, caller)
        names = (*self.context.service.registry.names(), BASE)
        allowed = None if "use:*" in caller.scopes else [name for name in names if caller.may_use(name)]
        wanted = Wanted(AUTO, caller.tenant, allowed, self.attributes)
        self.decision = self.context.answerer.router.route(text(), wanted)
        return self.decision.manifest

    @property
    def headers(self) -> dict[str, str]:
        """The decision and its reason; nothing where the caller chose."""
        if self.decision is None:
            return {}
        reason = self.decision.reason.encode("ascii", "replace").decode()  # a header holds no other characters
        return {"X-Hatrack-Route": self.decision.rule, "X-Hatrack-Route-Reason": " ".join(reason.split())[:300]}


async def _chooser(request: Request, context: InContext, trace: InTrace) -> Chooser:
    attributes = {name.removeprefix(_PREFIX): value for name, value in request.headers.items() if name.startswith(_PREFIX)}
    return Chooser(context, trace, attributes)


InChoice = Annotated[Chooser, Depends(_chooser)]
