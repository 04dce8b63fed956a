"""What every reranker promises; a new one is tested here by being in the table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hatrack.core.errors import ConfigError, ModelCorrupt, ModelError
from hatrack.models.rerankers.base import RERANKERS, open_reranker
from tiny_cross_encoder import make_cross_encoder

TEXTS = ["the red apple", "a blue stone lies here", "", "the red apple " * 400, "river"]
every_reranker = pytest.mark.parametrize("kind", RERANKERS.names())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``made(kind)`` opens one of each kind."""
    folder = make_cross_encoder(tmp_path_factory.mktemp("rerankers") / "one")
    specs = {"cross-encoder": str(folder)}
    return lambda kind: open_reranker(specs[kind])


@every_reranker
def test_each_passage_has_a_score_of_its_own(made, kind):
    reranker = made(kind)
    scores = reranker.scores("red apple", TEXTS)
    assert scores.shape == (len(TEXTS),)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    for text, score in zip(TEXTS, scores, strict=True):
        assert reranker.scores("red apple", [text])[0] == pytest.approx(score, abs=1e-4), text[:20]
    assert len(set(np.round(scores, 4))) > 2
    assert not np.allclose(reranker.scores("blue stone", TEXTS), scores, atol=1e-3)


@every_reranker
def test_no_passages_are_no_scores(made, kind):
    assert made(kind).scores("x", []).shape == (0,)


@every_reranker
def test_a_question_longer_than_the_model_reads_is_no_fault(made, kind):
    assert np.isfinite(made(kind).scores("red apple " * 500, ["stone", "river " * 500])).all()


def test_a_cross_encoder_scores_as_transformers_does(tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    for outputs in (1, 2):
        folder = make_cross_encoder(tmp_path / str(outputs), outputs=outputs)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        with torch.inference_mode():
            logits = [model(**tokenizer("red", text, truncation=True, max_length=128, return_tensors="pt")).logits[0] for text in TEXTS]
        true = [float(one[0] if outputs == 1 else one[1] - one[0]) for one in logits]
        assert np.allclose(open_reranker(str(folder)).scores("red", TEXTS), true, atol=1e-4)


def test_what_does_not_score_pairs_is_refused(tmp_path, tiny_encoder, tiny_causal):
    for folder in (tiny_encoder, tiny_causal, make_cross_encoder(tmp_path / "three", outputs=3)):
        with pytest.raises(ModelError, match="does not score pairs"):
            open_reranker(str(folder))
    with pytest.raises(ConfigError, match="no reranker called"):
        open_reranker("crss-encoder:x")


def test_a_head_that_is_not_in_the_file_is_no_head_of_chance(tmp_path, tiny_encoder):
    import shutil

    folder = tmp_path / "headless"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "x"}}))
    with pytest.raises(ModelCorrupt, match="would be random"):
        open_reranker(str(folder)).scores("x", ["y"])
