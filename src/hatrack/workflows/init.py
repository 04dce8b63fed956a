"""A first ``hatrack.yaml`` from a look at the data; the guess is stated, and written where it can be corrected."""

from __future__ import annotations

import itertools
import os
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import yaml

from hatrack.core.atomic import write_text
from hatrack.core.config_file import CONFIG_NAME, parse_config, read_config
from hatrack.core.errors import ConfigError, DataFileError
from hatrack.core.names import NAME_RULE, valid_name
from hatrack.core.project import Project
from hatrack.data.detect import detect
from hatrack.data.layouts.base import LAYOUTS
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from hatrack.models.loading import open_base

__all__ = ["add_adapter", "guess_adapter", "insert_entry", "write_project"]

_LOOK = 200
_TEXT = ("text", "sentence", "clause", "question", "message", "body", "content", "description", "input")
_LABEL = ("label", "category", "class", "intent", "type", "topic", "target", "tag")
_PROMPT = ("prompt", "instruction", "question", "input", "user")
_RESPONSE = ("response", "answer", "completion", "output", "assistant")
_TASKS: dict[str, tuple[dict[str, Any], str]] = {
    "conversation": ({"task": "instruct"}, "task instruct: the rows are conversations"),
    "preference": ({"task": "prefer"}, "task prefer: the rows are a better and a worse answer"),
    "document": (
        {"task": "instruct"},
        "task instruct: questions and answers are made from documents; task complete learns their plain text",
    ),
}


def write_project(data: Path, folder: Path, name: str, base: str) -> tuple[Path, str]:
    """Write ``hatrack.yaml`` for one data file; return its path and the guess in words.

    Raises:
        ConfigError: there is one already, or the name cannot be used.
        DataFileError: the file cannot be read, or nothing in it looks like examples.
        ModelError: the base cannot be had.
    """
    target = folder / CONFIG_NAME
    if target.exists():
        raise ConfigError(
            "there is a hatrack.yaml already", given=str(target), fix="say --add to add this adapter to it, or choose another --project"
        )
    _must_be_free(name, ())
    adapter, words = _from_file(data, folder, base)
    text = yaml.safe_dump({"base": base, "adapters": {name: adapter}}, sort_keys=False)
    parse_config(text)
    write_text(target, text)
    return target, words


def add_adapter(data: Path, folder: Path, name: str) -> tuple[Path, str]:
    """Add an adapter for one more data file to the ``hatrack.yaml`` that is there, on its base; as ``write_project``.

    Raises:
        ConfigError: there is no config, it has faults, it has this adapter, or it has comments, which would be lost.
    """
    config = read_config(folder)
    _must_be_free(name, config.adapters)
    adapter, words = _from_file(data, folder, Project(folder).base_spec(config.base))
    return insert_entry(folder, "adapters", name, adapter), words


def insert_entry(folder: Path, section: str, name: str, entry: dict[str, Any]) -> Path:
    """Write ``hatrack.yaml`` anew with one more entry below ``section``; returns its path.

    Raises:
        ConfigError: it has comments, which would be lost, or would have a fault.
    """
    target = folder / CONFIG_NAME
    text = target.read_text(encoding="utf-8")
    if any(line.lstrip().startswith("#") or " #" in line for line in text.split("\n")):
        own = yaml.safe_dump({name: entry}, sort_keys=False)
        lines = "".join(f"\n    {line}" for line in own.rstrip().split("\n"))
        raise ConfigError(
            "hatrack.yaml has comments, which would be lost if it were written anew",
            given=str(target),
            fix=f"put this below `{section}:` by hand:{lines}",
        )
    raw = yaml.safe_load(text)
    raw[section] = {**(raw.get(section) or {}), name: entry}
    changed = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)
    parse_config(changed)
    write_text(target, changed)
    return target


def _must_be_free(name: str, taken: Container[str]) -> None:
    if not valid_name(name) or name == "base":
        raise ConfigError("this cannot be the name of an adapter", given=repr(name), allowed=NAME_RULE)
    if name in taken:
        raise ConfigError(f"hatrack.yaml has an adapter called {name} already", given=name, fix="choose another --name")


def _from_file(data: Path, folder: Path, base: str) -> tuple[dict[str, Any], str]:
    """The entry of an adapter for a data file, and the guess in words."""
    guess = detect(data)
    first = list(itertools.islice(open_rows(data, layout_name=guess.layout), _LOOK))
    rows = [row.columns for row in first if isinstance(row, RawRow)]
    if not rows:
        faults = [f"row {row.number}: {row.reason}" for row in first if isinstance(row, RowFault)]
        raise DataFileError(
            f"none of the first {len(first)} rows of this file can be used",
            given=f"{data}, {'; '.join(faults[:3])}",
            fix="correct the file",
        )
    files = open_base(base)
    adapter, words = guess_adapter(rows, files.kind == "encoder", guess.layout)
    if files.kind == "causal" and files.layers >= 3:
        # On CUAD clauses the upper third learned as well as all blocks, in 0.58 of the time
        adapter["last_layers"] = files.layers // 3
    relative = os.path.relpath(data.absolute(), folder.absolute())
    where = relative if guess.layout == "columns" else {"train": relative, "layout": guess.layout}
    return {"data": where, **adapter}, f"{words}; {guess.reason}"


def guess_adapter(rows: Sequence[dict[str, Any]], encoder: bool, layout: str = "columns") -> tuple[dict[str, Any], str]:
    """Task and columns from the layout and the first rows.

    Raises:
        DataFileError: no pair of columns looks like examples.
    """
    if LAYOUTS.get(layout).yields != "columns":
        return _TASKS[LAYOUTS.get(layout).yields]
    columns = list(rows[0])
    prompt, response = _named(columns, _PROMPT), _named(columns, _RESPONSE)
    text, named = _named(columns, _TEXT), _named(columns, _LABEL)
    label = named or _few_values(rows, columns)
    # a label that has no label's name may as well be the topic or the source of a question with its answer
    if prompt and response and prompt != response and not (text and label and (named or encoder)):
        return (
            {"task": "instruct", "columns": {"prompt": prompt, "response": response}},
            f"task instruct: {prompt!r} is the question and {response!r} the answer",
        )
    if label and text and text != label:
        distinct = len({str(row.get(label)) for row in rows})
        task = "classify" if encoder else "classify-by-text"
        return (
            {"task": task, "columns": {"text": text, "label": label}, "system": "Classify the text."},
            f"task {task}: {text!r} is the text and {label!r} the label ({distinct} different ones in the first {len(rows)} rows)",
        )
    if text and len(columns) == 1:
        return {"task": "complete", "columns": {"text": text}}, f"task complete: {text!r} is plain text to go on with"
    raise DataFileError(
        "it is not clear what is to be learned from this file",
        given="columns " + ", ".join(columns),
        allowed="a text and a label (text, label), a question and an answer (prompt, response), messages, "
        "two answers to a prompt (prompt, chosen, rejected), or documents",
        fix="rename two columns, or write hatrack.yaml by hand with columns: {text: ..., label: ...}",
    )


def _named(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in wanted if name in lower), None)


def _few_values(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str | None:
    """A column whose values repeat: a label is said more than once."""
    counts = {column: len({str(row.get(column)) for row in rows}) for column in columns}
    repeated = [column for column in columns if 2 <= counts[column] <= max(2, len(rows) // 3)]
    return min(repeated, key=lambda column: counts[column]) if repeated else None
