"""What is asked of the project before it is packed and after: commands alone, and what they print. Standard library only; it goes along."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ADAPTER, TABLE = "intent", "credit"
TOKENS = "24"
_PATIENCE = 900  # seconds


def run(
    command: Sequence[str], environment: Mapping[str, str], *, code: int = 0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What a command said; another exit code than ``code``, or a traceback, ends the benchmark with all of it."""
    ran = subprocess.run(command, capture_output=True, text=True, env=dict(environment), cwd=cwd, check=False, timeout=_PATIENCE)
    if ran.returncode != code or "Traceback" in ran.stderr:
        raise SystemExit(f"{' '.join(command)}\nended with {ran.returncode}, not {code}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}")
    return ran


class Hatrack:
    """The command, as one environment has it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command, self.environment = tuple(command), environment

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run([*self.command, *map(str, arguments)], self.environment, code=code)

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self(*arguments, "--json").stdout)


def answers(hatrack: Hatrack, project: Path, questions: Path) -> dict[str, list[Any]]:
    """Everything the questions get from a project, by kind; ``questions`` holds texts.jsonl, rows.csv and asked.json."""
    at = ("--project", project)
    asked = json.loads((questions / "asked.json").read_text(encoding="utf-8"))
    labelled = hatrack("classify", ADAPTER, questions / "texts.jsonl", *at).stdout
    ask = ("--max-new-tokens", TOKENS, *at)
    told = [hatrack.json("ask", name, question, *ask) for name in (ADAPTER, "base") for question in asked["texts"]]
    told += [hatrack.json("ask", "base", claim, "--kb", *ask) for claim in asked["claims"]]
    return {
        "classify": [json.loads(line) for line in labelled.splitlines()],
        "ask": told,
        "search": [hatrack.json("kb", "search", claim, *at) for claim in asked["claims"]],
        "table": hatrack.json("table", "predict", TABLE, questions / "rows.csv", *at)["predictions"],
    }


def same(before: Sequence[Any], after: Sequence[Any]) -> float:
    """The share of answers that are equal; numbers to four digits behind the point."""
    if len(before) != len(after) or not before:
        raise SystemExit(f"{len(before)} answers before, {len(after)} after")
    return sum(_rounded(one) == _rounded(other) for one, other in zip(before, after, strict=True)) / len(before)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return {key: _rounded(one) for key, one in value.items()} if isinstance(value, dict) else value
