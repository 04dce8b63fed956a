"""An encoder in 8 bits: nearly the same vectors, each by itself, and the same index only where they agree."""

from __future__ import annotations

import numpy as np
import pytest

import hatrack.rag.knowledge as knowledge
from hatrack.core.errors import ConfigError, EmbedderChanged
from hatrack.models.embedders.base import open_embedder
from hatrack.rag.retrieve import Retriever
from knowledge_places import FACTS, add, found, knowledge_project, open_kb, write_rows

TEXTS = ["the red apple", "a blue stone lies here", "river " * 100, "one two three"]


@pytest.fixture
def root(tmp_path, tiny_encoder):
    root = knowledge_project(tmp_path / "project", embedder=str(tiny_encoder))
    add(root, write_rows(root / "facts.jsonl", FACTS))
    return root


def test_vectors_are_near_those_in_full_precision_and_not_the_same(tiny_encoder):
    full, fast = open_embedder(str(tiny_encoder)), open_embedder(str(tiny_encoder), precision="int8")
    cosines = (full.passages(TEXTS) * fast.passages(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.98
    assert not np.array_equal(full.passages(TEXTS), fast.passages(TEXTS))
    assert fast.fingerprint != full.fingerprint
    assert fast.family == full.family == full.fingerprint


def test_a_product_is_that_of_rounded_rows():
    import torch

    from hatrack.models.int8_linear import Int8Linear

    torch.manual_seed(0)
    linear, x = torch.nn.Linear(24, 10), torch.randn(2, 5, 24)
    x[0, 0] *= 1000  # a large row does not make the others coarse
    fast = Int8Linear(linear)(x)
    true = linear(x)
    assert fast.shape == true.shape
    for ours, theirs in zip(fast.reshape(-1, 10), true.reshape(-1, 10), strict=True):
        assert float((ours - theirs).abs().max() / theirs.abs().max()) < 0.03
    assert torch.equal(Int8Linear(linear)(x[1:]), fast[1:])
    assert torch.isfinite(Int8Linear(linear)(torch.zeros(1, 24))).all()


def test_a_vector_does_not_depend_on_its_neighbours(tiny_encoder):
    fast = open_embedder(str(tiny_encoder), precision="int8")
    together = fast.passages(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        # not closer: sums of floats in another order move a value over the edge of its rounding now and then
        assert np.allclose(fast.passages([text])[0], vector, atol=1e-3)


def test_an_index_is_shared_where_the_vectors_agree_and_nothing_is_embedded_again(root, tiny_encoder):
    before = found(root, "lost card")
    knowledge_project(root, embedder=str(tiny_encoder), precision="int8")
    assert set(found(root, "lost card")) == set(before)
    report = add(root, root / "facts.jsonl")
    assert (report.unchanged, report.changed) == (5, 0)
    kb = open_kb(root)
    (least,) = kb.catalog.meta("agreed").values()
    kb.close()
    assert 0.98 < least < 1


def test_where_they_do_not_agree_it_is_refused_with_the_figure(root, tiny_encoder, monkeypatch):
    knowledge_project(root, embedder=str(tiny_encoder), precision="int8")
    monkeypatch.setattr(knowledge, "AGREEMENT", 0.999999)
    kb = open_kb(root)
    with pytest.raises(EmbedderChanged, match="another precision") as caught:
        Retriever(kb)
    assert "a cosine of 0.9" in caught.value.given
    kb.close()


def test_vectors_of_one_family_that_have_moved_are_noticed(root, tiny_encoder):
    kb = open_kb(root)
    chunks = {one: np.roll(vector, 1) for one, vector in kb.store.vectors("main", [row[1] for row in kb.catalog.sample(32)]).items()}
    kb.store.put("main", [knowledge_point(one, vector) for one, vector in chunks.items()])
    kb.close()
    knowledge_project(root, embedder=str(tiny_encoder), precision="int8")
    kb = open_kb(root)
    with pytest.raises(EmbedderChanged, match="another precision"):
        Retriever(kb)
    kb.close()


def knowledge_point(one, vector):
    from hatrack.rag.stores.base import Point

    return Point(one, vector, {})


def test_only_an_encoder_has_eight_bits():
    with pytest.raises(ConfigError, match="only an encoder"):
        open_embedder("hashing:64", precision="int8")
