"""The page of two systems in a real browser: what it shows first, what its filters leave, and what a click opens."""

from __future__ import annotations

import pytest

from browser import CHROMIUM, browser
from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.classification import Accuracy
from hatrack.evaluation.predictions import Predictions
from hatrack.evaluation.scoring import compared
from hatrack.workflows.pair_page.page import render_pair

IDS = tuple(f"q{i}" for i in range(12))
EXPECTED = ("yes",) * 12
OURS = ("yes",) * 9 + ("no",) * 3
THEIRS = ("yes",) * 6 + ("<b>no</b>",) * 4 + ("no", "yes")


@pytest.fixture
def file(tmp_path):
    columns = tuple({"text": f"question {i}"} for i in range(12))
    pair = tuple(Predictions(IDS, given, EXPECTED, columns) for given in (OURS, THEIRS))
    answers = tuple(Answers(given, EXPECTED, ("no", "yes")) for given in (OURS, THEIRS))
    differences = compared(*answers, [Accuracy()], "theirs", 0.95, 1)
    path = tmp_path / "page.html"
    path.write_text(render_pair(("ours", "theirs"), pair, answers, Accuracy(), differences), encoding="utf-8")
    return path


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_rows_are_filtered_opened_and_counted(file, tmp_path):
    with browser(tmp_path / "profile") as page:
        page.open(f"file://{file}")
        count = "document.getElementById('count').textContent"
        assert page.value(count) == "5 of 12 rows"  # those that differ: three ours, one both wrong, one theirs
        for script, left in (
            ("differing.click()", "12 of 12 rows"),
            ("who.value = 'a'; who.dispatchEvent(new Event('input'))", "3 of 12 rows"),
            ("who.value = 'b'; who.dispatchEvent(new Event('input'))", "1 of 12 rows"),
            ("who.value = 'wrong'; who.dispatchEvent(new Event('input'))", "2 of 12 rows"),
            ("search.value = 'QUESTION 9'; search.dispatchEvent(new Event('input'))", "1 of 12 rows"),
        ):
            page.value(script)
            assert page.value(count) == left
        page.value("document.querySelector('#body button').click()")
        assert page.value("drawer.open && document.getElementById('d-b').textContent") == "<b>no</b>"
        assert page.value("document.querySelectorAll('b').length") == 0
        assert page.complaints == []  # the policy let nothing else run, and kept nothing of ours from running


def test_rows_that_differ_most_stand_first(file):
    text = file.read_text(encoding="utf-8")
    assert text.index('"id": "q6"') < text.index('"id": "q0"')
    assert "<b>no" not in text.partition('id="rows">')[2].partition("</script>")[0]
