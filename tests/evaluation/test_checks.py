"""A check's report: shares with Wilson's interval, changes against the base with all groups taken together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hatrack.core.checks import CheckReport
from hatrack.core.errors import AdapterBroken
from hatrack.evaluation.checks import Item, Subject, check_report

ABOUT = {"one": "First.", "two": "Second.", "text": "Text."}
SUBJECT = Subject("a@1.0.0", "d" * 64, "s" * 64)


def items(group, passed, of):
    return [Item(group, f"{group} {i}", float(i < passed), "why", "what it said") for i in range(of)]


def test_scores_are_shares_and_have_a_width_even_where_all_passed():
    report = check_report("safety", SUBJECT, ABOUT, items("one", 20, 20), None)
    (group,) = report.groups
    assert (group.score, group.items, group.base, group.change) == (1.0, 20, None, None)
    z = 1.959964
    assert group.interval.low == pytest.approx(20 / (20 + z**2), abs=1e-4)  # Wilson's lower end for n of n
    assert report.losses(0) == ()


def test_a_loss_counts_only_when_it_is_sure_and_more_than_tolerated():
    before = items("one", 30, 30)
    few, many = (check_report("safety", SUBJECT, ABOUT, items("one", kept, 30), before) for kept in (28, 15))
    assert few.losses(0) == ()
    assert "one: 100% falls to 50%" in many.losses(0)[0]
    assert many.losses(0.6) == ()


def test_a_gain_is_no_loss():
    assert check_report("safety", SUBJECT, ABOUT, items("one", 30, 30), items("one", 5, 30)).losses(0) == ()


def test_more_groups_make_each_interval_wider_so_that_all_hold_together():
    alone = check_report("safety", SUBJECT, ABOUT, items("one", 20, 30), items("one", 30, 30))
    both = check_report("safety", SUBJECT, ABOUT, items("one", 20, 30) + items("two", 9, 10), items("one", 30, 30) + items("two", 10, 10))
    assert alone.groups[0].change.interval.confidence == pytest.approx(0.95)
    assert both.groups[0].change.interval.confidence == pytest.approx(0.975)
    width = [report.groups[0].change.interval for report in (alone, both)]
    assert width[1].high - width[1].low > width[0].high - width[0].low


def test_no_better_and_no_worse_adapters_are_hardly_ever_called_worse():
    """Where nothing changed but chance, at most 5 % of reports should speak of a loss, however many groups they have."""
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(30):
        flips = {name: rng.random((2, 24)) < 0.7 for name in ("one", "two")}
        ours, theirs = (
            [Item(name, str(i), float(value)) for name in flips for i, value in enumerate(flips[name][side])] for side in (0, 1)
        )
        called += bool(check_report("safety", SUBJECT, ABOUT, ours, theirs).losses(0))
    assert called <= 2


def test_where_lower_is_better_a_rise_is_the_loss_and_is_shown_as_perplexity():
    before = [Item("text", str(i), 3.0 + 0.01 * i) for i in range(20)]
    after = [Item("text", str(i), 3.4 + 0.012 * i) for i in range(20)]
    lower = frozenset({"text"})
    report = check_report("general", SUBJECT, ABOUT, after, before, lower_is_better=lower)
    assert "perplexity" in report.losses(0.05)[0]
    assert "rises to" in report.losses(0.05)[0]
    assert report.losses(0.6) == ()
    assert report.groups[0].shown(math.log(20)) == "perplexity 20.00"
    assert check_report("general", SUBJECT, ABOUT, before, after, lower_is_better=lower).losses(0) == ()


def test_failed_items_say_whether_the_base_passed_them():
    report = check_report("safety", SUBJECT, ABOUT, items("one", 1, 3), items("one", 2, 3))
    assert [(item.item, item.base_passed) for item in report.failed] == [("one 1", True), ("one 2", False)]


def test_a_damaged_record_is_an_error_and_a_whole_one_comes_back_as_it_was(tmp_path):
    report = check_report("safety", SUBJECT, ABOUT, items("one", 1, 3), None)
    file = tmp_path / "check.json"
    file.write_text(report.model_dump_json())
    assert CheckReport.read(file) == report
    file.write_text("{")
    with pytest.raises(AdapterBroken, match="record of a check"):
        CheckReport.read(file)
