"""The filter language: what it means, that SQLite means the same, and that what it does not know is refused."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import KnowledgeError
from hatrack.rag.filters import accepts, check_fields, parse_filter, valid_on
from hatrack.rag.metadata import clean_metadata, shown_metadata
from hatrack.rag.sql import sqlite_condition

FR = {"country": "FR", "year": 2021, "open": True, "share": 0.5}

values = st.sampled_from(["FR", "BE", "", "2021", 0, 1, 2021, 0.5, -3, True, False])
names = st.sampled_from(["country", "year", "open", "share"])
bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from([0, 0.5, 1, 2021]), min_size=1)
conditions = st.dictionaries(names, st.one_of(values, st.lists(values, min_size=1, max_size=3), bounds), min_size=1, max_size=2)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(st.fixed_dictionaries({"not": inner}), st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})),
    max_leaves=5,
)
metadata = st.dictionaries(names, values, max_size=4)


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ({"country": "FR"}, True),
        ({"country": ["BE", "FR"]}, True),
        ({"country": "BE"}, False),
        ({"year": {"gte": 2021, "lt": 2022}}, True),
        ({"year": {"gt": 2021}}, False),
        ({"year": "2021"}, False),
        ({"open": 1}, False),
        ({"open": True}, True),
        ({"country": {"gte": 1}}, False),
        ({"missing": "x"}, False),
        ({"not": {"missing": "x"}}, True),
        ({"any": [{"country": "BE"}, {"year": 2021}]}, True),
        ({"country": "FR", "year": 2020}, False),
        ({}, True),
    ],
)
def test_what_a_filter_means(given, matches):
    assert accepts(parse_filter(given), FR) is matches


@settings(max_examples=150, deadline=None)
@given(filters, st.lists(metadata, max_size=6))
def test_sqlite_means_the_same(given, rows):
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (payload TEXT)")
    db.executemany("INSERT INTO t VALUES (?)", [(json.dumps(row),) for row in rows])
    where = parse_filter(given)
    condition, parameters = sqlite_condition(where, "payload")
    seen = [json.loads(text) for (text,) in db.execute(f"SELECT payload FROM t WHERE {condition}", parameters)]
    db.close()
    assert [repr(row) for row in seen] == [repr(row) for row in rows if accepts(where, row)]


@pytest.mark.parametrize(
    "given",
    [
        {"country": None},
        {"country": []},
        {"country": {"near": 3}},
        {"year": {"gte": "2020"}},
        {"any": []},
        {"not": "FR"},
        {"valid_from": {"gte": "soon"}},
        {'a"b': 1},
        {"x": {"y": {"z": 1}}},
    ],
)
def test_what_is_no_filter_is_refused_with_the_language(given):
    with pytest.raises(KnowledgeError) as caught:
        parse_filter(given)
    assert '"not"' in caught.value.allowed


def test_a_field_that_no_document_has_is_refused_with_the_nearest():
    with pytest.raises(KnowledgeError, match="no document has the field") as caught:
        check_fields(parse_filter({"contry": "FR"}), {"country", "year"})
    assert "country" in caught.value.fix


def test_a_document_is_valid_from_its_first_to_its_last_day():
    kept = clean_metadata({"valid_from": "2014-01-01", "valid_to": "2014-12-31"})
    days = ("2013-12-31", "2014-01-01", "2014-12-31", "2015-01-01")
    assert [accepts(valid_on(day), kept) for day in days] == [False, True, True, False]
    assert accepts(valid_on("1900-01-01"), clean_metadata({}))
    assert shown_metadata(kept) == {"valid_from": "2014-01-01", "valid_to": "2014-12-31"}
    with pytest.raises(KnowledgeError, match="no date"):
        valid_on("31/12/2014")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"valid_from": "soon"}, "valid_from is no date"),
        ({"valid_from": "2020-01-01", "valid_to": "2019-01-01"}, "lies after"),
        ({"näme": 1}, "letters a to z"),
        ({"x": float("nan")}, "finite"),
    ],
)
def test_metadata_that_cannot_be_kept_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        clean_metadata(given)


def test_metadata_are_plain_values_under_plain_names():
    assert clean_metadata({"Legal-Ref": "A", "tags": ["x"], "none": None}) == {"valid_from": 0, "valid_to": 99991231, "legal_ref": "A"}
