"""The FAISS store: narrow filters in a copy, wide ones over a bitmap, graphs with dead rows, and what another process does."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

import hatrack.rag.stores.faiss as faiss_store
from hatrack.core.errors import KnowledgeError
from hatrack.rag.filters import accepts, parse_filter
from hatrack.rag.stores.base import Point, open_store

SIZE = 16


def points(count, first=0, size=SIZE):
    vectors = np.random.default_rng(first).normal(size=(count, size)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Point(str(uuid.UUID(int=first + i + 1)), vector, {"n": first + i, "even": i % 2 == 0}) for i, vector in enumerate(vectors)]


def best(some, vector, k, where=None):
    ranked = sorted(((float(p.vector @ vector), p.id) for p in some if accepts(where, p.payload)), reverse=True)
    return [one for _, one in ranked[:k]]


@pytest.fixture
def opened(tmp_path):
    stores = []

    def open_(options=""):
        stores.append(open_store(f"faiss:////{tmp_path}{options}", tmp_path))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


NARROW = parse_filter({"n": {"lt": 9}})
WIDE = parse_filter({"even": True})


@pytest.mark.parametrize("options", ["", "?graph_from=1"])
@pytest.mark.parametrize("where", [NARROW, WIDE, None, parse_filter({"n": 1}), parse_filter({"n": -1})], ids=str)
def test_narrow_and_wide_filters_find_what_is_there_by_hand(opened, options, where):
    store, some = opened(options), points(200)
    store.put("main", some)
    question = points(1, 9000)[0].vector
    for k in (1, 5, 300):
        assert [one.id for one in store.search("main", question, k, where)] == best(some, question, k, where)


@pytest.mark.parametrize("options", ["", "?graph_from=1"])
def test_a_remembered_filter_ends_with_every_change(opened, options):
    store, some = opened(options), points(200)
    store.put("main", some)
    question = some[3].vector
    assert store.search("main", question, 1, NARROW)[0].id == some[3].id
    store.remove("main", [some[3].id])
    left = [one for one in some if one is not some[3]]
    assert [one.id for one in store.search("main", question, 9, NARROW)] == best(left, question, 9, NARROW)
    assert [one.id for one in store.search("main", question, 9)] == best(left, question, 9)
    more = Point(str(uuid.UUID(int=777)), question, {"n": 2, "even": False})
    store.put("main", [more])
    assert store.search("main", question, 1, NARROW)[0].id == more.id


def test_two_stores_on_one_folder_see_each_other(opened):
    one, other = opened(), opened()
    some = points(40)
    one.put("main", some[:20])
    assert one.search("main", some[0].vector, 1)[0].id == some[0].id
    other.put("main", some[20:])
    other.remove("main", [some[0].id])
    left = some[1:]
    assert [f.id for f in one.search("main", some[0].vector, 40)] == best(left, some[0].vector, 40)
    other.clear("main")
    assert one.search("main", some[0].vector, 3) == []
    other.put("main", points(5, size=8))
    with pytest.raises(KnowledgeError, match="does not fit"):
        one.search("main", some[0].vector, 3)
    assert len(one.search("main", points(1, size=8)[0].vector, 9)) == 5


def test_copies_of_rows_are_bounded(opened):
    store, some = opened(), points(400)
    store.put("main", some)
    question = some[0].vector
    for low in range(0, 390, 10):
        where = parse_filter({"n": {"gte": low, "lt": low + 30}})
        assert [one.id for one in store.search("main", question, 9, where)] == best(some, question, 9, where)
        kept = store._open["main"].filters.values()
        assert sum(len(one.numbers) for one in kept) <= faiss_store._COPIED * 400
    assert len(kept) == 3


def test_a_search_asks_for_no_ids(opened, monkeypatch):
    store, some = opened(), points(50)
    store.put("main", some)
    store.search("main", some[0].vector, 3)
    for name in ("named", "numbers", "after", "vectors"):
        monkeypatch.setattr(store._points, name, lambda *arguments: pytest.fail("SQLite was read"))
    assert len(store.search("main", some[1].vector, 3)) == 3
