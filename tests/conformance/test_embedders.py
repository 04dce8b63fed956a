"""What every embedder promises; a new one is tested here by being in the table."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from embeddings_server import embeddings_server
from hatrack.core.errors import ConfigError, ModelError, ProviderError
from hatrack.models.embedders.base import EMBEDDERS, open_embedder

TEXTS = ["the red apple", "a blue stone lies here", "", "the red apple " * 400]
every_embedder = pytest.mark.parametrize("kind", EMBEDDERS.names())


@pytest.fixture
def made(tiny_encoder, tiny_causal, monkeypatch):
    """``made(kind)`` opens one of each kind."""
    monkeypatch.setenv("EMBEDDING_KEY", "key-of-the-test")
    with embeddings_server() as server:
        specs = {
            "encoder": str(tiny_encoder),
            "hashing": "hashing:64",
            "llm": f"llm:{tiny_causal}",
            "openai": f"openai:tiny@{server.url}#EMBEDDING_KEY",
        }
        yield lambda kind, **keys: open_embedder(specs[kind], **keys)


@every_embedder
def test_vectors_have_length_one_and_the_order_of_the_texts(made, kind):
    embedder = made(kind)
    vectors = embedder.passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(TEXTS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert np.allclose(embedder.passages([text])[0], vector, atol=1e-4), text[:20]
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


@every_embedder
def test_no_texts_are_no_vectors(made, kind):
    assert len(made(kind).passages([])) == 0


@every_embedder
def test_a_fingerprint_is_of_everything_that_decides_a_vector(made, kind):
    assert made(kind).fingerprint == made(kind).fingerprint
    if kind != "hashing":  # it takes no prefix
        prefixed = made(kind, query_prefix="query: ")
        assert prefixed.fingerprint != made(kind).fingerprint
        assert prefixed.family != made(kind).family
        assert np.allclose(prefixed.queries(["x"]), made(kind).passages(["query: x"]), atol=1e-5)


@every_embedder
def test_an_embedder_says_what_it_reads(made, kind):
    embedder = made(kind)
    assert embedder.max_tokens >= 16
    if embedder.tokenizer is not None:
        assert len(embedder.tokenizer.encode("the red apple " * 1000).ids) > 1000


def test_prompts_and_pooling_stand_in_the_files_of_a_model(tiny_encoder, tmp_path):
    folder = tmp_path / "prompted"
    shutil.copytree(tiny_encoder, folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "query: ", "passage": "passage: "}}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    plain, prompted = open_embedder(str(tiny_encoder)), open_embedder(str(folder))
    assert np.allclose(prompted.queries(["apple"]), plain.queries(["query: apple"]), atol=1e-6)
    assert np.allclose(prompted.passages(["apple"]), plain.passages(["passage: apple"]), atol=1e-6)
    assert prompted.max_tokens == 64
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    first = open_embedder(str(folder))
    assert not np.allclose(first.queries(["apple"]), prompted.queries(["apple"]), atol=1e-3)
    assert len({plain.fingerprint, prompted.fingerprint, first.fingerprint}) == 3


def test_what_cannot_be_opened_is_said(tiny_causal, monkeypatch):
    with pytest.raises(ModelError, match="no encoder"):
        open_embedder(str(tiny_causal))
    with pytest.raises(ConfigError, match="no embedder called"):
        open_embedder("hshing:3")
    with pytest.raises(ConfigError, match="no embedding model"):
        open_embedder("openai:")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ConfigError, match="no key"):
        open_embedder("openai:m@http://127.0.0.1:1/v1#NO_SUCH_KEY").passages(["x"])


def test_an_endpoint_that_gives_other_vectors_than_it_was_asked_for(monkeypatch):
    monkeypatch.setenv("EMBEDDING_KEY", "key-of-the-test")
    with embeddings_server(missing=1) as server, pytest.raises(ProviderError, match="protocol"):
        open_embedder(f"openai:tiny@{server.url}#EMBEDDING_KEY").passages(["a", "b"])
