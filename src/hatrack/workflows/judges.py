"""Whoever may judge: the base or an adapter of the project, or a model behind a URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hatrack.answering.assistant import Assistant
from hatrack.core.chat import Message
from hatrack.core.errors import CheckFailed
from hatrack.evaluation.judge import Ask
from hatrack.models.causal import Sampling
from hatrack.workflows.answerers import is_here, open_backend

__all__ = ["open_judge"]

_TOKENS = 16  # of a verdict


def open_judge(spec: str, project: Path, key_env: str, *, send: bool, report: Callable[[str], None]) -> Ask:
    """A function from a conversation to a reply, greedy.

    Args:
        send: the user's word that rows may leave this machine.

    Raises:
        CheckFailed: they would, and that is not permitted. ConfigError: no project, no key, or no such address.
        AdapterNotFound: no such adapter.
    """
    if "://" not in spec:
        assistant = Assistant.open(project, report)
        assistant.check_name(spec)
        return lambda turns: assistant.generate(turns, spec, max_new_tokens=_TOKENS).text
    backend = open_backend(spec, key_env, project)
    if not is_here(backend.host) and not send:
        raise CheckFailed(
            f"the rows would leave this machine for {backend.host}",
            given=f"--judge {spec}",
            allowed="a judge on this machine, or your word that they may be sent",
            fix="add --send",
        )

    def ask(turns: Sequence[Message]) -> str:
        return backend.complete(turns, Sampling(max_new_tokens=_TOKENS)).text

    return ask
