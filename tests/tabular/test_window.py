"""Windows by hand."""

from __future__ import annotations

import pytest

from hatrack.core.config_tables import TableFeature
from hatrack.tabular.features.base import computed
from hatrack.tabular.table import Table

ROWS = [
    {"card": "a", "time": "2026-01-01", "amount": 10},
    {"card": "a", "time": "2026-01-03", "amount": 30},
    {"card": "b", "time": "2026-01-03", "amount": 500},
    {"card": "a", "time": "2026-01-03", "amount": 50},
    {"card": "a", "time": "2026-01-09", "amount": None},
    {"card": "a", "time": "2026-01-10", "amount": 1},
    {"card": None, "time": "2026-01-10", "amount": 1},
]


def made(**keys):
    recipe = TableFeature(**{"name": "x", "make": "window", "of": "amount", "by": "card", "time": "time", **keys})
    return computed([recipe], Table.of_rows(ROWS), Table({}, [])).columns["x"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        # rows 2 and 4 are of the same moment and do not see each other
        ({"take": "count"}, [0, 1, 0, 1, 3, 4, None]),
        ({"take": "sum"}, [0, 10, 0, 10, 90, 90, None]),
        ({"take": "mean"}, [None, 10, None, 10, 30, 30, None]),
        ({"take": "max", "days": 7}, [None, 10, None, 10, 50, 50, None]),
        ({"take": "count", "days": 2}, [0, 1, 0, 1, 0, 1, None]),
        ({"make": "since-last"}, [None, 2, None, 2, 6, 1, None]),
    ],
)
def test_only_earlier_rows_of_the_same_key_count(keys, expected):
    assert made(**keys) == expected
