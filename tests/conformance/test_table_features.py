"""What every computed column promises: nothing of later rows, the same in training and in use."""

from __future__ import annotations

import random

import pytest

from hatrack.core.config_tables import TableFeature
from hatrack.core.errors import ConfigError, DataError
from hatrack.tabular.features.base import TABLE_FEATURES, computed
from hatrack.tabular.table import Table

RECIPES = {
    "window": {"of": "amount", "by": "card", "time": "day", "take": "mean", "days": 10},
    "since-last": {"by": "card", "time": "day"},
    "ratio": {"of": ["amount", "limit"]},
    "difference": {"of": ["limit", "amount"]},
    "log": {"of": "amount"},
}
every_feature = pytest.mark.parametrize("name", TABLE_FEATURES.names())
NONE = Table({}, [])


def recipe(name: str, **changes) -> TableFeature:
    return TableFeature(**{"name": "made", "make": name, **RECIPES[name], **changes})


def rows(count: int = 60, seed: int = 0) -> list[dict]:
    rng = random.Random(seed)
    cards, days = [rng.choice("abc") for _ in range(count)], [f"2026-01-{rng.randint(1, 28):02}" for _ in range(count)]
    return [
        {"card": card, "day": day, "amount": rng.randint(1, 99), "limit": rng.choice((0, 50, 90))}
        for card, day in zip(cards, days, strict=True)
    ]


@every_feature
def test_later_rows_change_nothing(name):
    past = [row for row in rows() if row["day"] < "2026-01-15"]
    future = [row for row in rows() if row["day"] >= "2026-01-15"]
    alone = computed([recipe(name)], Table.of_rows(past), NONE).columns["made"]
    together = computed([recipe(name)], Table.of_rows([*future, *past]), NONE).columns["made"]
    assert together[len(future) :] == alone


@every_feature
def test_a_single_row_with_its_history_gets_what_it_got_in_training(name):
    ordered = sorted(rows(), key=lambda row: row["day"])
    training = computed([recipe(name)], Table.of_rows(ordered), NONE).columns["made"]
    for place in (5, 30, 59):
        alone = computed([recipe(name)], Table.of_rows([ordered[place]]), Table.of_rows(ordered[:place])).columns["made"]
        assert alone == [training[place]]


@every_feature
def test_a_column_that_the_rows_bring_along_is_kept(name):
    given = [{**row, "made": 7} for row in rows(5)]
    assert computed([recipe(name)], Table.of_rows(given), NONE).columns["made"] == [7] * 5


@every_feature
def test_a_column_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(DataError, match="made of a column that is not there"):
        computed([recipe(name)], Table.of_rows([{"other": 1}]), NONE)


@every_feature
def test_settings_that_do_not_fit_are_refused(name):
    with pytest.raises(ConfigError, match="cannot be made"):
        computed([TableFeature(name="made", make=name)], Table.of_rows(rows(3)), NONE)


@every_feature
def test_a_cell_that_cannot_be_used_is_named_by_row_and_column(name):
    bad = rows(3)
    bad[1] = dict.fromkeys(bad[1], "soon")
    with pytest.raises(DataError) as refused:
        computed([recipe(name)], Table.of_rows(bad), NONE)
    assert "row 2, column" in refused.value.given
