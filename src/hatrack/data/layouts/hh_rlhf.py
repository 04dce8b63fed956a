"""The ``hh-rlhf`` layout: two dialogues as one text each (Bai et al., arXiv:2204.05862)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hatrack.data.cells import text_in
from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.turns import split_answer

__all__ = ["HhRlhf"]

_MARK = re.compile(r"(?:\A|\n\n)(Human|Assistant):[ \n]?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class HhRlhf:
    """``chosen`` and ``rejected`` are dialogues that are the same but for the assistant's last turn."""

    yields: Yields = "preference"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if not {"chosen", "rejected"} <= set(columns) or {"prompt", "messages"} & set(columns):
            return None
        if not all(isinstance(cells.get("chosen"), str) and cells["chosen"].lstrip("\n").startswith("Human:") for cells in first):
            return None
        return "columns chosen, rejected with texts that begin with Human: the HH-RLHF layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, _converted)


def _converted(cells: dict[str, Any]) -> dict[str, Any]:
    (asked, better), (again, worse) = (split_answer(_turns(cells, column), column) for column in ("chosen", "rejected"))
    if asked != again:
        raise ValueError("'chosen' and 'rejected' differ before their last turn; only the last answer may")
    if not asked or asked[-1]["role"] != "user":
        raise ValueError("the turn before the last must be Human's")
    return {**cells, "messages": asked, "chosen": better, "rejected": worse}


def _turns(cells: dict[str, Any], column: str) -> list[dict[str, str]]:
    before, *parts = _MARK.split(text_in(cells, column).lstrip("\n"))
    if before or not parts:
        raise ValueError(f"column {column!r} must begin with Human: or Assistant:")
    return [{"role": _ROLES[name], "content": text} for name, text in zip(parts[::2], parts[1::2], strict=True)]
