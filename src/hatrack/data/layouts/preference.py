"""The ``preference`` layout: a prompt, a better answer and a worse one, as texts or as turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.cells import text_in
from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.turns import split_answer, turns_in

__all__ = ["Preference"]

_OPENAI = ("input", "preferred_output", "non_preferred_output")


class Preference:
    """Two answers to one prompt in a row.

    ``prompt`` may be a text or turns, or ``messages`` may hold the turns. ``chosen`` and ``rejected`` may be texts,
    the answer's turn alone, or the whole conversation twice, which must then be the same up to the last answer.
    OpenAI's input, preferred_output and non_preferred_output mean the same.
    """

    yields: Yields = "preference"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if set(_OPENAI) <= set(columns):
            return f"columns {', '.join(_OPENAI)}: the preference layout, as OpenAI writes it"
        if not {"chosen", "rejected"} <= set(columns):
            return None
        prompt = next((name for name in ("prompt", "messages") if name in columns), None)
        if prompt:
            return f"columns {prompt}, chosen, rejected: the preference layout"
        if any(isinstance(cells.get("chosen"), list) for cells in first):
            return "columns chosen, rejected with turns: the preference layout"
        return None

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, _converted)


def _converted(cells: dict[str, Any]) -> dict[str, Any]:
    used = {"prompt", "messages", "chosen", "rejected"}
    if "preferred_output" in cells:
        given = cells.get("input")
        inner = given.get("messages") if isinstance(given, dict) else None
        rest = {column: value for column, value in cells.items() if column not in _OPENAI}
        cells = {**rest, "messages": inner, "chosen": cells["preferred_output"], "rejected": cells.get("non_preferred_output")}
    prompt, better, worse = _prompt(cells), *(_answer(cells, column) for column in ("chosen", "rejected"))
    if better[0] != worse[0]:
        raise ValueError("'chosen' and 'rejected' differ before their last turn; only the last answer may")
    turns = better[0] or prompt
    if not turns or turns[-1]["role"] != "user":
        raise ValueError("the prompt must end with a turn of the user")
    rest = {column: value for column, value in cells.items() if column not in used}
    return {"messages": turns, "chosen": better[1], "rejected": worse[1], **rest}


def _prompt(cells: dict[str, Any]) -> list[dict[str, str]]:
    if cells.get("messages") is not None:
        return turns_in(cells, "messages")
    if isinstance(cells.get("prompt"), list):
        return turns_in(cells, "prompt")
    return [{"role": "user", "content": text_in(cells, "prompt")}] if cells.get("prompt") is not None else []


def _answer(cells: dict[str, Any], column: str) -> tuple[list[dict[str, str]], str]:
    if isinstance(cells.get(column), list):
        return split_answer(turns_in(cells, column), column)
    return [], text_in(cells, column)
