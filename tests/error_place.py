"""Where the faults of docs/errors.md are made, and the list they are entered in."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import label_rows, write_jsonl
from projects import copy_of, trained_encoder, write_project

__all__ = ["CASES", "Case", "Place", "case", "fault"]


@dataclass
class Place:
    """Where a case makes its fault."""

    tmp: Path
    causal: Path
    encoder: Path
    patch: pytest.MonkeyPatch
    root: Path = Path()
    ends: list[Callable[[], object]] = field(default_factory=list)  # called when the case is over

    def project(self, rows: Any = None, *, task: str = "classify", base: Any = None, **keys: Any) -> Path:
        """A project with the adapter ``first``; ``rows`` are its data, as dictionaries or as bytes."""
        self.root = self.tmp / "project"
        train = {"epochs": 1, "batch_size": 8, "max_length": 64, **keys.pop("train", {})}
        adapter = {"data": "data.jsonl", "task": task, "r": 4, "train": train, **keys}
        write_project(self.root, base or (self.encoder if task == "classify" else self.causal), {"first": adapter})
        if isinstance(rows, bytes):
            (self.root / "data.jsonl").write_bytes(rows)
        else:
            write_jsonl(self.root / "data.jsonl", label_rows() if rows is None else rows)
        return self.root

    def trained(self) -> Path:
        """A project with a registered classifier on an encoder."""
        self.root = copy_of(trained_encoder(self.encoder), self.tmp)
        return self.root

    def quietly(self, run: Callable[[], object]) -> None:
        """What comes before the fault; what it says and its exit code are not the case's."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
            run()

    def refuse(self, owner: Any, name: str, code: int, when: Callable[..., bool] = lambda *args: True) -> None:
        """Let the operating system refuse a call."""
        real = getattr(owner, name)

        def refusing(*args: Any, **kwargs: Any) -> Any:
            if when(*args):
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        self.patch.setattr(owner, name, refusing)


@dataclass(frozen=True)
class Case:
    """``make`` returns the command line. ``says`` must all stand in the message.

    ``real``: also in a process of its own. ``inside``: the command runs in a project.
    """

    title: str
    make: Callable[[Place], list[str]]
    says: tuple[str, ...]
    real: bool = False
    inside: bool = True


CASES: list[Case] = []


def fault(title: str, command: str, prepare: Callable[[Place], Any], *says: str, real: bool = False, inside: bool = True) -> None:
    def make(place: Place) -> list[str]:
        prepare(place)
        return command.split()

    CASES.append(Case(title, make, says, real, inside))


def case(title: str, *says: str, inside: bool = True) -> Callable[[Callable[[Place], str]], None]:
    """For faults that take more than a line: the function returns the command."""
    return lambda make: CASES.append(Case(title, lambda place: make(place).split(), says, inside=inside))
