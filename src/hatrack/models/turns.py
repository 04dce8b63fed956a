"""A chat template taken apart: what it writes before and after each role's text. For tools that cannot run it.

Templates are programs; most of them only put marks around each turn. Whether this one does is tried out: conversations
are put together from the marks and must come out as the template writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.core.chat import Message
from hatrack.core.errors import TemplateError
from hatrack.models.render import ChatRenderer

__all__ = ["Turns", "take_apart"]

_SYSTEM, _USER, _ANSWER, _LAST = "Sysq", "Userq", "Ansq", "Lastq"


@dataclass(frozen=True)
class Turns:
    """Marks of a template.

    Attributes:
        plain_start: what a conversation begins with that has no system message; often a default one.
        before, after: role to what stands around its text.
        generate: what the assistant's answer is asked for with.
    """

    plain_start: str
    before: dict[str, str]
    after: dict[str, str]
    generate: str

    def written(self, messages: Sequence[Message]) -> str:
        """The prompt for an answer to ``messages``, put together."""
        start = "" if messages[0].role == "system" else self.plain_start
        return start + "".join(self.before[m.role] + m.content + self.after[m.role] for m in messages) + self.generate


def take_apart(renderer: ChatRenderer) -> Turns:
    """The marks of this renderer's template.

    Raises:
        TemplateError: it does more than to put marks around turns.
    """
    try:
        return _marks(renderer)
    except ValueError as error:
        raise TemplateError(
            "this chat template does more than to put marks around each turn; a tool that cannot run it would ask otherwise",
            given=str(error),
            allowed="a template that writes every turn of a role in the same way",
            fix="export `gguf`: llama.cpp runs the template itself",
        ) from error


def _marks(renderer: ChatRenderer) -> Turns:
    system, user, answer = Message("system", _SYSTEM), Message("user", _USER), Message("assistant", _ANSWER)
    last = Message("user", _LAST)
    one = renderer.written([user], generate=False)
    told = renderer.written([user, answer], generate=False)
    again = renderer.written([user, answer, last], generate=False)
    headed = renderer.written([system, user], generate=False)
    after_user, after_answer = one.partition(_USER)[2], told.partition(_ANSWER)[2]
    before_user = _behind(again.partition(_ANSWER)[2].partition(_LAST)[0], after_answer)
    turns = Turns(
        plain_start=_until(one.partition(_USER)[0], before_user),
        before={
            "system": headed.partition(_SYSTEM)[0],
            "user": before_user,
            "assistant": _behind(told.partition(_USER)[2].partition(_ANSWER)[0], after_user),
        },
        after={
            "system": _until(headed.partition(_SYSTEM)[2].partition(_USER)[0], before_user),
            "user": after_user,
            "assistant": after_answer,
        },
        generate=_behind(renderer.written([user], generate=True), one),
    )
    for talk in ([user], [system, user], [user, answer, last], [system, user, answer, last, answer, user]):
        _same(turns.written(talk), renderer.written(talk, generate=True))
    return turns


def _same(ours: str, theirs: str) -> None:
    if ours != theirs:
        raise ValueError(f"{theirs[:200]!r} would be {ours[:200]!r}")


def _behind(text: str, beginning: str) -> str:
    if not text.startswith(beginning):
        raise ValueError(f"{beginning!r} is not where it stands alone")
    return text[len(beginning) :]


def _until(text: str, end: str) -> str:
    if not text.endswith(end):
        raise ValueError(f"{end!r} is not where it stands alone")
    return text[: len(text) - len(end)]
