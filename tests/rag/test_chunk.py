"""Chunks: within their size, complete, at the borders that were asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.config_knowledge import ChunkSettings
from hatrack.core.errors import ConfigError
from hatrack.rag.chunk import Chunker
from hatrack.rag.records import Document, Part

WORDS = ["the", "red", "apple", "is", "on", "a", "green", "table", "and", "the", "blue", "stone", "lies", "under", "it."]
BOOK = Document(
    "book.md",
    "book.md",
    "Book",
    (Part("Book", 1, "A first word."), Part("Fruit", 2, "Apples are red. " * 12), Part("Stones", 2, "Stones are blue. " * 12)),
)


def cut(document=BOOK, tokenizer=None, most=256, **keys):
    return Chunker(ChunkSettings(**keys), tokenizer, most).cut(document)


def one(text, title=""):
    return Document("a", "a", title, (Part("", 0, text),))


def words(text):
    return text.split()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=300), st.integers(16, 60))
def test_no_chunk_is_too_long_and_no_word_is_lost(text, tokens):
    chunks, _ = cut(one(" ".join(text)), by="text", tokens=tokens)
    assert all(len(chunk.searched) <= 4 * tokens for chunk in chunks)
    assert [word for chunk in chunks for word in words(chunk.text)] == text


def test_a_chunk_never_crosses_a_heading_and_knows_the_headings_above_it():
    chunks, passages = cut(tokens=32)
    assert passages == ()
    assert next(chunk.head for chunk in chunks) == "Book"
    assert {chunk.head for chunk in chunks} == {"Book", "Book > Fruit", "Book > Stones"}
    assert not any("Apples" in chunk.text and "Stones" in chunk.text for chunk in chunks)
    assert all("Apples" not in chunk.text for chunk in chunks if chunk.head == "Book > Stones")


def test_without_context_a_chunk_is_its_text():
    chunks, _ = cut(tokens=32, context=False)
    assert {chunk.head for chunk in chunks} == {""}


def test_by_text_headings_are_no_borders():
    chunks, _ = cut(by="text", tokens=250)
    assert len(chunks) == 1
    assert "Fruit" in chunks[0].text


def test_neighbours_share_what_overlap_says():
    text = " ".join(f"word{i}" for i in range(200))
    plain, _ = cut(one(text), by="text", tokens=40)
    shared, _ = cut(one(text), by="text", tokens=40, overlap=10)
    assert not set(words(plain[0].text)) & set(words(plain[1].text))
    assert set(words(shared[0].text)) & set(words(shared[1].text))


def test_small_chunks_know_the_passage_they_lie_in():
    chunks, passages = cut(tokens=16, parent_tokens=48)
    assert len(passages) < len(chunks)
    for chunk in chunks:
        assert chunk.text in passages[chunk.passage]


def test_rows_stay_whole_and_repeat_the_head_of_the_table():
    table = "name | price\n" + "\n".join(f"item {i} | {i} euros" for i in range(40))
    chunks, _ = cut(one(table), by="rows", tokens=40)
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk.text.startswith("name | price\n")
        assert all(line.count("|") == 1 for line in chunk.text.split("\n"))
    rows = [line for chunk in chunks for line in chunk.text.split("\n")[1:]]
    assert rows == table.split("\n")[1:]


def test_a_row_that_is_too_long_for_itself_is_cut():
    chunks, _ = cut(one("a | b\n" + "x " * 400 + "\nc | d"), by="rows", tokens=40)
    assert all(len(chunk.text) <= 160 for chunk in chunks)
    assert any("c | d" in chunk.text for chunk in chunks)


def test_whole_is_one_chunk():
    chunks, _ = cut(by="whole")
    assert len(chunks) == 1
    assert "Stones are blue." in chunks[0].text


def test_sizes_are_tokens_of_the_embedder(tiny_encoder):
    from hatrack.models.embedders.base import open_embedder

    tokenizer = open_embedder(str(tiny_encoder)).tokenizer
    chunks, _ = cut(one("apple stone river " * 60), tokenizer, 128, by="text", tokens=30)
    sizes = [len(tokenizer.encode(chunk.text).ids) for chunk in chunks]
    assert max(sizes) <= 32  # two more stand around a text
    assert len(chunks) > 5


def test_chunks_that_the_embedder_cannot_read_are_refused():
    with pytest.raises(ConfigError, match="longer than the embedder reads"):
        Chunker(ChunkSettings(tokens=300), None, 256)
    with pytest.raises(ConfigError, match="larger than a chunk"):
        Chunker(ChunkSettings(parent_tokens=100), None, 256)
    with pytest.raises(ValueError, match="smaller than tokens"):
        ChunkSettings(tokens=20, overlap=20)
