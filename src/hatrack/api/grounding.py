"""Sources for one HTTP request: found before the model is asked, told beside its answer."""

from __future__ import annotations

from dataclasses import replace

from hatrack.answering.grounding import Grounded
from hatrack.answering.rewrite import ANSWER_TOKENS
from hatrack.api.answers import Job
from hatrack.api.context import Context
from hatrack.api.keys import Caller
from hatrack.api.shapes.generate import ChatBody, ResponseBody
from hatrack.api.shapes.knowledge import wish_of
from hatrack.core.chat import Message
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE

__all__ = ["ground", "with_known_answer"]

_SHORTEST_ANSWER = 64  # tokens that are kept free where the request names no bound
_TEMPLATE = 16  # tokens of the turn that the rules may add


def ground(
    context: Context, caller: Caller, body: ChatBody | ResponseBody, manifest: Manifest | None, messages: list[Message]
) -> Grounded | None:
    """The conversation with its sources; None where neither the request nor the adapter asks for knowledge.

    Raises:
        KnowledgeError, RequestError: see ``Grounder.ground``.
    """
    grounder, name = context.answerer.grounder, manifest.name if manifest else BASE
    wish = grounder.wanted(name, wish_of(body.knowledge))
    if wish is None:
        return None
    service = context.service
    used = len(service.render(manifest, messages)) + _TEMPLATE + (body.longest or _SHORTEST_ANSWER)
    return grounder.ground(
        messages,
        name,
        wish,
        tenant=caller.tenant,
        count=service.count,
        room=service.room(manifest) - used,
        system=(service.card(manifest).system if manifest else None) or "",
        ask=lambda asked: context.answerer.short(manifest, asked, ANSWER_TOKENS, caller.tenant or ""),
    )


def with_known_answer(jobs: list[Job], grounded: Grounded | None) -> list[Job]:
    """The jobs; where nothing was found, with what is said instead of asking a model."""
    if grounded is None or grounded.answer is None:
        return jobs
    return [replace(job, known=grounded.answer) for job in jobs]
