"""The ``transcript`` layout: a turn in a row, with its conversation, its speaker and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hatrack.data.cells import shown, text_in
from hatrack.data.layouts.base import Rows, Yields
from hatrack.data.layouts.held import Held
from hatrack.data.layouts.turns import joined
from hatrack.data.records import RawRow, RowFault, beginning
from hatrack.data.speakers import sides

__all__ = ["Transcript"]

_CONVERSATION = ("conversation", "conversation_id", "call_id", "call", "dialog_id", "dialogue_id", "session_id", "thread_id", "ticket_id")
_SPEAKER = ("speaker", "role", "participant", "speaker_role", "author", "sender")
_TEXT = ("text", "utterance", "transcript", "message", "content", "body")
_TIMES = ("time", "timestamp", "start", "end", "start_time", "end_time", "turn", "turn_id")


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    speaker: str
    text: str
    rest: dict[str, Any]


class Transcript:
    """Call logs to conversations, one for each conversation id; the rows of one may stand anywhere, in the order spoken.

    Neighbouring turns of one side become one. What the assistant says before the first question, and questions behind
    the last answer, are left out: nothing could be learned from them. A conversation has the number of its first row.
    """

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        names = _names(columns)
        if names is None or "parent_id" in columns:
            return None
        speakers = list(dict.fromkeys(str(cells.get(names[1])) for cells in first if cells.get(names[1])))
        try:
            ours = [speaker for speaker, role in sides(speakers).items() if role == "assistant"]
        except ValueError as error:
            return f"columns {', '.join(names)}: transcripts; {error}"
        return f"columns {', '.join(names)}: transcripts; {' and '.join(ours)} is taken as the assistant"

    def convert(self, rows: Rows) -> Rows:
        held: Held[_Turn] = Held()
        for row in rows:
            if isinstance(row, RowFault):
                yield row
                continue
            try:
                key, turn = _turn(row)
            except ValueError as error:
                yield RowFault(row.number, str(error), shown(row))
                continue
            held.add(key, turn, len(turn.text))
        for key, turns in held.groups():
            try:
                yield _conversation(key, turns)
            except ValueError as error:
                yield RowFault(turns[0].number, f"conversation {key!r}: {error}", beginning(turns[0].text))


def _names(columns: Sequence[str]) -> tuple[str, str, str] | None:
    """The columns of conversation, speaker and text, whatever case they are written in."""
    lower = {column.lower(): column for column in columns}
    found = [next((lower[name] for name in names if name in lower), "") for names in (_CONVERSATION, _SPEAKER, _TEXT)]
    return (found[0], found[1], found[2]) if all(found) else None


def _turn(row: RawRow) -> tuple[str, _Turn]:
    cells = row.columns
    names = _names(list(cells))
    if names is None:
        raise ValueError("a conversation, a speaker and a text are needed")
    conversation, speaker, text = names
    if not isinstance(cells[conversation], str | int) or cells[conversation] == "":
        raise ValueError(f"column {conversation!r} holds {cells[conversation]!r}, an id is needed")
    source = cells.get("source")
    key = f"{source}#{cells[conversation]}" if isinstance(source, str) and source else str(cells[conversation])
    rest = {column: value for column, value in cells.items() if column not in names and column.lower() not in _TIMES}
    return key, _Turn(row.number, text_in(cells, speaker).strip(), text_in(cells, text), rest)


def _conversation(key: str, turns: list[_Turn]) -> RawRow:
    roles = sides(turn.speaker for turn in turns)
    said = joined([{"role": roles[turn.speaker], "content": turn.text} for turn in turns])
    system = said[:1] if said[0]["role"] == "system" else []
    spoken = [turn for turn in said if turn["role"] != "system"]
    while spoken and spoken[0]["role"] == "assistant":
        spoken.pop(0)
    while spoken and spoken[-1]["role"] == "user":
        spoken.pop()
    if not spoken:
        raise ValueError("no question here is followed by an answer")
    return RawRow(turns[0].number, {**turns[0].rest, "id": key, "messages": [*system, *joined(spoken)]})
