"""The blocks of a page, run one after the other: Hatrack's commands in this process, servers in one of their own, Python as it stands."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import Ran, Runner

__all__ = ["NOT_RUN", "Place", "Shell", "blocks", "commands"]

ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost):8000|(?<=curl )localhost:8000")
LASTING = ("serve", "studio", "worker")
# What these tests cannot or must not do, and what is seen to instead.
NOT_RUN = {
    "cp": "installs for the whole machine",
    "docker": "no engine here; hadolint reads the Dockerfile",
    "garak-venv/bin/pip": "installs",
    "/opt/hatrack/bin/pip": "installs",
    "make": "targets are looked up in the Makefile",
    "pip": "installs",
    "python3": "makes an environment",
    "source": "the tests' own environment is used",
    "systemctl": "installs for the whole machine; systemd-analyze reads the unit",
    "useradd": "installs for the whole machine",
}


@dataclass
class Place:
    """Where the reader of a page stands.

    Attributes:
        root: the folder, in which a project may lie.
        instead: what is put in the place of words that a reader replaces too.
        names: what Python blocks know before they begin.
        after: called with what a command did, by the beginning of its line.
        key: the API key that is sent with curl.
    """

    root: Path
    causal: Path
    encoder: Path
    hatrack: Runner
    patch: pytest.MonkeyPatch
    stack: ExitStack
    instead: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Callable[[Ran], None]] = field(default_factory=dict)
    key: str = ""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block that is run, in order."""
    return re.findall(r"```(sh|python)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """The words of each command; comments are gone, lines that go on are one, and ``&&`` parts two."""
    found: list[list[str]] = []
    held = ""
    for line in block.split("\n"):
        held += re.sub(r"(^|\s)#\s.*$", "", line)
        if held.endswith("\\"):
            held = held[:-1]
            continue
        lexer = shlex.shlex(held, posix=True, punctuation_chars="&;|<>")
        lexer.whitespace_split, lexer.commenters = True, ""
        try:
            words = list(lexer)
        except ValueError:  # a quotation goes on in the next line
            held += "\n"
            continue
        held = ""
        part: list[str] = []
        for word in [*words, ";"]:
            if word in ("&&", ";"):
                found += [part] if part else []
                part = []
            else:
                part.append(word)
    assert not held.strip(), f"a quotation is never closed: {held}"
    return found


class Shell:
    """Runs the blocks of a page in a place; what goes wrong is an assertion that names the line."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.address = ""

    def run(self, language: str, block: str) -> None:
        """Run a block."""
        for old, new in self.place.instead.items():
            block = block.replace(old, new)
        if language == "python":
            exec(compile(self._addressed(block), "<block>", "exec"), self.place.names)
            return
        for words in commands(block):
            self._command(words)

    def _addressed(self, text: str) -> str:
        return ADDRESS.sub(self.address, text) if self.address else text

    def _command(self, words: list[str]) -> None:
        line = " ".join(words)
        first, *rest = words
        if first in NOT_RUN or "--garak" in rest:  # garak lives in an environment of its own, which is not here
            return
        if first == "export":
            for one in rest:
                name, _, value = one.partition("=")
                self.place.patch.setenv(name, value)
            return
        if first == "tar":
            subprocess.run(words, cwd=self.place.root, check=True)
            return
        if first == "curl":
            ran = self._curl([self._addressed(f"curl {word}").removeprefix("curl ") for word in rest])
        else:
            assert first == "hatrack", f"nobody knows how to run: {line}"
            if rest[0] in LASTING:
                self._lasting(rest)
                return
            if rest[0] == "mcp":  # it talks with a program, and ends when that has nothing more to say
                subprocess.run([sys.executable, "-m", "hatrack", *rest], cwd=self.place.root, stdin=subprocess.DEVNULL, check=True)
                return
            ran = self.place.hatrack(*[self._addressed(word) for word in rest])
        assert ran.code in (0, 1), f"{line}\n{ran.out[-1500:]}\n{ran.err[-1500:]}"  # 1: measured, and not shown
        for beginning, call in self.place.after.items():
            if line.startswith(beginning):
                call(ran)

    def _curl(self, words: list[str]) -> Ran:
        key = ["-H", f"Authorization: Bearer {self.place.key}"] if self.place.key else []
        ran = subprocess.run(
            ["curl", "--silent", "--fail-with-body", *key, *words], cwd=self.place.root, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"curl {words}: {ran.returncode} {ran.stdout} {ran.stderr}"
        return Ran(0, ran.stdout, ran.stderr)

    def _lasting(self, words: list[str]) -> None:
        """Start what runs until it is told to stop; it is told at the end, and must then end well."""
        if words[0] in ("serve", "studio"):
            words = [*(words[:-2] if "--port" in words else words), "--port", "0"]
        begun = subprocess.Popen(
            [sys.executable, "-m", "hatrack", *words], cwd=self.place.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert begun.stdout
        seen = []
        for said in begun.stdout:
            seen.append(said)
            if words[0] == "worker":  # whoever does the same by other means ends it first
                _end(begun, words)
                return
            if found := re.match(r"(?:address|studio)\s+(http://[^/\s]+)", said):
                self.address = found[1]
            if said.startswith("stop"):
                self.place.stack.callback(_end, begun, words)
                httpx.get(f"{self.address}/healthz", timeout=60)  # it has begun: a signal now ends it well
                return
        raise AssertionError(f"hatrack {' '.join(words)} ended:\n{''.join(seen)}")


def _end(begun: subprocess.Popen[str], words: list[str]) -> None:
    begun.send_signal(signal.SIGTERM)
    rest, _ = begun.communicate(timeout=60)
    assert begun.returncode == 0, f"hatrack {' '.join(words)} ended with {begun.returncode}:\n{rest[-2000:]}"
