"""Every fault a user can make: one message that says what was given, what is allowed and what to do; no traceback.

The same run collects the messages; they must be the page docs/errors.md. ``make errors`` writes it anew.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import error_cases_compare  # noqa: F401  # enters its cases in the list
import error_cases_data  # noqa: F401  # so does this
import error_cases_derived  # noqa: F401  # so does this
import error_cases_engines  # noqa: F401  # and this
import error_cases_hosted  # noqa: F401  # and this
import error_cases_knowledge  # noqa: F401  # and this
import error_cases_models  # noqa: F401  # and this
import error_cases_proof  # noqa: F401  # as above
import error_cases_route  # noqa: F401  # as above
import error_cases_serve  # noqa: F401  # as above
import error_cases_tables  # noqa: F401  # as above
import error_cases_together  # noqa: F401  # and this
import error_cases_training  # noqa: F401  # and this
from error_cases import CASES
from error_place import Case, Place

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
SEEN: dict[str, dict[str, str]] = {}
INTRODUCTION = """# Errors

Every refusal is one message and exit code 2: what is wrong, what was given, what is allowed, what to do. Nothing
half-written is left behind, and a traceback is a bug. Exit code 1 means that an evaluation did not prove the adapter,
which is a result and no error.

This page is generated (`make errors`) by [tests/test_errors.py](../tests/test_errors.py): each row is a fault made on
disk and the message of the real command. `PROJECT`, `MODEL` and `TMP` stand for folders, `DIGEST` for a
hash, `HOST` for a provider.

| fault | command | what is said | given | allowed | do |
|---|---|---|---|---|---|
"""


@pytest.fixture
def place(tmp_path, tiny_causal, tiny_encoder, monkeypatch):
    made = Place(tmp_path, tiny_causal, tiny_encoder, monkeypatch)
    yield made
    for end in made.ends:
        end()


def versions(root: Path) -> list[tuple[str, ...]]:
    try:
        with sqlite3.connect(f"file:{root / '.hatrack' / 'registry.db'}?mode=ro", uri=True) as connection:
            return connection.execute("select name, version, digest from versions").fetchall()
    except sqlite3.DatabaseError:
        return []


def plain(text: str, place: Place) -> str:
    """Without what differs from run to run and from machine to machine."""
    folders = ((place.root, "PROJECT"), (place.encoder, "MODEL"), (place.causal, "MODEL"), (place.tmp, "TMP"))
    for path, name in (pair for pair in folders if pair[0] != Path()):
        text = text.replace(str(path), name)
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
    text = re.sub(r"/[0-9a-f]{2}/DIGEST", "/DIGEST", text)
    text = re.sub(r"differ by [\d.e+-]+", "differ by NUMBER", text)
    # where a loss breaks down depends on the processor
    return re.sub(r"rows [\d, ]+ of the training", "rows ROW, ROW, ... of the training", re.sub(r"in step \d+", "in step STEP", text))


def parts(message: str) -> dict[str, str]:
    """The fields of a message; rows and single faults belong to what is said."""
    fields = {"what": "", "given": "", "allowed": "", "do": ""}
    current = "what"
    for line in message.splitlines():
        label = re.match(r"  (given|allowed|do): +", line)
        if label:
            current, line = label.group(1), line[label.end() :]
        fields[current] += ("\n" if fields[current] else "") + line.strip()
    return fields


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_fault_is_one_message_and_leaves_nothing_half_done(case: Case, place, hatrack):
    given = case.make(place)
    arguments = [part.replace("PROJECT", str(place.root)).replace("MODEL", str(place.encoder)) for part in given]
    at = ["--project", str(place.root)] if case.inside else []
    before = versions(place.root)
    ran = hatrack(*arguments, *at)
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert ran.err.count("Error: ") == 1, ran.err
    message = plain(ran.err.partition("Error: ")[2].strip(), place)
    for words in case.says:
        assert words in message
    fields = parts(message)
    assert fields["what"]
    assert fields["given"] or fields["allowed"] or "\n" in fields["what"] or "'" in fields["what"], "says nothing of what was found"
    assert fields["do"] or fields["allowed"], "says neither what is allowed nor what to do"
    assert versions(place.root) == before
    assert not list(place.tmp.rglob(".staging-*"))
    SEEN[case.title] = {"command": plain(f"hatrack {' '.join(given)}", place), **fields}


@pytest.mark.parametrize("case", [case for case in CASES if case.real], ids=lambda case: case.title)
def test_a_process_of_its_own_ends_with_code_2_and_without_a_traceback(case: Case, place):
    arguments = case.make(place)
    at = ["--project", str(place.root)] if case.inside else []
    ran = subprocess.run([sys.executable, "-m", "hatrack", *arguments, *at], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    for words in case.says:
        assert words in ran.stderr


def test_the_page_of_errors_is_what_the_commands_say():
    missing = [case.title for case in CASES if case.title not in SEEN]
    if missing:
        pytest.skip("only some of the cases ran")
    page = INTRODUCTION + "".join(row(case.title, SEEN[case.title]) for case in CASES)
    if os.environ.get("HATRACK_WRITE_ERRORS") == "1":
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page, "run `make errors` and look at what has changed"


def test_the_page_holds_no_path_of_this_machine():
    page = PAGE.read_text(encoding="utf-8")
    assert str(Path.home()) not in page
    assert "/tmp" not in page
    assert "pytest-of" not in page


def row(title: str, seen: dict[str, str]) -> str:
    cells = [title, f"`{seen['command']}`", *(seen[key].replace("\n", "<br>") for key in ("what", "given", "allowed", "do"))]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("[", "\\[").replace("*", "\\*") for cell in cells) + " |\n"
