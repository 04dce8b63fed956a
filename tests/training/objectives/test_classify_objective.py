from __future__ import annotations

import pytest
import torch

from conftest import label_rows
from hatrack.core.errors import CheckFailed
from hatrack.models.encoder import embed, pad_right
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.objectives.base import OBJECTIVES
from tiny_training import open_pieces, train


def trainee_of(pieces):
    base = pieces.base()
    adapted, _ = Lora().apply(base, LoraOptions(r=2), "encoder")
    items, _ = pieces.items()
    return OBJECTIVES.get("classify")().trainee(base, adapted, pieces.prepared, pieces.config, items), items


def batch_of(items):
    batch = OBJECTIVES.get("classify")().collate(items, 0)
    batch.pop("rows")
    return batch


@pytest.fixture
def pieces(make_project):
    return open_pieces(make_project("classify", label_rows(70, ("red", "green", "blue", "one")), train={"label_smoothing": 0.2}))


def test_the_head_starts_at_the_class_centroids(pieces):
    trainee, items = trainee_of(pieces)
    base = pieces.base()
    for number in range(4):
        members = [item.ids for item in items if item.labels == (number,)]
        with torch.no_grad():
            centre = torch.cat([embed(base, *pad_right([ids], 0)) for ids in members]).mean(0)
        assert torch.allclose(trainee.head.weight[number], centre / centre.norm(), atol=1e-5)


def test_a_class_without_training_rows_starts_at_zero(make_project):
    keys = {"labels": ["red", "green", "blue", "table"]}
    trainee, _ = trainee_of(open_pieces(make_project("classify", **keys)))
    norms = trainee.head.weight.norm(dim=1)
    assert norms[3] == 0  # blue, green, red, table
    assert torch.allclose(norms[:3], torch.ones(3))


def test_the_head_classifies_before_any_training(pieces):
    trainee, items = trainee_of(pieces)
    batch = batch_of(items)
    with torch.no_grad():
        logits = trainee.head(embed(trainee.adapted, batch["input_ids"], batch["attention_mask"]))
    assert (logits.argmax(1) == batch["labels"]).float().mean() > 0.4  # of four classes, on a base that knows nothing


def test_the_head_is_trained_with_the_adapter(pieces):
    trainee, items = trainee_of(pieces)
    names = [name for name, p in trainee.named_parameters() if p.requires_grad]
    assert "head.weight" in names
    trainee(**batch_of(items[:8])).backward()
    assert trainee.head.weight.grad.abs().max() > 0


def test_label_smoothing_is_for_training_only(pieces):
    trainee, items = trainee_of(pieces)
    batch = batch_of(items[:8])
    with torch.no_grad():
        trainee.eval()
        logits = trainee.head(embed(trainee.adapted, batch["input_ids"], batch["attention_mask"]))
        plain = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")
        smooth = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum", label_smoothing=0.2)
        assert torch.allclose(trainee(**batch), plain)
        trainee.training = True  # the trainee alone: dropout of the base stays off
        assert torch.allclose(trainee(**batch), smooth)
    assert smooth > plain + 0.01


def test_the_loss_is_a_sum_over_rows(pieces):
    trainee, items = trainee_of(pieces)
    trainee.eval()
    with torch.no_grad():
        alone = sum(float(trainee(**batch_of([item]))) for item in items[:6])
        assert float(trainee(**batch_of(items[:6]))) == pytest.approx(alone, rel=1e-5)


def test_every_row_keeps_its_number_and_its_class(pieces):
    items, _ = pieces.items()
    labels = {e.row: e.label for e in pieces.prepared.splits.train}
    assert {item.row: pieces.prepared.labels[item.labels[0]] for item in items} == labels


def test_F07_long_rows_are_refused_before_training(make_project):
    with pytest.raises(CheckFailed, match="longer than"):
        train(make_project("classify", train={"max_length": 8}))
    accepted = open_pieces(make_project("classify", folder="yes", train={"max_length": 8}, checks={"max_truncated": 1}))
    assert max(len(item.ids) for item in accepted.items()[0]) == 8
