"""Raw rows to examples: the columns the config names, each value checked, each fault numbered (F08)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatrack.core.chat import Message, as_messages
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError, RowErrors, TemplateError
from hatrack.core.names import closest
from hatrack.data.records import Example, RawRow, RowFault

__all__ = ["map_rows"]


def map_rows(rows: Iterable[RawRow | RowFault], config: AdapterConfig, path: Path) -> tuple[list[Example], list[RowFault]]:
    """Examples of one file and the rows that make none.

    Raises:
        DataFileError: a column that the config names is not in the file.
        RowErrors: two rows have the same id.
    """
    examples: list[Example] = []
    faults: list[RowFault] = []
    for row in rows:
        if isinstance(row, RowFault):
            faults.append(row)
            continue
        if not examples:
            _columns_exist(row, config, path)
        try:
            examples.append(_example(row, config))
        except (ValueError, TemplateError) as error:
            faults.append(RowFault(row.number, str(error).split("\n")[0], _shown(row)))
    _ids_are_unique(examples, path)
    return examples, faults


def _example(row: RawRow, config: AdapterConfig) -> Example:
    names, cells = config.columns, row.columns
    identity = str(cells[names.id]) if names.id and cells.get(names.id) not in (None, "") else f"row-{row.number}"
    group = str(cells[names.group]) if names.group and cells.get(names.group) is not None else ""
    if config.task == "instruct":
        messages = _messages(cells, config)
        first = next(message.content for message in messages if message.role == "user")
        return Example(row.number, identity, first, messages=messages, group=group)
    if config.task == "prefer":
        return _pair(row.number, identity, cells, config, group)
    label = "" if config.task == "complete" else _label(cells, names.label)
    return Example(row.number, identity, _text(cells, names.text), label=label, group=group)


def _pair(number: int, identity: str, cells: dict[str, Any], config: AdapterConfig, group: str) -> Example:
    """A prompt with a better and a worse answer."""
    names = config.columns
    chosen, rejected = _text(cells, names.chosen), _text(cells, names.rejected)
    if chosen.strip() == rejected.strip():
        raise ValueError(f"columns {names.chosen!r} and {names.rejected!r} hold the same answer")
    prompt = _text(cells, names.prompt)
    turns: tuple[Message, ...] = (Message("user", prompt), Message("assistant", chosen))
    if config.system:
        turns = (Message("system", config.system), *turns)
    return Example(number, identity, prompt, messages=turns, group=group, rejected=rejected)


def _messages(cells: dict[str, Any], config: AdapterConfig) -> tuple[Message, ...]:
    names = config.columns
    if names.messages in cells:
        turns = cells[names.messages]
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise ValueError(f"column {names.messages!r} must hold a list of messages")
        messages = as_messages(turns)
        if not any(m.role == "user" for m in messages) or messages[-1].role != "assistant":
            raise ValueError("a conversation needs a user turn and must end with an assistant turn")
    else:
        messages = (Message("user", _text(cells, names.prompt)), Message("assistant", _text(cells, names.response)))
    if any(not m.content.strip() for m in messages if m.role == "assistant"):
        raise ValueError("an assistant turn is empty")
    if config.system and messages[0].role != "system":
        messages = (Message("system", config.system), *messages)
    return messages


def _text(cells: dict[str, Any], column: str) -> str:
    value = cells.get(column)
    if not isinstance(value, str):
        raise ValueError(
            f"column {column!r} holds {type(value).__name__}, text is needed" if value is not None else f"no column {column!r}"
        )
    if not value.strip():
        raise ValueError(f"column {column!r} is empty")
    return value


def _label(cells: dict[str, Any], column: str) -> str:
    value = cells.get(column)
    if isinstance(value, bool | int):  # 0/1 and true/false are labels; 0.5 is a number somebody mistook for one
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"column {column!r} holds {value!r}, a label is needed")
    label = value.strip()
    if not label:
        raise ValueError(f"column {column!r} is empty")
    if "\n" in label or len(label) > 200:
        raise ValueError(f"column {column!r} holds {len(label)} characters or several lines; a label is short and on one line")
    return label


def _columns_exist(row: RawRow, config: AdapterConfig, path: Path) -> None:
    names = config.columns
    if config.task == "instruct":
        keys = [] if names.messages in row.columns else ["prompt", "response"]
    else:
        keys = {"complete": ["text"], "prefer": ["prompt", "chosen", "rejected"]}.get(config.task, ["text", "label"])
    keys += [key for key in ("id", "group") if getattr(names, key) and key in names.model_fields_set]
    for key in keys:
        column = getattr(names, key)
        if column not in row.columns:
            near = closest(column, row.columns, 1)
            raise DataFileError(
                f"the column for `{key}` is not in this file",
                given=f"{path.name} has: {', '.join(row.columns) or 'no columns'}",
                allowed=f"a column {column!r}",
                fix=f"set columns: {{{key}: {near[0] if near else 'NAME'}}} for this adapter in hatrack.yaml",
            )


def _ids_are_unique(examples: list[Example], path: Path) -> None:
    seen: dict[str, int] = {}
    twice: list[tuple[int, str]] = []
    for example in examples:
        if example.id in seen:
            twice.append((example.row, f"id {example.id!r} is already used in row {seen[example.id]}"))
        seen.setdefault(example.id, example.row)
    if twice:
        raise RowErrors(
            f"{len(twice)} of {len(examples)} rows of {path.name} repeat an id",
            rows=tuple(twice),
            allowed="each id once",
            fix="make the ids unique, or set columns: {id: null} when the column is no id",
        )


def _shown(row: RawRow) -> str:
    return " ".join(f"{key}={value!r}" for key, value in row.columns.items())[:80]
