"""What every store promises; a new one is tested here by being in the table. ``store_places`` says where each one is."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from hatrack.core.errors import ConfigError, KnowledgeError
from hatrack.rag.filters import accepts, parse_filter, valid_on
from hatrack.rag.metadata import clean_metadata
from hatrack.rag.stores.base import STORES, Point, open_store
from store_places import store_url

SIZE = 16
FILTERS = [
    {"country": "FR"},
    {"country": ["FR", "US"]},
    {"not": {"country": "FR"}},
    {"year": {"gte": 2021, "lt": 2023}},
    {"year": 2021},
    {"year": [2020, 2022]},
    {"share": {"gt": 0.25}},
    {"open": True},
    {"open": False},
    {"any": [{"country": "IN"}, {"year": {"lte": 2020}}]},
    {"country": "FR", "open": True},
    {"not": {"any": [{"country": "FR"}, {"open": True}]}},
    {"missing": "x"},
    {"not": {"missing": "x"}},
    {"text": "2021"},
    {"text": 'l\'été "x" \\ %'},
    {"valid_from": {"lte": "2014-01-01"}},
]


@pytest.fixture(scope="module", params=STORES.names())
def url(request, tmp_path_factory):
    """The URL of a store of each kind; servers are started once."""
    with store_url(request.param, tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def opened(url, tmp_path):
    stores = []

    def open_(text=url):
        stores.append(open_store(text, tmp_path))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def name():
    """A collection that nobody has used."""
    return f"c{uuid.uuid4().hex[:12]}"


def points(count=40, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = []
    for i, vector in enumerate(vectors):
        metadata = {
            "country": ("FR", "US", "IN")[i % 3],
            "year": 2020 + i % 4,
            "share": i / count,
            "open": i % 5 == 0,
            "valid_from": f"20{10 + i % 9}-01-01",
        }
        if i % 7 == 0:
            metadata = {"text": "2021" if i % 2 else 'l\'été "x" \\ %'}
        made.append(Point(str(uuid.UUID(int=i + 1 + seed * 1000)), vector, clean_metadata(metadata)))
    return made


def best(some, vector, k, where=None):
    """By hand."""
    ranked = sorted(((float(p.vector @ vector), p.id) for p in some if accepts(where, p.payload)), reverse=True)
    return [one for _, one in ranked[:k]]


def test_the_nearest_come_first_with_their_inner_products(opened, name):
    store, some = opened(), points()
    store.put(name, some)
    question = points(1, seed=9)[0].vector
    found = store.search(name, question, 10)
    assert [one.id for one in found] == best(some, question, 10)
    by_id = {p.id: p for p in some}
    for one in found:
        assert one.score == pytest.approx(float(by_id[one.id].vector @ question), abs=1e-5)
    assert store.count(name) == len(some)
    assert len(store.search(name, question, 1000)) == len(some)


@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_a_filter_means_the_same_everywhere(opened, name, given, url, filled):
    some, question = points(), points(1, seed=9)[0].vector
    where = parse_filter(given)
    found = filled.search("filled", question, len(some), where)
    assert [one.id for one in found] == best(some, question, len(some), where)


@pytest.fixture(scope="module")
def filled(url, tmp_path_factory):
    store = open_store(url, tmp_path_factory.mktemp("filled"))
    store.clear("filled")
    store.put("filled", points())
    yield store
    store.clear("filled")
    store.close()


def test_a_day_is_a_filter(filled):
    some, question, where = points(), points(1, seed=9)[0].vector, valid_on("2014-06-01")
    assert 0 < len(best(some, question, 99, where)) < len(some)
    assert [one.id for one in filled.search("filled", question, len(some), where)] == best(some, question, len(some), where)


def test_the_same_id_again_replaces(opened, name):
    store, some = opened(), points(5)
    store.put(name, some)
    moved = Point(some[0].id, some[1].vector, clean_metadata({"country": "DE"}))
    store.put(name, [moved])
    assert store.count(name) == 5
    assert [one.id for one in store.search(name, moved.vector, 5, parse_filter({"country": "DE"}))] == [moved.id]
    assert np.allclose(store.vectors(name, [moved.id])[moved.id], moved.vector, atol=1e-6)


def test_what_is_removed_is_not_found(opened, name):
    store, some = opened(), points(20)
    store.put(name, some)
    question = some[3].vector
    assert store.search(name, question, 1)[0].id == some[3].id
    store.remove(name, [some[3].id, str(uuid.uuid4())])
    store.remove("never-there", [some[3].id])
    assert some[3].id not in {one.id for one in store.search(name, question, 99)}
    assert store.count(name) == 19
    assert set(store.vectors(name, [some[3].id, some[4].id])) == {some[4].id}


def test_collections_do_not_see_each_other(opened, name):
    store, some = opened(), points(6)
    store.put(name, some[:3])
    store.put(name + "x", some[3:])
    assert {one.id for one in store.search(name, some[0].vector, 9)} == {p.id for p in some[:3]}
    assert store.search("never-there", some[0].vector, 9) == []
    assert (store.count("never-there"), store.vectors("never-there", [some[0].id])) == (0, {})


def test_what_one_wrote_another_finds(opened, name, url):
    store, some = opened(), points(8)
    store.put(name, some)
    store.close()
    again = opened()
    again.prepare(name)
    again.prepare("never-there")
    assert [one.id for one in again.search(name, some[2].vector, 1)] == [some[2].id]
    assert again.count(name) == 8


def test_a_vector_of_another_dimension_is_refused_and_nothing_is_lost(opened, name):
    store, some = opened(), points(4)
    store.put(name, some)
    short = np.ones(SIZE - 1, dtype=np.float32)
    with pytest.raises(KnowledgeError, match="does not fit"):
        store.put(name, [Point(str(uuid.uuid4()), short, {})])
    with pytest.raises(KnowledgeError, match="does not fit"):
        store.search(name, short, 1)
    assert store.count(name) == 4


def test_after_clearing_another_dimension_may_come(opened, name):
    store = opened()
    store.put(name, points(4))
    store.search(name, points(1)[0].vector, 1)
    store.clear(name)
    store.clear("never-there")
    assert (store.count(name), store.search(name, points(1)[0].vector, 1)) == (0, [])
    size = SIZE if store.one_dimension else 4
    vector = np.ones(size, dtype=np.float32) / np.float32(size**0.5)
    store.put(name, [Point(str(uuid.UUID(int=7)), vector, {})])
    assert store.search(name, vector, 3)[0].score == pytest.approx(1, abs=1e-5)


def test_an_option_that_it_does_not_have_is_refused(url, opened):
    with pytest.raises(ConfigError, match="no option"):
        opened(url + ("&" if "?" in url else "?") + "grph=1")
