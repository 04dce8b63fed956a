"""Finding: by words, by meaning, fused; filters and dates; the same answer every time."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import ConfigError, DataFileError, EmbedderChanged, KnowledgeError
from hatrack.rag.fuse import diverse, reciprocal_ranks
from hatrack.rag.judge import Judged, judge, ndcg, read_questions
from hatrack.rag.retrieve import Query, Retriever
from hatrack.rag.words import WordIndex
from knowledge_places import FACTS, add, found, knowledge_project, open_kb, write_rows


@pytest.fixture
def root(tmp_path):
    root = knowledge_project(tmp_path / "project")
    add(root, write_rows(root / "facts.jsonl", FACTS))
    return root


def test_words_are_found_by_their_stems_in_their_language():
    french = WordIndex.build([(7, "Les impôts sont payés"), (9, "La maison")], "fr")
    assert [number for number, _ in french.search("payer un impôt", 5)] == [7]
    plain = WordIndex.build([(7, "Les impôts sont payés")], "none")
    assert plain.search("payer un impôt", 5) == []


def test_words_look_only_at_what_is_allowed():
    index = WordIndex.build([(1, "red apple"), (2, "red stone"), (3, "green")], "en")
    assert {number for number, _ in index.search("red", 5)} == {1, 2}
    assert [number for number, _ in index.search("red", 5, np.array([2, 3]))] == [2]
    assert index.search("violet", 5) == []
    assert WordIndex.build([], "en").search("red", 5) == []


def test_words_kept_on_disk_find_the_same(tmp_path):
    index = WordIndex.build([(1, "red apple"), (2, "red stone stone")], "en")
    index.save(tmp_path / "words", {"revision": 3})
    again = WordIndex.load(tmp_path / "words", {"revision": 3})
    assert again.search("stones", 5) == index.search("stones", 5)
    assert WordIndex.load(tmp_path / "words", {"revision": 4}) is None
    (tmp_path / "words" / "vocab.index.json").write_text("{")
    assert WordIndex.load(tmp_path / "words", {"revision": 3}) is None


def test_reciprocal_ranks_by_hand():
    scores = reciprocal_ranks([(0.5, ["a", "b"]), (0.5, ["b", "c"])], 10)
    assert list(scores) == ["b", "a", "c"]
    assert scores["b"] == pytest.approx(0.5 / 12 + 0.5 / 11)


def test_diversity_passes_over_what_repeats_a_better_one():
    vectors = {"a": np.array([1, 0.0]), "a2": np.array([1, 0.01]), "b": np.array([0, 1.0])}
    scores = {"a": 1.0, "a2": 0.99, "b": 0.7}
    assert diverse(scores, vectors, 2, 0) == ["a", "a2"]
    assert diverse(scores, vectors, 2, 0.5) == ["a", "b"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "words"])
def test_each_way_of_finding_finds(root, mode):
    assert found(root, "a lost card is replaced", mode=mode)[0] == "card"


def test_a_filter_holds_on_both_sides(root):
    assert set(found(root, "the rate of VAT, the desk, a lost card", where={"country": "FR"}, k=10)) == {"card", "vat", "vat-old"}
    assert found(root, "the desk", where={"year": {"gte": 2022}}, k=10) == ["hours"]


@pytest.mark.parametrize(
    ("day", "rate"), [("2012-06-01", "vat-old"), ("2013-12-31", "vat-old"), ("2014-01-01", "vat"), ("2026-01-01", "vat")]
)
def test_an_answer_is_taken_from_what_is_valid_on_the_day(root, day, rate):
    sources = found(root, "rate of VAT", as_of=day, k=10)
    assert sources[0] == rate
    assert not {"vat", "vat-old"} - {rate} & set(sources)


def test_a_search_says_why(root):
    kb = open_kb(root)
    best = Retriever(kb).search(Query("lost card", ("main",)))[0]
    assert best.source == "facts.jsonl#card"
    assert (best.dense_rank, best.word_rank) == (1, 1)
    assert best.score == pytest.approx(1 / 11)
    assert 0 < best.similarity <= 1
    assert best.metadata["country"] == "FR"
    kb.close()


def test_two_collections_are_one_ranking_and_a_passage_comes_once(tmp_path):
    root = knowledge_project(
        tmp_path, collections={"a": {}, "b": {}}, chunks={"tokens": 16, "parent_tokens": 200, "by": "text"}, search={"k": 4}
    )
    text = "A lost card is replaced for five euros. " * 6 + "The desk opens at nine."
    (root / "a.txt").write_text(text)
    (root / "b.txt").write_text("A lost card costs nothing.")
    add(root, root / "a.txt", "a")
    add(root, root / "b.txt", "b")
    sources = found(root, "lost card", ("a", "b"))
    assert sorted(sources) == ["a.txt", "b.txt"]
    kb = open_kb(root)
    passages = Retriever(kb).search(Query("lost card", ("a", "b")))
    assert next(one for one in passages if one.source == "a.txt").text == text
    kb.close()


def test_another_embedder_is_refused_and_named(root):
    knowledge_project(root, embedder="hashing:128")
    kb = open_kb(root)
    with pytest.raises(EmbedderChanged, match="another embedder") as caught:
        Retriever(kb)
    assert "hashing:256" in caught.value.allowed
    kb.close()


def test_another_store_is_refused(root):
    knowledge_project(root, store="faiss:///elsewhere")
    kb = open_kb(root)
    with pytest.raises(KnowledgeError, match="another store"):
        Retriever(kb)
    kb.close()


def test_what_cannot_be_looked_for_is_said(root, tmp_path):
    with pytest.raises(KnowledgeError, match="nothing to look for"):
        found(root, "  ")
    with pytest.raises(KnowledgeError, match="no collection called"):
        found(root, "x", ("mian",))
    with pytest.raises(KnowledgeError, match="no document has been added"):
        found(knowledge_project(tmp_path / "empty"), "x")
    knowledge_project(root, language="xx")
    with pytest.raises(ConfigError, match="stemmer"):
        found(root, "x")


def test_figures_by_hand():
    assert ndcg(["x", "a"], {"a": 1}) == pytest.approx(1 / np.log2(3))
    assert ndcg(["a", "b"], {"a": 1, "b": 1}) == 1
    assert ndcg([], {"a": 1}) == 0


def test_judging_counts_documents_not_passages(root):
    kb = open_kb(root)
    retriever = Retriever(kb)
    asked = [Judged("lost card", {"card": 1}), Judged("rate of VAT", {"facts.jsonl#vat": 1, "vat-old": 1}), Judged("desk", {"nowhere": 1})]
    figures = judge(asked, lambda text: retriever.search(Query(text, ("main",), k=10)))
    kb.close()
    assert figures.questions == 3
    assert figures.recall_at_5 == pytest.approx(2 / 3)
    assert figures.mrr_at_10 == pytest.approx(2 / 3)
    assert 0 < figures.p50_ms <= figures.p95_ms


def test_questions_are_read_and_a_bad_line_is_named(tmp_path):
    path = write_rows(tmp_path / "q.jsonl", [{"text": "a", "relevant": ["x"]}, {"text": "b", "relevant": {"y": 2}}])
    assert read_questions(path) == [Judged("a", {"x": 1.0}), Judged("b", {"y": 2.0})]
    for rows in ([{"text": "a"}], [{"text": "a", "relevant": []}], []):
        with pytest.raises(DataFileError):
            read_questions(write_rows(path, rows))
