from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file

from hatrack.core.errors import NonFiniteLoss
from hatrack.training.curves import read_events
from hatrack.training.objectives.base import OBJECTIVES
from hatrack.training.objectives.causal import CausalTrainee
from tiny_training import open_pieces, run_folder, train, train_and_register, validation_loss


@pytest.fixture
def poisoned(monkeypatch):
    """The loss of one row is not a number from the third time on that it is seen."""

    def arm(ids):
        real = CausalTrainee.loss_sum
        seen = []

        def loss_sum(self, batch):
            loss = real(self, batch)
            if self.training and any(tuple(row[: len(ids)].tolist()) == ids for row in batch["input_ids"]):
                seen.append(1)
                return loss * float("nan") if len(seen) == 3 else loss
            return loss

        monkeypatch.setattr(CausalTrainee, "loss_sum", loss_sum)

    return arm


def test_a_loss_that_is_no_number_stops_training_and_names_the_rows(make_project, poisoned):
    pieces = open_pieces(make_project("classify-by-text", train={"epochs": 5, "batch_size": 4}))
    item = pieces.items()[0][7]
    poisoned(item.ids)
    with pytest.raises(NonFiniteLoss, match=r"training loss became nan in step (2[5-9]|3[0-6])\n") as stopped:
        pieces.train()
    rows = [int(row) for row in stopped.value.given.removeprefix("rows ").removesuffix(" of the training data").split(", ")]
    assert item.row in rows
    assert len(rows) == 4
    run = run_folder(pieces.runs.parent.parent)
    assert not (run / "adapter").exists()
    assert list(run.glob("checkpoint-*/complete.json")), "the last checkpoint is kept"


def test_an_absurd_learning_rate_is_stopped_too(make_project, hatrack):
    ran = hatrack("train", project=make_project("classify-by-text", train={"learning_rate": 1e30, "warmup": 0, "epochs": 5}))
    assert ran.code == 2
    assert "loss became nan" in ran.err
    assert "lower train.learning_rate" in ran.err


def test_a_validation_loss_that_is_no_number_is_refused_though_training_was_finite(make_project):
    # the only step: its loss is still finite, the weights after it are not
    project = make_project("classify-by-text", train={"learning_rate": 1e38, "warmup": 0, "epochs": 0.1, "batch_size": 64})
    with pytest.raises(NonFiniteLoss, match="validation loss became nan in step 1") as stopped:
        train(project)
    assert "of the validation data" in stopped.value.given


@pytest.mark.parametrize("task", ["classify", "classify-by-text"])
def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(make_project, task):
    settings = {"epochs": 30, "batch_size": 8, "learning_rate": 1.0, "patience": 2, "evals_per_epoch": 2}
    pieces = open_pieces(make_project(task, train=settings))
    trained = pieces.train()
    losses = [(event["eval_loss"], event["step"]) for event in read_events(trained.run) if "eval_loss" in event]
    best, step = min(losses)
    assert step == losses[-3][1] < 30 * 6, "two more validations after the best, then the end"
    assert trained.statistics["steps"] == losses[-1][1]
    assert trained.statistics["best_validation_loss"] == pytest.approx(best, abs=1e-6)
    assert validation_loss(pieces, trained) == pytest.approx(best, rel=1e-4)
    assert abs(losses[-1][0] - best) > 1e-3 * best, "else the last weights would do as well"


def test_the_last_step_is_validated_even_off_the_grid(make_project):
    trained = train(make_project("classify-by-text", train={"epochs": 1.5, "batch_size": 8}))
    assert [event["step"] for event in read_events(trained.run) if "eval_loss" in event] == [6, 9]


@pytest.mark.parametrize(("settings", "rising"), [({}, 0), ({"warmup": 0.5}, 6)])
def test_a_constant_learning_rate_rises_only_where_a_warm_up_is_given(make_project, settings, rising):
    settings = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "schedule": "constant", **settings}
    trained = train(make_project("classify-by-text", train=settings))
    rates = [event["learning_rate"] for event in read_events(trained.run) if "loss" in event]
    assert len(rates) == 12
    assert sum(rate < 0.01 for rate in rates) == rising
    assert rates[rising:] == [0.01] * (12 - rising)


def test_training_moves_only_the_adapter(make_project, tiny_causal):
    before = (tiny_causal / "model.safetensors").read_bytes()
    trained = train(make_project("classify-by-text"))
    assert all("lora_" in name for name in load_file(trained.folder / "adapter_model.safetensors"))
    assert (tiny_causal / "model.safetensors").read_bytes() == before


def test_the_logged_loss_of_the_first_step_is_the_mean_over_its_labels(make_project):
    pieces = open_pieces(make_project("classify-by-text", train={"epochs": 1, "batch_size": 64, "learning_rate": 1e-12}))
    trained = pieces.train()
    items, _ = pieces.items()
    base = pieces.base()
    trainee = CausalTrainee(base, base, items[0].ids).eval()
    batch = OBJECTIVES.get("classify-by-text")().collate(items, 0)
    batch.pop("rows")
    with torch.no_grad():
        expected = float(trainee(**batch)) / sum(item.counted for item in items)
    [logged] = [event["loss"] for event in read_events(trained.run) if "loss" in event]
    assert logged == pytest.approx(expected, rel=1e-4)


def test_the_manifest_tells_how_training_went(make_project):
    figures = train_and_register(make_project("classify-by-text")).training
    assert {"seconds", "steps", "epochs", "rows", "tokens_per_second", "peak_rss_mb", "best_validation_loss"} <= set(figures)
    assert figures["steps"] == 12
    assert figures["rows"] == 48
    assert all(math.isfinite(value) for value in figures.values())


def test_rows_come_in_another_order_every_epoch(make_project, monkeypatch):
    from hatrack.training.sampler import LengthBuckets

    orders = []
    real = LengthBuckets.__iter__
    monkeypatch.setattr(LengthBuckets, "__iter__", lambda self: iter(orders.append(list(real(self))) or orders[-1]))
    train(make_project("classify-by-text", train={"epochs": 3, "patience": 9}))
    assert len(orders) == 3
    assert len({tuple(order) for order in orders}) == 3
