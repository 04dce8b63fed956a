"""Every block of commands and of Python in the pages is run, where its reader would run it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

import doc_places_served  # noqa: F401  its places
from doc_places import DOCS, PLACES, ROOT
from doc_shell import NOT_RUN, Place, Shell, blocks, commands

ELSEWHERE = {"tutorial.md": "tests/real/test_tutorial.py"}
PAGES = {page.name: page for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) if blocks(page)}


def idle(page) -> bool:
    """Whether there is nothing in a page that could be run here."""
    return all(language == "sh" and all(words[0] in NOT_RUN for words in commands(block)) for language, block in blocks(page))


def test_every_page_has_its_place():
    assert {name for name, page in PAGES.items() if not idle(page)} - set(ELSEWHERE) == set(PLACES)
    assert all((ROOT / name).is_file() for name in ELSEWHERE.values())


@pytest.mark.parametrize("page", sorted(PLACES))
def test_the_blocks_of_a_page_run(page, hatrack, tmp_path, tiny_causal, tiny_encoder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER", "true")  # where a page would be opened
    with ExitStack() as stack:
        at = Place(tmp_path, tiny_causal, tiny_encoder, hatrack, monkeypatch, stack)
        PLACES[page](at)
        shell = Shell(at)
        for language, block in blocks(PAGES[page]):
            shell.run(language, block)


def test_the_shell_reads_as_a_shell_does():
    assert commands("a --b  # a remark\nc 'd\ne' \\\n  f && g http://x/#auto\n") == [
        ["a", "--b"],
        ["c", "d\ne", "f"],
        ["g", "http://x/#auto"],
    ]


def test_a_command_that_is_refused_or_unknown_fails(hatrack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        shell = Shell(Place(tmp_path, tmp_path, tmp_path, hatrack, monkeypatch, stack))
        with pytest.raises(AssertionError, match="hatrack check --shw 3"):
            shell.run("sh", "hatrack check --shw 3")
        with pytest.raises(AssertionError, match="nobody knows"):
            shell.run("sh", "rm -r all")
