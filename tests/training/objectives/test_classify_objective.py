from __future__ import annotations

import pytest
import torch

from conftest import label_rows
from hatrack.core.errors import CheckFailed, TrainingError
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


def test_r_drop_adds_the_distance_between_two_draws_of_dropout(make_project):
    keys = {"labels": ["red", "green", "blue"], "train": {"r_drop": 3.0, "label_smoothing": 0.1}}
    trainee, items = trainee_of(open_pieces(make_project("classify", **keys)))
    batch = batch_of(items[:8])
    trainee.train()
    with torch.no_grad():
        torch.manual_seed(1)
        loss = trainee(**batch)
        torch.manual_seed(1)
        ids, mask = (torch.cat([batch[key], batch[key]]) for key in ("input_ids", "attention_mask"))
        first, second = trainee.head(embed(trainee.adapted, ids, mask)).chunk(2)
        cross = torch.nn.functional.cross_entropy
        own = [cross(logits, batch["labels"], reduction="sum", label_smoothing=0.1) for logits in (first, second)]
        one, other = first.log_softmax(-1), second.log_softmax(-1)
        distance = sum(torch.nn.functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in ((one, other), (other, one))) / 2
        assert not torch.allclose(first, second)
        assert torch.allclose(loss, sum(own) / 2 + 3 * distance, rtol=1e-5)
        trainee.eval()
        plain = cross(trainee.head(embed(trainee.adapted, batch["input_ids"], batch["attention_mask"])), batch["labels"], reduction="sum")
        assert torch.allclose(trainee(**batch), plain)


def test_r_drop_without_dropout_or_for_another_task_is_refused(make_project):
    with pytest.raises(TrainingError, match="there is no dropout") as refused:
        train(make_project("classify", train={"r_drop": 1, "base_dropout": "off"}))
    assert "base_dropout: keep" in refused.value.fix
    with pytest.raises(TrainingError, match="r_drop is for task classify"):
        train(make_project("classify-by-text", folder="text", train={"r_drop": 1}))


def test_a_run_with_r_drop_trains_and_repeats(make_project):
    from tiny_training import train_and_register

    runs = [
        train_and_register(make_project("classify", folder=name, train={"r_drop": 1.0, "epochs": 2, "batch_size": 8}))
        for name in ("a", "b")
    ]
    assert runs[0].digest == runs[1].digest
    without = train_and_register(make_project("classify", folder="c", train={"epochs": 2, "batch_size": 8}))
    assert without.digest != runs[0].digest


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
