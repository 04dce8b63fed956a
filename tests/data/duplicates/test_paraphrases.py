"""Texts that mean the same: every pair of vectors compared, merged with what is equal, refused where that is too many."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import CheckFailed
from hatrack.data.duplicates import paraphrases
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.disjoint import united
from hatrack.data.duplicates.paraphrases import paraphrase_clusters

MEANINGS = {
    "I want to cancel my card.": (1, 0, 0),
    "Please cancel my card": (0.95, 0.3, 0),
    "Block the card": (0.6, 0.8, 0),
    "What is the weather?": (0, 0, 5),
    "": (0, 0, 0),
}


def embed(texts):
    return np.array([MEANINGS[text] for text in texts], dtype=np.float32)


def test_texts_of_one_meaning_are_one_cluster():
    assert paraphrase_clusters(embed, list(MEANINGS), 0.9) == [0, 0, 2, 3, 4]


def test_a_chain_of_meanings_is_one_cluster():
    assert paraphrase_clusters(embed, list(MEANINGS), 0.8) == [0, 0, 0, 3, 4]


def test_a_text_without_a_vector_is_like_nothing_but_itself():
    assert paraphrase_clusters(embed, ["", "What is the weather?", ""], 0.5) == [0, 1, 0]


def test_equal_texts_are_embedded_once_and_are_together_at_any_threshold():
    seen = []
    texts = ["Block the card", "What is the weather?", "block the CARD!", "Block the card"]

    def watched(batch):
        seen.extend(batch)
        return embed(batch)

    assert paraphrase_clusters(watched, texts, 1.0) == [0, 1, 0, 0]
    assert seen == ["Block the card", "What is the weather?"]


def test_every_pair_is_compared_over_blocks_and_batches(monkeypatch):
    monkeypatch.setattr(paraphrases, "_BLOCK", 7)
    monkeypatch.setattr(paraphrases, "_BATCH", 5)
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    texts = [f"text {i}" for i in range(60)]
    found = paraphrase_clusters(lambda batch: vectors[[int(text.split()[1]) for text in batch]], texts, 0.95)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = unit @ unit.T >= 0.95
    assert len(set(found)) < 60
    for i in range(60):
        reached = {i}
        for _ in range(60):
            reached |= {int(j) for k in reached for j in np.flatnonzero(near[k])}
        assert found[i] == min(reached)


def test_too_many_texts_are_refused_before_anything_is_embedded(monkeypatch):
    monkeypatch.setattr(paraphrases, "MOST_PARAPHRASES", 3)
    with pytest.raises(CheckFailed, match="too many texts") as refused:
        paraphrase_clusters(embed, list(MEANINGS), 0.9)
    assert "at most 3" in str(refused.value)


def test_clusters_of_words_and_of_meanings_are_merged():
    texts = ["Please cancel my card", "I want to cancel my card.", "PLEASE cancel my card!", "What is the weather?"]
    words = clusters(texts, 0.9)
    assert words == [0, 1, 0, 3]
    assert united(words, [0, 0, 2, 3]) == [0, 0, 0, 3]
    assert united([0, 1, 1], [0, 0, 2]) == [0, 0, 0]


def test_progress_goes_from_nothing_to_all():
    seen = []
    paraphrase_clusters(embed, list(MEANINGS), 0.9, lambda *step: seen.append(step))
    assert {what for what, _, _ in seen} == {"reading texts", "embedding texts", "comparing meanings"}
    assert all(done <= total for _, done, total in seen)
    assert seen[-1] == ("comparing meanings", 5, 5)
