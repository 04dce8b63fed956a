"""docs/commands.md from the commands themselves: usage, arguments and options of each, and of each of their parts."""

from __future__ import annotations

import inspect
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from page_table import anchor, code, plain, table
from typer.main import get_command

from hatrack.cli.main import COMMANDS, program

__all__ = ["command_page"]

HEAD = """# Commands

Every command with its arguments and options, as `hatrack COMMAND --help` shows them. In what order they are used is told by the
[tutorial](tutorial.md); `hatrack --version` prints the version.

| exit code | means |
|---|---|
| 0 | done |
| 1 | measured, and not proven: an evaluation that did not pass, a gate that stays closed |
| 2 | refused, with one message: [errors](errors.md) |
| 130 | interrupted; a training goes on where it was when the same command is run again |

In a usage line, what stands in brackets may be left out, and dots mean: one or more. An option that takes nothing is a switch; one
that takes several is given once for each.
All commands take `--help`, or `-h`.
"""
_NAMES = {str: "text", Path: "path", int: "whole number", float: "number"}


def command_page() -> str:
    """The whole page."""
    names = [f"hatrack {name}" for name in COMMANDS]
    parts = [HEAD, table(("command", "what it does"), [(_link(name), plain(COMMANDS[name.split()[1]])) for name in names])]
    for name in names:
        parts += _sections(name, get_command(program(name.split()[1])), "##")
    return "\n".join(parts)


def _sections(name: str, command: Any, level: str) -> list[str]:
    """A command, and behind it its parts; ``command`` is one of Typer, whose classes have no public name."""
    head = [f"{level} {name}", "", plain(command.help), ""]
    if parts := getattr(command, "commands", None):
        rows = [(_link(f"{name} {part}"), plain(one.help)) for part, one in parts.items()]
        found = ["\n".join([*head, "```text", f"{name} COMMAND ...", "```", "", table(("command", "what it does"), rows)])]
        for part, one in parts.items():
            found += _sections(f"{name} {part}", one, f"{level}#")
        return found
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = [name, *(["[OPTIONS]"] if options else []), *map(_in_usage, arguments)]
    lines = [*head, "```text", " ".join(usage), "```", ""]
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    for title, found in (("argument", arguments), ("option", options)):
        if found:
            rows = [(_names(one), _takes(hints[one.name]), _default(one), plain(one.help or "")) for one in found]
            lines.append(table((title, "takes", "default", "what it does"), rows))
    return ["\n".join(lines)]


def _link(name: str) -> str:
    return f"[`{name}`]({anchor(name)})"


def _in_usage(argument: Any) -> str:
    name = argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(parameter.name.upper())
    return ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))


def _takes(hint: Any) -> str:
    """What a value looks like; nothing for a switch. ``hint`` is ``Annotated[type, typer.Option(...)]``."""
    kind, about = get_args(hint)
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    several = get_origin(kind) is list
    if several:
        (kind,) = get_args(kind)
    if kind is bool:
        return ""
    return _one(kind, about.min, about.max) + (", several" if several else "")


def _one(kind: Any, low: float | None, high: float | None) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(code(value) for value in get_args(kind))
    if issubclass(kind, Enum):
        return " or ".join(code(one.value) for one in kind)
    if low is None and high is None:
        return _NAMES[kind]
    if low is None or high is None:
        return f"{_NAMES[kind]}, {f'at least {low:g}' if high is None else f'at most {high:g}'}"
    return f"{_NAMES[kind]}, {low:g} to {high:g}"


def _default(parameter: Any) -> str:
    """What a parameter is where it is left out; nothing where its help says it, or nothing is chosen."""
    value = parameter.default
    if parameter.required:
        return "required"
    if isinstance(value, bool) and parameter.secondary_opts:
        return code((parameter.opts if value else parameter.secondary_opts)[0])
    if value is None or value is False or value == "":
        return ""
    return code(value.as_posix() if isinstance(value, Path) else str(value.value if isinstance(value, Enum) else value))
