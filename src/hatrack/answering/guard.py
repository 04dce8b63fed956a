"""Guard-rails around answering: what goes in is checked before it is rendered, what comes out before anybody hears it.

messages ─► incoming ─► render ─► cache or engine ─► outgoing ─► emit
│                                        │
└── refused: GuardRefused                └── masked, repaired, cut, or the refusal in its place
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.errors import GuardRefused
from hatrack.safety.guard.action import Acted
from hatrack.safety.guard.rules import Guarded
from hatrack.serving.request import Event, Failed, Finished, Piece

__all__ = ["Guard"]

Count = Callable[[str, Acted], None]


class Guard:
    """The rules of all adapters of a project, by name; ``base`` and adapters without rules of their own have the project's.

    Attributes:
        count: told of each adapter's name and what a rule did; called from several threads.
    """

    def __init__(self, config: ProjectConfig) -> None:
        self._config = config
        self.count: Count = lambda adapter, acted: None

    def incoming(self, adapter: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation as the model may see it.

        Raises:
            GuardRefused: a rule refuses it; which one is said, the text is not repeated.
        """
        rules = self._of(adapter)
        if not rules.reads:
            return tuple(messages)
        checked = rules.check_input(messages)
        for acted in checked.acted:
            self.count(adapter, acted)
        if checked.refused is not None:
            raise GuardRefused(
                f"{adapter} does not take this question",
                given=f"{checked.refused.rule}: {checked.refused.detail}",
                allowed="questions that the guard's rules let pass",
                fix="ask without it",
            )
        return checked.messages

    def finished(self, adapter: str, text: str) -> str:
        """A whole answer as it may be told."""
        rules = self._of(adapter)
        if not rules.writes:
            return text
        checked = rules.check_output(text)
        for acted in checked.acted:
            self.count(adapter, acted)
        return checked.text

    def outgoing(self, adapter: str, emit: Callable[[Event], None]) -> Callable[[Event], None]:
        """``emit``, or where answers have rules, one that hears the whole answer before it tells anything."""
        return _Holding(self, adapter, emit) if self._of(adapter).writes else emit

    def holds(self, adapter: str) -> bool:
        """Whether answers are told only when they are whole."""
        return self._of(adapter).writes

    def _of(self, adapter: str) -> Guarded:
        return self._guarded.get(adapter, self._project)

    @cached_property
    def _project(self) -> Guarded:
        return Guarded(self._config.guard)

    @cached_property
    def _guarded(self) -> dict[str, Guarded]:
        shared = self._config.guard
        return {name: Guarded(one.guard or shared, one.answer_schema) for name, one in self._config.adapters.items()}


class _Holding:
    """Keeps pieces until the answer is whole. Tokens are told only of an answer that no rule has changed."""

    def __init__(self, guard: Guard, adapter: str, emit: Callable[[Event], None]) -> None:
        self._guard, self._adapter, self._emit = guard, adapter, emit
        self._pieces: list[Piece] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Piece):
            self._pieces.append(event)
            return
        if isinstance(event, Finished) and event.reason != "cancelled":
            text = "".join(piece.text for piece in self._pieces)
            told = self._guard.finished(self._adapter, text)
            tokens = tuple(token for piece in self._pieces for token in piece.tokens)
            self._emit(Piece(told, tokens if told == text else ()))
        elif isinstance(event, Failed):
            self._pieces.clear()
        self._emit(event)
