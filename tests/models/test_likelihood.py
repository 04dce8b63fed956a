"""Log-probabilities of texts: those of the model itself, whatever stands in the same batch."""

from __future__ import annotations

import pytest
import torch

from hatrack.models.likelihood import log_likelihoods
from hatrack.models.loading import load_module, open_base
from hatrack.models.render import ChatRenderer


@pytest.fixture(scope="module")
def base(tiny_causal):
    files = open_base(str(tiny_causal))
    return load_module(files), ChatRenderer(files.tokenizer, files.stop_ids)


def test_they_are_the_models_own_loss_times_the_tokens(base):
    module, renderer = base
    rows = [renderer.text(text) for text in ("red river", "a green stone in the cloud", "one two three four bird")]
    scores = log_likelihoods(module, rows)
    for row, (total, tokens) in zip(rows, scores.tolist(), strict=True):
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            mean = float(module(input_ids=ids, labels=ids).loss)
        assert tokens == len(row.ids) - 1
        assert -total / tokens == pytest.approx(mean, rel=1e-5)


def test_only_marked_tokens_count_and_the_company_does_not(base):
    module, renderer = base
    rows = [one for text in ("red", "lamp lamp lamp", "chair table") for one in renderer.pair(turns(text), "blue bird")]
    together = log_likelihoods(module, rows)
    assert together[:, 1].tolist() == [sum(row.mask) for row in rows]
    for row, scores in zip(rows, together, strict=True):
        assert torch.allclose(log_likelihoods(module, [row])[0], scores, atol=1e-4)


def turns(answer):
    from hatrack.core.chat import Message

    return (Message("user", "which one?"), Message("assistant", answer))
