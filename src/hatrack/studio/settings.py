"""What a run was trained with, as lines for a page, and where several runs differ in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hatrack.core.digest import short
from hatrack.core.project import Project
from hatrack.core.run_folder import read_settings
from hatrack.studio.runs import Run

__all__ = ["differing", "settings_of"]

_LISTED = 20  # labels, files and the like
_FIRST = ("task", "method", "base", "data")  # what a run is, before its figures
_DIGEST = re.compile("[0-9a-f]{64}")


def settings_of(project: Project, run: Run) -> dict[str, str]:
    """Each setting by its name in hatrack.yaml, nested ones with dots; empty for a run that kept none."""
    kept = read_settings(project.runs / run.key)
    return _flat({name: kept[name] for name in (*_FIRST, *kept) if name in kept})


def differing(settings: Sequence[dict[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """Name and values of each setting that is not the same in all of them."""
    names = dict.fromkeys(name for one in settings for name in one)
    rows = [(name, tuple(one.get(name, "") for one in settings)) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _flat(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {key: text for part, inner in value.items() for key, text in _flat(inner, f"{name}.{part}" if name else str(part)).items()}
    return {name: _text(value)} if name else {}


def _text(value: Any) -> str:
    if value is None or value in ([], {}):
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 2 epochs and 2.0 of them are the same
    if isinstance(value, list):
        more = f", and {len(value) - _LISTED:,} more" if len(value) > _LISTED else ""
        return ", ".join(map(_text, value[:_LISTED])) + more
    text = str(value)
    return short(text) if _DIGEST.fullmatch(text) else text
