"""Rows to examples: the columns the config names, each value checked, each fault numbered (F08)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatrack.core.chat import Message, as_messages
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError, RowErrors, TemplateError
from hatrack.core.names import closest
from hatrack.data.cells import shown, text_in
from hatrack.data.records import Example, RawRow, RowFault

__all__ = ["check_columns", "map_row", "map_rows", "mapping_fault"]


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
            check_columns(row, config, path)
        try:
            examples.append(map_row(row, config))
        except (ValueError, TemplateError) as error:
            faults.append(mapping_fault(row, error))
    _ids_are_unique(examples, path)
    return examples, faults


def map_row(row: RawRow, config: AdapterConfig) -> Example:
    """One row as the example that the adapter's task learns from.

    Raises:
        ValueError: a cell does not hold what its part needs.
        TemplateError: a turn of a conversation has an unknown role or no text.
    """
    names, cells = config.columns, row.columns
    identity = str(cells[names.id]) if names.id and cells.get(names.id) not in (None, "") else f"row-{row.number}"
    group = str(cells[names.group]) if names.group and cells.get(names.group) is not None else ""
    if config.task == "instruct":
        messages = _with_system(_conversation(cells, config), config)
        return Example(row.number, identity, _first_question(messages), messages=messages, group=group)
    if config.task == "prefer":
        chosen, rejected = text_in(cells, names.chosen), text_in(cells, names.rejected)
        if chosen.strip() == rejected.strip():
            raise ValueError(f"columns {names.chosen!r} and {names.rejected!r} hold the same answer")
        messages = _with_system((*_prompt(cells, config), Message("assistant", chosen)), config)
        return Example(row.number, identity, _first_question(messages), messages=messages, group=group, rejected=rejected)
    if config.task == "complete":
        return Example(row.number, identity, text_in(cells, names.text), group=group)
    return Example(row.number, identity, text_in(cells, names.text), label=_label(cells, names.label), group=group)


def mapping_fault(row: RawRow, error: ValueError | TemplateError) -> RowFault:
    """What is wrong with a row that ``map_row`` refused, in one line."""
    return RowFault(row.number, str(error).split("\n")[0], shown(row))


def check_columns(row: RawRow, config: AdapterConfig, path: Path) -> None:
    """The columns that the task needs and those that the config names are in this row, the first of its file.

    Raises:
        DataFileError: one is not there; the nearest name is proposed.
    """
    names = config.columns
    for key in _needed(row, config):
        column = getattr(names, key)
        if column not in row.columns:
            near = closest(column, row.columns, 1)
            raise DataFileError(
                f"the column for `{key}` is not in this file",
                given=f"{path.name} has: {', '.join(row.columns) or 'no columns'}",
                allowed=f"a column {column!r}",
                fix=f"set columns: {{{key}: {near[0] if near else 'NAME'}}} for this adapter in hatrack.yaml",
            )


def _needed(row: RawRow, config: AdapterConfig) -> list[str]:
    names = config.columns
    prompt = [] if names.messages in row.columns else ["prompt"]
    keys = {
        "instruct": [*prompt, "response"] if prompt else [],
        "prefer": [*prompt, "chosen", "rejected"],
        "complete": ["text"],
    }.get(config.task, ["text", "label"])
    return keys + [key for key in ("id", "group") if getattr(names, key) and key in names.model_fields_set]


def _conversation(cells: dict[str, Any], config: AdapterConfig) -> tuple[Message, ...]:
    names = config.columns
    if names.messages not in cells:
        return Message("user", text_in(cells, names.prompt)), Message("assistant", text_in(cells, names.response))
    messages = _turns(cells, names.messages)
    if not any(m.role == "user" for m in messages) or messages[-1].role != "assistant":
        raise ValueError("a conversation needs a user turn and must end with an assistant turn")
    if any(not m.content.strip() for m in messages if m.role == "assistant"):
        raise ValueError("an assistant turn is empty")
    return messages


def _prompt(cells: dict[str, Any], config: AdapterConfig) -> tuple[Message, ...]:
    names = config.columns
    if names.messages not in cells:
        return (Message("user", text_in(cells, names.prompt)),)
    messages = _turns(cells, names.messages)
    if messages[-1].role != "user" or not messages[-1].content.strip():
        raise ValueError("the turns before the two answers must end with a user turn that is not empty")
    return messages


def _turns(cells: dict[str, Any], column: str) -> tuple[Message, ...]:
    turns = cells[column]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError(f"column {column!r} must hold a list of messages")
    return as_messages(turns)


def _with_system(messages: tuple[Message, ...], config: AdapterConfig) -> tuple[Message, ...]:
    if config.system and messages[0].role != "system":
        return (Message("system", config.system), *messages)
    return messages


def _first_question(messages: tuple[Message, ...]) -> str:
    return next(message.content for message in messages if message.role == "user")


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
