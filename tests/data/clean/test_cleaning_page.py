"""The table in docs/cleaning.md is what the rules do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hatrack.data.clean.control import remove_control
from hatrack.data.clean.unicode import repair_unicode
from hatrack.data.clean.whitespace import fold_whitespace

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cleaning.md"
ROWS = re.findall(r"^\| `(\w+)` \| `(.+?)` \| `(.+?)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
RULES = {"unicode": repair_unicode, "control": remove_control, "whitespace": fold_whitespace}


def real(text: str) -> str:
    """Escapes as the characters they name; all else as it stands."""
    return re.sub(r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[nrt])", lambda escape: escape.group().encode().decode("unicode_escape"), text)


@pytest.mark.parametrize(("rule", "before", "after"), ROWS)
def test_the_page_shows_what_the_rule_does(rule, before, after):
    assert RULES[rule](real(before)) == real(after)


def test_the_page_has_an_example_for_each_of_these_rules():
    assert {rule for rule, _, _ in ROWS} == set(RULES)
