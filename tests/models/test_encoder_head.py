"""Embeddings do not depend on what else is in the batch; centroids classify before any training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.models.encoder import CosineHead, class_centroids, token_batches
from hatrack.models.host import ModelHost


def test_an_embedding_is_the_same_alone_and_in_a_batch_and_has_length_one(encoder_files):
    host = ModelHost(encoder_files)
    rows = host.tokenize(["red", "a much longer text about a river and a stone", "bird and fish"], 64)
    together = host.embed_ids(rows)
    assert torch.allclose(together, torch.cat([host.embed_ids([row]) for row in rows]), atol=1e-5)
    assert together.norm(dim=1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)


def test_texts_are_cut_at_max_length_with_their_special_tokens(encoder_files):
    host = ModelHost(encoder_files)
    (short,), (long,) = host.tokenize(["red tree"], 64), host.tokenize(["red tree " * 50], 10)
    assert len(long) == 10
    assert (short[0], short[-1]) == (long[0], long[-1])


def test_centroids_are_the_mean_directions_and_zero_where_there_is_no_row():
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    centroids = class_centroids(embeddings, torch.tensor([0, 1, 1]), 3)
    assert torch.allclose(centroids, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    assert torch.equal(CosineHead(centroids, 20.0)(embeddings).argmax(1), torch.tensor([0, 1, 1]))
    assert CosineHead(centroids, 20.0)(embeddings)[0].tolist() == [20.0, 0.0, 0.0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=60), st.integers(20, 200), st.integers(1, 10))
def test_batches_hold_every_row_once_and_no_more_tokens_than_asked(lengths, tokens, most):
    rows = [[0] * length for length in lengths]
    batches = token_batches(rows, tokens, most)
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) <= most
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= tokens
